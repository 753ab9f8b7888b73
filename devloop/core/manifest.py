"""Reads the API server's JSON into the types of `devloop.core.workload`.

Everything that the API may leave out has a default here, so that what decides never asks whether a field is there.
Fields are those of apps/v1 and core/v1 as https://kubernetes.io/docs/reference/kubernetes-api/ names them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from devloop.core.service import WorkloadKey
from devloop.core.workload import (
    BUILD,
    ClusterEvent,
    Condition,
    ContainerSpec,
    ContainerStatus,
    Deployment,
    Manager,
    Pod,
    Revision,
    Running,
    Snapshot,
    Template,
    Terminated,
    Waiting,
)

Raw = Mapping[str, Any]

REVISION = "deployment.kubernetes.io/revision"
_DEFAULT_DEADLINE = 600
"""Seconds; `progressDeadlineSeconds` when it is not written."""
_DEFAULT_GRACE = 30
"""Seconds; `terminationGracePeriodSeconds` when it is not written."""


def timestamp(text: str | None) -> float:
    """RFC 3339, as Kubernetes writes it, to Unix seconds; 0.0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def uid(raw: Raw) -> str:
    return str(_metadata(raw).get("uid", ""))


def controller_uid(raw: Raw) -> str:
    """The uid of the object that controls this one; empty when none does."""
    return str(owner(raw).get("uid", ""))


def controller(raw: Raw) -> str:
    """What controls the object, as `KIND/NAME`; empty when nothing does."""
    found = owner(raw)
    return f"{found.get('kind', '')}/{found.get('name', '')}" if found else ""


def owner(raw: Raw) -> Raw:
    """The ownerReference of what controls the object; empty when nothing does."""
    return next((o for o in _list(_metadata(raw), "ownerReferences") if o.get("controller")), {})


def deployment(raw: Raw) -> Deployment:
    """An apps/v1 Deployment."""
    metadata, spec, status = _metadata(raw), _dict(raw, "spec"), _dict(raw, "status")
    strategy = _dict(spec, "strategy")
    rolling = _dict(strategy, "rollingUpdate")
    return Deployment(
        key=WorkloadKey(metadata.get("namespace", ""), "deployment", metadata.get("name", "")),
        uid=uid(raw),
        resource_version=metadata.get("resourceVersion", ""),
        generation=metadata.get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        replicas=_number(spec, "replicas", 1),
        paused=bool(spec.get("paused", False)),
        strategy=strategy.get("type") or "RollingUpdate",
        max_surge=str(rolling.get("maxSurge", "")),
        max_unavailable=str(rolling.get("maxUnavailable", "")),
        progress_deadline=_number(spec, "progressDeadlineSeconds", _DEFAULT_DEADLINE),
        template=_template(_dict(spec, "template")),
        conditions=_conditions(status),
        updated_replicas=_number(status, "updatedReplicas"),
        ready_replicas=_number(status, "readyReplicas"),
        available_replicas=_number(status, "availableReplicas"),
        total_replicas=_number(status, "replicas"),
        annotations=_dict(metadata, "annotations"),
        labels=_dict(metadata, "labels"),
        managers=tuple(_manager(entry) for entry in _list(metadata, "managedFields")),
        raw=raw,
    )


def revision(raw: Raw) -> Revision:
    """An apps/v1 ReplicaSet."""
    metadata, spec, status = _metadata(raw), _dict(raw, "spec"), _dict(raw, "status")
    number = _dict(metadata, "annotations").get(REVISION, "")
    return Revision(
        name=metadata.get("name", ""),
        uid=uid(raw),
        number=int(number) if number.isdecimal() else 0,
        created=timestamp(metadata.get("creationTimestamp")),
        desired=_number(spec, "replicas", 1),
        replicas=_number(status, "replicas"),
        ready=_number(status, "readyReplicas"),
        available=_number(status, "availableReplicas"),
        template=_template(_dict(spec, "template")),
        conditions=_conditions(status),
    )


def pod(raw: Raw) -> Pod:
    """A core/v1 Pod."""
    metadata, spec, status = _metadata(raw), _dict(raw, "spec"), _dict(raw, "status")
    conditions = _conditions(status)
    return Pod(
        name=metadata.get("name", ""),
        uid=uid(raw),
        node=spec.get("nodeName") or "",
        revision=owner(raw).get("name", ""),
        phase=status.get("phase") or "",
        created=timestamp(metadata.get("creationTimestamp")),
        deleted=timestamp(metadata.get("deletionTimestamp")),
        ready=any(c.type == "Ready" and c.status == "True" for c in conditions),
        containers=_statuses(status),
        specs=_containers(spec),
        conditions=conditions,
        reason=status.get("reason") or "",
        message=status.get("message") or "",
    )


def cluster_event(raw: Raw) -> ClusterEvent:
    """A core/v1 Event, also one written through events.k8s.io (`eventTime`, `series`)."""
    about, series = _involved(raw), _dict(raw, "series")
    created = raw.get("eventTime") or _metadata(raw).get("creationTimestamp")
    first = timestamp(raw.get("firstTimestamp") or created)
    return ClusterEvent(
        object_uid=about.get("uid", ""),
        object_kind=about.get("kind", ""),
        object_name=about.get("name", ""),
        field_path=about.get("fieldPath") or "",
        type=raw.get("type") or "",
        reason=raw.get("reason") or "",
        message=raw.get("message") or raw.get("note") or "",
        count=series.get("count") or raw.get("count") or 1,
        first=first,
        last=timestamp(series.get("lastObservedTime") or raw.get("lastTimestamp") or created),
        uid=uid(raw),
    )


