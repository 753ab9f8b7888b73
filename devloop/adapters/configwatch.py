"""The files of the configuration under watch: by their folders, because an editor replaces a file when it saves.

Events only say when to look; what is told is that the content is another.
"""

import asyncio
import os
from collections.abc import Collection
from pathlib import Path

from devloop.adapters.filesystems import silent_filesystem
from devloop.adapters.inotify import Inotify, NoEventsError, Touched

_QUIET = 0.05
"""Seconds between two looks that have to show the same before it is taken for what was saved."""
_POLL = 1.0
"""Seconds between two looks where nothing tells of changes."""


class ConfigWatch:
    """Knows what these files held when it was made, and when they hold something else. One that is absent may come."""

    def __init__(self, files: Collection[Path]) -> None:
        self._files = tuple(files)
        self._touched = asyncio.Event()
        self._names: frozenset[str] = frozenset()
        self._events = self._open()
        self._enter()
        self._seen = self._read()

    @property
    def seen(self) -> tuple[bytes | None, ...]:
        """The contents as they were told of last; None of a file that is not there."""
        return self._seen

    async def changed(self, patience: float | None) -> None:
        """Return when a file has another content than was `seen`, at the latest after so many seconds."""
        try:
            async with asyncio.timeout(patience):
                while not self._differs():
                    await self._until_touched()
                await self.settle()
        except TimeoutError:
            return

    async def settle(self) -> None:
        """Take what the files hold now for `seen`, once nobody writes to them."""
        before, now = None, self._read()
        while before != now:
            await asyncio.sleep(_QUIET)
            before, now = now, self._read()
        self._seen = now

    def close(self) -> None:
        if self._events is not None:
            self._events.close()

    def _open(self) -> Inotify | None:
        """None where they are looked at again and again: two small files cost nothing."""
        if os.uname().sysname != "Linux" or any(silent_filesystem(str(file.parent)) for file in self._files):
            return None
        try:
            return Inotify(self._take, self._touched.set)
        except NoEventsError:
            return None

    def _differs(self) -> bool:
        """Whoever waits is woken by whatever happens from before this look on."""
        self._touched.clear()
        self._enter()
        return self._read() != self._seen

    def _enter(self) -> None:
        """Watch the folders as they are now: one may have been replaced, and a file may be a link to elsewhere."""
        paths = {os.path.abspath(file) for file in self._files} | {os.path.realpath(file) for file in self._files}  # noqa: PTH100
        self._names = frozenset(paths | {os.path.dirname(path) for path in paths})  # noqa: PTH120
        if self._events is None:
            return
        try:
            for folder in self._names - paths:
                self._events.enter(folder)
        except NoEventsError:
            self._events.close()
            self._events = None

    def _take(self, touched: list[Touched]) -> None:
        if any(each.path in self._names for each in touched):
            self._touched.set()

    async def _until_touched(self) -> None:
        if self._events is None:
            await asyncio.sleep(_POLL)
        else:
            await self._touched.wait()

    def _read(self) -> tuple[bytes | None, ...]:
        return tuple(map(_content, self._files))


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
