"""What one Pod waited for between its creation and being ready."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from devloop.core.checkup import in_bytes
from devloop.core.pulls import pull_seconds, pulled_bytes
from devloop.core.why.fixes import POD, patch
from devloop.core.workload import ClusterEvent, ContainerStatus, Deployment, Pod, Running, Snapshot, Terminated

Raw = Mapping[str, Any]
_PROBES = ("startupProbe", "readinessProbe")
_PERIOD = 10.0
"""Seconds; `periodSeconds` of a probe when it is not written."""


class WaitCode(StrEnum):
    """What is waited for; part of the output contract (`docs/why.md`)."""

    GRACE = "grace-period"
    SURGE = "surge"
    SCHEDULING = "scheduling"
    SANDBOX = "sandbox"
    IMAGE_SIZE = "image-size"
    INIT = "init-containers"
    INITIAL_DELAY = "initial-delay"
    SLOW_START = "slow-start"
    PROBE_PERIOD = "probe-period"
    MIN_READY = "min-ready"


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that a rollout waits for."""

    code: WaitCode
    seconds: float
    message: str
    fix: str
    """A command, or a sentence where no command mends it."""


def ready_at(pod: Pod) -> float:
    """When it became ready; 0.0 while it is not."""
    condition = pod.condition("Ready")
    return condition.since if condition is not None and condition.status == "True" else 0.0


def of_pod(snapshot: Snapshot, deployment: Deployment, pod: Pod) -> Iterator[Wait]:
    """Every wait of that Pod, in its order; `initial-delay`, `slow-start` and `probe-period` share the time between the
    start of a container and the Pod's readiness."""
    events = snapshot.events_about(pod.uid)
    scheduled = _since(pod, "PodScheduled", pod.created)
    see = f"kubectl describe pod/{pod.name} -n {deployment.key.namespace}"
    yield Wait(WaitCode.SCHEDULING, scheduled - pod.created, f"Pod {pod.name} waited for a node", f"see why: {see}")
    sandbox = _since(pod, "PodReadyToStartContainers", scheduled) - scheduled
    yield Wait(WaitCode.SANDBOX, sandbox, f"{pod.node} made ready network and volumes of Pod {pod.name}", f"see: {see}")
    yield from _pulled(pod, events)
    yield from _init(pod)
    yield from _readiness(deployment, pod, events)


def _since(pod: Pod, type_: str, earliest: float) -> float:
    """When that condition became true, `earliest` where it did not tell."""
    condition = pod.condition(type_)
    return max(earliest, condition.since) if condition is not None and condition.status == "True" else earliest


def _pulled(pod: Pod, events: tuple[ClusterEvent, ...]) -> Iterator[Wait]:
    for event in events:
        first = event.reason == "Pulled" and event.last <= ready_at(pod)
        seconds = pull_seconds(event.message) if first else None
        if seconds:
            size = pulled_bytes(event.message)
            much = f", {in_bytes(size)} when nothing of it is there" if size else ""
            container = event.field_path.partition("{")[2].rstrip("}")
            message = f"{pod.node} pulled the image of container {container}{much}"
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


# readiness -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Gate:
    """The probes that one container has to pass."""

    name: str
    started: float
    probes: Mapping[str, Raw]
    failed: float
    """When one of them failed last before the Pod was ready; 0.0 when none did."""

    @property
    def delay(self) -> float:
        return max(float(probe.get("initialDelaySeconds") or 0) for probe in self.probes.values())

    @property
    def last(self) -> tuple[str, float, int]:
        """The probe that asks last: its key, its seconds between two questions, and how many good answers it wants."""
        key, probe = list(self.probes.items())[-1]
        return key, float(probe.get("periodSeconds") or _PERIOD), int(probe.get("successThreshold") or 1)


def _readiness(deployment: Deployment, pod: Pod, events: tuple[ClusterEvent, ...]) -> Iterator[Wait]:
    gates = list(_gates(deployment, pod, events))
    if not gates:
        return
    # A Pod does not say when each of its containers was ready: the one that failed last, or may ask last, held it up.
    gate = max(gates, key=lambda each: (each.failed, each.started + each.delay, each.last[1]))
    took = ready_at(pod) - gate.started
    delay = min(gate.delay, took)
    failing = min(max(0.0, gate.failed - gate.started - delay), took - delay) if gate.failed else 0.0
    yield from _delayed(deployment, gate, delay)
    message = f"container {gate.name} answered its probes with failures for so long after its start"
    yield Wait(WaitCode.SLOW_START, failing, message, f"find what {gate.name} does before it serves, and do it later")
    yield from _asked(deployment, gate, took - delay - failing)


def _gates(deployment: Deployment, pod: Pod, events: tuple[ClusterEvent, ...]) -> Iterator[_Gate]:
    template: Raw = deployment.raw.get("spec", {}).get("template", {}).get("spec", {})
    for raw in template.get("containers") or ():
        probes = {key: raw[key] for key in _PROBES if raw.get(key)}
        started = _started(pod.container(raw["name"]))
        if probes and 0.0 < started <= ready_at(pod):  # one that was started again later tells nothing of the rollout
            yield _Gate(raw["name"], started, probes, _last_failure(pod, raw["name"], events))


def _started(status: ContainerStatus | None) -> float:
    return status.state.started_at if status is not None and isinstance(status.state, Running) else 0.0


def _last_failure(pod: Pod, container: str, events: tuple[ClusterEvent, ...]) -> float:
    path, until = f"spec.containers{{{container}}}", ready_at(pod)
    failures = (
        event.last
        for event in events
        if event.reason == "Unhealthy"
        and event.field_path == path
        and event.message.startswith(("Readiness probe", "Startup probe"))
    )
    return max((at for at in failures if at <= until), default=0.0)


def _delayed(deployment: Deployment, gate: _Gate, delay: float) -> Iterator[Wait]:
    late = {key: {"initialDelaySeconds": 0} for key, probe in gate.probes.items() if probe.get("initialDelaySeconds")}
    if late:
        named = " and ".join(late)
        message = (
            f"nobody asks container {gate.name} whether it is ready before that (initialDelaySeconds of its {named})"
        )
        yield Wait(WaitCode.INITIAL_DELAY, delay, message, _patch(deployment, gate, late))


def _asked(deployment: Deployment, gate: _Gate, left: float) -> Iterator[Wait]:
    key, period, wanted = gate.last
    again = f", {wanted} times (successThreshold)" if wanted > 1 else ""
    message = (
        f"container {gate.name} is asked every {period:.0f} s{again} whether it is ready (periodSeconds of its {key})"
    )
    if period > 1 or wanted > 1:
        change = {"periodSeconds": 1, **({"successThreshold": 1} if wanted > 1 else {})}
        yield Wait(WaitCode.PROBE_PERIOD, left, message, _patch(deployment, gate, {key: change}))
    else:
        message = f"container {gate.name} was not ready at once, and is asked every second"
        yield Wait(WaitCode.SLOW_START, left, message, f"find what {gate.name} does before it serves, and do it later")


def _patch(deployment: Deployment, gate: _Gate, probes: Mapping[str, Any]) -> str:
    spec, key = deployment.template.container(gate.name), deployment.key
    if "startupProbe" in probes:
        # Its delay, period and failureThreshold are the time that the program has before it is killed.
        edit = f"kubectl edit {key} -n {key.namespace}"
        return f"ask its startupProbe more often, and raise failureThreshold as much: {edit}"
    if spec is None or key.kind == POD:
        return f"change the {' and '.join(probes)} of container {gate.name} where the Pod comes from"
    return patch(key, spec, probes)
