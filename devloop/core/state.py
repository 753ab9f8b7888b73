"""The state of a session: what the events so far add up to (`devloop.core.reducer`).

Immutable, and nothing but a fold of the log: the conductor decides from it, both renderers draw it, and a recorded
session gives the same state again. Times are Unix seconds; each stands in the variant that owns it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from devloop.core.events import (
    DELIVERY,
    CheckFinished,
    Hold,
    HoldCode,
    ImagePushed,
    LeaseChanged,
    Outcome,
    Phase,
    PodRow,
    PodVerified,
    Trigger,
    WarningRaised,
    WorkloadDrifted,
    WorkloadObserved,
)
from devloop.core.failure import CONNECTION_LOST, Connection, ExitCode, Failure, FailureCode
from devloop.core.problems import Problem
from devloop.core.service import WorkloadKey


@dataclass(frozen=True, slots=True)
class Want:
    """Why the next cycle of a service is wanted, and the files that go into it."""

    trigger: Trigger
    since: float
    """When the first of it came."""
    newest: int = 0
    """The place of the last of it in the order of all that was wanted (`SessionState.wanted`)."""
    count: int = 0
    files: tuple[str, ...] = ()
    text: str = ""
    restart: bool = False
    """Whether every Pod is started anew, also where it runs the image already."""
    build: bool = True
    """Whether anything of it needs a build: a restart does not, nor does a proof."""
    saved: float = 0.0
    """When the newest of the saves for it came; 0 where none did."""

    @property
    def of(self) -> float:
        """The moment that people know it by: of its newest save, which it contains, else when it was asked for."""
        return self.saved or self.since

    @property
    def is_save(self) -> bool:
        """Whether files were saved for it, whatever else was asked for."""
        return self.count > 0


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """A phase that ended."""

    phase: Phase
    seconds: float
    ok: bool


@dataclass(frozen=True, slots=True)
class Echo:
    """Builds in a row during which the same files changed, and between which nothing else did.

    A person who saves often looks the same for a while; a build that writes into its own source never looks different.
    """

    files: frozenset[str] = frozenset()
    superseded: int = 0
    completed: int = 0


@dataclass(frozen=True, slots=True)
class RunningCycle:
    """A cycle that has not ended."""

    number: int
    want: Want
    started: float
    phase: Phase | None = None
    """None before the first phase and between two."""
    phase_started: float = 0.0
    phases: tuple[PhaseSpan, ...] = ()
    pushed: ImagePushed | None = None
    """What it pushed, or (a restart) what was pushed before it."""
    verdicts: tuple[PodVerified, ...] = ()
    warnings: tuple[WarningRaised, ...] = ()
    echo: frozenset[str] = frozenset()
    """Watched files that changed while it built."""

    @property
    def ended(self) -> frozenset[Phase]:
        return frozenset(span.phase for span in self.phases)

    @property
    def builds(self) -> bool:
        """Whether it takes a build slot: it has not got past its push."""
        return self.want.build and not self.ended & DELIVERY

    @property
    def at_gate(self) -> bool:
        """Whether its image is pushed and it waits to be admitted to its workloads."""
        is_pushed = any(span.phase in DELIVERY and span.ok for span in self.phases)
        restarts = self.want.restart and not self.want.build
        return (is_pushed or restarts) and self.phase is None and Phase.ROLLOUT not in self.ended

    @property
    def on_workloads(self) -> bool:
        """Whether it may write to its workloads, or still waits for what it wrote."""
        return self.phase in {Phase.ROLLOUT, Phase.VERIFY} or Phase.ROLLOUT in self.ended


@dataclass(frozen=True, slots=True)
class FinishedCycle:
    """A cycle that ended."""

    number: int
    want: Want
    started: float
    finished: float
    outcome: Outcome
    digest: str
    seconds: float
    failure: Failure | None
    phases: tuple[PhaseSpan, ...] = ()
    pushed: ImagePushed | None = None
    verdicts: tuple[PodVerified, ...] = ()
    builder: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One service."""

    name: str
    want: Want | None = None
    hold: Hold | None = None
    paused: bool = False
    running: RunningCycle | None = None
    last: FinishedCycle | None = None
    """The newest cycle that ended, superseded and stopped ones left out."""
    over: FinishedCycle | None = None
    """The newest cycle that ended, however it did."""
    live: FinishedCycle | None = None
    """The newest cycle that ended `verified` or `unchanged`: what the Pods run since then, unless it drifted."""
    cycles: int = 0
    settled: bool = False
    """Whether any cycle ended so that dependents may roll out."""
    files: int = 0
    """How many files are watched."""
    workloads: Mapping[str, WorkloadObserved] = field(default_factory=dict)
    echo: Echo = Echo()
    pushed: ImagePushed | None = None
    """The newest image that this session pushed."""
    unproved: ImagePushed | None = None
    """The image of a patch whose cycle has not ended, or was stopped or superseded before it proved anything."""
    drift: WorkloadDrifted | None = None
    """What was noticed since the last cycle ended."""
    drifted: float = 0.0
    """When that was."""

    @property
    def failure(self) -> Failure | None:
        return self.last.failure if self.last else None

    @property
    def restored(self) -> WorkloadDrifted | None:
        """That what was there before devloop is back, which is what a person wanted and no cause for alarm."""
        return self.drift if self.drift is not None and self.drift.restored else None

    @property
    def pods(self) -> tuple[PodRow, ...]:
        """Those of all its workloads, as they were seen last."""
        return tuple(row for seen in self.workloads.values() for row in seen.pods)

    @property
    def serving(self) -> frozenset[str] | None:
        """The digests that ready Pods report which are not about to end; None before any Pod was seen."""
        pods = self.pods
        if not pods and not any(seen.exists for seen in self.workloads.values()):
            return None
        return frozenset(pod.image_id for pod in pods if pod.ready and pod.phase != "Terminating")

    @property
    def live_digests(self) -> frozenset[str]:
        """Every digest that Pods may report which run what was proved last; empty before anything was."""
        if self.live is None:
            return frozenset()
        return frozenset({self.live.digest, *(self.live.pushed.digests if self.live.pushed else ())})

    @property
    def serves_live(self) -> bool:
        """Whether Pods still run what was proved last, as far as anything was seen of them."""
        if self.live is None or self.serving is None:
            return self.live is not None
        return bool(self.serving & self.live_digests)

    @property
    def builds(self) -> bool:
        """Whether the cycle that is wanted builds. A restart does where no image holds what was saved last."""
        if self.want is None:
            return False
        last = self.last
        broken = last is not None and last.failure is not None and last.want.build and last.pushed is None
        return self.want.build or (self.want.restart and (self.pushed is None or broken))

    @property
    def lost(self) -> Connection | None:
        """The connection whose return starts the failed cycle again."""
        return CONNECTION_LOST.get(self.failure.code) if self.failure else None

    @property
    def looks_on(self) -> bool:
        """Whether somebody else works on a workload of it, so that nothing is built or written here."""
        return self.hold is not None and self.hold.code is HoldCode.LEASE

    @property
    def hindered(self) -> WarningRaised | None:
        """What keeps its rollout from getting on, where that is known; what a Pod had that is ready by now is past."""
        running = self.running
        if running is None or running.phase is not Phase.ROLLOUT:
            return None
        ready = [row.pod for row in self.pods if row.ready]
        found = (each for each in reversed(running.warnings) if not any(pod in each.message for pod in ready))
        return next(found, None)

    @property
    def held(self) -> bool:
        """Whether the last cycle ended because somebody else works on a workload."""
        return self.failure is not None and self.failure.code is FailureCode.WORKLOAD_HELD

    @property
    def blocked(self) -> bool:
        """Whether the last cycle ended because of a dependency."""
        return self.failure is not None and self.failure.code is FailureCode.DEPENDENCY_FAILED

    @property
    def mended_elsewhere(self) -> bool:
        """Whether the last cycle failed on what is not this service's: it is wanted again when that is over."""
        return bool(self.lost or self.blocked or self.held)


