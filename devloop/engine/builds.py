"""Builds that several services share: one definition is built once for all that want it at the same time.

A service joins a build only if all it wants was saved before that build began, so that what it gets contains its save;
"before" is the order of the log, because a clock has ties. Two builds never push to one tag at once: the later one
begins when the earlier has ended. A build ends when the last service that waits for it is gone.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from devloop.core.failure import Failure
from devloop.core.ports import Builder, BuildProgress, BuildRequest, Built, PushStarted

_Key = tuple[object, str, str, object]
_Listener = Callable[[BuildProgress], None]


@dataclass(eq=False)
class _Shared:
    """A build that runs, and those who wait for it."""

    began: int | None = None
    """How much had been wanted when it began; None until then."""
    task: "asyncio.Future[Built | Failure] | None" = None
    listeners: list[_Listener] = field(default_factory=list)
    pushing: bool = False
    abandoned: bool = False
    """Nobody waits for it any more, and it is about to end."""

    def takes(self, newest: int) -> bool:
        """Whether it contains what is wanted: it has not begun yet, or began after the newest of it was saved."""
        over = self.abandoned or (self.task is not None and self.task.done())
        return not over and (self.began is None or newest <= self.began)

    def progress(self, item: BuildProgress) -> None:
        self.pushing = self.pushing or isinstance(item, PushStarted)
        for listener in tuple(self.listeners):
            listener(item)


class SharedBuilds:
    """Runs builds through a `Builder`, equal ones once."""

    def __init__(self, builder: Builder, wanted: Callable[[], int]) -> None:
        """`wanted` counts what was wanted so far (`SessionState.wanted`)."""
        self._builder = builder
        self._wanted = wanted
        self._running: dict[_Key, _Shared] = {}

    async def build(self, request: BuildRequest, newest: int, progress: _Listener) -> Built | Failure:
        """Build, or join an equal build; `newest` is the place of the newest of what is wanted in the order."""
        key: _Key = (request.spec, str(request.push), request.platform, request.load)
        earlier = self._running.get(key)
        shared = earlier if earlier and earlier.takes(newest) else _Shared()
        if shared.pushing:
            progress(PushStarted())
        shared.listeners.append(progress)
        if shared is not earlier:
            self._running[key] = shared
            # The listener is there before the task is: an eager task makes progress before `ensure_future` returns.
            shared.task = asyncio.ensure_future(self._run(request, shared, earlier))
        assert shared.task
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.listeners.remove(progress)
            if not shared.listeners:
                await self._end(key, shared)

    async def _run(self, request: BuildRequest, shared: _Shared, earlier: _Shared | None) -> Built | Failure:
        if earlier and earlier.task and not earlier.task.done():
            await asyncio.wait([earlier.task])
        shared.began = self._wanted()
        return await self._builder.build(request, shared.progress)

    async def _end(self, key: _Key, shared: _Shared) -> None:
        shared.abandoned = True
        try:
            if shared.task and not shared.task.done():
                shared.task.cancel()
                await asyncio.wait([shared.task])
        finally:
            if self._running.get(key) is shared:
                del self._running[key]
