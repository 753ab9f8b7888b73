"""Rollouts made by hand, for telling what they wait for; times are seconds since the first Pod was made."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from devloop.core.service import WorkloadKey
from devloop.core.why.slow import Slowness, Wait, slowness
from devloop.core.workload import ClusterEvent, Condition, Pod, Running, Snapshot
from tests.core.workloads import TEMPLATE, event, pod, revision, snapshot

BEGAN = 1_000.0


def made(name: str = "web-new-1", *, at: float = 0, scheduled: float = 0, started: float = 1, ready: float = 1) -> Pod:
    """A ready Pod of the newest revision."""
    whens = {"PodScheduled": at + scheduled, "Ready": at + ready}
    conditions = tuple(Condition(type_, "True", since=BEGAN + when) for type_, when in whens.items())
    found = pod(name, "web-new", state=Running(BEGAN + at + started))
    return replace(found, created=BEGAN + at, conditions=conditions)


def scene(*pods: Pod, events: tuple[ClusterEvent, ...] = (), grace: float = 30, **spec: Any) -> Snapshot:
    """A Deployment whose container has these fields; `workload`: fields of its own spec, `completed`: when its rollout
    was; `grace`: seconds that its old Pods have to end."""
    workload: Mapping[str, Any] = spec.pop("workload", {})
    pod_spec: Mapping[str, Any] = spec.pop("pod_spec", {})
    conditions = [completed(spec.pop("completed"))] if "completed" in spec else []
    raw = {
        "spec": {**workload, "template": {"spec": {"containers": [{"name": "web", **spec}], **pod_spec}}},
        "status": {"conditions": conditions},
    }
    count = len(pods)
    fields: dict[str, Any] = {"raw": raw, "replicas": count}
    if "strategy" in workload:
        fields |= {"strategy": workload["strategy"]["type"]}
    old = revision("web-old", number=1, replicas=0, template=replace(TEMPLATE, grace=grace))
    return snapshot(*pods, revisions=(revision(replicas=count), old), events=events, **fields)


def completed(at: float) -> Mapping[str, Any]:
    """What the Deployment controller writes when a rollout is complete."""
    when = datetime.fromtimestamp(BEGAN + at, UTC).isoformat()
    return {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "lastUpdateTime": when}


def of_kind(found: Snapshot, kind: str, **update: Any) -> Snapshot:
    """The same as a StatefulSet or a DaemonSet, with this `updateStrategy`."""
    assert found.deployment is not None
    raw = {**found.deployment.raw, "spec": {**found.deployment.raw["spec"], "updateStrategy": update}}
    fields = {"key": WorkloadKey("shop", kind, "web"), "raw": raw, "strategy": update.get("type", "RollingUpdate")}
    return replace(found, deployment=replace(found.deployment, **fields))


def told(found: Snapshot, *ends: ClusterEvent) -> Slowness:
    """Whatever is told: its waits are parts of the whole."""
    answer = slowness(found, "web-new", ends)
    assert all(wait.seconds > 0 for wait in answer.waits)
    assert sum(wait.seconds for wait in answer.waits) <= answer.seconds
    return answer


def measured(found: Snapshot, *ends: ClusterEvent) -> dict[str, float]:
    return {str(wait.code): wait.seconds for wait in told(found, *ends).waits}


def wait_of(found: Snapshot, code: str, *ends: ClusterEvent) -> Wait:
    (wait,) = [each for each in told(found, *ends).waits if each.code == code]
    return wait


def killed(name: str, at: float, uid: str = "", container: str = "web") -> ClusterEvent:
    when, said = BEGAN + at, f"Stopping container {container}"
    path = f"spec.containers{{{container}}}"
    return ClusterEvent(uid or f"uid-{name}-old", "Pod", name, path, "Normal", "Killing", said, 1, when, when)


def failing(about: Pod, message: str, at: float, container: str = "web") -> ClusterEvent:
    return event(about, "Unhealthy", message, container, last=BEGAN + at)
