"""What is known when somebody asks why an old image runs: everything that was read, and what could not be.

A link of the chain that cannot be read here (no engine, no registry credentials, no source) is `Unread` with its
reason: it costs what it would have told, and nothing else. Times are Unix seconds, 0.0 when not known.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from devloop.core.failure import Failure
from devloop.core.image import ImageRef, ResolvedImage
from devloop.core.proof import Known
from devloop.core.service import WorkloadKey
from devloop.core.status import ContainerRef
from devloop.core.workload import ContainerSpec, Snapshot, Template


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that could not be read here."""

    why: str
    """A phrase that ends `not known: ...`."""
    fix: str = ""
    """What would make it readable."""


@dataclass(frozen=True, slots=True)
class RegistryImage:
    """What the registry holds under a reference, and what that image says of itself."""

    resolved: ResolvedImage
    created: float = 0.0
    """When it was built. A rebuild that took everything from the cache keeps it, so it is no push time."""
    of_files: bool = False
    """Whether `created` is the time of its newest file instead: so are images that devloop made, or a layer of them."""
    assembled: bool = False
    """Whether devloop made all of it: then its time does not tell which Dockerfile it was made by."""
    volumes: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    """Absolute paths that COPY and ADD wrote to, from the image's history."""
    loaded_into: str = ""
    """The local cluster whose nodes were given it: then no registry has it, and this is what devloop noted of it."""

    @property
    def made(self) -> str:
        """What `created` tells, in words before the time."""
        return "made of files of" if self.of_files else "built"


@dataclass(frozen=True, slots=True)
class LocalImage:
    """What the engine on this machine has under a reference."""

    digests: frozenset[str]
    """All it goes by here: its id (config or manifest, by the engine's store) and where it was pushed to or from."""
    id: str
    created: float = 0.0
    tagged: float = 0.0
    """When the reference was last given to it here; a build does that too."""


@dataclass(frozen=True, slots=True)
class LocalTag:
    """Another tag of the same repository that the engine on this machine has."""

    ref: ImageRef
    """As it is called on this machine."""
    id: str
    created: float
    pushed: bool = True
    """Whether the registry is known to have something under it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An image reference that a container asks for, followed both ways."""

    ref: ImageRef
    registry: RegistryImage | Unread | None
    """None: the registry has nothing under it."""
    local: LocalImage | Unread | None
    """None: the engine has nothing under it."""
    others: tuple[LocalTag, ...] = ()
    """Newest first."""
    tag: RegistryImage | Unread | None = None
    """What the tag of a reference `NAME:TAG@sha256:...` means now; None where there is no such tag."""


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file of the source that was saved after the image was built."""

    path: str
    """Relative to the build context."""
    saved: float
    ignored_by: str = ""
    """The pattern of the ignore file that leaves it out; empty when it is in the build context."""
    carried: bool | None = None
    """Whether an instruction of the Dockerfile takes it into the image; None when that cannot be told."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of the service that runs on the workload."""

    service: str
    context: str
    """The folder, as shown to the user."""
    ignore_file: str
    """Name of the ignore file that counts; empty when there is none."""
    newer: tuple[SavedFile, ...]
    """What was saved after the image was built, by the times of files, newest first. What is as git has it counts from
    its commit."""
    newest: SavedFile | None
    """The newest save of all."""
    built: float = 0.0
    """When the newest image of it was built, or a build that gave this image began; 0.0 when not known."""
    copies: tuple[str, ...] = ()
    """Absolute paths that COPY and ADD of the Dockerfile write to."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Symbolic links of the build context, and where they lead."""


@dataclass(frozen=True, slots=True)
class Route:
    """A Service that sends requests to Pods of the workload."""

    service: str
    others: Mapping[str, str]
    """Other workloads' ready Pods behind it, with what owns them (`deployment/old`)."""
    images: Mapping[str, frozenset[str]]
    """Digests that those Pods report."""


@dataclass(frozen=True, slots=True)
class Push:
    """An image that a recorded session pushed."""

    digest: str
    time: float
    begun: float
    """When its cycle began: what was saved before that is in it."""
    outcome: str
    """Of its cycle; empty when it did not end."""
    digests: frozenset[str] = frozenset()
    """Every digest that a Pod which runs it may report."""


