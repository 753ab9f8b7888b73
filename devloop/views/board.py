"""The state of a session at a glance: a row for each service, what is said above them, and the terminal's title.

Answers, for each service: is what was saved last running, is that proved, since when, what is it waiting for, what
broke, what still runs meanwhile. Pure; `now` is Unix seconds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from devloop.core.events import HoldCode, Outcome, Phase, StepState
from devloop.core.state import FinishedCycle, RunningCycle, ServiceState, SessionState, Want
from devloop.views import Tone, files, seconds
from devloop.views.chronicle import Chronicle, trend
from devloop.views.meanwhile import NOTHING_SERVES as NOTHING_SERVES
from devloop.views.meanwhile import another, meanwhile
from devloop.views.times import moment

_RUNNING = {
    Phase.BUILD: "building",
    Phase.PUSH: "pushing",
    Phase.LOAD: "loading",
    Phase.ROLLOUT: "rolling out",
    Phase.VERIFY: "verifying",
}
FAILED, STOPPED, BUSY, WAITING, FINE = range(5)
"""Ranks: where there is no room for all, the lower ones are shown."""
_AND_PAUSED = "FAILED, paused"
_CONTAINER = re.compile(r"^container \S+ of Pod \S+ (?:is )?")
"""What goes wrong is the same in every Pod of a revision."""
_BRIEFLY = (("saved file", "file"), ("the cluster runs", "runs"), ("the workload is", "is"))
"""What goes without saying in a row of its own."""


@dataclass(frozen=True, slots=True)
class Row:
    """One service."""

    service: str
    word: str
    """`VERIFIED`, `rolling out`, `FAILED build`, `FAILED, paused`, `waiting for db`."""
    tone: Tone
    pods: str = ""
    """`1/3`: ready Pods of the newest revision."""
    files: str = ""
    saved: str = ""
    """`saved 14:02:11`, the newest of its saves; empty before the first one."""
    detail: str = ""
    """What is going on, or since when it is live and how long after that save, or what still runs meanwhile."""
    bars: str = ""
    """How long the last cycles took, and what is usual."""
    rank: int = FINE


def rows(state: SessionState, past: Chronicle, now: float) -> list[Row]:
    """Every service: those that failed, then the others, in the order of the configuration, so that nothing jumps."""
    found = [row(service, past, now) for service in state.services.values()]
    return sorted(found, key=lambda each: each.rank != FAILED)


def row(service: ServiceState, past: Chronicle, now: float) -> Row:
    """What the table says of one service."""
    if service.running is not None:
        return _of_running(service, service.running, past, now)
    if service.restored is not None and not service.paused and _waits_for_nothing_here(service):
        return _of_restored(service, now)
    given_up = past.given_up(service.name)
    if service.paused and service.last is not None and given_up is None and _is_broken(service):
        return _of_failed(service, service.last, now)
    if service.hold is not None or service.paused:
        return _of_held(service, now)
    if given_up is not None:
        shown = files(given_up.files, given_up.count)
        return Row(service.name, "STOPPED", Tone.WARN, "", shown, "", meanwhile(service, now), rank=STOPPED)
    if service.last is None:
        return Row(service.name, "starting", Tone.QUIET, rank=WAITING)
    if service.last.failure is not None:
        return _of_failed(service, service.last, now)
    return _of_finished(service, service.last, past, now)


def _waits_for_nothing_here(service: ServiceState) -> bool:
    """Whether it does not wait, or for what is away: then it is no less what it was before devloop."""
    return service.hold is None or service.hold.code is HoldCode.CONNECTION


def _is_broken(service: ServiceState) -> bool:
    """Whether there is something to mend here."""
    here = not (service.mended_elsewhere or service.looks_on)
    return service.failure is not None and service.restored is None and here


def brief(detail: str) -> str:
    """The detail of a row in fewer words, where there is no room for all."""
    for words, fewer in _BRIEFLY:
        detail = detail.replace(words, fewer)
    return detail


def overall(state: SessionState, past: Chronicle, now: float) -> list[tuple[str, Tone]]:
    """`1 FAILED`, `1 rolling out`, `2 verified`: how many services are how, the worst first."""
    return summed(sorted(rows(state, past, now), key=lambda each: each.rank))


def summed(found: Sequence[Row], named: Sequence[Row] = ()) -> list[tuple[str, Tone]]:
    """The same of these rows alone; the `named` ones each by its name instead."""
    counts: dict[tuple[str, Tone], int] = {}
    for each in found:
        key = f"{each.service} {each.word} {each.pods}".rstrip() if each in named else _kind(each)
        counts[key, each.tone] = 0 if each in named else counts.get((key, each.tone), 0) + 1
    return [(f"{count} {word}" if count else word, tone) for (word, tone), count in counts.items()]


def others(state: SessionState, past: Chronicle, now: float, chosen: str, room: int) -> list[tuple[str, Tone]]:
    """`worker FAILED build`, `1 paused`, `1 verified`: where only the chosen one has a row of its own.

    As many of the others by their names as `room` columns hold, the worst first.
    """
    found = sorted(rows(state, past, now), key=lambda each: each.rank)
    off = [each for each in found if each.rank < FINE and each.service != chosen]
    for many in range(len(off), 0, -1):
        told = summed(found, named=off[:many])
        if sum(len(text) + 3 for text, _ in told) <= room:
            return told
    return summed(found)


def _kind(each: Row) -> str:
    """What a row is counted as: only what needs somebody stays in capitals."""
    word = each.word.partition(" for ")[0]
    if each.rank == FAILED and word.startswith("FAILED"):
        return word if word == _AND_PAUSED else "FAILED"
    return word if each.rank <= STOPPED else word.lower()


def trouble(state: SessionState) -> str:
    """What is away or refused, for the right end of the first line; empty when nothing is."""
    files = dict.fromkeys(problem.file.rpartition("/")[2] for problem in state.refused)
    return " · ".join([*(f"{file} refused" for file in files), *(f"{to} away" for to in state.lost)])


def title(state: SessionState, past: Chronicle, now: float) -> str:
    """The terminal's title: what is worst, in two words."""
    counted = overall(state, past, now)
    if not counted:
        return "devloop"
    marks = {Tone.BAD: "✘ ", Tone.WARN: "! ", Tone.GOOD: "✔ ", Tone.BUSY: "… "}
    text, tone = counted[0]
    (only, *more) = state.services
    words = text if more else f"{only} {text.partition(' ')[2]}"
    return f"{marks.get(tone, '')}{words} · devloop"


