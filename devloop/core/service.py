"""What one cycle needs to know of a service: the configuration, resolved for the pinned cluster."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from devloop.core.image import ImageRef


@dataclass(frozen=True, slots=True, order=True)
class WorkloadKey:
    """Names one workload of the pinned context."""

    namespace: str
    kind: str
    """Lower case, singular: `deployment`."""
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Pin(StrEnum):
    """How a workload refers to the pushed image."""

    TAG = "tag"
    """The tag moves, and `imagePullPolicy: Always` makes every Pod start ask the registry."""
    DIGEST = "digest"
    """The reference names the digest; nothing can move it, and the pull policy stays as it was."""
    LOADED = "loaded"
    """The tag belongs to one build alone, and the image is on the nodes: `imagePullPolicy: IfNotPresent`."""


class Load(StrEnum):
    """With which command an image gets into a local cluster, where it is not pushed."""

    NONE = "none"
    """It is pushed."""
    AUTO = "auto"
    """What the context and the nodes tell."""
    KIND = "kind"
    K3D = "k3d"
    MINIKUBE = "minikube"
    DOCKER_DESKTOP = "docker-desktop"


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """One build definition; equal definitions are built once."""

    context: Path
    dockerfile: Path
    target: str = ""
    args: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    platform: str = ""
    """Empty: the cluster's."""
    builder: str = ""
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    delta: bool = True
    """Whether a change may become a layer on the last full build where that gives the same image."""


@dataclass(frozen=True, slots=True)
class Service:
    """One `[services.NAME]`."""

    name: str
    image: ImageRef
    """With its tag, as the Pods pull it."""
    push: ImageRef
    """With its tag, as it is pushed from here."""
    pin: Pin
    workloads: tuple[WorkloadKey, ...]
    containers: tuple[str, ...]
    """Empty: those whose image repository matches, else the only one."""
    build: BuildSpec
    watch: tuple[Path, ...]
    ignore: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    load: Load | None = None
    """None: the image is pushed."""
    is_guessed: bool = field(default=False, compare=False)
    """Whether nothing says the namespace of its workloads, so that it is the context's own."""

    @property
    def build_key(self) -> tuple[BuildSpec, str, Load | None]:
        """Services with the same key share one build."""
        return (self.build, str(self.push), self.load)
