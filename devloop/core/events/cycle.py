"""Events of one cycle, in their order."""

from dataclasses import dataclass
from typing import ClassVar

from devloop.core.events.base import CycleEvent
from devloop.core.events.words import Change, Outcome, Phase, StepState, Trigger, Verdict
from devloop.core.failure import Failure


@dataclass(frozen=True, slots=True)
class CycleStarted(CycleEvent):
    """A cycle runs: one pass of build, push, rollout and proof. A service never has two at once."""

    event: ClassVar[str] = "cycle_started"
    trigger: Trigger
    """Why it runs."""
    count: int = 0
    """How many changed files go into it; 0 when no file is the reason."""
    files: tuple[str, ...] = ()
    """Their names, at most 20, newest first."""
    text: str = ""
    """Why, in words, beyond the trigger; may be empty."""


@dataclass(frozen=True, slots=True)
class PhaseStarted(CycleEvent):
    """A phase of the cycle runs. A cycle goes through them in order; `verify` alone when it only proves again (trigger
    `drift`), `rollout` and `verify` when it only restarts."""

    event: ClassVar[str] = "phase_started"
    phase: Phase
    """Which."""


@dataclass(frozen=True, slots=True)
class PhaseFinished(CycleEvent):
    """A phase ended. Each phase that starts also finishes, before its cycle does."""

    event: ClassVar[str] = "phase_finished"
    phase: Phase
    """Which."""
    seconds: float
    """How long it took."""
    ok: bool
    """`false` when it failed, and when its cycle was superseded or stopped in it."""


HOW = "how"
"""The step of a build that tells which builder was chosen, and why."""


@dataclass(frozen=True, slots=True)
class BuildStep(CycleEvent):
    """Progress of one step of a build."""

    event: ClassVar[str] = "build_step"
    lossy: ClassVar[bool] = True
    step: str
    """Identifies the step within its cycle. `how` is no step of a builder: it tells which one was chosen, and why."""
    name: str
    """What BuildKit calls it; of `how`: `delta: 2 files into /app`, or `full build: ` and the reason."""
    state: StepState
    """Where it is."""
    cached: bool = False
    """Whether its result was there already."""
    seconds: float | None = None
    """How long it took; null until it is over."""
    current: int | None = None
    """Bytes done; null where bytes make no sense."""
    total: int | None = None
    """Bytes to do; null where that is not known."""
    builder: str = "buildx"
    """Who builds."""

    @property
    def tells_how(self) -> bool:
        """Whether it is no step of a builder, but which one was chosen and why."""
        return self.step == HOW


@dataclass(frozen=True, slots=True)
class ImagePushed(CycleEvent):
    """The registry holds the image, and said so when it was asked; or a local cluster was given it."""

    event: ClassVar[str] = "image_pushed"
    push_ref: str
    """The name it was pushed or loaded under from here."""
    pod_ref: str
    """The name Pods pull it by; often the same."""
    digest: str
    """What the tag now means: `sha256:...` of an index or a manifest; of a config when it was loaded."""
    digests: tuple[str, ...]
    """Every digest that a Pod which runs it may report (index, platform manifests, configs), sorted."""
    loaded_into: str = ""
    """The [local cluster] whose nodes were given the image; empty when a registry was, and in recordings that do not
    have it."""


@dataclass(frozen=True, slots=True)
class WorkloadPatched(CycleEvent):
    """The one patch of a cycle on a workload went out. Not sent when nothing had to be changed."""

    event: ClassVar[str] = "workload_patched"
    workload: str
    """The workload, `deployment/NAME`."""
    changes: tuple[Change, ...]
    """Every field that it changed, devloop's own marks included."""


@dataclass(frozen=True, slots=True)
class PodVerified(CycleEvent):
    """The verdict on one container of one ready Pod of the new revision."""

    event: ClassVar[str] = "pod_verified"
    workload: str
    """The workload, `deployment/NAME`."""
    pod: str
    """Name of the Pod."""
    node: str
    """Node that it runs on."""
    container: str
    """Name of the container."""
    image_id: str
    """The `imageID` that the kubelet reports."""
    verdict: Verdict
    """What that proves."""
    pull_seconds: float | None = None
    """What the pull cost this start; 0 when the image was there; null when the node did not say."""
    text: str = ""
    """Why, when the verdict is no plain match; else empty."""


@dataclass(frozen=True, slots=True)
class CycleFinished(CycleEvent):
    """The end of a cycle."""

    event: ClassVar[str] = "cycle_finished"
    outcome: Outcome
    """How it ended."""
    digest: str
    """Digest of the image that it pushed; empty when it got no further than the build."""
    seconds: float
    """How long the cycle took, holds included."""
    failure: Failure | None
    """Why, when `outcome` is `failed`; else null."""
    builder: str = "buildx"
    """Who built; empty when no build ended well."""
    text: str = ""
    """What there is to say beyond the outcome: why a workload was restarted although the image was the same; else
    empty."""
