"""Change events of whole trees through `watchfiles`, where there is no inotify: FSEvents on macOS.

Only folders are watched: a watched file is lost when an editor replaces it. The events name real paths, so the folders
that were asked for are found again behind their links.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Collection
from functools import partial

from devloop.adapters.inotify import NoEventsError, Touched

_STEP_MS = 20
"""0.3 % of a core while idle; 10 ms would be 0.5 %."""
_GATHER_MS = 100
_RETRY = 0.2


class RecursiveEvents:
    """Watches the folders given, and all below them; `enter` and `retain` may be called in a thread."""

    def __init__(
        self, folders: Collection[str], touched: Callable[[list[Touched]], None], lost: Callable[[], None]
    ) -> None:
        """Raises `NoEventsError`."""
        self._touched, self._lost = touched, lost
        self._loop = asyncio.get_running_loop()
        self._folders = tuple(folders)
        self._asked: tuple[tuple[str, str], ...] = ()
        """Real paths, and the paths that were asked for."""
        self._closed = threading.Event()
        self._armed_once = False
        self._thread = threading.Thread(target=self._watch, name="devloop-watch", daemon=True)
        self._armed: asyncio.Future[None] = self._loop.create_future()
        self._thread.start()

    async def armed(self) -> None:
        """Return once events are taken; raises `NoEventsError`."""
        await asyncio.shield(self._armed)

    def enter(self, path: str) -> None:
        """Nothing to do: what is below is watched already."""

    def retain(self, paths: Collection[str]) -> None:
        """Nothing to do."""

    def close(self) -> None:
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.is_set():
            try:
                self._watch_while_they_stay()
            except (OSError, RuntimeError) as error:
                # A name that is no UTF-8 ends the watch with an error, and a folder that is gone cannot be watched.
                if not self._armed_once:
                    self._tell(partial(self._fail, error))
                    return
                self._closed.wait(_RETRY)

    def _watch_while_they_stay(self) -> None:
        # The public `watch` does not tell when it is armed, and what it has when its time-out comes is lost.
        from watchfiles._rust_notify import RustNotify

        self._asked = tuple((os.path.realpath(folder), folder) for folder in self._folders)
        before = self._identities()
        with RustNotify([real for real, _ in self._asked], False, False, 0, True, False) as notify:
            self._tell(self._lost if self._armed_once else self._arm)
            self._armed_once = True
            while isinstance(found := notify.watch(_GATHER_MS, _STEP_MS, 0, self._closed), set):
                self._tell(partial(self._touched, [Touched(self._as_asked(path)) for _, path in found]))
                # The watch stays with a folder that was moved away or deleted, and says nothing of a new one.
                if self._identities() != before:
                    return

    def _identities(self) -> list[tuple[int, int]]:
        found = map(os.stat, self._folders)
        return [(status.st_dev, status.st_ino) for status in found]

    def _arm(self) -> None:
        self._armed.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._armed.set_exception(NoEventsError(f"no change events can be had ({error})"))

    def _tell(self, what: Callable[[], None]) -> None:
        if not self._closed.is_set():
            self._loop.call_soon_threadsafe(what)

    def _as_asked(self, path: str) -> str:
        for real, asked in self._asked:
            if path == real or path.startswith(real + "/"):
                return asked + path[len(real) :]
        return path
