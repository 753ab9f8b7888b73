"""What controllers have in common: a queue of the objects to look at, each looked at again until it is as it should."""

import asyncio
import logging
from collections.abc import Iterable

from devloop.sandbox.errors import ApiError
from devloop.sandbox.resources import Resources
from devloop.sandbox.store import Change

Key = tuple[str, str]
"""Namespace and name."""
MANAGER = "kube-controller-manager"
_FIRST_DELAY, _LAST_DELAY = 0.05, 5.0
_LOG = logging.getLogger(__name__)


class Controller:
    """`concerned` says whom a change concerns, `reconcile` brings one of them closer to what it asks for."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._waiting: dict[Key, None] = {}
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._news = asyncio.Event()

    def concerned(self, change: Change) -> Iterable[Key]:
        raise NotImplementedError

    def reconcile(self, key: Key) -> None:
        raise NotImplementedError

    def look_at(self, key: Key) -> None:
        """Look at it soon."""
        self._waiting[key] = None
        self._news.set()

    def look_later(self, key: Key, delay: float) -> None:
        """Look at it when something that only time brings is due."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(delay, self.look_at, key)

    async def run(self) -> None:
        """Work until cancelled."""
        end = self.resources.store.subscribe(self._changed)
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._waiting:
                    key = next(iter(self._waiting))
                    del self._waiting[key]
                    self._reconcile(key)
                    # One object after the other, so that requests get their turn.
                    await asyncio.sleep(0)
        finally:
            end()
            for timer in self._timers.values():
                timer.cancel()

    def _changed(self, change: Change) -> None:
        for key in self.concerned(change):
            self.look_at(key)

    def _reconcile(self, key: Key) -> None:
        try:
            self.reconcile(key)
            self._failures.pop(key, None)
        except ApiError as error:
            self._again(key, error)
        except Exception as error:
            _LOG.exception("%s failed at %s", type(self).__name__, key)
            self._again(key, error)

    def _again(self, key: Key, error: Exception) -> None:
        count = self._failures[key] = self._failures.get(key, 0) + 1
        _LOG.debug("%s looks at %s again: %s", type(self).__name__, key, error)
        self.look_later(key, min(_FIRST_DELAY * 2**count, _LAST_DELAY))
