"""Everything that happens in a session, as immutable facts in the past tense.

This is the vocabulary of the event log: the conductor decides from it, both renderers show it, and a recorded session
is nothing else. The JSON form of each class (one object a line, specified in `docs/events.md`) is its `event` name,
the time of its `Record`, and its fields; a field's `wire` metadata gives the JSON key where Python reserves the word.

`Log` and `BuildStep` are *lossy*: under pressure they may be dropped, and they never change the state.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from devloop.core.failure import Connection, ExitCode, Failure
from devloop.core.problems import Problem

PROTOCOL = 1
"""Version of the NDJSON contract; grows only when a reader that ignores what it does not know would break."""

MAX_FILES = 20
"""How many file names an event carries; `count` always tells how many there were."""


class Trigger(StrEnum):
    """Why a cycle starts."""

    START = "start"
    FILES = "files"
    KEY = "key"
    COMMAND = "command"
    DRIFT = "drift"
    CONFIG = "config"
    BACKGROUND = "background"


class Phase(StrEnum):
    """The parts of a cycle, in their order."""

    BUILD = "build"
    PUSH = "push"
    LOAD = "load"
    """In the place of `push` where the image is loaded into a local cluster."""
    ROLLOUT = "rollout"
    VERIFY = "verify"


DELIVERY = frozenset({Phase.PUSH, Phase.LOAD})
"""What follows the build: the image is on its way to where nodes find it."""


class Outcome(StrEnum):
    """How a cycle ended."""

    VERIFIED = "verified"
    UNCHANGED = "unchanged"
    APPLIED = "applied"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    STOPPED = "stopped"

    @property
    def settles(self) -> bool:
        """Whether the workloads are now what the source says: what `depends_on` waits for."""
        return self in {Outcome.VERIFIED, Outcome.UNCHANGED, Outcome.APPLIED}


class Verdict(StrEnum):
    """What one container start of one Pod proves about the pushed image."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


class HoldCode(StrEnum):
    """Why a service waits."""

    DEPENDENCY = "dependency"
    BUILD_SLOT = "build_slot"
    WORKLOAD = "workload"
    CONNECTION = "connection"
    PAUSED = "paused"
    SUPERSEDING = "superseding"
    LOOP = "loop"
    """Each build changes a file that starts the next one."""
    LEASE = "lease"
    """Somebody else works on its workload."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a service waits, on what, and the phrase that both renderers print."""

    code: HoldCode
    on: str
    text: str


class LeaseChange(StrEnum):
    """What became of the right to write to a workload."""

    ACQUIRED = "acquired"
    TAKEN_OVER = "taken_over"
    HELD = "held"
    LOST = "lost"
    UNGUARDED = "unguarded"
    """Leases may not be used here: the session writes, and nobody hears of it."""

    @property
    def writes(self) -> bool:
        """Whether this session may write from here on."""
        return self not in {LeaseChange.HELD, LeaseChange.LOST}


class LogSource(StrEnum):
    """Where a log line comes from."""

    BUILD = "build"
    POD = "pod"


class StepState(StrEnum):
    """Where a step of the build is."""

    STARTED = "started"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a workload that one patch changed."""

    path: str
    """As `kubectl explain` writes it, list items by name: `spec.template.spec.containers[web].image`."""
    old: str = field(metadata={"wire": "from"})
    new: str = field(metadata={"wire": "to"})
    text: str
    """The change in words, with its reason."""


@dataclass(frozen=True, slots=True)
class PodRow:
    """One Pod as people need to see it."""

    pod: str
    node: str
    revision: str
    """Name of its ReplicaSet."""
    phase: str
    """The Pod's phase, or `Terminating`."""
    reason: str
    """Why it is not ready, in the kubelet's word (`CrashLoopBackOff`); empty when it is ready."""
    restarts: int
    image_id: str
    """The digest that the service's first container reports; empty until it has one."""
    ready: bool = False
    current: bool = False
    """Whether it belongs to the workload's newest revision."""


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""

    event: ClassVar[str]
    lossy: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class ServiceEvent(Event):
    """An event of one service."""

    service: str


@dataclass(frozen=True, slots=True)
class CycleEvent(ServiceEvent):
    """An event of one cycle; cycles of a service count from 1."""

    cycle: int


@dataclass(frozen=True, slots=True)
class SessionStarted(Event):
    """First event of every session."""

    event: ClassVar[str] = "session_started"
    protocol: int
    version: str
    context: str
    namespace: str
    services: tuple[str, ...]
    session: str = ""
    """Identifies this session in the mark that it leaves on a workload's template."""
    command: str = ""
    """What starts such a session again."""


