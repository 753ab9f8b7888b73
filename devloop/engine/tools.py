"""What every cycle of a session works with, and how a phase of it is logged."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from devloop.core.events import Event, Outcome, Phase, PhaseFinished, PhaseStarted
from devloop.core.failure import Failure
from devloop.core.image import PushedImage
from devloop.core.ports import Clock, Cluster, Registry, Watcher
from devloop.core.service import Service, WorkloadKey
from devloop.core.state import Want
from devloop.engine.builds import SharedBuilds
from devloop.engine.observations import Observations

_T = TypeVar("_T")
Emit = Callable[[Event], None]
Gate = Callable[[], Awaitable[Failure | None]]
"""Waits until the conductor admits a cycle to its workloads and has opened its rollout phase, or refuses it."""


MayWrite = Callable[[WorkloadKey], Awaitable[Failure | None]]
"""Why a workload must not be written to just now: somebody else works on it, or nobody can say who does."""


async def nobody_else(_: WorkloadKey) -> Failure | None:
    """Of a session that asks nobody."""
    return None


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, as cycles reach it."""

    builds: SharedBuilds
    registry: Registry
    cluster: Cluster
    watcher: Watcher
    observations: Observations
    clock: Clock
    may_write: MayWrite = nobody_else


@dataclass(slots=True)
class SessionFacts:
    """What holds for the whole session, and what it remembers from cycle to cycle."""

    session: str
    rollout_timeout: float
    """Seconds."""
    platform: str = ""
    """What images are built for unless the service says otherwise: `linux/amd64`."""
    again: str = ""
    """The command that runs the session once more; only where it ends by itself and waits for no save."""
    pushed: defaultdict[str, list[PushedImage]] = field(default_factory=lambda: defaultdict(list))
    """Every image that the session pushed, by service, newest last."""


@dataclass(frozen=True, slots=True)
class Order:
    """One cycle to run."""

    service: Service
    number: int
    want: Want


@dataclass(frozen=True, slots=True)
class CycleResult:
    """How a cycle ended, told by its task to the conductor."""

    outcome: Outcome
    digest: str = ""
    failure: Failure | None = None
    builder: str = ""
    text: str = ""


class PhaseError(Exception):
    """Ends a phase, and with it the cycle, with a failure; never leaves the cycle."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class PhaseLog:
    """Emits a cycle's phases: each that starts also ends, with its time and whether it went well."""

    def __init__(self, order: Order, emit: Emit) -> None:
        self._order = order
        self._emit = emit
        self._open: tuple[Phase, float] | None = None

    def start(self, phase: Phase, *, announced: bool = False) -> None:
        """End the phase that runs, if one does, and start another; `announced` when its event is in the log already."""
        self.end(ok=True)
        self._open = (phase, asyncio.get_running_loop().time())
        if not announced:
            self._emit(PhaseStarted(self._order.service.name, self._order.number, phase))

    def end(self, *, ok: bool) -> None:
        if self._open:
            phase, started = self._open
            self._open = None
            seconds = round(asyncio.get_running_loop().time() - started, 3)
            self._emit(PhaseFinished(self._order.service.name, self._order.number, phase, seconds, ok))

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Whatever phase is open at the end of the block ends with it: well, or not when the block raises."""
        try:
            yield
        except BaseException:
            self.end(ok=False)
            raise
        self.end(ok=True)


def need(answer: _T | Failure) -> _T:
    """The answer, unless it is a failure: that ends the phase."""
    if isinstance(answer, Failure):
        raise PhaseError(answer)
    return answer


def report_bug(task: "asyncio.Task[None]") -> None:
    """For a task that ends by being cancelled: anything else is a bug, which must not stay silent."""
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler({"message": f"{task.get_name()} ended", "exception": error})
