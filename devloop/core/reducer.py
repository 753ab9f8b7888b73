"""`fold`: what a sequence of events adds up to. Pure; the only place where state changes."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import reduce as _reduce
from typing import Any

from devloop.core import events as ev
from devloop.core.failure import Connection
from devloop.core.state import (
    Echo,
    FinishedCycle,
    PhaseSpan,
    RunningCycle,
    ServiceState,
    SessionState,
    Want,
)

_Handler = Callable[[ServiceState, Any, float], ServiceState]


def fold(records: Iterable[ev.Record], state: SessionState | None = None) -> SessionState:
    """The state after all these records."""
    return _reduce(reduce, records, state or SessionState())


def reduce(state: SessionState, record: ev.Record) -> SessionState:
    """The state after one more record."""
    event = record.event
    if isinstance(event, ev.ServiceEvent):
        return _reduce_service(state, event, record.time)
    match event:
        case ev.SessionStarted():
            return SessionState(
                services={name: _new_service(name, record.time) for name in event.services},
                version=event.version,
                context=event.context,
                namespace=event.namespace,
                session=event.session,
                command=event.command,
                started=record.time,
            )
        case ev.CheckFinished():
            return replace(state, checks=(*state.checks, event))
        case ev.ConnectionChanged():
            return replace(state, lost=_connections(state, event))
        case ev.LeaseChanged():
            return replace(state, leases={**state.leases, (event.namespace, event.workload): event})
        case ev.ConfigRefused():
            return replace(state, refused=event.problems)
        case ev.ConfigAccepted():
            return replace(state, refused=())
        case ev.SessionFinished():
            return replace(state, exit_code=event.exit_code)
    return state


def merge(earlier: Want | None, later: Want) -> Want:
    """Two reasons become one cycle: the files of both; what a person asked for is not forgotten over a save."""
    if earlier is None:
        return later
    files = tuple(dict.fromkeys((*later.files, *earlier.files)))
    # Beyond the cap the overlap cannot be known: the larger sum is the honest bound.
    known = len(earlier.files) == earlier.count and len(later.files) == later.count
    count = len(files) if known else max(earlier.count + later.count, len(files))
    asked = {ev.Trigger.KEY, ev.Trigger.COMMAND, ev.Trigger.CONFIG}
    named = earlier if earlier.trigger in asked and later.trigger not in asked else later
    if later.trigger is ev.Trigger.DRIFT:  # a drift cycle builds nothing; what it comes beside does
        named = earlier
    since, newest = min(earlier.since, later.since), max(earlier.newest, later.newest)
    restart, build = earlier.restart or later.restart, earlier.build or later.build
    saved = max(earlier.saved, later.saved)
    return Want(named.trigger, since, newest, count, files[: ev.MAX_FILES], named.text, restart, build, saved)


def _new_service(name: str, now: float) -> ServiceState:
    return ServiceState(name, want=Want(ev.Trigger.START, now))


def _connections(state: SessionState, event: ev.ConnectionChanged) -> dict[Connection, str]:
    lost = {to: text for to, text in state.lost.items() if to is not event.to}
    return lost if event.ok else {**lost, event.to: event.text}


def _reduce_service(state: SessionState, event: ev.ServiceEvent, time: float) -> SessionState:
    services = dict(state.services)
    if isinstance(event, ev.ServiceAdded):
        services[event.service] = _new_service(event.service, time)
    elif isinstance(event, ev.ServiceRemoved):
        services.pop(event.service, None)
    else:
        service, handler = services.get(event.service), _HANDLERS.get(type(event))
        if service is None or handler is None:
            return state
        services[event.service] = handler(service, event, time)
    # A service that joins has its place in the order too: a build that began before may lack what was saved since.
    if isinstance(event, ev.ServiceAdded | ev.ChangeDetected | ev.CycleRequested):
        return _wanted(replace(state, services=services), event.service)
    return replace(state, services=services)


def _wanted(state: SessionState, name: str) -> SessionState:
    """Count what was wanted, and give the service's want its place in the order."""
    service, place = state.services[name], state.wanted + 1
    want = replace(service.want, newest=place) if service.want else None
    return replace(state, services={**state.services, name: replace(service, want=want)}, wanted=place)


def _service_changed(service: ServiceState, event: ev.ServiceChanged, time: float) -> ServiceState:
    """What was noticed of the old settings is forgotten; on other workloads nothing is proved yet."""
    service = replace(service, hold=None, echo=Echo(), drift=None)
    if not {"workload", "namespace"} & {*event.keys}:
        return service
    return replace(service, workloads={}, live=None, unproved=None, settled=False)


def _change_detected(service: ServiceState, event: ev.ChangeDetected, time: float) -> ServiceState:
    want = merge(service.want, Want(ev.Trigger.FILES, time, count=event.count, files=event.files, saved=time))
    running = service.running
    if running is None or not running.builds:
        return replace(service, want=want, echo=Echo())
    return replace(service, want=want, running=replace(running, echo=running.echo | set(event.files)))


def _cycle_requested(service: ServiceState, event: ev.CycleRequested, time: float) -> ServiceState:
    build = not event.restart and event.trigger is not ev.Trigger.DRIFT
    asked = Want(event.trigger, time, text=event.text, restart=event.restart, build=build)
    return replace(service, want=merge(service.want, asked))


