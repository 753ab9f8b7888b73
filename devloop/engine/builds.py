"""Builds that several services share: one definition is built once for all that want it at the same time.

A service joins a build that already runs only if all it wants was saved before that build began, so that what it gets
contains its save. The build ends when the last service that waits for it is gone.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from devloop.core.failure import Failure
from devloop.core.ports import Builder, BuildProgress, BuildRequest, Built, Clock, PushStarted

_Key = tuple[object, str, str]
_Listener = Callable[[BuildProgress], None]


@dataclass(eq=False)
class _Shared:
    """A build that runs, and those who wait for it."""

    started: float
    task: "asyncio.Future[Built | Failure] | None" = None
    listeners: list[_Listener] = field(default_factory=list)
    pushing: bool = False

    @property
    def over(self) -> bool:
        return self.task is not None and self.task.done()

    def progress(self, item: BuildProgress) -> None:
        self.pushing = self.pushing or isinstance(item, PushStarted)
        for listener in tuple(self.listeners):
            listener(item)


class SharedBuilds:
    """Runs builds through a `Builder`, equal ones once."""

    def __init__(self, builder: Builder, clock: Clock) -> None:
        self._builder = builder
        self._clock = clock
        self._running: dict[_Key, _Shared] = {}

    async def build(self, request: BuildRequest, since: float, progress: _Listener) -> Built | Failure:
        """Build, or join an equal build; `since` is when the newest of what is wanted was saved (Unix seconds)."""
        key: _Key = (request.spec, str(request.push), request.platform)
        shared = self._running.get(key)
        if shared is None or shared.over or since > shared.started:
            shared = self._running[key] = _Shared(self._clock.now())
        elif shared.pushing:
            progress(PushStarted())
        shared.listeners.append(progress)
        # The listener is there before the task is: an eager task makes progress before `ensure_future` returns.
        shared.task = shared.task or asyncio.ensure_future(self._builder.build(request, shared.progress))
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.listeners.remove(progress)
            if not shared.listeners:
                await self._end(key, shared)

    async def _end(self, key: _Key, shared: _Shared) -> None:
        if self._running.get(key) is shared:
            del self._running[key]
        if shared.task and not shared.task.done():
            shared.task.cancel()
            await asyncio.wait([shared.task])
