"""What devloop has loaded into local clusters, over all sessions, and the removal of what is over.

Only what is written down here is ever removed: not the newest image of a service, and none that a Pod or a
Deployment asks for, or a Pod runs.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from devloop.adapters.loader import ClusterLoader
from devloop.core.failure import Failure
from devloop.core.load import Loaded, unused
from devloop.core.ports import BuildRequest, StateFolder
from devloop.core.service import Load

Users = Callable[[], Awaitable[Sequence[Mapping[str, Any]] | Failure]]
"""Every Pod of the cluster, and the template of every Deployment."""


class OldImages:
    """The images that were loaded into the clusters of one context."""

    def __init__(self, state: StateFolder | None, context: str, loader: ClusterLoader, users: Users) -> None:
        self._state, self._context, self._loader, self._users = state, context, loader, users
        self._kept: dict[str, list[Loaded]] = {}
        self._lock = asyncio.Lock()

    async def note(self, request: BuildRequest, image: Loaded) -> None:
        """It is about to be on the nodes, and is the newest of its build; what is being removed may be the same."""
        async with self._lock:
            known = [each for each in self._of(request) if each.ref != image.ref]
            self._keep(request, [*known, image])

    def loaded(self, request: BuildRequest) -> tuple[Loaded, ...]:
        """What was loaded and not removed, the newest last."""
        return tuple(self._of(request))

    async def remove(self, request: BuildRequest, load: Load, removed: Callable[[str], None]) -> Failure | None:
        """Remove what is neither the newest nor in use; what could not be removed is tried again another time.

        `removed` is told of each, in words."""
        target, users = await asyncio.gather(self._loader.target(load), self._users())
        if isinstance(target, Failure) or isinstance(users, Failure):
            return target if isinstance(target, Failure) else None  # who may not look removes nothing
        failures: list[Failure] = []
        for image in unused(self._of(request)[:-1], users):
            async with self._lock:
                if image not in self._of(request)[:-1]:
                    continue  # it was built again meanwhile
                if failure := await self._loader.remove(image, target):
                    failures.append(failure)
                    continue
                self._keep(request, [each for each in self._of(request) if each != image])
            removed(f"removed {image.ref}, which nothing runs any more, from {target}")
        return failures[0] if failures else None

    def _of(self, request: BuildRequest) -> list[Loaded]:
        name = self._name(request)
        return _decoded(self._state.load(name)) if self._state else self._kept.get(name, [])

    def _keep(self, request: BuildRequest, images: list[Loaded]) -> None:
        name = self._name(request)
        if self._state:
            self._state.store(name, json.dumps([asdict(each) for each in images]).encode())
        else:
            self._kept[name] = images

    def _name(self, request: BuildRequest) -> str:
        spec = request.spec
        parts = (self._context, str(spec.context), str(spec.dockerfile), spec.target, str(request.push))
        return "loaded " + "\0".join(parts)


def _decoded(data: bytes | None) -> list[Loaded]:
    try:
        return [Loaded(str(each["ref"]), tuple(map(str, each["digests"]))) for each in json.loads(data or b"[]")]
    except (ValueError, TypeError, KeyError):
        return []
