"""Change events of folders from the Linux kernel, into the event loop.

Directly, because the events are then there at once and cost nothing while nothing happens (a library that collects
them in a thread wakes up 50 times a second for 20 to 40 ms of delay), because single folders can be added while events
arrive, and because what goes wrong is told: the queue's overflow, and the limit of watches wherever it is reached.
"""

import asyncio
import ctypes
import errno
import os
import struct
import threading
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_OVERFLOW, _IGNORED, _IS_FOLDER = 0x4000, 0x8000, 0x40000000
_ONLY_FOLDERS, _NOT_UNLINKED = 0x1000000, 0x4000000
_REPLACED = _MOVED_FROM | _MOVED_TO | _CREATE
_CONTENT = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_MASK = _CONTENT | _DELETE_SELF | _MOVE_SELF | _ONLY_FOLDERS | _NOT_UNLINKED
_EVENT = struct.Struct("iIII")
_BUFFER = 1 << 16
_REST = 0.01
"""Seconds between two reads: the kernel merges what happens meanwhile, and a busy folder costs no core."""


class NoEventsError(OSError):
    """Folders cannot be watched; `strerror` says why, `hint` what helps."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(0, reason)
        self.hint = hint


class Touched(NamedTuple):
    """Something happened at a path."""

    path: str
    still_open: bool = False
    """A file that is being written: more will follow."""


class _Kernel:
    """The two system calls that Python has no function for."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def init(self) -> int:
        flags = os.O_CLOEXEC | os.O_NONBLOCK
        return self._checked(self._libc.inotify_init1(flags))

    def add(self, fd: int, path: str) -> int:
        return self._checked(self._libc.inotify_add_watch(fd, os.fsencode(path), ctypes.c_uint32(_MASK)))

    def remove(self, fd: int, watch: int) -> None:
        self._libc.inotify_rm_watch(fd, watch)

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result


class Inotify:
    """Watches a changing set of folders; `enter` and `retain` may be called in a thread, the rest in the event loop."""

    def __init__(self, touched: Callable[[list[Touched]], None], lost: Callable[[], None]) -> None:
        """`lost` is called when the kernel dropped events: anything may have changed. Raises `NoEventsError`."""
        self._touched, self._lost = touched, lost
        self._loop = asyncio.get_running_loop()
        self._kernel = _Kernel()
        self._lock = threading.Lock()
        self._paths: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        self._rest: asyncio.TimerHandle | None = None
        try:
            self._fd = self._kernel.init()
        except OSError as error:
            raise _no_events(error) from error
        self._loop.add_reader(self._fd, self._read)

    def enter(self, path: str) -> None:
        """Watch one folder from now on; a folder that is gone or may not be read is left out."""
        with self._lock:
            if path in self._watches or self._fd < 0:
                return
            try:
                watch = self._kernel.add(self._fd, path)
            except OSError as error:
                if error.errno in {errno.ENOSPC, errno.ENOMEM}:
                    raise _no_events(error) from error
                return
            # A folder that was moved here still has the watch that it had under its old name.
            moved_from = self._paths.get(watch)
            if moved_from is not None:
                self._watches.pop(moved_from, None)
            self._paths[watch], self._watches[path] = path, watch

    def retain(self, paths: Collection[str]) -> None:
        """Watch none but these any longer."""
        with self._lock:
            self._drop([path for path in self._watches if path not in paths])

    def close(self) -> None:
        self._stop_reading()
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1
            self._paths.clear()
            self._watches.clear()

    def _forget(self, folder: str) -> None:
        """The watches at and below this path are of folders that moved on, or that a link no longer leads to."""
        below = folder + "/"
        self._drop([path for path in self._watches if path == folder or path.startswith(below)])

    def _drop(self, paths: list[str]) -> None:
        for path in paths:
            watch = self._watches.pop(path)
            del self._paths[watch]
            self._kernel.remove(self._fd, watch)

    def _stop_reading(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)

    def _read(self) -> None:
        self._stop_reading()
        self._rest = self._loop.call_later(_REST, self._loop.add_reader, self._fd, self._read)
        try:
            buffer = os.read(self._fd, _BUFFER)
        except BlockingIOError:
            return
        with self._lock:
            touched = list(self._understand(buffer))
        if touched:
            self._touched(touched)

    def _understand(self, buffer: bytes) -> Iterator[Touched]:
        for watch, mask, name in _events(buffer):
            if mask & _OVERFLOW:
                self._loop.call_soon(self._lost)
                continue
            folder = self._paths.get(watch)
            if folder is None:
                continue
            if mask & _IGNORED:
                del self._paths[watch]
                self._watches.pop(folder, None)
                yield Touched(folder)
            elif mask & (_DELETE_SELF | _MOVE_SELF):
                self._forget(folder)
                yield Touched(folder)
            elif name:
                path = f"{folder.rstrip('/')}/{os.fsdecode(name)}"
                if path in self._watches and mask & _REPLACED:
                    self._forget(path)
                begun = mask & (_MODIFY | _CREATE) and not mask & (_IS_FOLDER | _CLOSE_WRITE)
                yield Touched(path, bool(begun))


def _events(buffer: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at < len(buffer):
        watch, mask, _, length = _EVENT.unpack_from(buffer, at)
        at += _EVENT.size + length
        yield watch, mask, buffer[at - length : at].rstrip(b"\0")


def _no_events(error: OSError) -> NoEventsError:
    if error.errno == errno.ENOSPC:
        return NoEventsError(
            "the limit of watched folders is reached (fs.inotify.max_user_watches)",
            "sudo sysctl fs.inotify.max_user_watches=524288",
        )
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        return NoEventsError(
            "the limit of watchers is reached (fs.inotify.max_user_instances)",
            "sudo sysctl fs.inotify.max_user_instances=1024",
        )
    return NoEventsError(f"the kernel gives no change events ({error.strerror})")
