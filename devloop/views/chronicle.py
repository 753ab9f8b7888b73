"""What the state forgets and people ask for: the cycles so far, how long they usually take, the steps of a build.

A fold of the same events that make the state; bounded, so that a session may run for days.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from devloop.core.events import BuildStep, CycleStarted, Event, Phase, Record, ServiceRemoved, StepState
from devloop.core.state import FinishedCycle, SessionState

KEPT = 200
"""Cycles of a service that are remembered."""
_STEPS = 500


@dataclass(slots=True)
class Steps:
    """The build of one cycle, step by step, in the order in which they were first heard of."""

    cycle: int = 0
    steps: dict[str, BuildStep] = field(default_factory=dict)

    def take(self, step: BuildStep) -> None:
        if step.cycle != self.cycle:
            self.cycle, self.steps = step.cycle, {}
        if step.step in self.steps or len(self.steps) < _STEPS:
            self.steps[step.step] = step

    @property
    def failed(self) -> BuildStep | None:
        return next((step for step in self.steps.values() if step.state is StepState.FAILED), None)


class Chronicle:
    """The past of every service of a session."""

    def __init__(self) -> None:
        self._cycles: dict[str, deque[FinishedCycle]] = {}
        self._steps: dict[str, Steps] = {}

    def take(self, record: Record, state: SessionState) -> None:
        """`state` is the state after the event."""
        event: Event = record.event
        match event:
            case BuildStep():
                self._steps.setdefault(event.service, Steps()).take(event)
            case CycleStarted():
                self._steps[event.service] = Steps(event.cycle)
            case ServiceRemoved():
                self._cycles.pop(event.service, None)
                self._steps.pop(event.service, None)
            case _ if (service := state.services.get(getattr(event, "service", ""))) and service.last:
                past = self._cycles.setdefault(service.name, deque(maxlen=KEPT))
                if not past or past[-1].number != service.last.number:
                    past.append(service.last)

    def cycles(self, service: str) -> tuple[FinishedCycle, ...]:
        """Oldest first."""
        return tuple(self._cycles.get(service, ()))

    def steps(self, service: str) -> Steps:
        return self._steps.get(service, Steps())

    def usual(self, service: str) -> float | None:
        """Median seconds of a cycle that was rolled out; None before there were two."""
        taken = [cycle.seconds for cycle in self.cycles(service) if cycle.outcome == "verified"]
        return median(taken) if len(taken) > 1 else None

    def usual_phases(self, service: str) -> Mapping[Phase, float]:
        """Median seconds of each phase."""
        spans: dict[Phase, list[float]] = {}
        for cycle in self.cycles(service):
            for span in cycle.phases:
                if span.ok:
                    spans.setdefault(span.phase, []).append(span.seconds)
        return {phase: median(seconds) for phase, seconds in spans.items()}


_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: tuple[float, ...], width: int = 12) -> str:
    """The last values as bars, the largest the highest; empty for fewer than two."""
    shown = values[-width:]
    if len(shown) < 2:
        return ""
    top = max(shown) or 1.0
    return "".join(_BARS[min(len(_BARS) - 1, int(value / top * (len(_BARS) - 1) + 0.5))] for value in shown)
