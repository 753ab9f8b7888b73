"""The event log as text: one line for each event that matters, with time, service, words and figures.

Colour only where a terminal is and `NO_COLOR` is not (https://no-color.org); a pipe gets the same words without it.
"""

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from devloop.core import events as ev
from devloop.core.failure import FailureCode
from devloop.core.reducer import reduce
from devloop.core.state import SessionState
from devloop.views import Phrase, Tone, phrases
from devloop.views.asides import Asides
from devloop.views.loglines import Kind, Line
from devloop.views.wrapping import hanging

_COLOURS = {Tone.QUIET: "2", Tone.BUSY: "36", Tone.GOOD: "32", Tone.WARN: "33", Tone.BAD: "1;31"}
_PLAIN_AGAIN = "\x1b[0m"
_COLOUR_CODE = re.compile(r"(\x1b\[[0-9;:]*m)")
FAILING_LINES = 20
"""How many lines of a failing build are shown, when the whole of it is not."""
_NARROWEST = 20
"""Columns that words have at least, beside the time and the service."""
_RULE = 60
"""Columns of a line that parts what comes before from what comes after."""


def wants_colour(is_terminal: bool, environ: Mapping[str, str]) -> bool:
    return is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class PlainRenderer:
    """Turns records into lines; folds them with the reducer that the conductor uses, so the words cannot disagree."""

    def __init__(self, *, colour: bool = False, pod_logs: bool = True, columns: Callable[[], int] = lambda: 0) -> None:
        """`columns`: of the terminal, as long as it is; 0 where there is none, and every line stays one."""
        self._colour = colour
        self._pod_logs = pod_logs
        self._columns = columns
        self._state = SessionState()
        self._build_output: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=FAILING_LINES))
        self._asides = Asides()

    def lines(self, record: ev.Record) -> Iterator[str]:
        """The lines for one record, without line ends."""
        event, before = record.event, self._state
        if not event.lossy:
            self._state = reduce(self._state, record)
        service = event.service if isinstance(event, ev.ServiceEvent) else ""
        if isinstance(event, ev.Log):
            yield from self._log(record.time, event)
            return
        if isinstance(event, ev.CycleStarted):
            self._build_output[event.service].clear()
        if _is_failed_build(event):
            for text in self._build_output[service]:
                yield self._line(record.time, service, Phrase(f"│ {text}"))
        for phrase in phrases(event, self._state):
            yield from self._fitted(record.time, service, phrase)
        # What is noted between the lines of a screen stands in the phrases already.
        asides = self._asides.of_event(record, before, self._state) if self._pod_logs else ()
        yield from (self._rule(line, name) for name, line in asides if line.kind is Kind.RULE)

    def _log(self, time: float, event: ev.Log) -> Iterator[str]:
        if event.source is ev.LogSource.BUILD:
            self._build_output[event.service].append(event.text)
        elif event.running and not self._pod_logs:
            yield self._line(time, event.service, Phrase(f"{event.pod} │ {event.text}"))
        elif self._pod_logs or event.cycle:
            # The last words of a container that failed its cycle are shown even without logs, and once with them.
            for line in self._asides.of_log(time, event, self._state):
                if line.kind is not Kind.RULE:
                    yield self._line(line.time, event.service, Phrase(f"{line.pod} │ {line.raw}"))
                elif self._pod_logs:
                    yield self._rule(line, event.service)

    def _rule(self, line: Line, service: str) -> str:
        return self._line(line.time, service, Phrase(f"── {line.text} ".ljust(_RULE, "─"), Tone.QUIET))

    def _line(self, time: float, service: str, phrase: Phrase) -> str:
        return self._head(time, service) + shown(phrase, colour=self._colour)

    def _fitted(self, time: float, service: str, phrase: Phrase) -> Iterator[str]:
        """What devloop says itself, within the terminal; what was written by others stays as it was written."""
        head, width = self._head(time, service), self._columns()
        lines = hanging(phrase.text, max(width - len(head), _NARROWEST)) if width else [phrase.text]
        for line in lines:
            yield head + shown(Phrase(line, phrase.tone), colour=self._colour)
            head = " " * len(head)

    def _head(self, time: float, service: str) -> str:
        clock = datetime.fromtimestamp(time).astimezone().strftime("%H:%M:%S")
        widest = max((len(name) for name in self._state.services), default=0)
        return f"{clock}  {service:<{widest}}  " if widest else f"{clock}  "


def shown(phrase: Phrase, *, colour: bool) -> str:
    """The phrase as a terminal, or a file, may be given it."""
    text = _printable(phrase.text, keep_colour=colour)
    code = _COLOURS.get(phrase.tone) if colour else None
    return f"\x1b[{code}m{text}{_PLAIN_AGAIN}" if code else text


_OF_BUILD = frozenset({FailureCode.BUILD_FAILED, FailureCode.PUSH_FAILED, FailureCode.LOAD_FAILED})


def _is_failed_build(event: ev.Event) -> bool:
    """A build that was superseded did not fail: its output is nobody's business."""
    failure = event.failure if isinstance(event, ev.CycleFinished) else None
    return failure is not None and failure.code in _OF_BUILD


def _printable(text: str, *, keep_colour: bool) -> str:
    """Without what would move a terminal's cursor or break the line; an app's own colours stay where colour is."""
    parts = _COLOUR_CODE.split(text)  # odd parts are the codes
    codes = [code if keep_colour else "" for code in parts[1::2]]
    words = ["".join(c if c.isprintable() or c == "\t" else "" for c in part) for part in parts[::2]]
    # A colour that the app does not end would run on into the lines of others.
    end = _PLAIN_AGAIN if any(codes) and codes[-1] != _PLAIN_AGAIN else ""
    return "".join(word + code for word, code in zip(words, [*codes, end], strict=True))
