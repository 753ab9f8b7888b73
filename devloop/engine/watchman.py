"""Looks at every snapshot between the cycles: what is new to see, what drifted, what healed."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from devloop.core.containers import choose
from devloop.core.drift import drifts, has_record, is_healed, observed, restored, steadiness
from devloop.core.events import CycleRequested, Event, Outcome, Trigger, WorkloadDrifted
from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.core.service import Service, WorkloadKey
from devloop.core.state import ServiceState, SessionState
from devloop.core.workload import Snapshot
from devloop.engine.observations import Observations

STEADY_SECONDS = 15.0
"""How long Pods without a readiness probe have to run without a restart before a failed rollout counts as healed."""


_GONE = frozenset({FailureCode.WORKLOAD_ABSENT, FailureCode.WORKLOAD_DELETED, FailureCode.WORKLOAD_REPLACED})


@dataclass(slots=True)
class _Proved:
    """What a cycle left: the workload as it was then, and what was already said of it since."""

    cycle: int
    baseline: Snapshot
    told: set[str] = field(default_factory=set)
    restored: bool = False
    """Whether it is as it was before devloop, until devloop writes to it again: of its Pods nothing was proved."""


class Watchman:
    """Turns snapshots into events; keeps only what it needs to say each thing once."""

    def __init__(self, observations: Observations, look_again: Callable[[WorkloadKey, float], None]) -> None:
        """`look_again` brings the newest snapshot of a workload once more, after so many seconds."""
        self._observations = observations
        self._look_again = look_again
        self._steady: dict[str, tuple[object, float]] = {}
        """Since when a service that failed has looked healed, and what that look was."""
        self._proved: dict[tuple[str, WorkloadKey], _Proved] = {}
        self._marked: dict[tuple[str, WorkloadKey], Snapshot] = {}
        """Each workload as it last had devloop's marks, until it was told that it was restored."""
        self._digests: dict[str, set[str]] = {}
        self._missed: dict[tuple[str, WorkloadKey], str] = {}
        """The uid of each workload as it was seen when its last cycle ended; empty where it was not there."""

    def cycle_ended(self, service: Service, state: ServiceState) -> None:
        """From here on the service's workloads are compared with what they are now."""
        self._look_for_restores(service)
        if state.last is None or _never_came_near(state):
            return
        self._remember_missed(service, state)
        if state.last.pushed:
            self._digests.setdefault(service.name, set()).update(state.last.pushed.digests)
        for key in service.workloads:
            snapshot = self._observations.latest(key)
            if snapshot:
                restored = self._is_restored(service, snapshot)
                self._proved[service.name, key] = _Proved(state.last.number, snapshot, restored=restored)

    def _look_for_restores(self, service: Service) -> None:
        """What was put back while the cycle ran may not change any more, so that no snapshot comes of it."""
        for key in service.workloads:
            seen = self._observations.latest(key)
            if (service.name, key) in self._marked and seen is not None and not has_record(seen):
                self._look_again(key, 0.0)

    def _remember_missed(self, service: Service, state: ServiceState) -> None:
        for key in service.workloads:
            seen = self._observations.latest(key)
            self._missed[service.name, key] = seen.deployment.uid if seen and seen.deployment else ""
            if state.failure is not None and state.failure.code is FailureCode.WORKLOAD_REPLACED:
                self._missed[service.name, key] = ""  # the other one is there already
                self._look_again(key, 0.0)

    def begin_anew(self, service: str) -> None:
        """What a cycle of other settings left is compared with nothing."""
        self._steady.pop(service, None)
        self._proved = {key: proved for key, proved in self._proved.items() if key[0] != service}
        self._marked = {key: marked for key, marked in self._marked.items() if key[0] != service}

    def forget(self, service: str) -> None:
        """It is no service any more."""
        self.begin_anew(service)
        self._digests.pop(service, None)
        self._missed = {key: uid for key, uid in self._missed.items() if key[0] != service}

    def look(self, snapshot: Snapshot, services: Iterable[Service], state: SessionState) -> Iterator[Event]:
        """Events that this snapshot gives rise to, for each service that runs on its workload."""
        for service in services:
            if snapshot.key in service.workloads:
                yield from self._look(snapshot, service, state.services[service.name])

    def _look(self, snapshot: Snapshot, service: Service, state: ServiceState) -> Iterator[Event]:
        containers = _containers(service, snapshot)
        if has_record(snapshot):
            self._marked[service.name, snapshot.key] = snapshot
        seen = observed(service.name, snapshot, containers)
        if state.workloads.get(seen.workload) != seen:
            yield seen
        if state.running or state.last is None:
            return
        if self._is_there_again(service, state, snapshot):
            text = f"{snapshot.key} is there again"
            yield CycleRequested(service.name, Trigger.DRIFT, text, restart=True)
            return
        if back := self._restored(snapshot, service, state.last.number, containers):
            yield back
            return
        restored = self._is_restored(service, snapshot)
        if state.last.outcome is Outcome.FAILED and not _never_came_near(state) and not restored:
            if self._heals(service, state, snapshot):
                yield CycleRequested(service.name, Trigger.DRIFT, "the workload healed")
            return
        digests = None if restored else frozenset(self._digests.get(service.name, ()))
        yield from self._drifts(snapshot, service, containers, digests)

    def _is_there_again(self, service: Service, state: ServiceState, snapshot: Snapshot) -> bool:
        """Whether what a cycle was for can be finished: the workload that it missed exists, or another of its name.

        Asked for once: the cycle reads the workload anew, and fails again if it is gone again."""
        deployment = snapshot.deployment
        if deployment is None or state.want or state.failure is None or state.failure.code not in _GONE:
            return False
        return self._missed.pop((service.name, snapshot.key), deployment.uid) != deployment.uid

    def _restored(
        self, snapshot: Snapshot, service: Service, cycle: int, containers: tuple[str, ...]
    ) -> WorkloadDrifted | None:
        """That its workload was put back, whatever the last cycle was; told once, and what changes from there on.

        The service is restored with the last of its workloads."""
        marked = self._marked.get((service.name, snapshot.key))
        back = restored(snapshot, marked, containers) if marked is not None else None
        if back is None:
            return None
        del self._marked[service.name, snapshot.key]
        self._proved[service.name, snapshot.key] = _Proved(cycle, snapshot, restored=True)
        others = (self._observations.latest(key) for key in service.workloads if key != snapshot.key)
        whole = not any(seen is not None and has_record(seen) for seen in others)
        return WorkloadDrifted(service.name, str(snapshot.key), back.who, back.what, restored=whole)

    def _is_restored(self, service: Service, snapshot: Snapshot) -> bool:
        proved = self._proved.get((service.name, snapshot.key))
        return proved is not None and proved.restored and not has_record(snapshot)

    def _drifts(
        self, snapshot: Snapshot, service: Service, containers: tuple[str, ...], digests: frozenset[str] | None
    ) -> Iterator[Event]:
        proved = self._proved.get((service.name, snapshot.key))
        if proved is None:
            return
        for drift in drifts(snapshot, proved.baseline, containers, digests):
            if drift.what not in proved.told:
                proved.told.add(drift.what)
                yield WorkloadDrifted(service.name, str(snapshot.key), drift.who, drift.what)

    def _heals(self, service: Service, state: ServiceState, snapshot: Snapshot) -> bool:
        """Whether a rollout that failed came right by itself, on all workloads of the service."""
        last = state.last
        if last is None or last.pushed is None or state.want or not _failed_after_push(last.failure):
            return False
        digests = frozenset(last.pushed.digests)
        latest = {key: self._observations.latest(key) for key in service.workloads} | {snapshot.key: snapshot}
        if not all(seen and is_healed(seen, _containers(service, seen), digests) for seen in latest.values()):
            self._steady.pop(service.name, None)
            return False
        return self._is_steady(service.name, [seen for seen in latest.values() if seen])

    def _is_steady(self, service: str, snapshots: Sequence[Snapshot]) -> bool:
        """Whether what looks healed has looked the same long enough to be believed."""
        looks = {seen.key: steady for seen in snapshots if (steady := steadiness(seen)) is not None}
        if not looks:
            return True
        now = asyncio.get_running_loop().time()
        before, since = self._steady.get(service, (None, now))
        if before != looks:
            self._steady[service] = (looks, now)
            for key in looks:
                self._look_again(key, STEADY_SECONDS)
            return False
        return now - since >= STEADY_SECONDS


def _containers(service: Service, snapshot: Snapshot) -> tuple[str, ...]:
    if snapshot.deployment is None:
        return service.containers
    chosen = choose(service, snapshot.deployment.template)
    return service.containers if isinstance(chosen, Failure) else chosen


def _never_came_near(state: ServiceState) -> bool:
    """Whether the last cycle failed before its push, so that the workloads are what an earlier one proved."""
    last = state.last
    return last is not None and last.outcome is Outcome.FAILED and last.pushed is None and state.unproved is None


def _failed_after_push(failure: Failure | None) -> bool:
    """A workload that takes no patch heals by nobody but who mends that: what its Pods run was there before."""
    if failure is None or failure.code in {FailureCode.PATCH_REJECTED, FailureCode.CLUSTER_DENIED}:
        return False
    return failure.exit_code in {ExitCode.ROLLOUT, ExitCode.UNPROVEN, ExitCode.UNREACHABLE}
