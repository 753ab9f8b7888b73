"""`schedule`: what to start, cancel and admit next, and why everything else waits. Pure.

One rule a function, in the order in which they are asked. A service that wants a cycle either gets it or has a hold;
a cycle whose image is pushed either gets onto its workloads or has one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from devloop.core.events import Hold, HoldCode, Outcome, Trigger
from devloop.core.failure import Connection, Failure, FailureCode
from devloop.core.service import Service, WorkloadKey
from devloop.core.state import RunningCycle, ServiceState, SessionState, Want

MAX_SUPERSEDED = 3
"""After so many builds in a row that a change of the same file ended, the next one is let through: somebody who saves
every few seconds sees their code run, and a build that writes into its own source is told apart from them."""
MAX_ECHOES = 3
"""So many complete builds in a row that changed the same watched file are a loop."""
_ASKED = frozenset({Trigger.KEY, Trigger.COMMAND})
"""What a person asks for is done, also of a service that they paused."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the loop."""

    parallel_builds: int = 2
    once: bool = False
    """One cycle for each service, then no more."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the conductor carries out, at once and completely."""

    start: tuple[str, ...] = ()
    """Services whose cycle starts."""
    cancel: tuple[str, ...] = ()
    """Services whose running cycle is superseded."""
    admit: tuple[str, ...] = ()
    """Services whose cycle may now write to its workloads."""
    refuse: Mapping[str, Failure] = field(default_factory=dict)
    """Services whose cycle ends here, because a dependency failed."""
    holds: Mapping[str, Hold] = field(default_factory=dict)
    """Why every other service that wants something waits."""


def schedule(state: SessionState, services: Mapping[str, Service], limits: Limits) -> Decision:
    """Decide for all services; `services` are those of the configuration, in its order."""
    elsewhere = _elsewhere(state, services, limits)
    starts, start_holds = _starts(state, services, limits, elsewhere)
    lost = (name for name in elsewhere if state.services[name].running is not None)
    newer = (name for name in services if _is_superseded(state.services[name], limits))
    cancel = tuple(dict.fromkeys((*lost, *newer)))
    admits, refusals, gate_holds = _admissions(state, services, limits, cancel)
    superseding = {name: Hold(HoldCode.SUPERSEDING, name, "superseding") for name in cancel}
    return Decision(starts, cancel, admits, refusals, {**start_holds, **gate_holds, **superseding, **elsewhere})


def _elsewhere(state: SessionState, services: Mapping[str, Service], limits: Limits) -> dict[str, Hold]:
    """Services with a workload that somebody else works on: they look on, whether or not they want anything.

    What they want is kept, and what runs is wanted again: it is built when the workload is this session's. Under
    `once` nobody waits: the cycle fails before its patch.
    """
    found = {} if limits.once else {name: state.elsewhere(service.workloads) for name, service in services.items()}
    return {
        name: Hold(HoldCode.LEASE, lease.holder, f"read-only: {lease.holder} works on {lease.workload}")
        for name, lease in found.items()
        if lease is not None
    }


def _is_superseded(service: ServiceState, limits: Limits) -> bool:
    """A newer want ends the running cycle. While paused, saves gather and the running cycle goes on."""
    return (
        service.running is not None
        and service.want is not None
        and _outdates(service.want, service.running)
        and not service.paused
        and not limits.once
        and service.echo.superseded < MAX_SUPERSEDED
    )


def _outdates(want: Want, running: RunningCycle) -> bool:
    """A proof outdates nothing. A restart waits for an image that is on its way, and takes over its rollout."""
    return want.build or (want.restart and running.on_workloads)


def _starts(
    state: SessionState, services: Mapping[str, Service], limits: Limits, elsewhere: Collection[str]
) -> tuple[tuple[str, ...], dict[str, Hold]]:
    starts: list[str] = []
    holds: dict[str, Hold] = {}
    building = [s.build_key for name, s in services.items() if _is_building(state.services[name])]
    for name, service in services.items():
        current = state.services[name]
        if current.want is None or current.running is not None or (limits.once and current.last is not None):
            continue
        if name in elsewhere:
            continue
        hold = _start_hold(state, current, service, building, limits)
        if hold:
            holds[name] = hold
            continue
        starts.append(name)
        if current.builds:
            building.append(service.build_key)
    return tuple(starts), holds


