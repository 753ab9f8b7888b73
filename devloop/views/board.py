"""The state of a session at a glance: a row for each service, the line above them, and what broke.

Answers, for each service: is what was saved last running, is that proved, since when, what is it waiting for, what
broke, what still runs meanwhile. Pure; `now` is Unix seconds.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from devloop.core.events import Outcome, Phase, StepState, Trigger
from devloop.core.failure import Failure, FailureCode
from devloop.core.state import FinishedCycle, RunningCycle, ServiceState, SessionState, Want
from devloop.views import Tone, files, seconds
from devloop.views.chronicle import Chronicle, sparkline

_RUNNING = {
    Phase.BUILD: "building",
    Phase.PUSH: "pushing",
    Phase.ROLLOUT: "rolling out",
    Phase.VERIFY: "verifying",
}
_FILE_LINE = re.compile(r"([\w./+-]+\.\w+):(\d+)(?::\d+)?|File \"([^\"]+)\", line (\d+)")


@dataclass(frozen=True, slots=True)
class Row:
    """One service."""

    service: str
    word: str
    """`VERIFIED 3/3`, `rolling out 1/3`, `FAILED build`, `waiting for db`."""
    tone: Tone
    files: str = ""
    saved: str = ""
    """`14:02:11`; empty before the first save."""
    detail: str = ""
    """What is going on, or since when it is live, or what still runs meanwhile."""
    rank: int = 0
    """Failures first: rows are shown in this order, and in the configuration's within it."""


@dataclass(frozen=True, slots=True)
class Band:
    """What broke: it cannot be missed, and says what to do."""

    service: str
    where: str
    """`build`, `rollout`, `verify`; empty where it is none of a phase."""
    message: str
    decisive: str = ""
    """The line that tells why, of a build or a container."""
    hint: str = ""
    file: str = ""
    line: int = 0


def rows(state: SessionState, past: Chronicle, now: float) -> list[Row]:
    """Every service, failures first."""
    found = [row(service, past, now) for service in state.services.values()]
    return sorted(found, key=lambda each: each.rank)


def row(service: ServiceState, past: Chronicle, now: float) -> Row:
    """What the table says of one service."""
    if service.running is not None:
        return _of_running(service, service.running, past, now)
    want = _want(service)
    if service.hold is not None or service.paused:
        word = service.hold.text if service.hold else "paused"
        return Row(service.name, word, Tone.BUSY, _files(want), _saved(want), _meanwhile(service), 2)
    if service.last is None:
        return Row(service.name, "starting", Tone.QUIET, rank=2)
    if service.last.failure is not None:
        return _of_failed(service, service.last)
    return _of_finished(service, service.last, past)


def overall(state: SessionState, past: Chronicle, now: float) -> list[tuple[str, Tone]]:
    """`1 FAILED`, `1 rolling out`, `2 verified`: how many services are how, the worst first."""
    counts: dict[tuple[str, Tone], int] = {}
    for each in rows(state, past, now):
        word = re.sub(r"( \d+/\d+| build| push| rollout| verify| check)$", "", each.word.partition(" for ")[0])
        counts[word if word.startswith("FAILED") else word.lower(), each.tone] = (
            counts.get((word if word.startswith("FAILED") else word.lower(), each.tone), 0) + 1
        )
    return [(f"{count} {word}", tone) for (word, tone), count in counts.items()]


def trouble(state: SessionState) -> str:
    """What is away, for the right end of the line above the rows; empty when nothing is."""
    return " · ".join(f"{to} away" for to in state.lost)


def title(state: SessionState, past: Chronicle, now: float) -> str:
    """The terminal's title: what is worst, in two words."""
    counted = overall(state, past, now)
    if not counted:
        return "devloop"
    marks = {Tone.BAD: "✘ ", Tone.GOOD: "✔ ", Tone.BUSY: "… "}
    text, tone = counted[0]
    return f"{marks.get(tone, '')}{text.partition(' ')[2] if len(state.services) == 1 else text} · devloop"


def band(state: SessionState, past: Chronicle) -> Band | None:
    """The first service that failed; None when none did."""
    for service in state.services.values():
        last = service.last
        if service.running is None and last is not None and last.failure is not None:
            if last.failure.code is FailureCode.DEPENDENCY_FAILED:
                continue  # told where it happened
            return _band(service, last, last.failure, past)
    return None


def headline(service: ServiceState, past: Chronicle, now: float) -> tuple[str, Tone]:
    """The first line where there is one service: everything that matters, in one sentence."""
    found = row(service, past, now)
    last = service.last
    if service.running is None and last is not None and last.failure is not None and not service.paused:
        return f"NOT LIVE: {found.word.removeprefix('FAILED ')} failed; {_meanwhile(service)}", Tone.BAD
    parts = [found.word, found.files, f"saved {found.saved}" if found.saved else "", found.detail]
    return " · ".join(part for part in parts if part), found.tone


def phases_line(service: ServiceState, past: Chronicle, now: float) -> str:
    """`build 0.3 · push 0.1 · rollout 1.2 · verify 0.1`, growing while it runs; beside what is usual."""
    running, last = service.running, service.last
    spans = running.phases if running else last.phases if last else ()
    parts = [f"{span.phase} {span.seconds:.1f}" for span in spans]
    if running is not None and running.phase is not None:
        parts.append(f"{running.phase} {max(0.0, now - running.phase_started):.1f}…")
    usual = past.usual(service.name)
    return " · ".join(parts) + (f"   (usually {seconds(usual)} in all)" if usual and parts else "")


