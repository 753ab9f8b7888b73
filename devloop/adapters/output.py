"""Writing lines to a file descriptor without ever holding up the event loop.

A reader that stops reading blocks only the writing thread; a reader that is gone is told to the session.
"""

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable, Sequence


class LineWriter:
    """A daemon thread that writes lines; at most `limit` batches wait for it, then `write` waits too."""

    def __init__(self, fd: int, closed: Callable[[], None], limit: int = 64) -> None:
        """`closed` is called once, in the event loop, when nobody reads any more."""
        self._fd = fd
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(limit)
        self._batches: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._done = asyncio.Event()
        self._broken = False
        threading.Thread(target=self._run, name="devloop output", daemon=True).start()

    async def write(self, lines: Sequence[str]) -> None:
        """Hand over lines, each without its line end."""
        if lines and not self._broken:
            await self._room.acquire()
            text = "".join(f"{line}\n" for line in lines)
            self._batches.put(text.encode("utf-8", "backslashreplace"))

    async def close(self, patience: float) -> None:
        """Wait until all is written, at most `patience` seconds: a reader may have stopped reading."""
        self._batches.put(None)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._done.wait(), patience)

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                _write_all(self._fd, batch)
            except OSError:
                self._tell(self._on_broken)
                break
            self._tell(self._room.release)
        self._tell(self._done.set)

    def _tell(self, callback: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(callback)

    def _on_broken(self) -> None:
        self._broken = True
        self._room.release()
        self._closed()


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
