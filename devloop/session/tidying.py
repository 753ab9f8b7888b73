"""Removes the images that devloop has loaded into the nodes before, as soon as nothing runs them any more.

The watches tell when: once every workload of a build asks for the newest image, and no Pod of another one is left.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

from devloop.adapters.oldimages import OldImages
from devloop.core.events import Log, LogSource, WarningCode, WarningRaised
from devloop.core.image import same_image
from devloop.core.load import Loaded
from devloop.core.ports import BuildRequest
from devloop.core.service import Load, Service, WorkloadKey
from devloop.core.workload import Snapshot
from devloop.engine.tools import Emit, report_bug

_LAST = 5.0
"""Seconds that the end of a session waits for a removal that has begun; the next session does what is left."""


class Tidying:
    """Looks at every snapshot, and removes what is over beside everything else."""

    def __init__(self, old: OldImages, services: Callable[[], Iterable[Service]], emit: Emit) -> None:
        self._old, self._services, self._emit = old, services, emit
        self._latest: dict[WorkloadKey, Snapshot] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: dict[BuildRequest, str] = {}
        """The newest image when it was tidied last: until there is a newer one there is nothing more to do."""
        self._told: set[str] = set()

    def look(self, snapshot: Snapshot) -> None:
        self._latest[snapshot.key] = snapshot
        for service in self._services():
            if service.load is not None and snapshot.key in service.workloads:
                self._look(service, BuildRequest.of(service, ""), service.load)

    def _look(self, service: Service, request: BuildRequest, load: Load) -> None:
        loaded = self._old.loaded(request)
        if len(loaded) < 2 or self._done.get(request) == loaded[-1].ref:
            return
        *old, newest = loaded
        if all(_runs_none_of(old, newest, each) for each in self._around(service)):
            self._done[request] = newest.ref
            task = asyncio.create_task(self._remove(service.name, request, load), name="remove old images")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(report_bug)

    async def close(self) -> None:
        """Let what has begun come to its end, within a limit."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_LAST)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _around(self, service: Service) -> Iterator[Snapshot | None]:
        """All workloads that run what the service's build makes, as they were seen last."""
        for each in self._services():
            if each.build_key == service.build_key:
                yield from map(self._latest.get, each.workloads)

    async def _remove(self, service: str, request: BuildRequest, load: Load) -> None:
        failure = await self._old.remove(request, load, lambda text: self._emit(Log(service, LogSource.BUILD, text)))
        if failure and failure.message not in self._told:
            self._told.add(failure.message)
            self._emit(WarningRaised(service, WarningCode.LOAD, failure.message, failure.hint))


def _runs_none_of(old: Sequence[Loaded], newest: Loaded, snapshot: Snapshot | None) -> bool:
    """Whether it asks for the newest image, and the last Pod of every other one is gone."""
    if snapshot is None or snapshot.deployment is None:
        return False
    asked = [spec.image for spec in snapshot.deployment.template.containers]
    running = {spec.image for pod in snapshot.pods for spec in pod.specs}
    return any(same_image(image, newest.ref) for image in asked) and not any(
        same_image(image, each.ref) for image in running for each in old
    )
