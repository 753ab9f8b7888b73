"""The scale subresource: the number of Pods of a workload, as autoscalers and `kubectl scale` see it."""

from typing import Any

from devloop.sandbox.errors import bad_request, conflict
from devloop.sandbox.patches import patched
from devloop.sandbox.selectors import written as selector_text

Raw = dict[str, Any]
_SHARED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def seen(workload: Raw) -> Raw:
    """The autoscaling/v1 Scale of a workload."""
    metadata = {key: workload["metadata"][key] for key in _SHARED if key in workload["metadata"]}
    replicas = workload["spec"].get("replicas", 1)
    status = {"replicas": workload.get("status", {}).get("replicas", 0)}
    status |= {"selector": selector_text(workload["spec"].get("selector"))}
    head = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata}
    return {**head, "spec": {"replicas": replicas} if replicas else {}, "status": status}


def written(workload: Raw, scale: Any) -> Raw:
    """The workload with the number that a Scale asks for."""
    if not isinstance(scale, dict):
        raise bad_request("the object provided is unrecognized (must be of type Scale)")
    asked = (scale.get("metadata") or {}).get("resourceVersion")
    if asked and asked != workload["metadata"]["resourceVersion"]:
        group, _, _ = workload["apiVersion"].partition("/")
        raise conflict(workload["metadata"]["name"], group, f"{workload['kind'].lower()}s")
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    return {**workload, "spec": {**workload["spec"], "replicas": replicas}}


def patched_with(workload: Raw, type_: str, patch: Any) -> Raw:
    return written(workload, patched(type_, seen(workload), patch))
