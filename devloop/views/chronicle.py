"""What the state forgets and people ask for: the cycles so far, how long they usually take, what a build wrote.

A fold of the same events that make the state; bounded, so that a session may run for days.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from devloop.core.events import (
    HOW,
    BuildStep,
    CycleFinished,
    CycleStarted,
    Event,
    Log,
    LogSource,
    Outcome,
    Phase,
    Record,
    ServiceRemoved,
    StepState,
    WorkloadObserved,
)
from devloop.core.plan import DELTA
from devloop.core.state import FinishedCycle, ServiceState, SessionState
from devloop.views import seconds
from devloop.views.times import span

KEPT = 200
"""Cycles of a service that are remembered."""
LINES = 200
"""Lines of a build, and of what crashed containers wrote last, that are remembered until the next cycle."""
_STEPS = 500


@dataclass(slots=True)
class Steps:
    """The build of one cycle, step by step, in the order in which they were first heard of."""

    cycle: int = 0
    steps: dict[str, BuildStep] = field(default_factory=dict)

    def take(self, step: BuildStep) -> None:
        if step.cycle < self.cycle:
            return  # a build that was superseded still says something
        if step.cycle > self.cycle:
            self.cycle, self.steps = step.cycle, {}
        if step.step in self.steps or len(self.steps) < _STEPS:
            self.steps[step.step] = step

    @property
    def how(self) -> str:
        """`delta: 2 files into /app`, `full build: requirements.txt is there for ...`; empty where nobody chose."""
        return self.steps[HOW].name if HOW in self.steps else ""

    @property
    def builder(self) -> str:
        return self.steps[HOW].builder if HOW in self.steps else ""

    @property
    def failed(self) -> BuildStep | None:
        return next((step for step in self.steps.values() if step.state is StepState.FAILED), None)


@dataclass(slots=True)
class Build:
    """What was heard of a build."""

    steps: Steps = field(default_factory=Steps)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))
    """The last that it wrote."""

    @property
    def output(self) -> tuple[str, ...]:
        return tuple(self.lines)


@dataclass(slots=True)
class _Newest:
    """The newest cycle of a service."""

    started: CycleStarted | None = None
    given_up: bool = False
    build: Build = field(default_factory=Build)
    build_before: Build | None = None
    """Of the last cycle before it that built anything."""
    last_words: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))


class Chronicle:
    """The past of every service of a session."""

    def __init__(self) -> None:
        self._cycles: dict[str, deque[FinishedCycle]] = {}
        self._newest: dict[str, _Newest] = {}
        self._pods: dict[tuple[str, str], dict[str, tuple[float, bool]]] = {}
        """When each Pod of a service and a workload was seen first, and whether it was there before."""

    def take(self, record: Record, state: SessionState) -> None:
        """`state` is the state after the event."""
        event: Event = record.event
        match event:
            case Log():
                self.take_line(event)
            case BuildStep():
                self._of(event.service).build.steps.take(event)
            case CycleStarted():
                before = self._of(event.service)
                built = before.build if before.build.steps.steps else before.build_before
                self._newest[event.service] = _Newest(event, build=Build(Steps(event.cycle)), build_before=built)
            case CycleFinished() if event.service in state.services:
                self._of(event.service).given_up = event.outcome is Outcome.STOPPED
                self._end(state.services[event.service])
            case WorkloadObserved():
                self._take_pods(record.time, event)
            case ServiceRemoved():
                self._cycles.pop(event.service, None)
                self._newest.pop(event.service, None)
                self._pods = {key: pods for key, pods in self._pods.items() if key[0] != event.service}

    def _end(self, service: ServiceState) -> None:
        past = self._cycles.setdefault(service.name, deque(maxlen=KEPT))
        if service.over is not None and (not past or past[-1].number != service.over.number):
            past.append(service.over)

    def take_line(self, event: Log) -> None:
        """What a build wrote, or a container before it ended; others are not remembered here."""
        if event.source is LogSource.BUILD:
            self._of(event.service).build.lines.append(event.text)
        elif event.cycle:
            self._of(event.service).last_words.append(event.text)

    def cycles(self, service: str) -> tuple[FinishedCycle, ...]:
        """All that ended, the superseded and the stopped too; oldest first."""
        return tuple(self._cycles.get(service, ()))

    def steps(self, service: str) -> Steps:
        return self._of(service).build.steps

    def build(self, service: str) -> Build:
        """That of the newest cycle, whether or not anything was heard of it."""
        return self._of(service).build

    def build_before(self, service: str) -> Build | None:
        """The last one before the newest cycle, if there was any."""
        return self._of(service).build_before

    def output(self, service: str) -> tuple[str, ...]:
        """The last lines that the newest build wrote."""
        return self._of(service).build.output

    def last_words(self, service: str) -> tuple[str, ...]:
        """What the containers wrote that crashed in the newest cycle."""
        return tuple(self._of(service).last_words)

    def given_up(self, service: str) -> CycleStarted | None:
        """The newest cycle, if it was stopped: what it was for runs nowhere."""
        newest = self._of(service)
        return newest.started if newest.given_up else None

    def usual(self, service: str) -> float | None:
        """Median seconds of a verified cycle, of those built as the newest is; None before there were two."""
        cycles = self.cycles(service)
        builder = self.steps(service).builder or (cycles[-1].builder if cycles else "")
        alike = (cycle for cycle in cycles if (cycle.builder == DELTA) is (builder == DELTA))
        taken = [cycle.seconds for cycle in alike if cycle.outcome == "verified"]
        return median(taken) if len(taken) > 1 else None

    def usual_phases(self, service: str) -> Mapping[Phase, float]:
        """Median seconds of each phase."""
        spans: dict[Phase, list[float]] = {}
        for cycle in self.cycles(service):
            for each in cycle.phases:
                if each.ok:
                    spans.setdefault(each.phase, []).append(each.seconds)
        return {phase: median(taken) for phase, taken in spans.items()}

    def age(self, service: str, pod: str, now: float) -> str:
        """`12s`; `>5m` of a Pod that was there before the session."""
        known = (pods[pod] for (name, _), pods in self._pods.items() if name == service and pod in pods)
        first, was_there = next(known, (now, False))
        return f"{'>' if was_there else ''}{span(now - first)}"

    def _take_pods(self, time: float, event: WorkloadObserved) -> None:
        key = event.service, event.workload
        known = self._pods.get(key)
        self._pods[key] = {row.pod: (known or {}).get(row.pod, (time, known is None)) for row in event.pods}

    def _of(self, service: str) -> _Newest:
        found = self._newest.get(service)
        if found is None:
            found = self._newest[service] = _Newest()
        return found


_BARS = "▁▂▃▄▅▆▇█"


def trend(past: Chronicle, service: str) -> str:
    """`▂▃▂▁▂▁ usually 1.8s`: how long the last cycles took that were proved; empty before there were three."""
    bars = sparkline([cycle.seconds for cycle in past.cycles(service) if cycle.outcome is Outcome.VERIFIED])
    usual = past.usual(service)
    return f"{bars} usually {seconds(usual)}" if bars and usual is not None else ""


def sparkline(values: Sequence[float], width: int = 12) -> str:
    """The last values as bars, what is usual at half height; empty for fewer than three."""
    shown = values[-width:]
    if len(shown) < 3:
        return ""
    top = 2 * median(shown) or 1.0
    return "".join(_BARS[round(min(1.0, value / top) * (len(_BARS) - 1))] for value in shown)
