"""Why a rollout does not get on: what its conditions, Pods and Events say, as troubles with a way out."""

import re
from collections.abc import Iterator, Sequence

from devloop.core.crash import crash_trouble, explain_crash
from devloop.core.failure import Failure, FailureCode
from devloop.core.pull import pull_trouble
from devloop.core.room import holds_room, max_unavailable, no_room, old_replicas, surge_blocked
from devloop.core.status import ContainerRef, Rolling, Trouble
from devloop.core.workload import ClusterEvent, ContainerStatus, Deployment, Pod, Revision, Running, Snapshot, Waiting

__all__ = ["at_deadline", "diagnose", "explain_crash", "relapses"]

# Container states' `waiting.reason`, from kubernetes/pkg/kubelet/kuberuntime: the container cannot be made at all.
_CONFIG_REASONS = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "PreCreateHookError",
    "PreStartHookError",
    "PostStartHookError",
    "RunContainerError",
}
_RUNTIME_WRAPPING = re.compile(
    r"(?:failed to (?:create|start) containerd task: |failed to create shim task: |OCI runtime create failed: "
    r"|runc create failed: |unable to start container process: )"
)
_NOT_CREATED = (
    (
        "exec format error",
        FailureCode.WRONG_ARCHITECTURE,
        "build for the nodes: set `platform` in the service's `build` (`kubectl get nodes -o wide` shows theirs)",
    ),
    (
        "exec: ",
        FailureCode.CONTAINER_CONFIG,
        "put the command into the image, or correct `command` of the container or the image's ENTRYPOINT",
    ),
    (
        "",
        FailureCode.CONTAINER_CONFIG,
        "create what it names (a ConfigMap, a Secret, a key), or correct the reference to it in the workload",
    ),
)
_NOT_SCHEDULED = (
    (
        "affinity/selector",
        "correct the workload's `nodeSelector` or `affinity`, or label a node so: `kubectl get nodes --show-labels`",
    ),
    ("taint", "give the Pods a toleration, or remove the taint: `kubectl describe nodes` shows both"),
    ("persistentvolumeclaim", "its Pods wait for a volume: `kubectl get pvc -n {namespace}` shows which"),
    ("", "lower its requests, or make room: `kubectl describe nodes` shows what is taken"),
)
_MOUNT_REASONS = {"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"}
_TELLING_MOST = (
    FailureCode.WRONG_ARCHITECTURE,
    FailureCode.IMAGE_PULL,
    FailureCode.CONTAINER_CONFIG,
    FailureCode.CRASH,
    FailureCode.REPLICAS_REFUSED,
    FailureCode.NO_SURGE_ROOM,
    FailureCode.UNSCHEDULABLE,
    FailureCode.NOT_READY,
)
_LIMITED = re.compile(r"usage per (?:Container|Pod) is|limit to request ratio per")
"""What a LimitRange says, from kubernetes/plugin/pkg/admission/limitranger; it does not say that it is one."""
_TRANSIENT_REFUSAL = re.compile(r"failed calling webhook|context deadline exceeded|connection refused|timed? ?out")


_WARM_UP = 2.0
"""Seconds; a guess at what most programs take to listen. A probe that fails once within them is not worth a word."""


def diagnose(snapshot: Snapshot, revision: Revision | None) -> tuple[Trouble, ...]:
    """The troubles of one revision's rollout, the most telling first; each key once."""
    deployment = snapshot.deployment
    if deployment is None:
        return ()
    found = [*_of_workload(snapshot, deployment, revision)]
    if revision is not None:
        found += [t for pod in snapshot.pods_of(revision) for t in _of_pod(snapshot, revision, pod)]
    first = {t.key: t for t in sorted(found, key=_rank, reverse=True)}
    troubles = tuple(sorted(first.values(), key=_rank))
    late = _progress_deadline(deployment, revision, troubles)
    return (*troubles, late) if late is not None else troubles


def relapses(snapshot: Snapshot, revision: Revision) -> tuple[Trouble, ...]:
    """Crashes of containers that are ready again; without a readiness probe that means no more than started again."""
    namespace = snapshot.key.namespace
    found = (
        crash_trouble(namespace, pod, status, [e for e in snapshot.events_about(pod.uid) if _about(e, status)])
        for pod in snapshot.pods_of(revision)
        for status in pod.containers
        if not pod.terminating and not status.init
    )
    return tuple(sorted((t for t in found if t is not None), key=_rank))


def at_deadline(snapshot: Snapshot, rolling: Rolling, timeout: float) -> Failure:
    """What a rollout that is still rolling after `timeout` seconds has failed with."""
    after = duration(timeout)
    if rolling.troubles:
        failure = min(rolling.troubles, key=_rank).failure
        return Failure(failure.code, f"{failure.message}, still so after {after}", failure.hint)
    if (pod := _left_alone(snapshot)) is not None:
        return Failure(
            FailureCode.NOT_READY,
            f"{pod.node} has not begun to start Pod {pod.name} after {after}",
            f"its kubelet may be away: `kubectl describe node {pod.node}` shows when it was heard of last",
        )
    return Failure(
        FailureCode.ROLLOUT_TIMEOUT,
        f"{snapshot.key} did not finish its rollout within {after}: {rolling.text}",
        f"give it more time with `rollout_timeout` in [loop], or see "
        f"`kubectl describe {snapshot.key} -n {snapshot.key.namespace}`",
    )