@dataclass(frozen=True, slots=True)
class NewestSave:
    """What a session that runs says of the newest save of a service, where that is not what it proved last."""

    session: str
    service: str
    what: str
    """The files; empty where nobody saved, and a key or a command asked for the cycle."""
    since: float
    meanwhile: str
    """What runs as long as it does not, as a clause."""
    phase: str = ""
    """Of its cycle: in which it failed, else which runs; empty for none."""
    waits: str = ""
    """What it waits for, or is at, as a clause; empty where it failed."""
    failure: Failure | None = None
    place: str = ""
    """Where it failed, as FILE:LINE; empty where that is not known."""
    fix: str = ""
    deleted: int = 0
    """How many files it is, where none of them is there any more; 0 where it is no deletion."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a session that runs says of a service with which it is done: all that was saved is in what it made last."""

    session: str
    service: str
    context: str
    """The folder of the build that it watches."""
    what: str
    """The files of the newest save; empty where nobody saved in this session."""
    since: float
    """When that was; else when the last cycle was asked for."""
    restored: float = 0.0
    """Since when the workload is what it was before devloop; 0.0 where it is not."""
    paused: bool = False
    """Whether saves gather, so that only what is asked for is built."""
    deleted: int = 0
    """As of `NewestSave`."""


@dataclass(frozen=True, slots=True)
class Told:
    """What sessions that run say of one workload."""

    saves: tuple[NewestSave, ...] = ()
    """Of each service that runs on it and has something left to do."""
    settled: tuple[Settled, ...] = ()
    """Of each other one."""

    def saved_for(self, service: str, beside: Collection[str]) -> NewestSave | None:
        """Of that service; empty: of any. `beside`: the other services that the same file has on the workload.

        Another checkout may call the service otherwise: what no service beside it is called is meant too, unless the
        session is done with one of that very name.
        """
        own = [each for each in self.saves if each.service == service]
        is_done = any(each.service == service for each in self.settled)
        others = [] if is_done else [each for each in self.saves if each.service not in beside]
        return next(iter(own or others), None)

    def settled_for(self, service: str, context: str) -> Settled | None:
        """Of that service with that source: another checkout's session knows nothing of the files here."""
        return next((each for each in self.settled if (each.service, each.context) == (service, context)), None)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that one answer is made from."""

    now: float
    key: WorkloadKey
    snapshot: Snapshot
    newest: str
    """Name of the revision of the template as it stands; empty while its controller has not made it."""
    containers: tuple[str, ...]
    """Those asked about, as the template orders them."""
    references: Mapping[str, Reference]
    """By the reference as a container has it."""
    known: Known = field(default_factory=dict)
    """What the registry said of digests that Pods report, or the engine here has, and no reference resolves to."""
    created: Mapping[str, float] = field(default_factory=dict)
    """When the images behind those digests were built, where the registry tells."""
    nodes: Mapping[str, str] | Unread = field(default_factory=lambda: Unread("not asked"))
    """Platform (`linux/amd64`) of each node."""
    expected: ImageRef | None = None
    """What devloop.toml says that the containers run; None when the workload is no service's."""
    source: Source | Unread = field(default_factory=lambda: Unread("not asked"))
    routes: tuple[Route, ...] | Unread = ()
    pushes: tuple[Push, ...] = ()
    """Of the last recorded session with this service, oldest first."""
    logs: Mapping[ContainerRef, tuple[str, ...]] = field(default_factory=dict)
    """Last lines of containers that crash."""
    only: str = ""
    """The one Pod that was asked about; empty: all of the workload's."""
    controller: str = ""
    """What controls a Pod that is its own workload here, as `KIND/NAME`; empty: nothing does."""
    saved: NewestSave | None = None
    """None where no session runs for the workload, or all that was saved is proved."""
    settled: Settled | None = None
    """None where no session runs for the workload and from this very source, or it has something left to do."""

    def asked_about(self, template: Template) -> Iterator[ContainerSpec]:
        """Those of its containers that the question is about."""
        return (spec for spec in template.containers if spec.name in self.containers)

    @property
    def session(self) -> NewestSave | Settled | None:
        """What the session says that runs for the workload."""
        return self.saved or self.settled

    @property
    def up(self) -> str:
        """The command that builds, pushes and rolls out what the workload's service is now."""
        if self.session is not None:
            return f"devloop trigger {self.session.service}"
        service = "" if isinstance(self.source, Unread) else f" {self.source.service}"
        return f"devloop up{service} --once"
