"""The status of a Pod, as its kubelet writes it. Pure but for the clock."""

from collections.abc import Sequence
from typing import Any

from devloop.sandbox import times
from devloop.sandbox.containerstate import ContainerState
from devloop.sandbox.controllers.conditions import condition

Raw = dict[str, Any]


def pod_status(before: Raw, spec: Raw, generation: int, containers: Sequence[ContainerState], addresses: Raw) -> Raw:
    """What becomes of the status that was there; `addresses` are the Pod's and the node's."""
    init = [c for c in containers if c.init]
    main = [c for c in containers if not c.init]
    phase = _phase(spec, init, main)
    status: Raw = {**before, **addresses, "observedGeneration": generation, "phase": phase}
    status |= {"conditions": _conditions(before, phase, generation, init, main)}
    status |= {"containerStatuses": [each.status() for each in main]}
    if init:
        status |= {"initContainerStatuses": [each.status() for each in init]}
    status.setdefault("startTime", times.now())
    return status


def _phase(spec: Raw, init: Sequence[ContainerState], main: Sequence[ContainerState]) -> str:
    if any(each.over and not each.succeeded for each in init):
        return "Failed"
    if any(not each.succeeded for each in init):
        return "Pending"
    if all(each.over for each in main):
        return "Succeeded" if all(each.succeeded for each in main) else "Failed"
    if any("waiting" in each.state and not each.last for each in main):
        return "Pending"
    return "Running"


def _conditions(
    before: Raw, phase: str, generation: int, init: Sequence[ContainerState], main: Sequence[ContainerState]
) -> list[Raw]:
    ended = phase in {"Succeeded", "Failed"}
    unready = [each.name for each in main if not each.ready]
    waiting = [each.name for each in init if not each.succeeded]
    reason, message = "", ""
    if phase == "Succeeded":
        reason = "PodCompleted"
    elif phase == "Failed":
        reason = "PodFailed"
    elif unready:
        reason, message = "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    initialized = ("ContainersNotInitialized", f"containers with incomplete status: [{' '.join(waiting)}]")
    found = [
        _condition(before, "PodReadyToStartContainers", not ended, generation),
        _condition(before, "Initialized", not waiting, generation, *(initialized if waiting else ("",)))
        if phase != "Succeeded"
        else _condition(before, "Initialized", True, generation, "PodCompleted"),
        _condition(before, "Ready", not unready and not ended, generation, reason, message),
        _condition(before, "ContainersReady", not unready and not ended, generation, reason, message),
    ]
    scheduled = condition(before, "PodScheduled")
    return [*found, *([scheduled] if scheduled else [])]


def _condition(before: Raw, type_: str, value: bool, generation: int, reason: str = "", message: str = "") -> Raw:
    said, text = condition(before, type_), str(value)
    since = said["lastTransitionTime"] if said and said["status"] == text else times.now()
    made: Raw = {"type": type_, "status": text, "observedGeneration": generation, "lastProbeTime": None,
                 "lastTransitionTime": since}  # fmt: skip
    made |= {"reason": reason} if reason else {}
    return made | ({"message": message} if message else {})
