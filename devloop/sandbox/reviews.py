"""The kinds that are asked and not kept: whoever has the sandbox's token is its administrator, and may do anything."""

from typing import Any

from devloop.sandbox import times
from devloop.sandbox.kinds import Kind

Raw = dict[str, Any]
USER = {"username": "devloop-sandbox", "groups": ["system:masters", "system:authenticated"]}


def answered(kind: Kind, body: Any) -> Raw:
    """The review with its answer."""
    head: Raw = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": {}}
    if kind.name == "SelfSubjectReview":
        return {**head, "metadata": {"creationTimestamp": times.now()}, "status": {"userInfo": USER}}
    spec = body.get("spec") if isinstance(body, dict) else None
    return {**head, "spec": spec or {}, "status": {"allowed": True}}
