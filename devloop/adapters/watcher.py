"""The source trees of the services under watch."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from devloop.adapters.picture_store import decode, encode
from devloop.adapters.scope import Area, Context
from devloop.adapters.threads import in_daemon_thread
from devloop.adapters.watched_tree import OpenEvents, WatchedTree, system_events
from devloop.core.failure import Failure, FailureCode
from devloop.core.picture import Picture
from devloop.core.ports import StateFolder, Watched
from devloop.core.service import BuildSpec, Service


@dataclass(slots=True)
class _Shared:
    """A tree and the services whose area it is."""

    tree: WatchedTree
    services: set[str] = field(default_factory=set)
    changed: tuple[str, ...] = ()
    """What differed from the stored picture when the tree was opened."""


class FileWatcher:
    """Implements `core.ports.Watcher`. Services with equal contexts and watched paths share one tree and one walk."""

    def __init__(
        self,
        changed: Callable[[str, tuple[str, ...]], None],
        state: StateFolder,
        *,
        debounce: float,
        notice: Callable[[str, str, str], None],
        open_events: OpenEvents = system_events,
    ) -> None:
        """`changed` takes a service and the names that differ, `notice` a service, a message and a hint.

        `debounce`: seconds without another event before a change is told. Both are called in the event loop.
        """
        self.ahead: Callable[[Context], None] = lambda _: None
        """Is shown a context in which something begins to change, while the debounce runs."""
        self._changed, self._state, self._notice = changed, state, notice
        self._debounce, self._open_events = debounce, open_events
        self._trees: dict[Area, _Shared] = {}
        self._areas: dict[str, Area] = {}
        self._lock = asyncio.Lock()

    def debounce(self, seconds: float) -> None:
        """Wait so long from now on."""
        self._debounce = seconds
        for shared in self._trees.values():
            shared.tree.debounce = seconds

    async def add(self, service: Service) -> Watched | Failure:
        """Watch the service's files, from here on these; fails when the context or something to watch is not there."""
        area = Area.of(service)
        if problem := _absent(area):
            return Failure(FailureCode.CONFIG_INVALID, f"{service.name}: {problem}", "Correct the path, or create it.")
        async with self._lock:
            shared = self._trees.get(area) or await self._open(area, service.name)
            shared.services.add(service.name)
            before, self._areas[service.name] = self._areas.get(service.name, area), area
            if before != area:
                await self._leave(service.name, before)
        return Watched(shared.tree.files, shared.changed, shared.tree.text)

    async def remove(self, service: str) -> None:
        async with self._lock:
            area = self._areas.pop(service, None)
            if area is not None:
                await self._leave(service, area)

    async def _leave(self, service: str, area: Area) -> None:
        shared = self._trees[area]
        shared.services.discard(service)
        if not shared.services:
            del self._trees[area]
            await shared.tree.close()

    async def picture(self, service: str) -> Picture | None:
        # Whoever asks does not know that the service has left, or that the session ends.
        area = self._areas.get(service)
        return None if area is None else await self._trees[area].tree.picture()

    async def context(self, spec: BuildSpec, *, anew: bool) -> Context | None:
        """The build context of a watched service: as it was seen last, or looked at `anew`; None for any other."""
        trees = [each.tree for area, each in self._trees.items() if area.is_of(spec)]
        if not trees:
            return None
        latest = trees[0].latest
        if anew or len(trees) > 1 or latest is None or not latest.scope.tells_all:
            await trees[0].picture()
        return trees[0].latest

    async def close(self) -> None:
        """Stop watching everything, and store the pictures."""
        for service in tuple(self._areas):
            await self.remove(service)

    async def _open(self, area: Area, service: str) -> _Shared:
        name = _state_name(area)
        services = {service}
        tree = WatchedTree(
            area,
            lambda names: self._tell(services, names),
            lambda message, hint: self._notice(min(services, default=service), message, hint),
            lambda picture: self._state.store(name, encode(picture)),
            debounce=self._debounce,
            ahead=lambda context: self.ahead(context),
            open_events=self._open_events,
        )
        stored = await in_daemon_thread(lambda: decode(self._state.load(name)))
        shared = _Shared(tree, services, await tree.open(stored))
        self._trees[area] = shared
        return shared

    def _tell(self, services: set[str], names: tuple[str, ...]) -> None:
        for service in sorted(services):
            self._changed(service, names)


def _absent(area: Area) -> str:
    if not area.context.is_dir():
        return f"the build context {area.context} is no folder"
    missing = [path for path in area.watch if not path.exists()]
    return f"{missing[0]}, which is to be watched, does not exist" if missing else ""


def _state_name(area: Area) -> str:
    def bare(paths: tuple[Path, ...]) -> str:
        return "\0".join(map(str, paths))

    key = "\1".join((bare((area.context, area.dockerfile)), bare(area.watch), "\0".join(area.ignore)))
    return f"picture-{hashlib.blake2b(key.encode('utf-8', 'surrogateescape'), digest_size=8).hexdigest()}"
