"""Live workloads as `devloop init` sees them, and what their images tell."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from devloop.core.image import DOCKER_HUB, ImageRef, InvalidReferenceError
from devloop.core.manifest import deployment
from devloop.core.original import Original
from devloop.core.patch import IMAGE
from devloop.core.service import WorkloadKey
from devloop.core.workload import ContainerSpec

DEPLOYMENT = "deployment"
_NOBODYS = frozenset({"registry.k8s.io", "k8s.gcr.io", "mcr.microsoft.com", "public.ecr.aws", "gke.gcr.io"})
"""Registries that give images to everybody, and take them from their makers alone."""
_NAME_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app", "k8s-app", "component")
_INSTANCE = "app.kubernetes.io/instance"


@dataclass(frozen=True, slots=True)
class Live:
    """A workload that is there."""

    key: WorkloadKey
    containers: tuple[ContainerSpec, ...]
    """Init containers first."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the workload and of its Pods."""
    put_there: frozenset[str] = frozenset()
    """The containers whose image devloop wrote, and recorded what was there: a restore puts that back."""

    @property
    def mains(self) -> tuple[ContainerSpec, ...]:
        return tuple(each for each in self.containers if not each.init)

    @property
    def name_labels(self) -> tuple[tuple[str, str], ...]:
        """The labels that say what it is."""
        return tuple((label, self.labels[label]) for label in _NAME_LABELS if self.labels.get(label))

    @property
    def instance(self) -> str:
        """The release that it belongs to, whose name its own may begin with."""
        return self.labels.get(_INSTANCE, "")

    def __str__(self) -> str:
        return f"{self.key} in {self.key.namespace}"


def live(kind: str, raw: Mapping[str, Any]) -> Live:
    """A Deployment, StatefulSet or DaemonSet of the API server: their Pod templates are alike."""
    read = deployment(raw)
    spec = raw.get("spec") or {}
    pods = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    key = WorkloadKey(read.key.namespace, kind, read.key.name)
    record = Original.of(read.annotations)
    written = ((each.name, record.written(each.name, IMAGE), each.image) for each in read.template.containers)
    put_there = frozenset(name for name, field, image in written if field is not None and field.wrote == image)
    return Live(key, read.template.containers, {**pods, **read.labels}, put_there)


def reference(image: str) -> ImageRef | None:
    """The image, if it can be read."""
    try:
        return ImageRef.parse(image)
    except InvalidReferenceError:
        return None


def host_of(ref: ImageRef) -> str:
    return ref.canonical_name.partition("/")[0]


def full_name(ref: ImageRef) -> str:
    """The name with the registry that it goes to: `acme/web` is Docker Hub's."""
    return ref.name if ref.registry else ref.canonical_name


def last_part(ref: ImageRef) -> str:
    return ref.repository.rpartition("/")[2]


def is_ours_to_push(ref: ImageRef, logins: Collection[str]) -> bool:
    """Whether somebody may push there, as far as a name tells; `logins` are the registries that Docker logged in to.

    An image without a registry and a `/` was loaded into a node, or is one of the Hub's own: neither can be pushed to.
    """
    host = host_of(ref)
    if host in _NOBODYS or ref.canonical_name.startswith("gcr.io/distroless/"):
        return False
    return host != DOCKER_HUB or (DOCKER_HUB in logins and not is_official(ref))


def is_official(ref: ImageRef) -> bool:
    """Whether it is one of the Hub's own, which nobody else pushes; `web:dev` is called like one."""
    return ref.canonical_name.startswith(f"{DOCKER_HUB}/library/")
