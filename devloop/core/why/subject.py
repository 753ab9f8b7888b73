"""From the objects of a namespace to the one workload that is asked about, whatever its kind, as a `Snapshot`.

StatefulSets and DaemonSets keep their revisions as ControllerRevisions; a Pod that nothing controls is its own
workload, with one revision. All take the form of a Deployment, so that the loop's own judgements apply to them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from devloop.core import manifest
from devloop.core.service import WorkloadKey
from devloop.core.why.fixes import POD
from devloop.core.workload import Deployment, Pod, Revision, Snapshot

Raw = Mapping[str, Any]
KINDS = ("deployment", "statefulset", "daemonset")
_HASH = "controller-revision-hash"


@dataclass(frozen=True, slots=True)
class NamespaceObjects:
    """Objects of one namespace as the API server sends them."""

    namespace: str
    workloads: Mapping[str, tuple[Raw, ...]]
    """By kind."""
    replicasets: tuple[Raw, ...] = ()
    revisions: tuple[Raw, ...] = ()
    """ControllerRevisions."""
    pods: tuple[Raw, ...] = ()
    events: tuple[Raw, ...] | None = ()
    """About Pods; None where they may not be read."""
    slices: tuple[Raw, ...] | None = ()
    """EndpointSlices; None where they may not be read."""
    nodes: Mapping[str, str] | None = None
    """Platform of each node; None where nodes may not be read."""
    denied: frozenset[str] = frozenset()
    """Kinds of workloads that may not be listed: whether there are any is not known."""


def keys(objects: NamespaceObjects) -> tuple[WorkloadKey, ...]:
    """Every workload there is, and every Pod that nothing controls and that has not ended."""
    found = [(kind, raw) for kind in KINDS for raw in objects.workloads.get(kind, ())]
    found += [(POD, raw) for raw in objects.pods if _is_bare(raw)]
    return tuple(WorkloadKey(objects.namespace, kind, raw["metadata"]["name"]) for kind, raw in found)


def find(objects: NamespaceObjects, kind: str, name: str) -> tuple[WorkloadKey, str] | None:
    """The workload of that kind and name, and the one Pod of it that was asked about; None when there is none.

    Without a kind the first that is called so: Deployment, StatefulSet, DaemonSet, Pod.
    """
    for each in KINDS if not kind else (kind,):
        if any(raw["metadata"]["name"] == name for raw in objects.workloads.get(each, ())):
            return WorkloadKey(objects.namespace, each, name), ""
    if kind and kind != POD:
        return None
    pod = next((raw for raw in objects.pods if raw["metadata"]["name"] == name), None)
    if pod is None:
        return None
    owner = owner_of(objects, pod)
    return (owner, name) if owner is not None else (WorkloadKey(objects.namespace, POD, name), "")


def owner_of(objects: NamespaceObjects, pod: Raw) -> WorkloadKey | None:
    """The workload that a Pod belongs to; None when none of the known kinds controls it."""
    uid = manifest.controller_uid(topmost(objects, pod))
    for kind in KINDS:
        for raw in objects.workloads.get(kind, ()):
            if manifest.uid(raw) == uid:
                return WorkloadKey(objects.namespace, kind, raw["metadata"]["name"])
    return None


def controller_of(objects: NamespaceObjects, key: WorkloadKey) -> str:
    """What controls a Pod that is its own workload here, as `KIND/NAME`: a Job, an Argo Rollout; empty: nothing."""
    found = (raw for raw in objects.pods if key.kind == POD and raw["metadata"]["name"] == key.name)
    return next((manifest.controller(topmost(objects, raw)) for raw in found), "")


def denied_owner(objects: NamespaceObjects, key: WorkloadKey) -> str:
    """The kind of what controls that Pod, where workloads of that kind may not be listed; else empty."""
    kind = controller_of(objects, key).partition("/")[0].lower()
    return kind if kind in objects.denied else ""


def topmost(objects: NamespaceObjects, pod: Raw) -> Raw:
    """The Pod, or its ReplicaSet where something controls that one."""
    uid = manifest.controller_uid(pod)
    own = (each for each in objects.replicasets if uid and manifest.uid(each) == uid)
    return next((each for each in own if manifest.controller_uid(each)), pod)


def snapshot_of(objects: NamespaceObjects, key: WorkloadKey) -> Snapshot:
    """The workload with its revisions, Pods and Events."""
    readable = objects.events is not None
    if key.kind == POD:
        raw = next((raw for raw in objects.pods if raw["metadata"]["name"] == key.name), None)
        found = None if raw is None else _single(key, raw)
    else:
        raw = next((raw for raw in objects.workloads[key.kind] if raw["metadata"]["name"] == key.name), None)
        if key.kind == "deployment":
            return manifest.snapshot(key, raw, objects.replicasets, objects.pods, objects.events or (), readable)
        found = None if raw is None else _set(key, raw, objects)
    if found is None:
        return Snapshot(key, None, events_readable=readable)
    return replace(found, events=_about(found.pods, objects), events_readable=readable)


def newest_of(objects: NamespaceObjects, key: WorkloadKey) -> str:
    """The name of the revision of the template as it stands; empty while its controller has not made it."""
    raw = next((raw for raw in objects.workloads.get(key.kind, ()) if raw["metadata"]["name"] == key.name), None)
    if raw is None:
        return key.name
    if key.kind != "deployment":
        return _current(key, raw, objects)
    own = [each for each in objects.replicasets if manifest.controller_uid(each) == manifest.uid(raw)]
    same = [each for each in own if _without_hash(each["spec"]["template"]) == _without_hash(raw["spec"]["template"])]
    made = max(same, key=lambda each: str(each["metadata"].get("creationTimestamp")), default=None)
    return str(made["metadata"]["name"]) if made is not None else ""


def _without_hash(template: Raw) -> Raw:
    """As the Deployment controller compares templates (`EqualIgnoreHash` in its `util`)."""
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != "pod-template-hash"}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _about(pods: Iterable[Pod], objects: NamespaceObjects) -> tuple[Any, ...]:
    uids = {pod.uid for pod in pods}
    events = (manifest.cluster_event(raw) for raw in objects.events or ())
    return tuple(sorted((e for e in events if e.object_uid in uids), key=lambda e: (e.last, e.first, e.uid)))


def _single(key: WorkloadKey, raw: Raw) -> Snapshot:
    """A Pod that none of the known kinds controls."""
    pod = replace(manifest.pod(raw), revision=key.name)
    shaped = {"metadata": raw["metadata"], "spec": {"replicas": 1, "template": {"spec": raw.get("spec", {})}}}
    deployment = replace(manifest.deployment(shaped), key=key, updated_replicas=1, **_counted([pod]))
    own = _revision(key.name, pod.uid, pod.created, deployment, [pod])
    return Snapshot(key, replace(deployment, observed_generation=deployment.generation), (own,), (pod,))


def _set(key: WorkloadKey, raw: Raw, objects: NamespaceObjects) -> Snapshot:
    """A StatefulSet or a DaemonSet."""
    spec, status = raw.get("spec", {}), raw.get("status", {})
    update = spec.get("updateStrategy") or {}
    pods = [_of_set(each, key) for each in objects.pods if manifest.controller_uid(each) == manifest.uid(raw)]
    pods.sort(key=lambda pod: (pod.created, pod.name))
    wanted = status.get("desiredNumberScheduled", 0) if key.kind == "daemonset" else spec.get("replicas", 1)
    current = _current(key, raw, objects)
    deployment = replace(
        manifest.deployment(raw),
        key=key,
        replicas=wanted,
        strategy=update.get("type") or "RollingUpdate",
        max_surge="0",
        max_unavailable="1",
        updated_replicas=sum(pod.revision == current and not pod.terminating for pod in pods),
        **_counted(pods),
    )
    made = {each["metadata"]["name"]: each for each in objects.revisions}
    kept = (each["metadata"]["name"] for each in _records(raw, objects))
    names = dict.fromkeys([current, *(pod.revision for pod in pods), *kept])
    revisions = tuple(_of_record(name, made.get(name), deployment, current, pods) for name in names)
    return Snapshot(key, deployment, revisions, tuple(pods))


def _of_set(raw: Raw, key: WorkloadKey) -> Pod:
    """A DaemonSet's Pods carry the hash alone, a StatefulSet's the whole name of the ControllerRevision."""
    value = (raw["metadata"].get("labels") or {}).get(_HASH, "")
    return replace(manifest.pod(raw), revision=value if key.kind == "statefulset" else f"{key.name}-{value}")


def _current(key: WorkloadKey, raw: Raw, objects: NamespaceObjects) -> str:
    """The name of the revision of the template as it stands."""
    update = raw.get("status", {}).get("updateRevision", "")
    if update:
        return str(update)
    newest = next(iter(_records(raw, objects)), None)
    return str(newest["metadata"]["name"]) if newest is not None else f"{key.name}-?"


def _records(raw: Raw, objects: NamespaceObjects) -> list[Raw]:
    """Its ControllerRevisions, the newest first."""
    own = [each for each in objects.revisions if manifest.controller_uid(each) == manifest.uid(raw)]
    return sorted(own, key=lambda each: int(each.get("revision", 0)), reverse=True)


def _of_record(name: str, record: Raw | None, deployment: Deployment, current: str, pods: list[Pod]) -> Revision:
    """A ControllerRevision as a revision; the current one has the template that stands."""
    template, created, number = deployment.template, 0.0, 0
    if record is not None:
        created, number = manifest.timestamp(record["metadata"].get("creationTimestamp")), record.get("revision", 0)
        if name != current:
            shaped = {"metadata": {}, "spec": (record.get("data") or {}).get("spec") or {}}
            template = manifest.deployment(shaped).template
    elif name != current:
        template = replace(template, containers=())
    own = [pod for pod in pods if pod.revision == name]
    return replace(_revision(name, name, created, deployment, own), template=template, number=int(number))


def _revision(name: str, uid: str, created: float, deployment: Deployment, pods: list[Pod]) -> Revision:
    running = [pod for pod in pods if not pod.terminating and not pod.ended]
    ready = sum(pod.ready for pod in running)
    return Revision(name, uid, 1, created, len(running), len(running), ready, ready, deployment.template)


def _counted(pods: list[Pod]) -> dict[str, Any]:
    running = [pod for pod in pods if not pod.terminating and not pod.ended]
    ready = sum(pod.ready for pod in running)
    return {"ready_replicas": ready, "available_replicas": ready, "total_replicas": len(running)}


def _is_bare(raw: Raw) -> bool:
    """A Pod that nothing controls and that runs. One that the kubelet reads from a file is only mirrored."""
    static = "kubernetes.io/config.mirror" in (raw["metadata"].get("annotations") or {})
    return not static and not manifest.controller_uid(raw) and not manifest.pod(raw).ended
