"""Writing lines to a file descriptor without ever holding up the event loop.

A reader that stops reading blocks only the writing thread; a reader that is gone is told to the session.
"""

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial

_PIECE = 32_768
"""Bytes of one write: less than a pipe holds, so that a reader who reads slowly is seen to read."""


class LineWriter:
    """A daemon thread that writes lines; at most `limit` batches wait for it, then `write` waits too."""

    def __init__(self, fd: int, closed: Callable[[OSError], None], limit: int = 64) -> None:
        """`closed` is called once, in the event loop, when nobody reads any more, or nothing more can be written."""
        self._fd = fd
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(limit)
        self._batches: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._done = asyncio.Event()
        self._broken = False
        self.written = 0
        """Pieces that the reader has taken: as long as this grows, somebody reads."""
        threading.Thread(target=self._run, name="devloop output", daemon=True).start()

    async def write(self, lines: Sequence[str]) -> None:
        """Hand over lines, each without its line end."""
        if lines and not self._broken:
            await self._room.acquire()
            text = "".join(f"{line}\n" for line in lines)
            self._batches.put(text.encode("utf-8", "backslashreplace"))

    async def close(self, patience: float) -> bool:
        """Wait until all is written, and tell whether it is; at most `patience` seconds while nothing is taken."""
        self._batches.put(None)
        before = -1
        while not self._done.is_set() and self.written != before:
            before = self.written
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._done.wait(), patience)
        return self._done.is_set() and not self._broken

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                self._write_all(batch)
            except OSError as error:
                self._tell(partial(self._on_broken, error))
                break
            self._tell(self._room.release)
        self._tell(self._done.set)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view[:_PIECE]) :]
            self.written += 1

    def _tell(self, callback: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(callback)

    def _on_broken(self, error: OSError) -> None:
        self._broken = True
        self._room.release()
        self._closed(error)
