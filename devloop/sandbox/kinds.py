"""The kinds of objects that the sandbox keeps, as discovery tells them."""

from dataclasses import dataclass

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
READ_VERBS = ("get", "list", "watch")
NEITHER_RUN = ("statefulsets", "daemonsets")


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of one API version."""

    group: str
    version: str
    name: str
    """`Deployment`."""
    plural: str
    singular: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    """What a field selector may ask for beside the name and the namespace."""
    stored_as: str = ""
    """The plural of the kind that it is another view of."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """The path under which the resources of this version are."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    @property
    def generational(self) -> bool:
        """Whether its objects count the changes of what they ask for."""
        return self.plural in {"deployments", "replicasets", "pods", "endpointslices", *NEITHER_RUN}

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources


EVENT_FIELDS = (
    "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
    "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
    "reason", "reportingComponent", "source", "type",
)  # fmt: skip
POD_FIELDS = ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase",
              "status.podIP", "status.nominatedNodeName", "spec.hostNetwork")  # fmt: skip

KINDS = (
    Kind("", "v1", "ConfigMap", "configmaps", "configmap", short=("cm",)),
    Kind("", "v1", "Event", "events", "event", short=("ev",), fields=EVENT_FIELDS),
    Kind(
        "", "v1", "Namespace", "namespaces", "namespace", False, ("ns",), subresources=("finalize", "status"),
        verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"), fields=("status.phase",),
    ),
    Kind("", "v1", "Node", "nodes", "node", False, ("no",), subresources=("status",), fields=("spec.unschedulable",)),
    Kind(
        "", "v1", "Pod", "pods", "pod", short=("po",), subresources=("exec", "log", "proxy", "status"),
        categories=("all",), fields=POD_FIELDS,
    ),
    Kind("", "v1", "Secret", "secrets", "secret", fields=("type",)),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", short=("sa",)),
    Kind(
        "", "v1", "Service", "services", "service", short=("svc",), subresources=("proxy", "status"),
        categories=("all",), fields=("spec.clusterIP", "spec.type"),
    ),
    Kind("apps", "v1", "ControllerRevision", "controllerrevisions", "controllerrevision", verbs=READ_VERBS),
    Kind("apps", "v1", "DaemonSet", "daemonsets", "daemonset", True, ("ds",), READ_VERBS, categories=("all",)),
    Kind(
        "apps", "v1", "Deployment", "deployments", "deployment", short=("deploy",), subresources=("scale", "status"),
        categories=("all",),
    ),
    Kind(
        "apps", "v1", "ReplicaSet", "replicasets", "replicaset", short=("rs",), subresources=("scale", "status"),
        categories=("all",), fields=("status.replicas",),
    ),
    Kind("apps", "v1", "StatefulSet", "statefulsets", "statefulset", True, ("sts",), READ_VERBS, categories=("all",)),
    Kind("coordination.k8s.io", "v1", "Lease", "leases", "lease"),
    Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "endpointslice"),
    Kind("events.k8s.io", "v1", "Event", "events", "event", short=("ev",), stored_as="events",
         fields=("regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid", "regarding.apiVersion",
                 "regarding.fieldPath", "reason", "reportingController", "type")),
    Kind("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview", False,
         verbs=("create",)),
    Kind("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews",
         "selfsubjectaccessreview", False, verbs=("create",)),
)  # fmt: skip
"""What no controller of the sandbox runs may be listed, so that whoever asks is told that there is none."""

GROUPS = tuple(dict.fromkeys(kind.group for kind in KINDS))
_BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
_BY_NAME = {kind.name: kind for kind in reversed(KINDS)}


def at(group: str, version: str, plural: str) -> Kind | None:
    return _BY_PATH.get((group, version, plural))


def named(name: str) -> Kind:
    """The kind that controllers mean by its name."""
    return _BY_NAME[name]


CONFIG_MAP = named("ConfigMap")
DEPLOYMENT = named("Deployment")
ENDPOINT_SLICE = named("EndpointSlice")
EVENT = named("Event")
NAMESPACE = named("Namespace")
NODE = named("Node")
POD = named("Pod")
REPLICA_SET = named("ReplicaSet")
SERVICE = named("Service")
SERVICE_ACCOUNT = named("ServiceAccount")