def headline(service: ServiceState, past: Chronicle, now: float) -> tuple[list[tuple[str, int]], Tone]:
    """The first line where there is one service: its parts, each with how soon it may be left out (0: never)."""
    found = row(service, past, now)
    if found.rank == FAILED and service.last is not None:
        what = failed_phase(service.last) or "the last cycle"
        verb = "has failed" if what == "the last cycle" else "failed"
        ended = (f"failed {moment(service.last.finished, now)}", 4)
        first = f"{_how_bad(service)}: {what} {verb}; {meanwhile(service, now)}"
        told = [(first, 0), (_waiting(service), 1), (found.files, 2), (found.saved, 3), ended]
        return [part for part in told if part[0]], found.tone
    is_one = found.word in {"VERIFIED", *_RUNNING.values()}  # `building routes.py`, but `paused · routes.py`
    pods = (f"{found.pods} Pods" if found.pods else "", 0 if found.rank == BUSY else 1)
    parts = [
        (f"{found.word} {found.files}".rstrip() if is_one else found.word, 0),
        ("" if is_one else found.files, 1),
        (found.saved, 2),
        *((pods, (found.detail, 0)) if found.rank == BUSY else ((found.detail, 0), pods)),
    ]
    return [part for part in parts if part[0]], found.tone