@dataclass(frozen=True, slots=True)
class SessionState:
    """Everything: services in the order of the configuration."""

    services: Mapping[str, ServiceState] = field(default_factory=dict)
    wanted: int = 0
    """How often a cycle was wanted so far."""
    version: str = ""
    context: str = ""
    namespace: str = ""
    session: str = ""
    command: str = ""
    """What starts such a session again; empty where a recording does not tell."""
    started: float = 0.0
    checks: tuple[CheckFinished, ...] = ()
    lost: Mapping[Connection, str] = field(default_factory=dict)
    """Connections that are away, with what was said of each."""
    leases: Mapping[tuple[str, str], LeaseChanged] = field(default_factory=dict)
    """By namespace and workload, who may write to it; nothing where that is not known."""
    refused: tuple[Problem, ...] = ()
    """What is wrong with the newest edit of the configuration; empty when it is in force."""
    exit_code: ExitCode | None = None
    """None while the session runs."""

    @property
    def has_begun(self) -> bool:
        """Whether any service had a cycle, or looks on."""
        return any(service.cycles or service.looks_on for service in self.services.values())

    def elsewhere(self, keys: Iterable[WorkloadKey]) -> LeaseChanged | None:
        """The first of these workloads that somebody else works on, and who does."""
        found = (self.leases.get((key.namespace, str(key))) for key in keys)
        return next((each for each in found if each is not None and not each.change.writes), None)
