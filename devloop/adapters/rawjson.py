"""Reads what `docker buildx build --progress=rawjson` writes on stderr.

Two layers: `Decoder` turns chunks of bytes into JSON objects and lines of plain text (errors come as text on the same
stream; buildx 0.12 to 0.14 spread an object over many lines), and `BuildStream` turns those into what a build tells:
steps, output lines, the start of the push, and the step that failed.

The objects are BuildKit's `SolveStatus`: `{"vertexes": [...], "statuses": [...], "logs": [...], "warnings": [...]}`.
"""

import base64
import codecs
import contextlib
import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from devloop.core.events import StepState
from devloop.core.ports import BuildProgress, OutputLine, PushStarted, StepProgress

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]")
_LONGEST_LINE = 16_384
"""Bytes of output without a newline that are held back before they are passed on as a line."""
_MOVES = 20
"""How many times a step with a known size reports progress, at most."""
_WORTH_TELLING = 1_000_000
"""Bytes: less than that is over before anybody has read it. Also the distance of reports when no size is known."""
_LOOK_UP = 0.001
"""Seconds. BuildKit looks a step up in its cache before it runs it, and reports that look-up as a run of its own:
an end after so short a time is told only when `_PATIENCE` messages later the step has not started again."""
_PATIENCE = 3
_LAST_LINES = 20

Message = Mapping[str, Any] | str


class Decoder:
    """An accumulating decoder: JSON objects, and lines of text between them."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._json = json.JSONDecoder()
        self._buffer = ""

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Everything that is complete by now."""
        self._buffer += self._utf8.decode(chunk)
        while (message := self._next()) is not None:
            yield message

    def finish(self) -> Iterator[Message]:
        """What is left when the stream ends; an object that was cut off is dropped."""
        self._buffer += self._utf8.decode(b"", final=True) + "\n"
        yield from self.feed(b"")
        if self._buffer and not self._cut_off(self._buffer):
            yield from self._buffer.splitlines()
        self._buffer = ""

    def _next(self) -> Message | None:
        self._buffer = self._buffer.lstrip("\r\n")
        if not self._buffer.startswith("{"):
            return self._line()
        try:
            value, end = self._json.raw_decode(self._buffer)
        except json.JSONDecodeError as error:
            # A whole line behind the error cannot be the rest of an unfinished object: then it is text.
            return self._line() if "\n" in self._buffer[error.pos :].strip() else None
        self._buffer = self._buffer[end:]
        assert isinstance(value, dict)
        return value

    def _line(self) -> str | None:
        line, newline, rest = self._buffer.partition("\n")
        if not newline:
            return None
        self._buffer = rest
        return line.rstrip("\r")

    @staticmethod
    def _cut_off(text: str) -> bool:
        return re.match(r'\{\s*"(vertexes|statuses|logs|warnings)"', text) is not None


