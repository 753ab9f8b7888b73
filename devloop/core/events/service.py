"""Events of one service, beside its cycles."""

from dataclasses import dataclass
from typing import ClassVar

from devloop.core.events.base import ServiceEvent
from devloop.core.events.words import Hold, LogSource, PodRow, Trigger

MAX_FILES = 20
"""How many file names an event carries; `count` always tells how many there were."""


@dataclass(frozen=True, slots=True)
class WatchStarted(ServiceEvent):
    """The service's files are watched from here on. Not sent under `--once`."""

    event: ClassVar[str] = "watch_started"
    files: int
    """How many files are watched."""
    text: str = ""
    """How they are watched when that is not the usual way (polling, and why); else empty."""


@dataclass(frozen=True, slots=True)
class ChangeDetected(ServiceEvent):
    """The content of watched files changed; a touch or a save of the same content is none."""

    event: ClassVar[str] = "change_detected"
    count: int
    """How many files changed."""
    files: tuple[str, ...]
    """Their names relative to the build context, with `/`; at most 20, the rest only counts."""


@dataclass(frozen=True, slots=True)
class CycleRequested(ServiceEvent):
    """A cycle is wanted for another reason than files."""

    event: ClassVar[str] = "cycle_requested"
    trigger: Trigger
    """Who wants it."""
    text: str = ""
    """Why, in words; may be empty."""
    restart: bool = False
    """`true` when every Pod is to be started anew, also where it runs the image already. For that alone nothing is
    built: the cycle uses the image that the session pushed last. `false` in recordings that do not have it."""


@dataclass(frozen=True, slots=True)
class ServicePaused(ServiceEvent):
    """Saves gather while a service is paused, and are built together when it goes on."""

    event: ClassVar[str] = "service_paused"
    paused: bool
    """`true` from here on, or `false` when it goes on."""


@dataclass(frozen=True, slots=True)
class ServiceAdded(ServiceEvent):
    """The configuration gained a service while the session runs; it begins with a cycle that is wanted."""

    event: ClassVar[str] = "service_added"


@dataclass(frozen=True, slots=True)
class ServiceChanged(ServiceEvent):
    """The configuration says something else of a service while the session runs. From here on that holds: nothing of
    the service runs by what was before."""

    event: ClassVar[str] = "service_changed"
    keys: tuple[str, ...]
    """What is otherwise, as `devloop.toml` names it: `build.args`. Never a value."""
    left: tuple[str, ...] = ()
    """Workloads that devloop changed and that no service runs on any more, `deployment/NAME`: they stay as they are,
    and `devloop restore` finds them."""
    namespace: str = ""
    """The namespace of these; empty when there are none."""


@dataclass(frozen=True, slots=True)
class ServiceRemoved(ServiceEvent):
    """The configuration lost a service while the session runs. Its cycle has ended, and nothing more is said of it."""

    event: ClassVar[str] = "service_removed"
    left: tuple[str, ...] = ()
    """Workloads that devloop changed and that no service runs on any more, `deployment/NAME`: they stay as they are,
    and `devloop restore` finds them."""
    namespace: str = ""
    """The namespace of these; empty when there are none."""


@dataclass(frozen=True, slots=True)
class CycleHeld(ServiceEvent):
    """A service wants something and waits; or (`hold` is null) waits no longer."""

    event: ClassVar[str] = "cycle_held"
    hold: Hold | None
    """Why it waits; null when the wait is over. A hold also ends when a cycle of the service starts or finishes."""


@dataclass(frozen=True, slots=True)
class Log(ServiceEvent):
    """One line that a build or a container wrote. On stdout, lines of Pods come only with `--logs`, except the last
    words of a container for which a cycle failed (those carry its `cycle`)."""

    event: ClassVar[str] = "log"
    lossy: ClassVar[bool] = True
    source: LogSource
    """Who wrote it."""
    text: str
    """The line, without its end."""
    cycle: int = 0
    """The cycle that it explains; 0 when it belongs to none."""
    pod: str = ""
    """Name of the Pod; empty for a build."""
    container: str = ""
    """Name of the container; empty for a build."""
    dropped: int = 0
    """How many lossy events of this service were left out before this line; at the end of a session on a line with
    empty `text` and `pod`."""
    written: float = 0.0
    """When the container wrote it, Unix seconds on its node's clock, where that is more than two seconds before `time`,
    as in lines from before the session; else 0, as in recordings that do not have it."""
    running: bool = False
    """Whether it explains a `cycle` and its container has not ended: the Pod's other lines have it too."""


@dataclass(frozen=True, slots=True)
class WorkloadObserved(ServiceEvent):
    """What the cluster shows of a workload, sent whenever that changes, also between cycles."""

    event: ClassVar[str] = "workload_observed"
    workload: str
    """The workload, `deployment/NAME`."""
    exists: bool
    """`false` when there is no such workload: then the counts are 0."""
    desired: int
    """How many Pods it asks for."""
    updated: int
    """How many Pods of its newest revision exist."""
    ready: int
    """How many of those are ready."""
    terminating: int
    """How many Pods, of any revision, are about to end."""
    pods: tuple[PodRow, ...]
    """All of its Pods, oldest first."""


@dataclass(frozen=True, slots=True)
class WarningRaised(ServiceEvent):
    """Something is wrong but may heal: a cycle that waits for it goes on. Told once for each cause."""

    event: ClassVar[str] = "warning_raised"
    code: str
    """A [failure code], or a [warning code]."""
    message: str
    """What is wrong, in one sentence."""
    hint: str = ""
    """The next step; may be empty."""
    cycle: int = 0
    """The cycle that met it; 0 when none did."""


@dataclass(frozen=True, slots=True)
class WorkloadDrifted(ServiceEvent):
    """After its cycle, a workload or a Pod is no longer what was proved. devloop does not undo it."""

    event: ClassVar[str] = "workload_drifted"
    workload: str
    """The workload, `deployment/NAME`."""
    who: str
    """Field manager that changed it (`kubectl-edit`, `helm`); empty when nobody did or it is not known."""
    what: str
    """What is different, in words."""
    restored: bool = False
    """`true` when what was there before devloop is back and its marks are gone, as after `devloop restore`, and this
    was the last workload of the service. `false` in recordings that do not have it."""
