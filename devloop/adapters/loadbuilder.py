"""Builds fully: pushes what is to be pushed, and loads what is to be loaded into a local cluster."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from devloop.adapters.loader import ClusterLoader
from devloop.core.failure import Failure
from devloop.core.load import Loaded
from devloop.core.ports import Builder, BuildProgress, BuildRequest, Built, OutputLine, PushStarted


class Notes(Protocol):
    """Remembers what was loaded, so that it can be removed again."""

    async def note(self, request: BuildRequest, image: Loaded) -> None: ...


class LoadBuilder:
    """Implements `core.ports.Builder` around the one that builds: it pushes, or leaves the image in the engine."""

    def __init__(self, full: Builder, loader: ClusterLoader, notes: Notes) -> None:
        self.name = full.name
        self._full, self._loader, self._notes = full, loader, notes

    async def build(self, request: BuildRequest, progress: Callable[[BuildProgress], None]) -> Built | Failure:
        built = await self._full.build(request, progress)
        if request.load is None or isinstance(built, Failure):
            return built
        progress(PushStarted())
        target = await self._loader.target(request.load)
        if isinstance(target, Failure):
            return target
        loaded = await self._loader.load(
            request.push,
            target,
            lambda image: self._notes.note(request, image),
            lambda line: progress(OutputLine(line)),
        )
        return loaded if isinstance(loaded, Failure) else replace(built, digest=loaded.digest, loaded=loaded)

    async def check(self, request: BuildRequest) -> Failure | None:
        failure = await self._full.check(request)
        if failure or request.load is None:
            return failure
        found = await self._loader.check(request.load)
        return found if isinstance(found, Failure) else None
