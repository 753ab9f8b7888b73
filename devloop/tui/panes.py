"""The panes beside the log: the steps of a build, the Pods, the cycles so far. Each is a text of a given width."""

from collections.abc import Iterable, Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Static

from devloop.core.events import BuildStep, Phase, PodRow, PodVerified, StepState, Verdict
from devloop.core.failure import Failure
from devloop.core.image import digest_of, short
from devloop.core.plan import DELTA
from devloop.core.state import FinishedCycle, RunningCycle, ServiceState
from devloop.tui.painted import columns, cut, styled, widest
from devloop.views import Tone, files, hint_now, seconds
from devloop.views.board import failed_phase
from devloop.views.chronicle import Build, Chronicle
from devloop.views.loglines import harmless
from devloop.views.times import moment
from devloop.views.wrapping import hanging

_Cycle = RunningCycle | FinishedCycle | None
_STEP_MARKS = {
    StepState.STARTED: ("…", Tone.BUSY),
    StepState.RUNNING: ("…", Tone.BUSY),
    StepState.DONE: ("✔", Tone.GOOD),
    StepState.FAILED: ("✘", Tone.BAD),
    StepState.CANCELLED: ("·", Tone.QUIET),
}
_VERDICTS = {
    Verdict.MATCH: ("✔", Tone.GOOD),
    Verdict.MISMATCH: ("✘", Tone.BAD),
    Verdict.UNKNOWN: ("?", Tone.WARN),
}
_SHADES = {Phase.BUILD: "█", Phase.PUSH: "▓", Phase.LOAD: "▓", Phase.ROLLOUT: "▒", Phase.VERIFY: "░"}
_BAR = 24
"""Columns of the longest bar."""
_TAIL = 20
"""Lines of a build that are shown below its steps."""
Cells = list[tuple[str, str]]


class TextPane(VerticalScroll, can_focus=True):
    """A pane that is one text, replaced as a whole; what is read stays where it is."""

    class Moved(Message):
        """Another part of the text is seen, or there is more or less of it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = Text()

    @property
    def below(self) -> int:
        """How many lines are further down."""
        return max(0, round(self.max_scroll_y - self.scroll_y))

    def compose(self) -> ComposeResult:
        yield Static()

    def put(self, text: Text) -> None:
        if text != self._text:
            self._text = text
            self.again()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Moved())

    def watch_virtual_size(self) -> None:
        self.post_message(self.Moved())

    def again(self) -> None:
        """The colours have changed."""
        self.query_one(Static).update(self._text)


def build_text(service: ServiceState, past: Chronicle, width: int) -> Text:
    """The newest build; where the newest cycle has none, it says so and shows the one before."""
    newest, earlier = past.build(service.name), past.build_before(service.name)
    cycle = _cycle_of(newest, service, past)
    if newest.steps.steps or _broken(cycle) is not None:
        lines = _build(newest, cycle, service, width)
    elif earlier is not None:
        said = styled(f" {_without(service, newest.steps.cycle)}", Tone.QUIET)
        lines = [said, Text(), *_build(earlier, _cycle_of(earlier, service, past), service, width)]
    else:
        lines = [styled(" no build of this service was seen yet", Tone.QUIET)]
    return Text("\n").join(lines)


def _build(build: Build, cycle: _Cycle, service: ServiceState, width: int) -> list[Text]:
    """What failed with its lines, BuildKit's steps, and while it builds the lines that came last."""
    steps, failure = build.steps, _broken(cycle)
    what = files(cycle.want.files, cycle.want.count) if cycle is not None else ""
    lines = [styled(f" cycle {steps.cycle}{f' · {what}' if what else ''}", Tone.QUIET)]
    if steps.failed is not None:
        lines += [Text(), *_table([_step(steps.failed)], width), *_tail(build.output, width), Text()]
    elif failure is not None:
        lines += [Text(), *_failed(failure, hint_now(failure, service), width), *_tail(build.output, width), Text()]
    is_over = steps.failed is not None or failure is not None
    lines += _table([_step(step, failed=is_over) for step in steps.steps.values() if step is not steps.failed], width)
    if service.running is not None and service.running.phase is Phase.BUILD and service.running is cycle:
        lines += [Text(), *_tail(build.output, width)]
    return lines


