"""The two forms of an Event: as core/v1 has it, in which it is stored, and as events.k8s.io/v1 has it."""

from typing import Any

from devloop.sandbox.kinds import Kind

Raw = dict[str, Any]
_RENAMED = (
    ("involvedObject", "regarding"), ("message", "note"), ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"), ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"), ("count", "deprecatedCount"),
)  # fmt: skip


def seen_as(kind: Kind, value: Raw) -> Raw:
    """A stored object as the kind that was asked for."""
    if not kind.stored_as:
        return value
    return {**_renamed(value, dict(_RENAMED)), "apiVersion": kind.api_version}


def stored_from(kind: Kind, value: Raw) -> Raw:
    """An object that was sent as it is stored."""
    if not kind.stored_as:
        return value
    return {**_renamed(value, {b: a for a, b in _RENAMED}), "apiVersion": "v1"}


def _renamed(value: Raw, names: dict[str, str]) -> Raw:
    return {names.get(key, key): inner for key, inner in value.items()}