@dataclass(slots=True)
class _Step:
    """What is known of one vertex so far."""

    number: str
    name: str
    last: StepProgress | None = None
    runs: dict[str, float] = field(default_factory=dict)
    """Seconds of each run, by its start."""
    transfers: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Bytes done and to do (0: not known), by layer."""
    pending: dict[int, bytes] = field(default_factory=dict)
    """Output without its newline yet, by stream."""
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))


@dataclass(frozen=True, slots=True)
class FailedStep:
    """The step whose error ended the build."""

    name: str
    error: str
    pushing: bool
    """Whether the image was built, and only its way to the registry failed."""
    last_lines: tuple[str, ...]


class BuildStream:
    """Follows one build; everything it tells has passed `mask`."""

    def __init__(self, emit: Callable[[BuildProgress], None], mask: Callable[[str], str] = str) -> None:
        self._emit = emit
        self._mask = mask
        self._decoder = Decoder()
        self._steps: dict[str, _Step] = {}
        self._messages = 0
        self._unsure: dict[str, tuple[int, StepProgress]] = {}
        self._pushing = False
        self.failed: FailedStep | None = None
        """The first step that failed, when one did."""
        self.text: list[str] = []
        """Lines of plain text; the last ones say why buildx gave up."""

    def feed(self, chunk: bytes) -> None:
        for message in self._decoder.feed(chunk):
            self._take(message)

    def finish(self) -> None:
        """The stream ended: pass on what was held back."""
        for message in self._decoder.finish():
            self._take(message)
        for step in self._steps.values():
            self._flush_lines(step)
        self._settle(self._messages)

    def _take(self, message: Message) -> None:
        if isinstance(message, str):
            self._text_line(self._clean(message).rstrip())
            return
        self._messages += 1
        # A later BuildKit may word things differently; whether the build worked is not told here.
        with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
            self._understand(message)
        self._settle(self._messages - _PATIENCE)

    def _understand(self, message: Mapping[str, Any]) -> None:
        for vertex in message.get("vertexes") or ():
            self._vertex(vertex)
        for status in message.get("statuses") or ():
            self._status(status)
        for log in message.get("logs") or ():
            self._log(log)
        for warning in message.get("warnings") or ():
            self._warning(warning)

    def _text_line(self, line: str) -> None:
        self.text.append(line)
        if not line.startswith("ERROR: "):  # that one is told as the failure itself
            self._emit(OutputLine(line))

    def _clean(self, text: str) -> str:
        return self._mask(_ANSI.sub("", text)).expandtabs()

    def _tell(self, step: _Step, progress: StepProgress) -> None:
        step.last = progress
        self._emit(progress)

    def _vertex(self, vertex: Mapping[str, Any]) -> None:
        started = vertex.get("started")
        if not started:
            return
        digest = str(vertex["digest"])
        if digest not in self._steps:
            name = " ".join(self._clean(str(vertex.get("name", ""))).split())
            self._steps[digest] = _Step(str(len(self._steps) + 1), name)
        step = self._steps[digest]
        self._unsure.pop(digest, None)
        if step.name.startswith("pushing "):
            self._push_started()
        if vertex.get("completed"):
            self._completed(digest, step, vertex)
        elif step.last is None or step.last.state is not StepState.STARTED:
            self._tell(step, StepProgress(step.number, step.name, StepState.STARTED))

    def _completed(self, digest: str, step: _Step, vertex: Mapping[str, Any]) -> None:
        self._flush_lines(step)
        step.runs[str(vertex["started"])] = _seconds(vertex["started"], vertex["completed"])
        seconds = round(sum(step.runs.values()), 3)
        error = str(vertex.get("error") or "")
        state = _end_state(error)
        end = StepProgress(step.number, step.name, state, bool(vertex.get("cached")), seconds)
        if state is StepState.FAILED and self.failed is None:
            self.failed = FailedStep(step.name, self._clean(error), self._pushing, tuple(step.last_lines))
        if state is StepState.DONE and not end.cached and seconds < _LOOK_UP:
            self._unsure[digest] = (self._messages, end)
        else:
            self._tell(step, end)

    def _settle(self, until: int) -> None:
        """Tell the ends of that message and before that nothing has taken back since."""
        for digest, (message, end) in tuple(self._unsure.items()):
            if message <= until:
                del self._unsure[digest]
                self._tell(self._steps[digest], end)

    def _push_started(self) -> None:
        if not self._pushing:
            self._pushing = True
            self._emit(PushStarted())

    def _status(self, status: Mapping[str, Any]) -> None:
        id_ = str(status.get("id", ""))
        # The docker-container driver pushes inside the step that exports; the docker driver has a step of its own.
        if id_.startswith(("pushing layers", "pushing manifest")):
            self._push_started()
        step = self._steps.get(str(status.get("vertex")))
        if step is None or (step.last is not None and _ended(step.last)):
            return
        before, total_before = step.transfers.get(id_, (0, 0))
        # The docker driver reports more than there is (5120 of 15), and 0 of nothing at the end of a layer.
        current = max(int(status.get("current") or 0), before)
        total = max(int(status.get("total") or 0), total_before)
        step.transfers[id_] = (min(current, total) if total else current, total)
        self._progress(step)

    def _progress(self, step: _Step) -> None:
        sized = [transfer for transfer in step.transfers.values() if transfer[1]]
        current = sum(done for done, _ in sized or step.transfers.values())
        total = sum(size for _, size in sized)
        if _moved(step.last, current, total):
            self._tell(
                step,
                StepProgress(step.number, step.name, StepState.RUNNING, current=current, total=total or None),
            )

    def _log(self, log: Mapping[str, Any]) -> None:
        step = self._steps.get(str(log.get("vertex")))
        if step is None:
            return
        stream = int(log.get("stream") or 1)
        data = step.pending.pop(stream, b"") + base64.b64decode(log.get("data") or "")
        *lines, rest = data.split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        if rest:
            step.pending[stream] = rest
        for line in lines:
            self._output(step, line)

    def _flush_lines(self, step: _Step) -> None:
        for stream in tuple(step.pending):
            self._output(step, step.pending.pop(stream))

    def _output(self, step: _Step, line: bytes) -> None:
        # A progress bar writes over its own line: only what it showed last counts.
        shown = next((part for part in reversed(line.split(b"\r")) if part.strip()), b"")
        text = self._clean(shown.decode(errors="replace")).rstrip()
        step.last_lines.append(text)
        self._emit(OutputLine(text, step.number))

    def _warning(self, warning: Mapping[str, Any]) -> None:
        short = base64.b64decode(warning.get("short") or "").decode(errors="replace")
        step = self._steps.get(str(warning.get("vertex")))
        self._emit(OutputLine(f"warning: {self._clean(short)}", step.number if step else ""))


def _end_state(error: str) -> StepState:
    if not error:
        return StepState.DONE
    return StepState.CANCELLED if "context canceled" in error else StepState.FAILED


def _ended(progress: StepProgress) -> bool:
    return progress.state not in {StepState.STARTED, StepState.RUNNING}


def _moved(last: StepProgress | None, current: int, total: int) -> bool:
    """Whether that much is worth another report."""
    before, total_before = ((last.current or 0), (last.total or 0)) if last else (0, 0)
    if not total:
        return current - before >= _WORTH_TELLING
    if total < _WORTH_TELLING:
        return False
    return total != total_before or current * _MOVES // total > before * _MOVES // total


def _seconds(started: object, completed: object) -> float:
    begin, end = datetime.fromisoformat(str(started)), datetime.fromisoformat(str(completed))
    return max(0.0, (end - begin).total_seconds())