def _cycle_of(build: Build, service: ServiceState, past: Chronicle) -> _Cycle:
    known = (service.running, *reversed(past.cycles(service.name)))
    return next((cycle for cycle in known if cycle is not None and cycle.number == build.steps.cycle), None)


def _broken(cycle: _Cycle) -> Failure | None:
    """What the builder said; not every one tells in which step that was."""
    return cycle.failure if isinstance(cycle, FinishedCycle) and failed_phase(cycle) == Phase.BUILD else None


def _failed(failure: Failure, hint: str, width: int) -> list[Text]:
    first, *more = failure.message.split("\n")
    lines = [*hanging(f" ✘ {harmless(first)}", width), *(f"   {harmless(line)}" for line in more)]
    below = hanging(f"   → {hint}", width) if hint else []
    return [*(cut(styled(line, Tone.BAD), width) for line in lines), *(cut(Text(line), width) for line in below)]


def _without(service: ServiceState, number: int) -> str:
    """Why nothing is to be seen of the newest cycle's build."""
    cycle, runs = service.running or service.over, service.running is not None
    if cycle is None or cycle.number != number or cycle.want.build:
        return f"no step of the build of cycle {number} was seen{' yet' if runs else ''}"
    how = "a restart without a build" if cycle.want.restart else "a proof without a build"
    return f"cycle {number} {'is' if runs else 'was'} {how}"


def _step(step: BuildStep, *, failed: bool = False) -> Cells:
    """`failed`: another one did, or the build as a whole. What was chosen at its beginning is no success then."""
    mark, tone = ("·", Tone.QUIET) if failed and step.tells_how else _STEP_MARKS[step.state]
    took = "cached" if step.cached else seconds(step.seconds) if step.seconds is not None else ""
    done = f"{step.current:,}/{step.total:,}" if step.current is not None and step.total else ""
    is_plain = not step.cached and not step.name.startswith("[internal]")
    return [(f" {mark}", tone), (took or done, Tone.QUIET), (step.name, Tone.PLAIN if is_plain else Tone.QUIET)]


def _tail(output: Sequence[str], width: int) -> list[Text]:
    texts = [harmless(line) for line in output[-_TAIL:]]
    return [cut(Text("    ").append_text(Text.from_ansi(text)), width) for text in texts]


def pods_text(service: ServiceState, past: Chronicle, now: float, width: int) -> Text:
    """Pods of the newest revision with their verdicts, then those that are old or about to end."""
    cycle = service.running or service.last
    verdicts = {verdict.pod: verdict for verdict in (cycle.verdicts if cycle is not None else ())}
    seen = service.pods
    if not seen:
        return styled(" no Pods were seen yet", Tone.QUIET)
    new = [pod for pod in seen if pod.current and pod.phase != "Terminating"]
    old = [pod for pod in seen if pod not in new]
    head: Cells = [(f" {name}", Tone.QUIET) for name in ("POD", "STATE", "IMAGE", "NODE", "AGE", "RESTARTS", "PULL")]
    rows = [head, *(_pod(pod, verdicts.get(pod.pod), past.age(service.name, pod.pod, now)) for pod in (*new, *old))]
    lines = _table(_without_empty(rows), width)
    if old:
        lines.insert(1 + len(new), styled("\n old, or about to end", Tone.QUIET))
    if not new:
        lines.insert(1, styled(" no Pod of the newest revision", Tone.WARN))
    for verdict in (verdicts[pod.pod] for pod in new if pod.pod in verdicts):
        if verdict.text:
            lines.append(cut(styled(f"\n {verdict.pod}: {verdict.text}", Tone.WARN), width))
    return Text("\n").join(lines)


