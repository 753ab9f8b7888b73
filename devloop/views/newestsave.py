"""How a session stands with the newest save of a service, for `devloop why`."""

from collections.abc import Callable
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


Here = Callable[[str], bool]
"""Whether a file of a save, by its name there, is there now."""


def standing(
    service: ServiceState, past: Chronicle, session: str, context: str, now: float, is_here: Here = lambda name: True
) -> NewestSave | Settled | None:
    """None where somebody else works on the workload: their own session tells more. `context`: the build's folder."""
    if service.looks_on or service.held:
        return None
    return _unproved(service, past, session, now, is_here) or _settled(service, past, session, context, is_here)


def _unproved(service: ServiceState, past: Chronicle, session: str, now: float, is_here: Here) -> NewestSave | None:
    still = meanwhile(service, now)

    def save(want: Want, **more: Any) -> NewestSave:
        saved, deleted = files(want.files, want.count), _deleted(want, is_here)
        return NewestSave(session, service.name, saved, want.of, still, **more, deleted=deleted)

    return _on_its_way(service, save) or _given_up(service, past, save) or _failed(service, past, save)


def _deleted(want: Want, is_here: Here) -> int:
    """How many files were deleted, where nothing else was saved; 0 also where not all of them are known."""
    all_gone = want.count == len(want.files) and not any(map(is_here, want.files))
    return want.count if all_gone else 0


def _settled(service: ServiceState, past: Chronicle, session: str, context: str, is_here: Here) -> Settled | None:
    """Of a service that has nothing left to do; None before its first cycle."""
    last = service.last
    if last is None:
        return None
    # A cycle that a key or a command asked for brings no save: the newest one is of a cycle before.
    saves = (cycle.want for cycle in reversed(past.cycles(service.name)) if cycle.want.is_save)
    want = next(saves, last.want)
    back = service.drifted if service.restored is not None else 0.0
    what, deleted = files(want.files, want.count), _deleted(want, is_here)
    return Settled(session, service.name, context, what, want.of, back, service.paused, deleted)


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
