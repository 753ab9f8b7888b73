"""How a session stands with the newest save of a service, for `devloop why`."""

from typing import Any, Protocol

from devloop.core.awaiting import pending
from devloop.core.state import ServiceState, Want
from devloop.core.why.facts import NewestSave, Settled
from devloop.views import files, hint_now
from devloop.views.band import place_of
from devloop.views.board import failed_phase
from devloop.views.chronicle import Chronicle
from devloop.views.meanwhile import meanwhile


class _Save(Protocol):
    """Takes what the ways of standing differ in."""

    def __call__(self, want: Want, **more: Any) -> NewestSave: ...


def standing(
    service: ServiceState, past: Chronicle, session: str, context: str, now: float
) -> NewestSave | Settled | None:
    """None where somebody else works on the workload: their own session tells more. `context`: the build's folder."""
    if service.looks_on or service.held:
        return None
    return _unproved(service, past, session, now) or _settled(service, past, session, context)


def _unproved(service: ServiceState, past: Chronicle, session: str, now: float) -> NewestSave | None:
    still = meanwhile(service, now)

    def save(want: Want, **more: Any) -> NewestSave:
        saved = files(want.files, want.count)
        return NewestSave(session, service.name, saved, want.of, still, **more)

    return _on_its_way(service, save) or _given_up(service, past, save) or _failed(service, past, save)


def _settled(service: ServiceState, past: Chronicle, session: str, context: str) -> Settled | None:
    """Of a service that has nothing left to do; None before its first cycle."""
    last = service.last
    if last is None:
        return None
    # A cycle that a key or a command asked for brings no save: the newest one is of a cycle before.
    saves = (cycle.want for cycle in reversed(past.cycles(service.name)) if cycle.want.is_save)
    want = next(saves, last.want)
    back = service.drifted if service.restored is not None else 0.0
    return Settled(session, service.name, context, files(want.files, want.count), want.of, back, service.paused)


def _on_its_way(service: ServiceState, save: _Save) -> NewestSave | None:
    """A cycle runs, or is wanted and waits. What failed because something is away is wanted too, but told as failed."""
    running = service.running
    want = running.want if running is not None else service.want
    if want is None or (running is None and service.lost):
        return None
    phase = str(running.phase or "") if running is not None else ""
    fix = f"devloop wait {service.name}"
    if service.paused and running is None:
        fix = f"let it go on: space on the session's screen, with {service.name} chosen"
    # A cycle that is built waits too, and its hold tells more than its number.
    waits = service.hold.text if running is not None and service.hold is not None else pending(service)
    return save(want, phase=phase, waits=waits, fix=fix)


def _given_up(service: ServiceState, past: Chronicle, save: _Save) -> NewestSave | None:
    if past.given_up(service.name) is None or service.over is None:
        return None
    return save(service.over.want, waits="its cycle was stopped", fix=f"devloop trigger {service.name}")


def _failed(service: ServiceState, past: Chronicle, save: _Save) -> NewestSave | None:
    last, failure = service.last, service.failure
    if last is None or failure is None:
        return None
    fix = hint_now(failure, service) or "mend it and save: the session builds again"
    want = service.want or last.want  # wanted again, with what was saved since
    return save(want, phase=failed_phase(last), failure=failure, place=place_of(service, past), fix=fix)