def _without_empty(rows: Sequence[Cells]) -> list[Cells]:
    """Without the columns that only have a name."""
    kept = [at for at in range(len(rows[0])) if any(row[at][0].strip() for row in rows[1:])]
    return [[row[at] for at in kept] for row in rows]


def _pod(pod: PodRow, found: PodVerified | None, age: str) -> Cells:
    mark, tone = _VERDICTS[found.verdict] if found else (" ", Tone.QUIET)
    image = short(digest_of(pod.image_id)) if pod.image_id else ""
    state = "ready" if pod.ready else pod.reason or pod.phase.lower()
    pull = seconds(found.pull_seconds) if found and found.pull_seconds else ""
    return [
        (f" {pod.pod}", Tone.PLAIN),
        (f" {state}", _tone(pod)),
        (f" {mark} {image}", tone),
        (f" {pod.node}", Tone.QUIET),
        (f" {age}", Tone.QUIET),
        (f" {pod.restarts or ''}", Tone.WARN),
        (f" {pull}", Tone.QUIET),
    ]


def _tone(pod: PodRow) -> Tone:
    if pod.ready:
        return Tone.GOOD
    return Tone.WARN if pod.reason else Tone.BUSY


def history_text(service: ServiceState, past: Chronicle, now: float, width: int) -> Text:
    """The cycles, newest first: what each was for, how it ended, and where its time went beside what is usual."""
    cycles = past.cycles(service.name)
    if not cycles:
        return styled(" no cycle has ended yet", Tone.QUIET)
    usual = past.usual_phases(service.name)
    whole = sum(usual.values())
    scale = max(1e-9, min(max(cycle.seconds for cycle in cycles), 3 * whole if whole else 1e9)) / _BAR
    rows = [_cycle(cycle, scale, now) for cycle in reversed(cycles)]
    if len(cycles) > 1:
        rows.insert(0, _cells(("", "", "usual", ""), whole, usual.items(), scale))
    loaded = any(span.phase is Phase.LOAD for cycle in cycles for span in cycle.phases)
    unused = Phase.PUSH if loaded else Phase.LOAD
    legend = "   ".join(f"{shade} {phase}" for phase, shade in _SHADES.items() if phase is not unused)
    return Text("\n").join([styled(f" {legend}", Tone.QUIET), Text(), *_table(rows, width)])


def _cycle(cycle: FinishedCycle, scale: float, now: float) -> Cells:
    what = files(cycle.want.files, cycle.want.count) or str(cycle.want.trigger)
    spans = [(span.phase, span.seconds) for span in cycle.phases]
    named = (moment(cycle.finished, now), f"#{cycle.number}", cycle.outcome, what)
    cells = _cells(named, cycle.seconds, spans, scale)
    if cycle.builder == DELTA:
        told, tone = cells[-1]
        cells[-1] = (f"delta · {told}" if told else "delta", tone)
    tone = Tone.GOOD if cycle.outcome.settles else Tone.BAD if cycle.failure else Tone.QUIET
    cells[2] = (cells[2][0], tone)
    return cells


def _cells(named: tuple[str, str, str, str], took: float, spans: Iterable[tuple[Phase, float]], scale: float) -> Cells:
    parts, (when, number, outcome, what) = [*spans], named
    bar = "".join(_SHADES[phase] * round(value / scale) for phase, value in parts)
    bar = bar if len(bar) <= _BAR else f"{bar[: _BAR - 1]}→"
    told = " · ".join(f"{phase} {value:.1f}" for phase, value in parts if value >= 0.05)
    quiet, plain = Tone.QUIET, Tone.PLAIN
    return [
        (f" {when}", quiet), (number, quiet), (outcome, quiet), (seconds(took), plain), (bar, quiet), (what, plain),
        (told, quiet),
    ]  # fmt: skip


def _table(rows: Sequence[Cells], width: int) -> list[Text]:
    count = len(rows[0]) - 1 if rows else 0
    return columns(rows, [widest(rows, at, 0, max(12, width // 2)) for at in range(count)], width)