@dataclass(frozen=True, slots=True)
class CheckFinished(Event):
    """One check of the preflight."""

    event: ClassVar[str] = "check_finished"
    check: str
    ok: bool
    message: str
    hint: str = ""
    code: str = ""
    """The failure's code when `ok` is false."""


@dataclass(frozen=True, slots=True)
class WatchStarted(ServiceEvent):
    """The service's files are watched from here on."""

    event: ClassVar[str] = "watch_started"
    files: int
    text: str = ""
    """How they are watched, when that is not the usual way (polling, and why)."""


@dataclass(frozen=True, slots=True)
class ChangeDetected(ServiceEvent):
    """The content of watched files changed."""

    event: ClassVar[str] = "change_detected"
    count: int
    files: tuple[str, ...]
    """Relative to the build context, POSIX separators, at most `MAX_FILES`."""


@dataclass(frozen=True, slots=True)
class CycleRequested(ServiceEvent):
    """A cycle is wanted for another reason than files."""

    event: ClassVar[str] = "cycle_requested"
    trigger: Trigger
    text: str = ""
    restart: bool = False
    """Whether every Pod is to be started anew, and nothing built for that alone."""


@dataclass(frozen=True, slots=True)
class ServicePaused(ServiceEvent):
    """Saves gather while a service is paused."""

    event: ClassVar[str] = "service_paused"
    paused: bool


@dataclass(frozen=True, slots=True)
class ServiceAdded(ServiceEvent):
    """The configuration gained a service while the session runs."""

    event: ClassVar[str] = "service_added"


@dataclass(frozen=True, slots=True)
class ServiceChanged(ServiceEvent):
    """The configuration says something else of a service while the session runs; from here on that holds."""

    event: ClassVar[str] = "service_changed"
    keys: tuple[str, ...]
    """What it says otherwise, as the file names it (`build.args`); never a value."""
    left: tuple[str, ...] = ()
    """Workloads that devloop changed, and that no service runs on any more: they stay as they are."""
    namespace: str = ""
    """Of these."""


@dataclass(frozen=True, slots=True)
class ServiceRemoved(ServiceEvent):
    """The configuration lost a service while the session runs."""

    event: ClassVar[str] = "service_removed"
    left: tuple[str, ...] = ()
    """Workloads that devloop changed, and that no service runs on any more: they stay as they are."""
    namespace: str = ""
    """Of these."""


@dataclass(frozen=True, slots=True)
class ConfigAccepted(Event):
    """An edit of the configuration holds, or what was refused is mended. What it does to services follows."""

    event: ClassVar[str] = "config_accepted"
    file: str
    settings: tuple[str, ...] = ()
    """Keys beside the services whose new value holds from now on."""
    restart: tuple[str, ...] = ()
    """Keys whose new value holds when devloop is started again."""


@dataclass(frozen=True, slots=True)
class ConfigRefused(Event):
    """An edit of the configuration cannot be used: what was in force stays. Told once for each content."""

    event: ClassVar[str] = "config_refused"
    file: str
    problems: tuple[Problem, ...]
    """All that is wrong, never none."""


@dataclass(frozen=True, slots=True)
class CycleHeld(ServiceEvent):
    """A service waits; `hold` is null when the wait is over."""

    event: ClassVar[str] = "cycle_held"
    hold: Hold | None


@dataclass(frozen=True, slots=True)
class CycleStarted(CycleEvent):
    """A cycle runs."""

    event: ClassVar[str] = "cycle_started"
    trigger: Trigger
    count: int = 0
    files: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class PhaseStarted(CycleEvent):
    """A phase of a cycle runs."""

    event: ClassVar[str] = "phase_started"
    phase: Phase


@dataclass(frozen=True, slots=True)
class PhaseFinished(CycleEvent):
    """A phase of a cycle ended."""

    event: ClassVar[str] = "phase_finished"
    phase: Phase
    seconds: float
    ok: bool


HOW = "how"
"""The step of a build that tells which builder was chosen, and why."""


@dataclass(frozen=True, slots=True)
class BuildStep(CycleEvent):
    """Progress of one step of a build."""

    event: ClassVar[str] = "build_step"
    lossy: ClassVar[bool] = True
    step: str
    """Identifies the step within its cycle."""
    name: str
    state: StepState
    cached: bool = False
    seconds: float | None = None
    current: int | None = None
    """Bytes done and to do, when they make sense."""
    total: int | None = None
    builder: str = "buildx"

    @property
    def tells_how(self) -> bool:
        """Whether it is no step of a builder, but which one was chosen and why."""
        return self.step == HOW


