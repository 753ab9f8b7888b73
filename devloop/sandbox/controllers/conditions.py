"""Conditions of a status: when one became what it is, and when it was last said."""

from typing import Any

from devloop.sandbox import times

Raw = dict[str, Any]


def condition(status: Raw, type_: str) -> Raw | None:
    return next((c for c in status.get("conditions") or [] if c["type"] == type_), None)


def with_condition(status: Raw, type_: str, value: str, reason: str, message: str, *, renew: bool = False) -> Raw:
    """The status with that condition. One of the same value and reason stays as it is, unless it is to be renewed."""
    now, before = times.now(), condition(status, type_)
    if before and before["status"] == value and before["reason"] == reason and not renew:
        return status
    since = before["lastTransitionTime"] if before and before["status"] == value else now
    made = {"type": type_, "status": value, "lastUpdateTime": now, "lastTransitionTime": since, "reason": reason,
            "message": message}  # fmt: skip
    others = [c for c in status.get("conditions") or [] if c["type"] != type_]
    return {**status, "conditions": [*others, made]}


def without_condition(status: Raw, type_: str) -> Raw:
    if condition(status, type_) is None:
        return status
    return {**status, "conditions": [c for c in status["conditions"] if c["type"] != type_]}
