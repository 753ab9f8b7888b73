"""What one Pod waited for between its creation and being ready, one thing after the other."""

from collections.abc import Iterator

from devloop.core.checkup import in_bytes
from devloop.core.pulls import pull_seconds, pulled_bytes
from devloop.core.why.slowprobe import readiness
from devloop.core.why.wait import Ready, Wait, WaitCode, within
from devloop.core.workload import ClusterEvent, Deployment, Pod, Running, Snapshot, Terminated

_Events = tuple[ClusterEvent, ...]


def of_pod(snapshot: Snapshot, deployment: Deployment, ready: Ready) -> Iterator[Wait]:
    """Every wait of that Pod, in its order."""
    pod, events = ready.pod, snapshot.events_about(ready.pod.uid)
    see = f"kubectl describe pod/{pod.name} -n {deployment.key.namespace}"
    started = _all_started(ready)
    scheduled = min(started, _since(pod, "PodScheduled", pod.created))
    network = min(started, _network_at(pod, scheduled, events))
    yield Wait(WaitCode.SCHEDULING, scheduled - pod.created, f"Pod {pod.name} waited for a node", f"see why: {see}")
    message = f"{pod.node} made ready network and volumes of Pod {pod.name}"
    yield Wait(WaitCode.SANDBOX, network - scheduled, message, f"see: {see}")
    yield from within((*_pulled(ready, events), *_init(pod)), started - network)
    yield from readiness(deployment, ready, started, events)


def _all_started(ready: Ready) -> float:
    """When the last of its containers was started: they are pulled and started one after another."""
    own = (each.state for each in ready.pod.containers if not each.init)
    times = (state.started_at for state in own if isinstance(state, Running) and state.started_at <= ready.at)
    return max(times, default=ready.at)


def _since(pod: Pod, type_: str, earliest: float) -> float:
    """When that condition became true, `earliest` where it did not tell."""
    condition = pod.condition(type_)
    return max(earliest, condition.since) if condition is not None and condition.status == "True" else earliest


def _network_at(pod: Pod, scheduled: float, events: _Events) -> float:
    """Kubelets before 1.36 tell it only after the first pull, which comes behind it."""
    told = _since(pod, "PodReadyToStartContainers", scheduled)
    pulls = (event for event in events if event.reason in {"Pulling", "Pulled"})
    return max(scheduled, min([told, *(event.first - (pull_seconds(event.message) or 0.0) for event in pulls)]))


def _pulled(ready: Ready, events: _Events) -> Iterator[Wait]:
    for event in events:
        first = event.reason == "Pulled" and event.last <= ready.at
        seconds = pull_seconds(event.message) if first else None
        if seconds:
            size = pulled_bytes(event.message)
            much = f", {in_bytes(size)} when nothing of it is there" if size else ""
            container = event.field_path.partition("{")[2].rstrip("}")
            message = f"{ready.pod.node} pulled the image of container {container}{much}"
            fix = (
                "make the layers that change small: copy source last, behind what it needs; "
                "leave out what only the build needs (a stage of its own); start from a smaller base"
            )
            yield Wait(WaitCode.IMAGE_SIZE, seconds, message, fix)


def _init(pod: Pod) -> Iterator[Wait]:
    for status in pod.containers:
        if status.init and isinstance(status.state, Terminated):
            ran = status.state.finished_at - status.state.started_at
            message = f"init container {status.name} ran before the others could start"
            yield Wait(WaitCode.INIT, ran, message, f"make it faster, or leave {status.name} out while you develop")
