"""An immutable picture of a workload: the Deployment, its ReplicaSets, its Pods and what was said about them.

The dataclasses hold what devloop's decisions read, named as Kubernetes names it; `raw` keeps the Deployment as the API
server sent it, for patches and for `restore`. Parsing (`devloop.core.manifest`) is apart, so that tests and other
sources can make snapshots by hand. Times are Unix seconds, 0.0 when absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from devloop.core.failure import Failure, FailureCode
from devloop.core.service import WorkloadKey

ORIGINAL = "devloop/original"
"""Annotation on the workload: what was there before devloop, and what devloop wrote (JSON)."""
ACTIVE = "devloop/active"
"""Label on the workload while devloop's changes are in place."""
BUILD = "devloop/build"
"""Annotation on the template: the digest, when it was pushed, the session (JSON); its change makes the new revision."""
FIELD_MANAGER = "devloop"


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container as a template or a Pod asks for it."""

    name: str
    image: str
    pull_policy: str
    init: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A Pod template, as far as devloop reads it."""

    containers: tuple[ContainerSpec, ...]
    """Init containers first, in the order in which they start."""
    build: str = ""
    """The `devloop/build` annotation as it stands."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    grace: float = field(default=30.0, compare=False)
    """Seconds that its Pods have to end in."""

    def container(self, name: str) -> ContainerSpec | None:
        return next((c for c in self.containers if c.name == name), None)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a workload, a ReplicaSet or a Pod."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Manager:
    """One entry of `managedFields`: who wrote which fields, and when."""

    name: str
    operation: str
    time: float
    subresource: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A Deployment: what it asks for and what its controller says."""

    key: WorkloadKey
    uid: str
    resource_version: str
    generation: int
    observed_generation: int
    replicas: int
    """What `spec.replicas` asks for; 1 when it is not written."""
    paused: bool
    strategy: str
    """`RollingUpdate` or `Recreate`."""
    max_surge: str
    max_unavailable: str
    progress_deadline: int
    """Seconds."""
    template: Template
    conditions: tuple[Condition, ...] = ()
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    total_replicas: int = 0
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    managers: tuple[Manager, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_marked(self) -> bool:
        """Whether devloop's changes are in place."""
        return ACTIVE in self.labels

    def condition(self, type_: str) -> Condition | None:
        return next((c for c in self.conditions if c.type == type_), None)


@dataclass(frozen=True, slots=True)
class Revision:
    """One generation of a workload's Pods: a ReplicaSet."""

    name: str
    uid: str
    number: int
    """The `deployment.kubernetes.io/revision` annotation; the highest is the newest."""
    created: float
    desired: int
    replicas: int
    ready: int
    available: int
    template: Template
    conditions: tuple[Condition, ...] = ()

    def condition(self, type_: str) -> Condition | None:
        return next((c for c in self.conditions if c.type == type_), None)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A container that does not run yet, or not again."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """A container that runs."""

    started_at: float


@dataclass(frozen=True, slots=True)
class Terminated:
    """A container that ended."""

    exit_code: int
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: float = 0.0
    finished_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    """What the kubelet reports of a container."""

    name: str
    init: bool
    image_id: str
    """As reported; `core.image.digest_of` reads it."""
    ready: bool
    restarts: int
    state: Waiting | Running | Terminated
    last: Terminated | None = None
    container_id: str = ""


@dataclass(frozen=True, slots=True)
class Pod:
    """One Pod of a workload."""

    name: str
    uid: str
    node: str
    revision: str
    """Name of the owning ReplicaSet."""
    phase: str
    created: float
    deleted: float
    """When its deletion was asked for; 0.0 while it was not."""
    ready: bool
    containers: tuple[ContainerStatus, ...]
    specs: tuple[ContainerSpec, ...]
    conditions: tuple[Condition, ...] = ()
    reason: str = ""
    message: str = ""

    @property
    def terminating(self) -> bool:
        return self.deleted > 0.0

    @property
    def ended(self) -> bool:
        """Whether it runs nothing any more, and never will: it completed, failed, or was evicted."""
        return self.phase in {"Succeeded", "Failed"}

    def condition(self, type_: str) -> Condition | None:
        return next((c for c in self.conditions if c.type == type_), None)

    def container(self, name: str) -> ContainerStatus | None:
        return next((c for c in self.containers if c.name == name), None)

    def spec(self, name: str) -> ContainerSpec | None:
        return next((c for c in self.specs if c.name == name), None)


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """A Kubernetes Event about the workload, one of its ReplicaSets or one of its Pods."""

    object_uid: str
    object_kind: str
    object_name: str
    field_path: str
    """`spec.containers{web}` when it is about one container."""
    type: str
    reason: str
    message: str
    count: int
    first: float
    last: float
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything known about one workload at one moment; `deployment` is None when it does not exist."""

    key: WorkloadKey
    deployment: Deployment | None
    revisions: tuple[Revision, ...] = ()
    """Newest first."""
    pods: tuple[Pod, ...] = ()
    """Oldest first."""
    events: tuple[ClusterEvent, ...] = ()
    """Oldest first."""
    events_readable: bool = True
    """False when Events may not be read here: pull cost and some causes are then not known."""

    def pods_of(self, revision: Revision) -> tuple[Pod, ...]:
        return tuple(p for p in self.pods if p.revision == revision.name)

    def events_about(self, uid: str) -> tuple[ClusterEvent, ...]:
        return tuple(e for e in self.events if e.object_uid == uid)


def absent(key: WorkloadKey) -> Failure:
    """What to say of a workload that does not exist."""
    message = f"{key} does not exist in namespace {key.namespace}"
    there = f"see what there is: kubectl get {key.kind}s -n {key.namespace}"
    hint = f"{there}; -n names another namespace, and `workload` in devloop.toml another workload"
    return Failure(FailureCode.WORKLOAD_ABSENT, message, hint)


def unread(failure: Failure | None, key: WorkloadKey, *, is_guessed: bool) -> Failure:
    """Why there is nothing of a workload that was read; no failure: it is not there. `is_guessed`: `where_guessed`."""
    failure = failure or absent(key)
    return where_guessed(failure) if is_guessed else failure


def where_guessed(failure: Failure) -> Failure:
    """The same of a workload whose namespace is just the context's own, beside a file that does not say it: so it is in
    a fresh checkout, where nobody thinks of a namespace."""
    if failure.code is not FailureCode.WORKLOAD_ABSENT:
        return failure
    found = "no file says the namespace: `devloop init` finds it and writes it down"
    return replace(failure, hint="; else ".join(filter(None, (found, failure.hint))))


def no_namespace(namespace: str, context: str) -> Failure:
    """What to say of anything in a namespace that does not exist: what that has cannot be listed either."""
    message = f"there is no namespace `{namespace}` in the cluster of context {context}"
    hint = "correct -n, or `namespace` in devloop.toml; see which there are: kubectl get namespaces"
    return Failure(FailureCode.WORKLOAD_ABSENT, message, hint)