def _cycle_started(service: ServiceState, event: ev.CycleStarted, time: float) -> ServiceState:
    wanted = service.want or Want(event.trigger, time)
    proves = event.trigger is ev.Trigger.DRIFT and not (service.want and service.want.restart)
    build = not proves and (service.builds or service.want is None)
    want = replace(wanted, trigger=event.trigger, count=event.count, files=event.files, text=event.text, build=build)
    running = RunningCycle(event.cycle, want, time, pushed=service.pushed if want.restart and not build else None)
    return replace(service, want=None, hold=None, running=running, cycles=event.cycle, drift=None)


def _in_cycle(service: ServiceState, event: ev.CycleEvent, **changes: Any) -> ServiceState:
    """The service with its running cycle changed; an event of a cycle that is over changes nothing."""
    if service.running is None or service.running.number != event.cycle:
        return service
    return replace(service, running=replace(service.running, **changes))


def _phase_started(service: ServiceState, event: ev.PhaseStarted, time: float) -> ServiceState:
    return _in_cycle(service, event, phase=event.phase, phase_started=time)


def _phase_finished(service: ServiceState, event: ev.PhaseFinished, time: float) -> ServiceState:
    phases = service.running.phases if service.running else ()
    return _in_cycle(service, event, phase=None, phases=(*phases, PhaseSpan(event.phase, event.seconds, event.ok)))


def _image_pushed(service: ServiceState, event: ev.ImagePushed, time: float) -> ServiceState:
    changed = _in_cycle(service, event, pushed=event)
    return changed if changed is service else replace(changed, pushed=event)


def _workload_patched(service: ServiceState, event: ev.WorkloadPatched, time: float) -> ServiceState:
    running = service.running
    return replace(service, unproved=running.pushed) if running and running.number == event.cycle else service


def _pod_verified(service: ServiceState, event: ev.PodVerified, time: float) -> ServiceState:
    verdicts = service.running.verdicts if service.running else ()
    return _in_cycle(service, event, verdicts=(*verdicts, event))


def _warning_raised(service: ServiceState, event: ev.WarningRaised, time: float) -> ServiceState:
    if service.running is None or event.cycle != service.running.number:
        return service
    return replace(service, running=replace(service.running, warnings=(*service.running.warnings, event)))


def _cycle_finished(service: ServiceState, event: ev.CycleFinished, time: float) -> ServiceState:
    running = service.running
    if running is None or running.number != event.cycle:
        return service
    superseded = event.outcome is ev.Outcome.SUPERSEDED
    finished = _over(running, event, time)
    service = replace(service, running=None, hold=None, over=finished, echo=_echo(service.echo, running, superseded))
    if superseded:
        return replace(service, want=_superseded(running, service.want))
    if event.outcome is ev.Outcome.STOPPED:
        return service
    live = finished if event.outcome in {ev.Outcome.VERIFIED, ev.Outcome.UNCHANGED} else service.live
    settled = service.settled or event.outcome.settles
    unproved = None if event.outcome.settles or running.on_workloads else service.unproved
    ended = replace(service, last=finished, live=live, settled=settled, unproved=unproved)
    if ended.mended_elsewhere:
        # Nothing is lost: the same cycle is wanted again as soon as what it failed on is mended.
        return replace(ended, want=_again(running.want, service.want))
    return ended


def _over(running: RunningCycle, event: ev.CycleFinished, time: float) -> FinishedCycle:
    return FinishedCycle(
        running.number,
        running.want,
        running.started,
        time,
        event.outcome,
        event.digest,
        event.seconds,
        event.failure,
        running.phases,
        running.pushed,
        running.verdicts,
        event.builder,
        event.text,
    )


def _again(earlier: Want, later: Want | None) -> Want:
    """What a cycle was for, joined with what came since."""
    return merge(earlier, later) if later else earlier


def _superseded(running: RunningCycle, later: Want | None) -> Want:
    """What was pushed already need not be built again for a restart alone."""
    again = _again(running.want, later)
    return replace(again, build=False) if later and later.restart and not later.build and running.pushed else again


def _echo(echo: Echo, running: RunningCycle, superseded: bool) -> Echo:
    """Count builds in a row during which the same files changed."""
    if not running.echo:
        return Echo() if running.want.build else echo
    common = echo.files & running.echo if echo.files else running.echo
    if not common:
        echo, common = Echo(), running.echo
    return Echo(common, echo.superseded + superseded, echo.completed + (not superseded))


def _workload_observed(service: ServiceState, event: ev.WorkloadObserved, time: float) -> ServiceState:
    return replace(service, workloads={**service.workloads, event.workload: event})


_HANDLERS: dict[type[ev.ServiceEvent], _Handler] = {
    ev.ServiceChanged: _service_changed,
    ev.ChangeDetected: _change_detected,
    ev.CycleRequested: _cycle_requested,
    ev.CycleStarted: _cycle_started,
    ev.PhaseStarted: _phase_started,
    ev.PhaseFinished: _phase_finished,
    ev.ImagePushed: _image_pushed,
    ev.WorkloadPatched: _workload_patched,
    ev.PodVerified: _pod_verified,
    ev.WarningRaised: _warning_raised,
    ev.CycleFinished: _cycle_finished,
    ev.WorkloadObserved: _workload_observed,
    ev.CycleHeld: lambda service, event, time: replace(service, hold=event.hold),
    ev.ServicePaused: lambda service, event, time: replace(service, paused=event.paused),
    ev.WatchStarted: lambda service, event, time: replace(service, files=event.files),
    ev.WorkloadDrifted: lambda service, event, time: replace(service, drift=event, drifted=time),
}