@dataclass(frozen=True, slots=True)
class Log(ServiceEvent):
    """One line that a build or a container wrote."""

    event: ClassVar[str] = "log"
    lossy: ClassVar[bool] = True
    source: LogSource
    text: str
    cycle: int = 0
    pod: str = ""
    container: str = ""
    dropped: int = 0
    """How many lines of this service were left out since the last one; told at the end of a session without `text`."""


@dataclass(frozen=True, slots=True)
class ImagePushed(CycleEvent):
    """The registry holds the image, and said so when it was asked; or a local cluster was given it."""

    event: ClassVar[str] = "image_pushed"
    push_ref: str
    pod_ref: str
    digest: str
    digests: tuple[str, ...]
    """Every digest a Pod that runs it may report, sorted."""
    loaded_into: str = ""
    """The local cluster whose nodes were given the image; empty when a registry was."""


@dataclass(frozen=True, slots=True)
class WorkloadPatched(CycleEvent):
    """The one patch of a cycle went out."""

    event: ClassVar[str] = "workload_patched"
    workload: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class WorkloadObserved(ServiceEvent):
    """What the cluster shows of a workload, on change."""

    event: ClassVar[str] = "workload_observed"
    workload: str
    exists: bool
    desired: int
    updated: int
    ready: int
    terminating: int
    pods: tuple[PodRow, ...]


@dataclass(frozen=True, slots=True)
class PodVerified(CycleEvent):
    """The verdict on one container of one Pod."""

    event: ClassVar[str] = "pod_verified"
    workload: str
    pod: str
    node: str
    container: str
    image_id: str
    verdict: Verdict
    pull_seconds: float | None = None
    """What the pull cost the Pod's start; null when the node did not say."""
    text: str = ""
    """Why, when the verdict is no plain match."""


@dataclass(frozen=True, slots=True)
class WarningRaised(ServiceEvent):
    """Something is wrong but may heal; a cycle that waits for it goes on. Told once for each cause."""

    event: ClassVar[str] = "warning_raised"
    code: str
    message: str
    hint: str = ""
    cycle: int = 0


@dataclass(frozen=True, slots=True)
class WorkloadDrifted(ServiceEvent):
    """After its cycle, a workload or a Pod is no longer what was proved."""

    event: ClassVar[str] = "workload_drifted"
    workload: str
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class ConnectionChanged(Event):
    """The cluster, the engine or the registry went away or came back."""

    event: ClassVar[str] = "connection_changed"
    to: Connection
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class LeaseChanged(Event):
    """Who may write to a workload from here on: this session, or another one."""

    event: ClassVar[str] = "lease_changed"
    namespace: str
    workload: str
    change: LeaseChange
    holder: str
    """Who holds it now: `jo@laptop/4711`; empty where nobody can know."""
    since: float
    """Since when, Unix seconds on the holder's clock; 0 when its Lease does not say."""
    before: str = ""
    """Who held it until now; empty when nobody did."""


@dataclass(frozen=True, slots=True)
class CycleFinished(CycleEvent):
    """The end of a cycle."""

    event: ClassVar[str] = "cycle_finished"
    outcome: Outcome
    digest: str
    seconds: float
    failure: Failure | None
    builder: str = "buildx"
    text: str = ""
    """What there is to say beyond the outcome: why a workload was restarted, what was left alone."""


@dataclass(frozen=True, slots=True)
class SessionFinished(Event):
    """Last event of every session."""

    event: ClassVar[str] = "session_finished"
    exit_code: ExitCode


@dataclass(frozen=True, slots=True)
class Record:
    """An event and when it was logged."""

    time: float
    """Unix time in seconds, whole milliseconds."""
    event: Event


EVENT_TYPES: tuple[type[Event], ...] = (
    SessionStarted,
    CheckFinished,
    WatchStarted,
    ChangeDetected,
    CycleRequested,
    ServicePaused,
    ServiceAdded,
    ServiceChanged,
    ServiceRemoved,
    ConfigAccepted,
    ConfigRefused,
    CycleHeld,
    CycleStarted,
    PhaseStarted,
    PhaseFinished,
    BuildStep,
    Log,
    ImagePushed,
    WorkloadPatched,
    WorkloadObserved,
    PodVerified,
    WarningRaised,
    WorkloadDrifted,
    ConnectionChanged,
    LeaseChanged,
    CycleFinished,
    SessionFinished,
)