def phases_line(service: ServiceState, past: Chronicle, now: float) -> str:
    """`build 0.3 · push 0.1 · rollout 1.2 · verify 0.1`, growing while it runs; and how long the last cycles took."""
    running, last = service.running, service.last
    spans = running.phases if running else last.phases if last else ()
    told = [span for span in spans if span.seconds >= 0.05 or not span.ok]
    parts = [f"{span.phase} {span.seconds:.1f}{'' if span.ok else ' ✘'}" for span in told]
    if running is not None and running.phase is not None:
        parts.append(f"{running.phase} {max(0.0, now - running.phase_started):.1f} …")
    bars, steps = trend(past, service.name), past.steps(service.name)
    newest = running.number if running else last.number if last else 0
    parts += [steps.how] if steps.how and steps.cycle == newest else []
    line = " · ".join(parts) + (f"   {bars}" if bars and running is None else "")
    is_past = running is None and (service.want is not None or service.drift is not None)
    return f"last: {line}" if line and is_past else line


def _how_bad(service: ServiceState) -> str:
    """Of a service whose newest save does not run: nothing does, some Pods have it, or what ran before still does."""
    paused = ", paused" if service.paused else ""
    if service.serving is not None and not service.serving:
        return f"DOWN{paused}"
    verdicts = service.last.verdicts if service.last else ()
    others, pods = another(verdicts)
    return f"{'PARTLY' if 0 < others < pods else 'NOT'} LIVE{paused}"


def short_pod(pod: str) -> str:
    """What tells one Pod of a revision from another."""
    return pod.rpartition("-")[2] or pod


def _of_running(service: ServiceState, running: RunningCycle, past: Chronicle, now: float) -> Row:
    word = _RUNNING[running.phase] if running.phase else _between(service, running)
    pods = _count(service) if running.phase in {Phase.ROLLOUT, Phase.VERIFY} else ""
    usual = past.usual(service.name)
    taken = seconds(max(0.0, now - running.started))
    if usual and running.phase and not running.warnings:  # what is wrong tells more than what is usual
        taken = f"{taken}, usually {seconds(usual)}"
    # What was asked for runs all the same, and what is saved meanwhile does not.
    waits = ": ".join(part for part in ("paused", _waiting(service)) if part) if service.paused else ""
    parts = [taken, waits, _at(service, running, past)]
    return Row(
        service.name, word, Tone.BUSY, pods, _files(running.want), _saved(running.want, now),
        " · ".join(part for part in parts if part), rank=BUSY,
    )  # fmt: skip


def _between(service: ServiceState, running: RunningCycle) -> str:
    """What it does between two phases."""
    if service.hold is not None:
        return service.hold.text
    return _RUNNING[running.phases[-1].phase] if running.phases else "starting"


def _at(service: ServiceState, running: RunningCycle, past: Chronicle) -> str:
    """The one thing that the cycle is at."""
    if running.phase is Phase.BUILD:
        steps = past.steps(service.name).steps.values()
        names = [step.name for step in steps if step.state in {StepState.STARTED, StepState.RUNNING}]
        return names[-1] if names else ""
    if running.warnings:
        return _CONTAINER.sub("", running.warnings[-1].message)
    if running.at_gate:
        return "built and loaded" if Phase.LOAD in running.ended else "built and pushed"
    for observed in service.workloads.values():
        for pod in observed.pods:
            if pod.current and not pod.ready and running.phase is not None:
                where = f" on {pod.node}" if pod.node else ""
                return f"{short_pod(pod.pod)}: {pod.reason or pod.phase.lower()}{where}"
    return ""