def _left_alone(snapshot: Snapshot) -> Pod | None:
    """A Pod of the newest revision that was given to a node, of which no kubelet has said anything."""
    newest = next(iter(snapshot.revisions), None)
    pods = snapshot.pods_of(newest) if newest is not None else ()
    return next((p for p in pods if p.node and p.phase == "Pending" and not p.containers and not p.terminating), None)


def duration(seconds: float) -> str:
    """`90.0` as `1m30s`."""
    minutes, rest = divmod(seconds, 60)
    return (f"{minutes:.0f}m" if minutes else "") + (f"{rest:g}s" if rest or not minutes else "")


def _rank(trouble: Trouble) -> tuple[bool, int]:
    code = trouble.failure.code
    return (not trouble.ends, _TELLING_MOST.index(code) if code in _TELLING_MOST else len(_TELLING_MOST))


def _of_workload(snapshot: Snapshot, deployment: Deployment, revision: Revision | None) -> Iterator[Trouble]:
    progressing = deployment.condition("Progressing")
    if revision is None:
        if progressing is not None and progressing.reason in {"ReplicaSetCreateError", "FailedCreate"}:
            what = f"{deployment.key} cannot make its new ReplicaSet"
            yield _refused(deployment.key.namespace, what, progressing.message, "revision")
        return
    refusal = revision.condition("ReplicaFailure")
    if refusal is not None and refusal.status == "True" and refusal.reason == "FailedCreate":
        yield _replicas_refused(snapshot, deployment, revision, refusal.message)


def _replicas_refused(snapshot: Snapshot, deployment: Deployment, revision: Revision, message: str) -> Trouble:
    if "exceeded quota" not in message:
        what = f"the API server refuses the new Pods of {deployment.key}"
        return _refused(deployment.key.namespace, what, message, revision.name)
    detail = message.partition("forbidden: ")[2] or message
    # Pods that end soon, or that the strategy lets go, make room in the quota: the controller tries again.
    passing = any(p.terminating for p in snapshot.pods) or (
        old_replicas(snapshot, revision) > 0 and max_unavailable(deployment) > 0
    )
    if surge_blocked(snapshot, revision):
        failure = no_room(deployment, detail)
        return Trouble(f"{failure.code}:{revision.name}", failure, ends=not passing)
    failure = Failure(
        FailureCode.REPLICAS_REFUSED,
        f"the quota of namespace {deployment.key.namespace} refuses the new Pods of {deployment.key}: {detail}",
        f"raise the quota or free something: `kubectl describe quota -n {deployment.key.namespace}`",
    )
    return Trouble(f"{failure.code}:{revision.name}", failure, ends=not passing)


def _refused(namespace: str, what: str, message: str, about: str) -> Trouble:
    detail = re.sub(r'^(?:Error creating: )?(?:pods|replicasets\.apps) "[^"]*" is forbidden: ', "", message)
    hint = "change what the policy, webhook or quota named there objects to, or ask who runs the cluster"
    if _LIMITED.search(detail):
        hint = f"keep to the limits of the namespace, or change them: `kubectl describe limitrange -n {namespace}`"
    failure = Failure(FailureCode.REPLICAS_REFUSED, f"{what}: {detail}", hint)
    return Trouble(f"{failure.code}:{about}", failure, ends=not _TRANSIENT_REFUSAL.search(message))


