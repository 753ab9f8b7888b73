"""What has to follow when the services of a session come, change and go: checks, files, watches, logs, the conductor.

Everything that may be refused comes before anything is changed; from then on the edit holds as a whole.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from devloop.adapters.deltabuilder import Audited, DeltaBuilder
from devloop.adapters.watcher import FileWatcher
from devloop.core.commands import Rebuild, Reconfigure
from devloop.core.events import Trigger, WatchStarted
from devloop.core.failure import Failure
from devloop.core.ports import LogTail, Watched
from devloop.core.problems import Problem, Problems
from devloop.core.reconfigure import Difference
from devloop.core.service import Service, WorkloadKey
from devloop.core.workload import Snapshot
from devloop.engine.conductor import Conductor
from devloop.engine.leaseholder import Leaseholder
from devloop.engine.observations import Observations
from devloop.engine.preflight import checked
from devloop.engine.tools import Emit, SessionFacts
from devloop.session.assembly import Assembly
from devloop.session.live import Edit
from devloop.session.project import Project


@dataclass(frozen=True, slots=True)
class Switchover:
    """The parts of a running session that know its services."""

    assembly: Assembly
    builder: DeltaBuilder
    watcher: FileWatcher
    conductor: Conductor
    observations: Observations
    leases: Leaseholder
    facts: SessionFacts
    tail: LogTail
    emit: Emit
    observed: Callable[[Snapshot], None]
    audited: Audited
    hold: Callable[[Project], None]
    """Makes the session work by another project."""

    async def go_over(self, edit: Edit, before: Project) -> Problems | None:
        """Bring the edit into force; what is in the way, if anything is."""
        found, after = edit.services, edit.project
        missing = await self._missing(found, after.services)
        watched = missing or await self._watch(found)
        if isinstance(watched, list):
            return _problems(after.place.file, watched)
        self.hold(after)
        self._set(after)
        self.emit(edit.accepted)
        old, new = _workloads(before.services), _workloads(after.services)
        for key in new - old:
            self.assembly.observer.follow(key)
        await self.leases.add(new - old)
        await self.conductor.reconfigure(Reconfigure(after.services, after.place.config.loop.parallel_builds))
        for event in watched.values():
            self.emit(event)
        for key in old - new:
            self.assembly.observer.unfollow(key)
            self.observations.forget(key)
        await self.leases.remove(old - new)
        await self._let_go(found, after.services)
        return None

    async def _missing(self, found: Difference, after: Iterable[Service]) -> list[Failure]:
        """What the services lack that have something to begin, asked as before a session.

        Those that share a workload with them are asked too: each container belongs to one service.
        """
        keys = _workloads(found.begun)
        asked = [each for each in after if each in found.begun or keys.intersection(each.workloads)]
        if not found.begun:
            return []
        world = self.assembly
        answers = await checked(
            asked, self.builder, world.registry, world.cluster, world.cluster.ping, self.facts.platform
        )
        return [answer for _, answer in answers if isinstance(answer, Failure)]

    async def _watch(self, found: Difference) -> dict[str, WatchStarted] | list[Failure]:
        """Watch what is new; as before again where one cannot be watched."""
        watched: dict[str, WatchStarted] = {}
        for service in found.watched:
            answer: Watched | Failure = await self.watcher.add(service)
            if isinstance(answer, Failure):
                await self._watch_as_before(found, watched)
                return [answer]
            watched[service.name] = WatchStarted(service.name, answer.files, answer.text)
        return watched

    async def _watch_as_before(self, found: Difference, watched: Iterable[str]) -> None:
        known = {each.new.name: each.old for each in found.changed}
        for name in watched:
            if name not in known or isinstance(await self.watcher.add(known[name]), Failure):
                await self.watcher.remove(name)
            else:  # a cycle that looked there has ended, and a save may have been missed
                self.conductor.post(Rebuild(name, Trigger.CONFIG))

    def _set(self, project: Project) -> None:
        """Settings that are no service's."""
        loop = project.place.config.loop
        self.watcher.debounce(loop.debounce)
        self.facts.rollout_timeout = loop.rollout_timeout
        self.builder.audited = self.audited if loop.audit else None

    async def _let_go(self, found: Difference, after: Iterable[Service]) -> None:
        """What is gone is followed no longer, and what is new is looked at as it is seen already."""
        for removed in found.removed:
            await self.watcher.remove(removed.name)
            self.facts.pushed.pop(removed.name, None)
            self.tail.forget(removed.name)
        for changed in found.changed:
            self.tail.forget(changed.new.name, kept=changed.new.workloads)
        self.builder.retain(after)
        for key in _workloads(found.begun):
            seen = self.observations.latest(key)
            if seen is not None:
                self.observed(seen)


def _workloads(services: Iterable[Service]) -> set[WorkloadKey]:
    return {key for service in services for key in service.workloads}


def _problems(file: str, failures: Iterable[Failure]) -> Problems:
    return Problems(Problem(file, None, "", failure.message, failure.hint) for failure in failures)