def clock(time: float) -> str:
    """The time of day on this machine."""
    return datetime.fromtimestamp(time).astimezone().strftime("%H:%M:%S") if time else ""


def _of_running(service: ServiceState, running: RunningCycle, past: Chronicle, now: float) -> Row:
    word = _RUNNING.get(running.phase, "starting") if running.phase else _between(service)
    if running.phase in {Phase.ROLLOUT, Phase.VERIFY}:
        word += _count(service)
    usual = past.usual(service.name)
    taken = seconds(max(0.0, now - running.started))
    parts = [f"{taken}, usually {seconds(usual)}" if usual else taken, _now(service, running, past)]
    detail = " · ".join(part for part in parts if part)
    return Row(service.name, word, Tone.BUSY, _files(running.want), _saved(running.want), detail, 1)


def _between(service: ServiceState) -> str:
    return service.hold.text if service.hold else "pushed"


def _now(service: ServiceState, running: RunningCycle, past: Chronicle) -> str:
    """The one thing that the cycle is at."""
    if running.phase is Phase.BUILD:
        steps = [
            s for s in past.steps(service.name).steps.values() if s.state in {StepState.STARTED, StepState.RUNNING}
        ]
        return steps[-1].name if steps else ""
    if running.warnings:
        return running.warnings[-1].message
    for observed in service.workloads.values():
        for pod in observed.pods:
            if pod.current and not pod.ready:
                where = f" on {pod.node}" if pod.node else ""
                return f"{_short(pod.pod)}{where}: {pod.reason or pod.phase.lower()}"
    return ""


def _of_failed(service: ServiceState, last: FinishedCycle) -> Row:
    return Row(
        service.name, f"FAILED {_where(last)}".strip(), Tone.BAD, _files(last.want), _saved(last.want),
        _meanwhile(service), 0,
    )  # fmt: skip


def _where(last: FinishedCycle) -> str:
    """The phase that failed."""
    failed = next((span.phase for span in reversed(last.phases) if not span.ok), None)
    if failed is not None:
        return str(failed)
    return "check" if last.failure is not None and not last.phases else ""


def _of_finished(service: ServiceState, last: FinishedCycle, past: Chronicle) -> Row:
    if service.drift is not None:
        detail = service.drift.what + (f", by {service.drift.who}" if service.drift.who else "")
        return Row(service.name, "DRIFTED", Tone.WARN, _files(last.want), _saved(last.want), detail, 1)
    if last.outcome is Outcome.APPLIED:
        return Row(service.name, "APPLIED", Tone.GOOD, _files(last.want), _saved(last.want), "scaled to 0", 3)
    taken = seconds(max(0.0, last.finished - last.want.since)) if last.want.trigger is Trigger.FILES else ""
    detail = f"live {clock(last.finished)}" + (f" ({taken})" if taken else "")
    bars = sparkline(tuple(c.seconds for c in past.cycles(service.name) if c.outcome is Outcome.VERIFIED))
    detail += f"   {bars}" if bars else ""
    ending = sum(seen.terminating for seen in service.workloads.values())
    detail += f"   {ending} old still ending" if ending else ""
    return Row(service.name, f"VERIFIED{_count(service)}", Tone.GOOD, _files(last.want), _saved(last.want), detail, 3)


def _band(service: ServiceState, last: FinishedCycle, failure: Failure, past: Chronicle) -> Band:
    message, _, decisive = failure.message.partition("\n")
    found = _FILE_LINE.search(failure.message)
    file, line = (found[1] or found[3], int(found[2] or found[4])) if found else ("", 0)
    step = past.steps(service.name).failed
    where = _where(last)
    if where == "build" and step is not None and step.cycle == last.number:
        decisive = decisive or step.name
    return Band(service.name, where, message, decisive.strip(), failure.hint, file, line)


def _meanwhile(service: ServiceState) -> str:
    """What runs while the newest save does not."""
    live = service.live
    if service.unproved is not None:
        return "what was rolled out last is not proved"
    if live is None:
        return "nothing of this session runs yet"
    if live.want.trigger is Trigger.FILES:
        return f"the cluster runs your {clock(live.want.since)} save"
    return f"the cluster runs what was live at {clock(live.finished)}"


def _count(service: ServiceState) -> str:
    """` 1/3`: ready Pods of the newest revision."""
    seen: Iterable[tuple[int, int]] = [(w.ready, w.desired) for w in service.workloads.values() if w.exists]
    ready, desired = (sum(each) for each in zip(*seen, strict=True)) if service.workloads and seen else (0, 0)
    return f" {ready}/{desired}" if desired else ""


def _want(service: ServiceState) -> Want | None:
    return service.want or (service.last.want if service.last else None)


def _files(want: Want | None) -> str:
    return files(want.files, want.count) if want else ""


def _saved(want: Want | None) -> str:
    return clock(want.since) if want and want.trigger is Trigger.FILES else ""


def _short(pod: str) -> str:
    """What tells one Pod of a revision from another."""
    return pod.rpartition("-")[2] or pod
