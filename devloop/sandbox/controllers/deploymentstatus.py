"""The status of a Deployment, counted from its ReplicaSets. Pure."""

from collections.abc import Sequence
from typing import Any

from devloop.sandbox.controllers.conditions import with_condition
from devloop.sandbox.controllers.rollout import max_unavailable, replicas, total

Raw = dict[str, Any]


def calculated(deployment: Raw, sets: Sequence[Raw], new: Raw | None) -> Raw:
    """Its numbers, and whether it is available; the other conditions stay as they were."""
    before = deployment.get("status", {})
    available = _sum(sets, "availableReplicas")
    counts = {
        "replicas": _sum(sets, "replicas"),
        "updatedReplicas": _sum([new] if new is not None else [], "replicas"),
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total(sets) - available),
    }
    status: Raw = {"observedGeneration": deployment["metadata"]["generation"]}
    status |= {key: value for key, value in counts.items() if value}
    status |= {"terminatingReplicas": _sum(sets, "terminatingReplicas")}
    status |= {key: before[key] for key in ("collisionCount", "conditions") if key in before}
    if available >= replicas(deployment) - max_unavailable(deployment):
        message = "Deployment has minimum availability."
        return with_condition(status, "Available", "True", "MinimumReplicasAvailable", message)
    message = "Deployment does not have minimum availability."
    return with_condition(status, "Available", "False", "MinimumReplicasUnavailable", message)


def _sum(sets: Sequence[Raw], key: str) -> int:
    return sum(int(each.get("status", {}).get(key, 0)) for each in sets)
