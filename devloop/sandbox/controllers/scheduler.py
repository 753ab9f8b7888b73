"""The scheduler: a node for each Pod, the one with the fewest of its kind."""

from collections.abc import Iterable
from typing import Any

from devloop.sandbox import kinds, times
from devloop.sandbox.controllers.base import Controller, Key
from devloop.sandbox.controllers.conditions import condition
from devloop.sandbox.controllers.ownership import controller_of
from devloop.sandbox.recorder import Recorder
from devloop.sandbox.resources import Resources
from devloop.sandbox.store import Change

Raw = dict[str, Any]


class Scheduler(Controller):
    """Binds Pods to nodes; it knows node selectors and cordons, nothing of resources."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._recorder = Recorder(resources, "default-scheduler")

    def concerned(self, change: Change) -> Iterable[Key]:
        if change.plural == kinds.POD.plural and change.type != "DELETED":
            yield _key(change.object)
        elif change.plural == kinds.NODE.plural:
            yield from (_key(pod) for pod in self.resources.all_of(kinds.POD) if not pod["spec"].get("nodeName"))

    def reconcile(self, key: Key) -> None:
        pod = self.resources.find(kinds.POD, *key)
        if pod is None or pod["spec"].get("nodeName") or pod["metadata"].get("deletionTimestamp"):
            return None
        nodes = self.resources.all_of(kinds.NODE)
        fitting = [node for node in nodes if _takes(node, pod)]
        if not fitting:
            return self._refuse(pod, nodes)
        name = min(fitting, key=lambda node: self._load(node["metadata"]["name"], pod))["metadata"]["name"]
        status = {**pod["status"], "conditions": [_scheduled("True")]}
        self.resources.store.put(kinds.POD, {**pod, "spec": {**pod["spec"], "nodeName": name}, "status": status})
        message = f"Successfully assigned {'/'.join(key)} to {name}"
        return self._recorder.say_once(pod, "Normal", "Scheduled", message, "Binding")

    def _load(self, node: str, pod: Raw) -> tuple[int, int, str]:
        there = [each for each in self.resources.all_of(kinds.POD) if each["spec"].get("nodeName") == node]
        owner = (controller_of(pod) or {}).get("uid")
        return sum((controller_of(each) or {}).get("uid") == owner for each in there), len(there), node

    def _refuse(self, pod: Raw, nodes: list[Raw]) -> None:
        cordoned = sum(bool(node.get("spec", {}).get("unschedulable")) for node in nodes)
        other = len(nodes) - cordoned
        parts = [f"{cordoned} node(s) were unschedulable"] if cordoned else []
        parts += [f"{other} node(s) didn't match Pod's node affinity/selector"] if other else []
        message = f"0/{len(nodes)} nodes are available: {', '.join(parts)}."
        said = condition(pod["status"], "PodScheduled")
        if said and said.get("message") == message:
            return
        status = {**pod["status"], "conditions": [_scheduled("False", "Unschedulable", message)]}
        self.resources.store.put(kinds.POD, {**pod, "status": status})
        self._recorder.say_once(pod, "Warning", "FailedScheduling", message, "Scheduling")


def _takes(node: Raw, pod: Raw) -> bool:
    labels, wanted = node["metadata"].get("labels") or {}, pod["spec"].get("nodeSelector") or {}
    return not node.get("spec", {}).get("unschedulable") and wanted.items() <= labels.items()


def _scheduled(status: str, reason: str = "", message: str = "") -> Raw:
    made: Raw = {"type": "PodScheduled", "status": status, "lastProbeTime": None, "lastTransitionTime": times.now(),
                 "observedGeneration": 1}  # fmt: skip
    return made | ({"reason": reason, "message": message} if reason else {})


def _key(pod: Raw) -> Key:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]
