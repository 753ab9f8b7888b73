"""Which Services send requests to a workload's Pods, and to whose Pods beside them."""

from collections.abc import Mapping
from typing import Any

from devloop.core import manifest
from devloop.core.image import digest_of
from devloop.core.why.facts import Route
from devloop.core.why.subject import NamespaceObjects, owner_of, topmost
from devloop.core.workload import Snapshot

_SERVICE = "kubernetes.io/service-name"


def routes_of(objects: NamespaceObjects, snapshot: Snapshot) -> tuple[Route, ...]:
    """One for each Service that has a Pod of the workload behind it."""
    behind: dict[str, set[str]] = {}
    for piece in objects.slices or ():
        service = (piece["metadata"].get("labels") or {}).get(_SERVICE, "")
        behind.setdefault(service, set()).update(_ready(piece))
    own = {pod.name for pod in snapshot.pods}
    pods = {raw["metadata"]["name"]: raw for raw in objects.pods}
    return tuple(
        Route(
            service,
            {name: _owner(objects, pods[name]) for name in sorted(names - own) if name in pods},
            {name: _digests(pods[name]) for name in sorted(names - own) if name in pods},
        )
        for service, names in sorted(behind.items())
        if service and names & own
    )


def _ready(piece: Mapping[str, Any]) -> set[str]:
    endpoints = piece.get("endpoints") or ()
    ready = (e for e in endpoints if (e.get("conditions") or {}).get("ready") is not False)
    targets = ((e.get("targetRef") or {}) for e in ready)
    return {target["name"] for target in targets if target.get("kind") == "Pod"}


def _owner(objects: NamespaceObjects, pod: Mapping[str, Any]) -> str:
    """Also as ownerReferences call it: a workload that was not read, or of another kind."""
    kind, _, name = manifest.controller(topmost(objects, pod)).partition("/")
    return str(owner_of(objects, pod) or (f"{kind.lower()}/{name}" if kind else f"pod/{pod['metadata']['name']}"))


def _digests(raw: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(digest_of(status.image_id) for status in manifest.pod(raw).containers) - {""}
