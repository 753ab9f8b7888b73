"""The ReplicaSet controller: as many Pods as asked for."""

import time
from collections.abc import Iterable
from typing import Any

from devloop.sandbox import kinds, times
from devloop.sandbox.controllers.base import MANAGER, Controller, Key
from devloop.sandbox.controllers.conditions import condition, with_condition, without_condition
from devloop.sandbox.controllers.ownership import controller_of, owned, reference
from devloop.sandbox.errors import ApiError
from devloop.sandbox.recorder import Recorder
from devloop.sandbox.resources import Resources
from devloop.sandbox.store import Change

Raw = dict[str, Any]


class ReplicaSetController(Controller):
    """Makes and deletes Pods, and counts them."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._recorder = Recorder(resources, "replicaset-controller")

    def concerned(self, change: Change) -> Iterable[Key]:
        metadata = change.object["metadata"]
        if change.plural == kinds.REPLICA_SET.plural:
            yield metadata["namespace"], metadata["name"]
        elif change.plural == kinds.POD.plural:
            owner = controller_of(change.object)
            if owner and owner["kind"] == kinds.REPLICA_SET.name:
                yield metadata["namespace"], owner["name"]

    def reconcile(self, key: Key) -> None:
        found = self.resources.find(kinds.REPLICA_SET, *key)
        if found is None:
            return
        pods = owned(self.resources, kinds.POD, found)
        active = [pod for pod in pods if _is_active(pod)]
        failure: ApiError | None = None
        if not found["metadata"].get("deletionTimestamp"):
            failure = self._size(found, active)
        self._count(found, failure)
        if failure is not None:
            raise failure

    def _size(self, found: Raw, active: list[Raw]) -> ApiError | None:
        wanted = int(found["spec"].get("replicas", 1))
        try:
            for _ in range(wanted - len(active)):
                self._create(found)
        except ApiError as error:
            return error
        for pod in sorted(active, key=_dispensable)[: max(0, len(active) - wanted)]:
            name = pod["metadata"]["name"]
            self.resources.delete(kinds.POD, pod["metadata"]["namespace"], name)
            self._recorder.say(found, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")
        return None

    def _create(self, found: Raw) -> None:
        template = found["spec"]["template"]
        metadata = {**template["metadata"], "generateName": f"{found['metadata']['name']}-"}
        body = {"metadata": {**metadata, "ownerReferences": [reference(found)]}, "spec": template["spec"]}
        try:
            pod = self.resources.create(kinds.POD, found["metadata"]["namespace"], body, MANAGER)
        except ApiError as error:
            self._recorder.say(found, "Warning", "FailedCreate", f"Error creating: {error.message}")
            raise
        self._recorder.say(found, "Normal", "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")

    def _count(self, found: Raw, failure: ApiError | None) -> None:
        pods = owned(self.resources, kinds.POD, found)
        active = [pod for pod in pods if _is_active(pod)]
        ready = [pod for pod in active if _ready_since(pod) is not None]
        wait = int(found["spec"].get("minReadySeconds", 0))
        lasting = [pod for pod in ready if not wait or time.time() - (_ready_since(pod) or 0.0) >= wait]
        labels = (found["spec"]["template"]["metadata"].get("labels") or {}).items()
        full = [pod for pod in active if labels <= (pod["metadata"].get("labels") or {}).items()]
        counts = {"fullyLabeledReplicas": len(full), "readyReplicas": len(ready), "availableReplicas": len(lasting)}
        before = found.get("status", {})
        status = {"replicas": len(active), "observedGeneration": found["metadata"]["generation"]}
        status |= {key: value for key, value in counts.items() if value}
        status |= {"terminatingReplicas": sum("deletionTimestamp" in pod["metadata"] for pod in pods)}
        status |= {"conditions": before["conditions"]} if before.get("conditions") else {}
        if failure is None:
            status = without_condition(status, "ReplicaFailure")
        elif condition(status, "ReplicaFailure") is None:
            status = with_condition(status, "ReplicaFailure", "True", "FailedCreate", failure.message)
        if status != before:
            self.resources.change(kinds.REPLICA_SET, found, lambda live: {**live, "status": status}, MANAGER, "status")
        if len(lasting) < len(ready):
            self.look_later((found["metadata"]["namespace"], found["metadata"]["name"]), 1.0)


def _is_active(pod: Raw) -> bool:
    ended = pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
    return not ended and "deletionTimestamp" not in pod["metadata"]


def _ready_since(pod: Raw) -> float | None:
    found = condition(pod.get("status", {}), "Ready")
    return times.seconds(found["lastTransitionTime"]) if found and found["status"] == "True" else None


def _dispensable(pod: Raw) -> tuple[bool, bool, bool, float]:
    """The first ones go first: without a node, not running, not ready, the youngest."""
    status = pod.get("status", {})
    assigned, running = bool(pod["spec"].get("nodeName")), status.get("phase") == "Running"
    ready = _ready_since(pod) is not None
    return assigned, running, ready, -times.seconds(pod["metadata"]["creationTimestamp"])
