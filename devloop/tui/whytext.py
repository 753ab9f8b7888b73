"""The answer of `why` in the columns that there are: what does not fit goes on below where it began."""

from collections.abc import Iterable

from rich.text import Text

from devloop.core.state import ServiceState
from devloop.tui.painted import styled
from devloop.views import Phrase, Tone
from devloop.views.times import clock
from devloop.views.wrapping import hanging


def older(answer: Iterable[Phrase], asked: float, service: ServiceState) -> Iterable[Phrase]:
    """One that more has happened since: when it was asked for comes first, and no line of it is news."""
    head = f"asked {clock(asked)}; since then {_happened(service, asked)} (d asks again)"
    return [Phrase(head, Tone.WARN), *(Phrase(phrase.text, Tone.QUIET) for phrase in answer)]


def _happened(service: ServiceState, after: float) -> str:
    if service.running is not None and service.running.started >= after:
        return f"cycle {service.running.number} began"
    if service.over is not None and service.over.finished >= after:
        return f"cycle {service.over.number} ended"
    return "more has happened"


def why_text(answer: Iterable[Phrase], width: int) -> Text:
    return Text("\n").join(styled(line, phrase.tone) for phrase in answer for line in hanging(phrase.text, width))
