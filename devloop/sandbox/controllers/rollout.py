"""The arithmetic of rollouts: how many Pods each ReplicaSet of a Deployment should have. Pure.

After kubernetes/pkg/controller/deployment, whose names the functions keep where they have one.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

Raw = dict[str, Any]
HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def template_hash(template: Raw, collisions: int) -> str:
    """Names a template; other digits than the real one's, which hashes a Go structure."""
    text = json.dumps(template, sort_keys=True) + (str(collisions) if collisions else "")
    number = str(int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]))
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in number)


def same_template(a: Raw, b: Raw) -> bool:
    """Whether two templates differ in nothing but the hash."""
    return _unhashed(a) == _unhashed(b)


def _unhashed(template: Raw) -> Raw:
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH}
    return {**template, "metadata": metadata}


def replicas(value: Raw) -> int:
    return int(value["spec"].get("replicas", 1))


def available(value: Raw) -> int:
    return int(value.get("status", {}).get("availableReplicas", 0))


def total(sets: Iterable[Raw]) -> int:
    return sum(map(replicas, sets))


def fenceposts(deployment: Raw) -> tuple[int, int]:
    """Surge and unavailable, as numbers; never both 0, or nothing could move."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") != "RollingUpdate":
        return 0, 0
    rolling, wanted = strategy.get("rollingUpdate") or {}, replicas(deployment)
    surge = _number(rolling.get("maxSurge", "25%"), wanted, up=True)
    unavailable = _number(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    return surge, unavailable if surge or unavailable else 1


def max_unavailable(deployment: Raw) -> int:
    return min(fenceposts(deployment)[1], replicas(deployment))


def _number(value: Any, whole: int, *, up: bool) -> int:
    text = str(value)
    if not text.endswith("%"):
        return int(text)
    part = whole * int(text[:-1]) / 100
    return math.ceil(part) if up else math.floor(part)


def new_size(deployment: Raw, sets: Sequence[Raw], new: Raw | None) -> int:
    """How many Pods the new ReplicaSet may have now."""
    wanted, current = replicas(deployment), replicas(new) if new is not None else 0
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return wanted
    room = wanted + fenceposts(deployment)[0] - total(sets)
    return current if room <= 0 else current + min(room, wanted - current)


def shrunk_old(deployment: Raw, old: Sequence[Raw], new: Raw) -> dict[str, int]:
    """Sizes, by name, of old ReplicaSets that may shrink now: first what does not work, then what is to spare."""
    least = replicas(deployment) - max_unavailable(deployment)
    spare = total([*old, new]) - least - (replicas(new) - available(new))
    if spare <= 0:
        return {}
    sizes = {each["metadata"]["name"]: replicas(each) for each in old}
    unhealthy = spare
    for each in _oldest_first(old):
        name = each["metadata"]["name"]
        cut = min(unhealthy, max(0, sizes[name] - available(each)))
        sizes[name] -= cut
        unhealthy -= cut
    healthy = sum(map(available, [*old, new])) - least
    for each in _oldest_first(old):
        name = each["metadata"]["name"]
        cut = max(0, min(healthy, sizes[name]))
        sizes[name] -= cut
        healthy -= cut
    return {each["metadata"]["name"]: sizes[each["metadata"]["name"]] for each in old
            if sizes[each["metadata"]["name"]] != replicas(each)}  # fmt: skip


def _oldest_first(sets: Iterable[Raw]) -> list[Raw]:
    return sorted((s for s in sets if replicas(s)), key=lambda s: (s["metadata"]["creationTimestamp"], revision(s)))


def proportional(deployment: Raw, sets: Sequence[Raw]) -> dict[str, int]:
    """Sizes of the ReplicaSets of a rollout that is scaled while it runs: each keeps its share."""
    wanted, surge = replicas(deployment), fenceposts(deployment)[0]
    allowed = wanted + surge if wanted else 0
    add = allowed - total(sets)
    newest = sorted(sets, key=revision, reverse=True)
    order = sorted(newest if add > 0 else newest[::-1], key=replicas, reverse=True)
    sizes, left = {}, add
    for each in order:
        size = replicas(each)
        share = _share(each, allowed, left, add) if add else 0
        sizes[each["metadata"]["name"]] = max(0, size + share)
        left -= share
    if order and left:
        first = order[0]["metadata"]["name"]
        sizes[first] = max(0, sizes[first] + left)
    return sizes


def _share(each: Raw, allowed: int, left: int, add: int) -> int:
    if not replicas(each) or not left:
        return 0
    before = int(each["metadata"].get("annotations", {}).get(MAXIMUM, 0)) or allowed
    fraction = round(replicas(each) * allowed / before) - replicas(each)
    return min(fraction, left) if add > 0 else max(fraction, left)


def revision(value: Raw) -> int:
    text = (value["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def complete(deployment: Raw, status: Raw) -> bool:
    wanted = replicas(deployment)
    counts = {status.get(key, 0) for key in ("updatedReplicas", "replicas", "availableReplicas")}
    return counts == {wanted} and status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]


def progressing(before: Raw, after: Raw) -> bool:
    """Whether anything got on between two statuses."""
    more = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return any(after.get(key, 0) > before.get(key, 0) for key in more) or _old(after) < _old(before)


def _old(status: Raw) -> int:
    """Pods of other templates."""
    return int(status.get("replicas", 0) - status.get("updatedReplicas", 0))