def _of_held(service: ServiceState, now: float) -> Row:
    """It waits, and says for what; the reason goes into the detail where it is a sentence."""
    want = service.want or (service.last.want if service.last else None)
    text, still = service.hold.text if service.hold else "PAUSED", meanwhile(service, now)
    looks_on = service.looks_on
    if service.paused and not looks_on:
        text = "PAUSED"
    if waiting := _waiting(service):
        still = f"{waiting}; {still}"
    word, rest = (text, "") if len(text) <= 24 else (text.partition(" ")[0].rstrip(":;"), text)
    if looks_on:
        word, rest = "READ-ONLY", text.partition(": ")[2]
    detail = " · ".join(part for part in (rest, still) if part)
    tone = Tone.WARN if service.paused or looks_on else Tone.BUSY
    return Row(service.name, word, tone, "", _files(want), _saved(want, now), detail, rank=WAITING)


def _waiting(service: ServiceState) -> str:
    """What gathers while it is paused, or somebody else works on its workload; empty where nothing does."""
    want = service.want
    if want is None or not (service.paused or (service.looks_on and want.count)):
        return ""
    if not want.count:
        return "a cycle waits"
    return "1 saved file waits" if want.count == 1 else f"{want.count} saved files wait"


def _of_failed(service: ServiceState, last: FinishedCycle, now: float) -> Row:
    """Where what was saved since then waits, that is what is told of saves."""
    word = _AND_PAUSED if service.paused else f"FAILED {failed_phase(last)}".rstrip()
    waiting, runs = _waiting(service), meanwhile(service, now)
    want = service.want if service.want is not None and waiting else last.want
    still = runs.replace("the cluster runs", "cluster still runs") if runs.startswith("the") else runs
    detail = f"{waiting}; {runs}" if waiting else still
    return Row(service.name, word, Tone.BAD, "", _files(want), _saved(want, now), detail, rank=FAILED)


def failed_phase(last: FinishedCycle) -> str:
    """The phase that failed; empty where it was none."""
    failed = next((span.phase for span in reversed(last.phases) if not span.ok), None)
    return str(failed) if failed is not None else ""


def _of_restored(service: ServiceState, now: float) -> Row:
    """What was proved, or failed, is past; of a failure it says so, because its save is still there."""
    last = service.last
    failed = f"cycle {last.number} had FAILED {failed_phase(last)}".rstrip() if last and last.failure else ""
    parts = (
        f"as it was before devloop, since {moment(service.drifted, now)}", failed,
        service.hold.text if service.hold is not None else "",
    )  # fmt: skip
    detail = " · ".join(part for part in parts if part)
    shown, saved = _files(service.want), _saved(service.want, now)
    return Row(service.name, "RESTORED", Tone.PLAIN, _count(service), shown, saved, detail, rank=WAITING)


def _of_finished(service: ServiceState, last: FinishedCycle, past: Chronicle, now: float) -> Row:
    shown, saved, pods = _files(last.want), _saved(last.want, now), _count(service)
    if service.drift is not None:
        was = f"was live {moment(last.finished, now)}"
        return Row(service.name, "NOT AS PROVED", Tone.WARN, pods, shown, saved, was, rank=STOPPED)
    if last.outcome is Outcome.APPLIED:
        return Row(service.name, "APPLIED", Tone.GOOD, "", shown, saved, "scaled to 0: there is nothing to prove")
    taken = seconds(max(0.0, last.finished - last.want.of)) if last.want.is_save else ""
    since = "proved" if last.outcome is Outcome.UNCHANGED else "live"
    detail = f"{since} {moment(last.finished, now)}" + (f" ({taken})" if taken else "")
    return Row(service.name, "VERIFIED", Tone.GOOD, pods, shown, saved, detail, trend(past, service.name))


def _count(service: ServiceState) -> str:
    """`1/3`: ready Pods of the newest revision."""
    seen = [observed for observed in service.workloads.values() if observed.exists]
    desired = sum(observed.desired for observed in seen)
    return f"{sum(observed.ready for observed in seen)}/{desired}" if desired else ""


def _files(want: Want | None) -> str:
    return files(want.files, want.count) if want else ""


def _saved(want: Want | None, now: float) -> str:
    return f"saved {moment(want.of, now)}" if want and want.is_save else ""
