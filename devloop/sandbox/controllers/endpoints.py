"""EndpointSlices: which Pods are behind a Service."""

from collections.abc import Iterable
from typing import Any

from devloop.sandbox import kinds, times
from devloop.sandbox.controllers.base import MANAGER, Controller, Key
from devloop.sandbox.controllers.conditions import condition
from devloop.sandbox.controllers.ownership import owned, reference
from devloop.sandbox.store import Change

Raw = dict[str, Any]
_TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


class EndpointSliceController(Controller):
    """One slice for each Service with a selector."""

    def concerned(self, change: Change) -> Iterable[Key]:
        namespace = change.object["metadata"].get("namespace", "")
        if change.plural == kinds.SERVICE.plural:
            yield namespace, change.object["metadata"]["name"]
        elif change.plural == kinds.POD.plural:
            labels = (change.object["metadata"].get("labels") or {}).items()
            for service in self.resources.all_of(kinds.SERVICE, namespace):
                selector = service["spec"].get("selector") or {}
                if selector and selector.items() <= labels:
                    yield namespace, service["metadata"]["name"]

    def reconcile(self, key: Key) -> None:
        service = self.resources.find(kinds.SERVICE, *key)
        if service is None or not service["spec"].get("selector"):
            return
        wanted = service["spec"]["selector"].items()
        pods = [
            pod
            for pod in self.resources.all_of(kinds.POD, key[0])
            if wanted <= (pod["metadata"].get("labels") or {}).items() and pod.get("status", {}).get("podIP")
            and pod["status"].get("phase") not in {"Succeeded", "Failed"}
        ]  # fmt: skip
        ports = [_port(port, pods) for port in service["spec"].get("ports") or []]
        self._write(service, [_endpoint(pod) for pod in pods], ports)

    def _write(self, service: Raw, endpoints: list[Raw], ports: list[Raw]) -> None:
        namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
        found = owned(self.resources, kinds.ENDPOINT_SLICE, service)
        content: Raw = {"addressType": "IPv4", "endpoints": endpoints, "ports": ports}
        if found and all(found[0].get(key) == value for key, value in content.items()):
            return
        annotations = {_TRIGGER: times.now()}
        if found:
            value = {**found[0], **content, "metadata": {**found[0]["metadata"], "annotations": annotations}}
            self.resources.update(kinds.ENDPOINT_SLICE, namespace, found[0]["metadata"]["name"], value, MANAGER)
            return
        labels = {"kubernetes.io/service-name": name,
                  "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}  # fmt: skip
        metadata = {"generateName": f"{name}-", "labels": labels, "annotations": annotations,
                    "ownerReferences": [reference(service)]}  # fmt: skip
        self.resources.create(kinds.ENDPOINT_SLICE, namespace, {"metadata": metadata, **content}, MANAGER)


def _endpoint(pod: Raw) -> Raw:
    ready = (condition(pod["status"], "Ready") or {}).get("status") == "True"
    ending, metadata = "deletionTimestamp" in pod["metadata"], pod["metadata"]
    target = {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "addresses": [pod["status"]["podIP"]], "nodeName": pod["spec"]["nodeName"], "targetRef": target,
        "conditions": {"ready": ready and not ending, "serving": ready, "terminating": ending},
    }  # fmt: skip


def _port(port: Raw, pods: list[Raw]) -> Raw:
    target = port.get("targetPort", port["port"])
    named = (
        each["containerPort"]
        for pod in pods
        for container in pod["spec"]["containers"]
        for each in container.get("ports") or []
        if each.get("name") == target
    )
    number = target if isinstance(target, int) else next(named, None)
    return {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), "port": number}
