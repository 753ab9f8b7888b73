"""Whether the newest save of a service is proved: what `devloop wait` waits for. Pure."""

from dataclasses import dataclass

from devloop.core.events import Outcome
from devloop.core.failure import ExitCode
from devloop.core.image import short
from devloop.core.state import ServiceState


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it stands with the newest save of a service."""

    service: str
    code: ExitCode
    """0 when every Pod provably runs it, else that of what is the matter."""
    message: str
    hint: str = ""


def verdict(service: ServiceState) -> Verdict | None:
    """None as long as a cycle runs, or will run, that decides it."""
    if service.running is not None:
        return None
    last, failed = service.last, service.failure
    # What failed because something was away is wanted again as it was; only a newer save is another question.
    newer = service.want is not None and (last is None or failed is None or service.want.newest > last.want.newest)
    if newer or last is None:
        return None
    if service.over is not None and service.over.number > last.number and service.over.outcome is Outcome.STOPPED:
        return Verdict(service.name, ExitCode.UNPROVEN, "its newest cycle was stopped", "save again, or trigger it")
    if failed is not None:
        return Verdict(service.name, failed.exit_code, failed.message, failed.hint)
    if service.drift is not None and (service.restored or not _all_serve_it(service)):
        what, trigger = service.drift.what, f"`devloop trigger {service.name}`"
        if service.restored:
            sooner = trigger if service.paused else f"{trigger}, or a save,"
            return Verdict(service.name, ExitCode.UNPROVEN, what, f"{sooner} lets devloop take over again")
        message = f"it was {last.outcome}, but since then: {what}"
        return Verdict(service.name, ExitCode.UNPROVEN, message, f"{trigger} rolls out what devloop built again")
    pods = len({each.pod for each in last.verdicts})
    where = f" in {pods} Pod{'' if pods == 1 else 's'}" if pods else ""
    return Verdict(service.name, ExitCode.DONE, f"{last.outcome} {short(last.digest)}{where}")


def pending(service: ServiceState) -> str:
    """What a service waits for whose verdict is still open."""
    if service.running is not None:
        phase, hindered = service.running.phase, service.hindered
        at = f"in the phase {phase}" if phase else "between two phases"
        return f"its cycle {service.running.number} is {at}{f': {hindered.message}' if hindered else ''}"
    if service.paused:
        return "it is paused, and what was saved is not built"
    if service.hold is not None:
        return service.hold.text
    return "its first cycle has not begun" if service.last is None else "its next cycle has not begun"


def way_on(service: ServiceState) -> str:
    """What ends that wait; empty where nobody has to do anything, or nothing is known that does."""
    if service.running is None and service.paused:
        return f"space on its screen, or `devloop trigger {service.name}`"
    return ""


def _all_serve_it(service: ServiceState) -> bool:
    return bool(service.serving) and (service.serving or frozenset()) <= service.live_digests