def snapshot(
    key: WorkloadKey,
    workload: Raw | None,
    replicasets: Iterable[Raw],
    pods: Iterable[Raw],
    events: Iterable[Raw],
    events_readable: bool = True,
) -> Snapshot:
    """One workload's picture, out of everything that is known of its namespace."""
    return assemble(
        key,
        None if workload is None else deployment(workload),
        [(controller_uid(raw), revision(raw)) for raw in replicasets],
        [(controller_uid(raw), pod(raw)) for raw in pods],
        [cluster_event(raw) for raw in events],
        events_readable,
    )


def assemble(
    key: WorkloadKey,
    workload: Deployment | None,
    revisions: Iterable[tuple[str, Revision]],
    pods: Iterable[tuple[str, Pod]],
    events: Iterable[ClusterEvent],
    events_readable: bool = True,
) -> Snapshot:
    """The same from what was read before; revisions and Pods come with the uid of their controller."""
    if workload is None:
        return Snapshot(key, None, events_readable=events_readable)
    own = [r for owner, r in revisions if owner == workload.uid]
    owners = {r.uid for r in own}
    mine = [p for owner, p in pods if owner in owners]
    about = {workload.uid} | owners | {p.uid for p in mine}
    return Snapshot(
        key,
        workload,
        tuple(sorted(own, key=lambda r: (r.number, r.created, r.name), reverse=True)),
        tuple(sorted(mine, key=lambda p: (p.created, p.name))),
        tuple(sorted((e for e in events if e.object_uid in about), key=lambda e: (e.last, e.first, e.uid))),
        events_readable,
    )


def _dict(raw: Raw, key: str) -> Raw:
    return raw.get(key) or {}


def _list(raw: Raw, key: str) -> list[Raw]:
    return raw.get(key) or []


def _number(raw: Raw, key: str, default: int = 0) -> int:
    value = raw.get(key)
    return default if value is None else int(value)


def _metadata(raw: Raw) -> Raw:
    return _dict(raw, "metadata")


def _involved(raw: Raw) -> Raw:
    return _dict(raw, "involvedObject") or _dict(raw, "regarding")


def _template(raw: Raw) -> Template:
    spec = _dict(raw, "spec")
    build = _dict(_metadata(raw), "annotations").get(BUILD, "")
    grace = float(_number(spec, "terminationGracePeriodSeconds", _DEFAULT_GRACE))
    return Template(_containers(spec), build, _dict(spec, "nodeSelector"), grace)


def _containers(spec: Raw) -> tuple[ContainerSpec, ...]:
    lists = ((True, _list(spec, "initContainers")), (False, _list(spec, "containers")))
    return tuple(
        ContainerSpec(raw.get("name", ""), raw.get("image") or "", raw.get("imagePullPolicy") or "", init)
        for init, containers in lists
        for raw in containers
    )


def _statuses(status: Raw) -> tuple[ContainerStatus, ...]:
    lists = ((True, _list(status, "initContainerStatuses")), (False, _list(status, "containerStatuses")))
    return tuple(_status(raw, init) for init, statuses in lists for raw in statuses)


def _status(raw: Raw, init: bool) -> ContainerStatus:
    last = _dict(raw, "lastState").get("terminated")
    return ContainerStatus(
        name=raw.get("name", ""),
        init=init,
        image_id=raw.get("imageID") or "",
        ready=bool(raw.get("ready")),
        restarts=_number(raw, "restartCount"),
        state=_state(_dict(raw, "state")),
        last=_terminated(last) if last else None,
        container_id=raw.get("containerID") or "",
    )


def _state(raw: Raw) -> Waiting | Running | Terminated:
    # The object is a union whose empty form means "waiting", says the API reference.
    if running := raw.get("running"):
        return Running(timestamp(running.get("startedAt")))
    if terminated := raw.get("terminated"):
        return _terminated(terminated)
    waiting = _dict(raw, "waiting")
    return Waiting(waiting.get("reason") or "", waiting.get("message") or "")


def _terminated(raw: Raw) -> Terminated:
    return Terminated(
        exit_code=_number(raw, "exitCode"),
        signal=_number(raw, "signal"),
        reason=raw.get("reason") or "",
        message=raw.get("message") or "",
        started_at=timestamp(raw.get("startedAt")),
        finished_at=timestamp(raw.get("finishedAt")),
    )


def _conditions(status: Raw) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            type=raw.get("type", ""),
            status=raw.get("status", ""),
            reason=raw.get("reason") or "",
            message=raw.get("message") or "",
            since=timestamp(raw.get("lastTransitionTime")),
        )
        for raw in _list(status, "conditions")
    )


def _manager(raw: Raw) -> Manager:
    return Manager(
        name=raw.get("manager", ""),
        operation=raw.get("operation", ""),
        time=timestamp(raw.get("time")),
        subresource=raw.get("subresource") or "",
        fields=_dict(raw, "fieldsV1"),
    )
