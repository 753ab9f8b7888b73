"""The words that events are made of, and the objects in them."""

from dataclasses import dataclass, field
from enum import StrEnum


class Trigger(StrEnum):
    """Why a cycle starts."""

    START = "start"
    """The session began, or the service joined it."""
    FILES = "files"
    """Watched files changed."""
    KEY = "key"
    """Somebody pressed the key for it."""
    COMMAND = "command"
    """A command asked for it."""
    DRIFT = "drift"
    """A workload that had failed came right by itself: it is proved again, nothing is built or patched. Or one that was
    missing is there (again), and gets what was pushed for it."""
    CONFIG = "config"
    """The configuration says something else of the service; `text` names the keys."""
    BACKGROUND = "background"
    """A full build in the background after a quicker one."""


class Phase(StrEnum):
    """The parts of a cycle, in their order."""

    BUILD = "build"
    """From the source to an image."""
    PUSH = "push"
    """The image's way to the registry, and the registry's word that it has it."""
    LOAD = "load"
    """In the place of `push`: the image's way into the nodes of a local cluster."""
    ROLLOUT = "rollout"
    """From the patch until the new Pods are available."""
    VERIFY = "verify"
    """What every ready Pod reports, compared with what was pushed."""


DELIVERY = frozenset({Phase.PUSH, Phase.LOAD})
"""What follows the build: the image is on its way to where nodes find it."""


class Outcome(StrEnum):
    """How a cycle ended."""

    VERIFIED = "verified"
    """Every ready Pod of the new revision runs what was pushed."""
    UNCHANGED = "unchanged"
    """They ran it already; nothing was patched."""
    APPLIED = "applied"
    """The workload was patched and is scaled to 0: there is nothing to prove."""
    FAILED = "failed"
    """See `failure`."""
    SUPERSEDED = "superseded"
    """A newer save ended it, or somebody took its workload over; its files join the next cycle."""
    STOPPED = "stopped"
    """It was stopped, by a person or by the end of the session; what it was for is given up."""

    @property
    def settles(self) -> bool:
        """Whether the workloads are now what the source says: what `depends_on` waits for."""
        return self in {Outcome.VERIFIED, Outcome.UNCHANGED, Outcome.APPLIED}


class Verdict(StrEnum):
    """What one container of one Pod proves."""

    MATCH = "match"
    """It runs what was pushed."""
    MISMATCH = "mismatch"
    """It provably runs something else."""
    UNKNOWN = "unknown"
    """It reports a digest of which nobody can say what it is."""


class HoldCode(StrEnum):
    """Why a service waits."""

    DEPENDENCY = "dependency"
    """A service of its `depends_on` has not ended well yet, or failed."""
    BUILD_SLOT = "build_slot"
    """`parallel_builds` builds run already."""
    WORKLOAD = "workload"
    """Another service's rollout is under way on the same workload."""
    CONNECTION = "connection"
    """The cluster, the engine or the registry is away."""
    PAUSED = "paused"
    """It is paused, and saves gather."""
    SUPERSEDING = "superseding"
    """Its running cycle is being ended for a newer save."""
    LOOP = "loop"
    """Each build changes a file that starts the next one."""
    LEASE = "lease"
    """Somebody else works on its workload: it looks on, also when it wants nothing."""


class LeaseChange(StrEnum):
    """What became of the right to write to a workload."""

    ACQUIRED = "acquired"
    """It is this session's: it was free, or whoever is in `before` ended or gave no sign of life."""
    TAKEN_OVER = "taken_over"
    """It is this session's, which took it from `before`, who lives."""
    HELD = "held"
    """Somebody else works on it; this session looks on."""
    LOST = "lost"
    """Somebody took it from this session, which writes no more and looks on."""
    UNGUARDED = "unguarded"
    """Leases may not be used here; this session writes, and nobody hears of it."""

    @property
    def writes(self) -> bool:
        """Whether this session may write from here on."""
        return self not in {LeaseChange.HELD, LeaseChange.LOST}


class WarningCode(StrEnum):
    """What a warning is about that no failure code names."""

    WATCH = "watch"
    """Watching files."""
    UNREADABLE = "unreadable"
    """What may not be read in the cluster, or is not understood; the message says what is not known because of it."""
    LEASE = "lease"
    """Nobody hears who works on a workload."""
    LOAD = "load"
    """An old image could not be removed from a local cluster."""
    AUDIT = "audit"
    """A layer was not what a full build gave."""
    RECORDING = "recording"
    """The recording of the session ends here."""


class LogSource(StrEnum):
    """Where a log line comes from."""

    BUILD = "build"
    """The builder."""
    POD = "pod"
    """A container."""


class StepState(StrEnum):
    """Where a step of a build is."""

    STARTED = "started"
    """It began."""
    RUNNING = "running"
    """It goes on; `current` and `total` tell how far."""
    DONE = "done"
    """It ended well."""
    FAILED = "failed"
    """It failed."""
    CANCELLED = "cancelled"
    """Another step's failure, or a newer save, ended it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a service waits."""

    code: HoldCode
    """The rule that makes it wait."""
    on: str
    """What it waits for: a service, a connection, a file."""
    text: str
    """The same in words."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a workload that one patch changed."""

    path: str
    """The field as `kubectl explain` writes it, list items by name: `spec.template.spec.containers[web].image`."""
    old: str = field(metadata={"wire": "from"})
    """The value before; empty when it was not set."""
    new: str = field(metadata={"wire": "to"})
    """The value now; empty when it was removed."""
    text: str
    """The change in words, with its reason."""


@dataclass(frozen=True, slots=True)
class PodRow:
    """One Pod as people need to see it."""

    pod: str
    """Name of the Pod."""
    node: str
    """Node that it runs on; empty until it has one."""
    revision: str
    """Name of its ReplicaSet."""
    phase: str
    """The Pod's phase, or `Terminating`."""
    reason: str
    """Why it is not ready, in Kubernetes' own word (`CrashLoopBackOff`); empty when it is ready."""
    restarts: int
    """Restarts of all its containers."""
    image_id: str
    """The digest that the service's first container reports; empty until it has one."""
    ready: bool = False
    """Whether it is ready and not about to end."""
    current: bool = False
    """Whether it belongs to the workload's newest revision."""
