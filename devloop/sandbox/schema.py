"""What Kubernetes' types say of their lists and maps: how items are told apart, and what is replaced as a whole.

From the markers in https://github.com/kubernetes/api (`patchMergeKey`, `listType`, `mapType`), for the kinds that the
sandbox keeps; a field is known by its name, and by its parent's where that is not enough.
"""

from collections.abc import Mapping
from typing import Any

MERGE_KEYS: Mapping[str, str] = {
    "addresses": "type",
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "podIPs": "ip",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""The key that tells the items of a list apart in a strategic merge patch."""
MERGED_SETS = frozenset({"finalizers"})
ATOMIC = frozenset({"selector", "nodeSelector", "matchLabels", "fieldRef", "secretKeyRef", "configMapKeyRef",
                    "resourceFieldRef", "targetRef", "involvedObject", "regarding"})  # fmt: skip
ALWAYS_THERE = frozenset({"metadata", "spec", "status", "template", "strategy", "containers"})
"""Structures that every object has, so that nobody is on record for having made them."""


def merge_key(field: str, items: list[Any]) -> str | None:
    """How a strategic merge patch tells the items apart; None when it replaces the list."""
    if field == "ports":
        return "port" if any("port" in item for item in items if isinstance(item, dict)) else "containerPort"
    return MERGE_KEYS.get(field)


def identity(field: str, item: Any) -> tuple[tuple[str, Any], ...] | None:
    """The keys and values that tell an item apart in `managedFields`; None when its list is one value."""
    if not isinstance(item, dict):
        return None
    if field == "ports":
        key = "port" if "port" in item else "containerPort"
        return ((key, item.get(key)), ("protocol", item.get("protocol", "TCP")))
    if field == "topologySpreadConstraints":
        names = ("topologyKey", "whenUnsatisfiable")
        return tuple((name, item.get(name)) for name in names)
    key = MERGE_KEYS.get(field, "")
    return ((key, item[key]),) if key and key in item else None
