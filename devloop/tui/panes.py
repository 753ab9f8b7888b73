"""The panes beside the log: the steps of a build, the Pods, the cycles so far, and an answer of `why`."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from devloop.core.events import PodRow, StepState, Verdict
from devloop.core.image import short
from devloop.core.state import FinishedCycle, ServiceState
from devloop.tui.painted import STYLES, columns
from devloop.views import Tone, files, seconds
from devloop.views.board import clock
from devloop.views.chronicle import Chronicle

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


class TextPane(VerticalScroll, can_focus=True):
    """A pane that is one text, replaced as a whole."""

    def compose(self) -> ComposeResult:
        yield Static()

    def put(self, text: Text) -> None:
        self.query_one(Static).update(text)


def build_text(service: ServiceState, past: Chronicle, output: list[str], width: int) -> Text:
    """BuildKit's steps, and the last lines of the one that failed."""
    steps = past.steps(service.name)
    if not steps.steps:
        return Text("no build of this service was seen yet", "dim")
    rows = []
    for step in steps.steps.values():
        mark, tone = _STEP_MARKS[step.state]
        took = "cached" if step.cached else seconds(step.seconds) if step.seconds is not None else ""
        done = f"{step.current:,}/{step.total:,}" if step.current is not None and step.total else ""
        rows.append([(mark, STYLES[tone]), (took or done, "dim"), (step.name, "" if not step.cached else "dim")])
    text = Text(f"cycle {steps.cycle}\n", "bold")
    text.append_text(columns(rows, width))
    if steps.failed is not None:
        text.append("\n\n")
        text.append("\n".join(output[-20:]), "red")
    return text


def pods_text(service: ServiceState, width: int) -> Text:
    """Pods of the newest revision with their verdicts, then those that are old or about to end."""
    cycle = service.running or service.last
    verdicts = {verdict.pod: verdict for verdict in (cycle.verdicts if cycle is not None else ())}
    rows: list[list[tuple[str, str]]] = []
    old: list[list[tuple[str, str]]] = []
    for observed in service.workloads.values():
        for pod in observed.pods:
            found = verdicts.get(pod.pod)
            mark, tone = _VERDICTS[found.verdict] if found else ("·", Tone.QUIET)
            pull = f"pulled in {seconds(found.pull_seconds)}" if found and found.pull_seconds else ""
            cells = [
                (mark, STYLES[tone]),
                (pod.pod, ""),
                (pod.node, "dim"),
                (pod.reason or pod.phase, STYLES[_tone(pod)]),
                (short(pod.image_id) if pod.image_id else "", "dim"),
                (f"{pod.restarts} restarts" if pod.restarts else "", STYLES[Tone.WARN]),
                (pull, "dim"),
            ]
            (rows if pod.current and pod.phase != "Terminating" else old).append(cells)
    if not rows and not old:
        return Text("no Pods were seen yet", "dim")
    text = columns(rows, width) if rows else Text("no Pod of the newest revision", "yellow")
    if old:
        text.append("\n\nold, or about to end\n", "dim")
        text.append_text(columns(old, width))
    return text


def _tone(pod: PodRow) -> Tone:
    if pod.ready:
        return Tone.GOOD
    return Tone.WARN if pod.reason else Tone.BUSY


def history_text(service: ServiceState, past: Chronicle, width: int) -> Text:
    """The cycles, newest first: what each was for, how it ended, and where its time went beside what is usual."""
    cycles = past.cycles(service.name)
    if not cycles:
        return Text("no cycle has ended yet", "dim")
    longest = max(cycle.seconds for cycle in cycles) or 1.0
    rows = [_cycle(cycle, longest) for cycle in reversed(cycles)]
    usual = " · ".join(f"{phase} {value:.1f}" for phase, value in past.usual_phases(service.name).items())
    text = Text(f"usually  {usual}\n\n", "dim") if usual else Text()
    return text.append_text(columns(rows, width))


def _cycle(cycle: FinishedCycle, longest: float) -> list[tuple[str, str]]:
    tone = Tone.GOOD if cycle.outcome.settles else Tone.BAD if cycle.failure else Tone.QUIET
    spans = " · ".join(f"{span.phase} {span.seconds:.1f}" for span in cycle.phases if span.seconds >= 0.05)
    return [
        (clock(cycle.finished), "dim"),
        (f"#{cycle.number}", "dim"),
        (cycle.outcome, STYLES[tone]),
        (seconds(cycle.seconds).rjust(6), ""),
        ("█" * max(1, round(cycle.seconds / longest * 20)), STYLES[tone]),
        (files(cycle.want.files, cycle.want.count) or str(cycle.want.trigger), ""),
        (spans, "dim"),
    ]