def _is_building(service: ServiceState) -> bool:
    return service.running is not None and service.running.builds


def _start_hold(
    state: SessionState, current: ServiceState, service: Service, building: Sequence[object], limits: Limits
) -> Hold | None:
    if current.paused and current.want is not None and current.want.trigger not in _ASKED:
        return Hold(HoldCode.PAUSED, current.name, "paused")
    if current.builds and current.echo.completed >= MAX_ECHOES:
        file = min(current.echo.files)
        return Hold(HoldCode.LOOP, file, f"stopped: each build changes {file}; ignore it, or save another file")
    lost = _lost_connection(state, current)
    if lost and not limits.once:
        return Hold(HoldCode.CONNECTION, lost, f"waiting for the {lost} to come back")
    if current.blocked:
        waiting_for = _unsettled(state, service)
        if waiting_for:
            return Hold(HoldCode.DEPENDENCY, waiting_for[0], f"waiting for {waiting_for[0]} to be mended")
    others = set(building)
    if service.build_key in others or not current.builds:
        return None  # it joins the build that runs, or needs none; no slot is taken twice
    if len(others) >= limits.parallel_builds:
        return Hold(HoldCode.BUILD_SLOT, "build", "waiting for a build slot")
    return None


def _lost_connection(state: SessionState, current: ServiceState) -> Connection | None:
    """Every cycle needs the cluster and builds the engine; else one that is away holds those that failed on it."""
    needed = {Connection.CLUSTER, current.lost, *([Connection.ENGINE] if current.builds else [])}
    return next((to for to in state.lost if to in needed), None)


def _unsettled(state: SessionState, service: Service) -> list[str]:
    """Dependencies of this session that have not yet ended well once; whoever else works on one sees to it."""
    known = (state.services[name] for name in service.depends_on if name in state.services)
    return [each.name for each in known if not each.settled and not each.looks_on]


def _admissions(
    state: SessionState, services: Mapping[str, Service], limits: Limits, cancelled: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, Failure], dict[str, Hold]]:
    admits: list[str] = []
    refusals: dict[str, Failure] = {}
    holds: dict[str, Hold] = {}
    taken = _taken_workloads(state, services)
    for name, service in services.items():
        running = state.services[name].running
        if running is None or not running.at_gate or name in cancelled:
            continue
        waiting_for = [] if state.services[name].settled else _unsettled(state, service)
        failed = next((d for d in waiting_for if _has_failed(state.services[d], limits)), None)
        busy = next((key for key in service.workloads if key in taken), None)
        if failed:
            refusals[name] = _dependency_failure(failed, state.services[failed])
        elif waiting_for:
            holds[name] = Hold(HoldCode.DEPENDENCY, waiting_for[0], f"waiting for {waiting_for[0]}")
        elif busy:
            other = taken[busy]
            holds[name] = Hold(HoldCode.WORKLOAD, other, f"waiting for the rollout of {other} on {busy}")
        else:
            admits.append(name)
            taken |= dict.fromkeys(service.workloads, name)
    return tuple(admits), refusals, holds


def _taken_workloads(state: SessionState, services: Mapping[str, Service]) -> dict[WorkloadKey, str]:
    return {
        key: name
        for name, service in services.items()
        for key in service.workloads
        if (running := state.services[name].running) is not None and running.on_workloads
    }


def _has_failed(service: ServiceState, limits: Limits) -> bool:
    """Whether nothing is under way that could still settle it."""
    ended_badly = service.last is not None and service.last.outcome is Outcome.FAILED
    gives_up = service.want is None or service.blocked or limits.once
    return ended_badly and service.running is None and gives_up


def _dependency_failure(name: str, dependency: ServiceState) -> Failure:
    why = f": {dependency.failure.message}" if dependency.failure else ""
    return Failure(
        FailureCode.DEPENDENCY_FAILED,
        f"{name}, which it depends on, failed{why}",
        f"mend {name}: this one starts again by itself in a session, and with the next `--once`",
    )
