"""Where a rollout stands: what `devloop.core.rollout` and `devloop.core.diagnose` answer with."""

from dataclasses import dataclass, field

from devloop.core.failure import Failure
from devloop.core.workload import Revision


@dataclass(frozen=True, slots=True, order=True)
class ContainerRef:
    """A container whose log explains a trouble."""

    pod: str
    container: str
    previous: bool = False
    """The one before its last restart."""
    running: bool = field(default=False, compare=False)
    """Whether it has not ended: its log stays, and is followed as it is written."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that keeps a rollout from getting on."""

    key: str
    """The same for the same cause in every Pod of a revision: it is told once for each key."""
    failure: Failure
    logs: tuple[ContainerRef, ...] = ()
    ends: bool = False
    """Waiting does not help: the rollout has failed."""


@dataclass(frozen=True, slots=True)
class Rolling:
    """Not done yet; `troubles` are worth telling and may heal."""

    text: str
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True)
class RolledOut:
    """Every Pod that should run runs the new revision, and is available."""

    revision: Revision
    terminating: int
    """Old Pods that have not ended yet."""
    shaky: tuple[Trouble, ...] = ()
    """Containers that ended once and run again, with nothing that shows they work: the next exit makes it `Broken`."""
    probed: bool = True
    """False when a container counts as ready as soon as it is started: no readiness probe, no `minReadySeconds`.

    Such a Pod is available before it has had time to crash: one that runs `exit 3` was seen to be rolled out.
    """

    @property
    def settle(self) -> float:
        """Seconds to go on looking before this may be believed; 0.0 when there is proof that the Pods work.

        The kubelet looks for exits every second and starts the container again at once: 2 s show a first exit, and 10 s
        a second one of a program that takes a few seconds to fail. Both are guesses at what people find bearable.
        """
        if self.shaky:
            return 10.0
        return 0.0 if self.probed else 2.0


@dataclass(frozen=True, slots=True)
class ScaledToZero:
    """The workload takes the change and runs no Pod: there is nothing to prove."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The rollout has failed; `logs` are those that explain it."""

    failure: Failure
    logs: tuple[ContainerRef, ...] = ()


RolloutStatus = Rolling | RolledOut | ScaledToZero | Broken