def _of_pod(snapshot: Snapshot, revision: Revision, pod: Pod) -> Iterator[Trouble]:
    if pod.terminating or pod.ready:
        return
    events = snapshot.events_about(pod.uid)
    if pod.phase == "Failed":
        yield _not_ready(
            snapshot.key.namespace, pod, "pod", f"Pod {pod.name} failed{_on(pod)}: {pod.message or pod.reason}"
        )
        return
    scheduled = pod.condition("PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        yield _unscheduled(snapshot, revision, pod, scheduled.message or scheduled.reason)
        return
    for status in pod.containers:
        about = [e for e in events if _about(e, status)]
        yield from _of_container(snapshot.key.namespace, pod, status, about, revision.template.build)
    if any(isinstance(s.state, Waiting) and not s.restarts for s in pod.containers):
        yield from _unmounted(snapshot, revision, pod, events)
    if any(e.reason == "NodeNotReady" for e in events):
        yield _not_ready(
            snapshot.key.namespace, pod, "node", f"{pod.node}, the node of Pod {pod.name}, does not answer the cluster"
        )


def _of_container(
    namespace: str, pod: Pod, status: ContainerStatus, events: Sequence[ClusterEvent], build: str
) -> Iterator[Trouble]:
    if (pull := pull_trouble(namespace, pod, status, events, build)) is not None:
        yield pull
    elif isinstance(status.state, Waiting) and status.state.reason in _CONFIG_REASONS:
        yield _not_created(pod, status, status.state)
    elif not status.ready and (crash := crash_trouble(namespace, pod, status, events)) is not None:
        yield crash
    elif isinstance(status.state, Running) and not status.ready:
        yield from _failing_probe(namespace, pod, status, events)


def _not_created(pod: Pod, status: ContainerStatus, waiting: Waiting) -> Trouble:
    cause = _RUNTIME_WRAPPING.sub("", waiting.message) or waiting.reason
    code, hint = next((code, hint) for pattern, code, hint in _NOT_CREATED if pattern in cause)
    message = f"container {status.name} of Pod {pod.name} cannot be started{_on(pod)}: {cause}"
    return Trouble(f"{code}:{pod.revision}:{status.name}", Failure(code, message, hint), ends=True)


def _failing_probe(
    namespace: str, pod: Pod, status: ContainerStatus, events: Sequence[ClusterEvent]
) -> Iterator[Trouble]:
    unhealthy = [e.message for e in events if e.reason == "Unhealthy" and not _while_starting(e, status)]
    if not unhealthy:
        return
    message = " ".join(unhealthy[-1].split())
    logs = (ContainerRef(pod.name, status.name, running=True),)
    yield _not_ready(
        namespace, pod, status.name, f"container {status.name} of Pod {pod.name} is not ready: {message}", logs
    )


def _while_starting(event: ClusterEvent, status: ContainerStatus) -> bool:
    """Whether the probe only met a program that had just been started, as it does at almost every start."""
    running = status.state
    return isinstance(running, Running) and event.count <= 1 and event.last - running.started_at < _WARM_UP


def _not_ready(namespace: str, pod: Pod, about: str, message: str, logs: tuple[ContainerRef, ...] = ()) -> Trouble:
    hint = f"`kubectl describe pod {pod.name} -n {namespace}` shows {'the probe and its answers' if logs else 'more'}"
    return Trouble(
        f"{FailureCode.NOT_READY}:{pod.revision}:{about}", Failure(FailureCode.NOT_READY, message, hint), logs
    )


def _unscheduled(snapshot: Snapshot, revision: Revision, pod: Pod, message: str) -> Trouble:
    # What follows the first sentence is about claims and preemption, and long.
    detail = message.partition(". ")[0].rstrip(".")
    if snapshot.deployment is not None and holds_room(detail) and surge_blocked(snapshot, revision):
        failure = no_room(snapshot.deployment, detail)
    else:
        failure = Failure(
            FailureCode.UNSCHEDULABLE,
            f"no node can take Pod {pod.name}: {detail}",
            _room_hint(detail, snapshot.key.namespace),
        )
    return Trouble(f"{failure.code}:{pod.revision}", failure)


def _room_hint(detail: str, namespace: str) -> str:
    """Where something is taken, room helps, whatever else is said of other nodes."""
    known = _NOT_SCHEDULED[-1:] if holds_room(detail) else _NOT_SCHEDULED
    return next(hint for words, hint in known if words in detail.lower()).format(namespace=namespace)


def _unmounted(snapshot: Snapshot, revision: Revision, pod: Pod, events: Sequence[ClusterEvent]) -> Iterator[Trouble]:
    failed = [e for e in events if e.reason in _MOUNT_REASONS]
    if not failed:
        return
    message = " ".join(failed[-1].message.split())
    if snapshot.deployment is not None and holds_room(message) and surge_blocked(snapshot, revision):
        failure = no_room(snapshot.deployment, message)
    else:
        failure = Failure(
            FailureCode.CONTAINER_CONFIG,
            f"Pod {pod.name} waits{_on(pod)}: {message}",
            "make the volume, ConfigMap or Secret that it names, or correct the Pod's spec",
        )
    yield Trouble(f"{failure.code}:{pod.revision}:pod", failure)


def _progress_deadline(
    deployment: Deployment, revision: Revision | None, troubles: Sequence[Trouble]
) -> Trouble | None:
    progressing = deployment.condition("Progressing")
    if revision is None or progressing is None or progressing.reason != "ProgressDeadlineExceeded":
        return None
    if progressing.since < revision.created:
        return None  # It is about an earlier revision: the controller has not looked at this one yet.
    message = f"{deployment.key} made no progress for {duration(deployment.progress_deadline)}"
    hint = f"`kubectl describe {deployment.key} -n {deployment.key.namespace}` shows more"
    logs: tuple[ContainerRef, ...] = ()
    if troubles:
        cause = troubles[0]
        message, hint, logs = f"{message}: {cause.failure.message}", cause.failure.hint, cause.logs
    failure = Failure(FailureCode.PROGRESS_DEADLINE, message, hint)
    return Trouble(f"{failure.code}:{revision.name}", failure, logs, ends=True)


def _about(event: ClusterEvent, status: ContainerStatus) -> bool:
    kind = "initContainers" if status.init else "containers"
    return event.field_path == f"spec.{kind}{{{status.name}}}"


def _on(pod: Pod) -> str:
    return f" on {pod.node}" if pod.node else ""
