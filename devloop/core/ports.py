"""The seams between what devloop decides and the world: small Protocols, typed results, an `emit` callback.

No port raises for what can be expected to go wrong: it returns a `Failure`. Cancelling the awaiting task is the only
way to stop an operation, and an implementation leaves nothing running when it is cancelled. A cross-cutting concern
(a limit, a recording, a retry) is another implementation of the same Protocol.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from devloop.core.events import StepState
from devloop.core.failure import Connection, Failure
from devloop.core.image import ImageRef, PushedImage, ResolvedImage
from devloop.core.lease import Lease
from devloop.core.picture import Picture
from devloop.core.service import BuildSpec, Load, Service, WorkloadKey
from devloop.core.workload import Snapshot


@dataclass(frozen=True, slots=True)
class StepProgress:
    """A step of a build began, moved on or ended."""

    step: str
    name: str
    state: StepState
    cached: bool = False
    seconds: float | None = None
    current: int | None = None
    total: int | None = None
    builder: str = "buildx"


@dataclass(frozen=True, slots=True)
class OutputLine:
    """One line that a build wrote."""

    text: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class PushStarted:
    """The image is built; what follows is its way to the registry, or into the nodes."""


BuildProgress = StepProgress | OutputLine | PushStarted


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build, for which platform, and under which name to push it."""

    spec: BuildSpec
    push: ImageRef
    platform: str
    """`linux/amd64`; empty lets the builder choose."""
    load: Load | None = None
    """How it gets into a local cluster, instead of being pushed."""

    @classmethod
    def of(cls, service: Service, platform: str) -> "BuildRequest":
        """What a cycle of the service builds; `platform` is the cluster's."""
        return cls(service.build, service.push, service.build.platform or platform, service.load)


@dataclass(frozen=True, slots=True)
class Built:
    """A build that was pushed or loaded."""

    digest: str
    """What the builder says the tag now resolves to; the registry is asked to confirm it."""
    builder: str
    loaded: PushedImage | None = None
    """What was loaded, which no registry can confirm; None when it was pushed."""
    config: str = ""
    """The digest of the image's configuration, which names its content; empty where the builder does not tell it."""


class Builder(Protocol):
    """Turns source into an image in a registry. BuildKit through buildx today; there will be others."""

    name: str

    async def build(self, request: BuildRequest, progress: Callable[[BuildProgress], None]) -> Built | Failure:
        """Build and push; cancelling it ends every process it started."""

    async def check(self, request: BuildRequest) -> Failure | None:
        """Whether this build could start here at all; nothing is built."""


class Registry(Protocol):
    """The registry as it is reached from here."""

    async def resolve(self, ref: ImageRef, *, configs: bool = True) -> ResolvedImage | Failure | None:
        """What the reference holds now; None when the registry does not have it. Without `configs` only the digest."""

    async def check(self, ref: ImageRef) -> Failure | None:
        """Whether the registry of `ref` is there and takes the credentials found for it."""


@dataclass(frozen=True, slots=True)
class Access:
    """One permission, as a SelfSubjectAccessReview asks for it."""

    verb: str
    group: str
    resource: str
    namespace: str
    """Empty: for the whole cluster."""
    name: str = ""


class Cluster(Protocol):
    """Requests to the API server of the pinned context; each returns plain JSON."""

    async def read(self, key: WorkloadKey) -> Mapping[str, Any] | Failure | None:
        """The workload, None when it does not exist."""

    async def patch(self, key: WorkloadKey, body: Any, *, json_patch: bool = False) -> Mapping[str, Any] | Failure:
        """Strategic merge (or JSON) patch with field manager `devloop`; returns the workload after it.

        The pinned context is checked again before it is sent.
        """

    async def logs(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, tail: int = 20
    ) -> Sequence[str] | Failure:
        """The last lines of a container, or of the one before its restart."""

    async def allowed(self, access: Access) -> bool | Failure:
        """Whether the user may do that (SelfSubjectAccessReview)."""


class Leases(Protocol):
    """The Leases that tell who writes to which workload, each named after its workload."""

    async def read(self, key: WorkloadKey) -> Lease | Failure | None:
        """The workload's Lease; None when nobody holds the workload."""

    async def write(self, key: WorkloadKey, lease: Lease) -> Lease | Failure | None:
        """Create it, or change the one of its version; None when somebody was faster, and it has to be read again.

        The pinned context is checked again before it is sent.
        """

    async def remove(self, key: WorkloadKey, lease: Lease) -> Failure | None:
        """Remove the one of that version; one that has changed since stays."""


class Observer(Protocol):
    """The shared watches: every change of a followed workload arrives as a Snapshot, for as long as it is followed."""

    def follow(self, key: WorkloadKey) -> None: ...

    def unfollow(self, key: WorkloadKey) -> None: ...


@dataclass(frozen=True, slots=True)
class Watched:
    """What a watcher found when it began to watch a service."""

    files: int
    changed: tuple[str, ...]
    """What differs from the picture that an earlier session left, if it left one."""
    text: str = ""
    """How it watches, when not the usual way."""


class Watcher(Protocol):
    """The source tree of each service; what changed in content arrives through the callback given at construction."""

    async def add(self, service: Service) -> Watched | Failure:
        """Watch the service's files, and take their picture; one that is watched is watched anew by what it says."""

    async def remove(self, service: str) -> None: ...

    async def picture(self, service: str) -> Picture | None:
        """The service's build context as it is on disk now, not as the last event left it; None of a service that is
        not watched, or no longer."""


class Prober(Protocol):
    """Tells when a connection that was lost is back."""

    async def until_back(self, to: Connection) -> str:
        """Return, with a phrase for the user, once it answers again."""


class LogTail(Protocol):
    """The logs of a service's Pods, from their start, through restarts and rollouts."""

    def follow(self, service: str, snapshot: Snapshot, containers: Sequence[str]) -> None:
        """Follow what the snapshot shows, and no longer what it does not."""

    def forget(self, service: str, kept: Collection[WorkloadKey] = ()) -> None:
        """Follow the service's Pods no longer, but for those of the workloads that it keeps."""


class StateFolder(Protocol):
    """devloop's own files, outside the project: pictures, medians, recorded sessions."""

    def load(self, name: str) -> bytes | None:
        """What was stored under that name; None when there is nothing that can be read."""

    def store(self, name: str, data: bytes) -> None:
        """Replace it, atomically; a full disk is reported once and costs only what was stored."""

    def session_file(self, session: str) -> Path | None:
        """Where this session is recorded; None when the folder cannot be written."""


class Clock(Protocol):
    """Wall-clock time; durations come from the event loop."""

    def now(self) -> float:
        """Unix seconds."""
