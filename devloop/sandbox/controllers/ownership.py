"""Who controls what."""

from typing import Any

from devloop.sandbox.kinds import Kind
from devloop.sandbox.resources import Resources

Raw = dict[str, Any]


def controller_of(value: Raw) -> Raw | None:
    """The reference to what controls the object."""
    return next((o for o in value["metadata"].get("ownerReferences") or [] if o.get("controller")), None)


def owned(resources: Resources, kind: Kind, owner: Raw) -> list[Raw]:
    """The objects of that kind that this one controls."""
    uid = owner["metadata"]["uid"]
    found = resources.all_of(kind, owner["metadata"].get("namespace", ""))
    return [each for each in found if (controller_of(each) or {}).get("uid") == uid]


def reference(owner: Raw) -> Raw:
    """What an object carries that this one controls."""
    return {
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
