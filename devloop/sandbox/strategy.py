"""What becomes of an object on its way into the store: which fields its author may set, and which are the server's."""

import secrets
import uuid
from typing import Any

from devloop.sandbox import times
from devloop.sandbox.defaults import defaulted
from devloop.sandbox.errors import Cause, bad_request, conflict, invalid
from devloop.sandbox.kinds import Kind

Raw = dict[str, Any]
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
"""Without vowels and what looks alike, as Kubernetes makes up names."""
_KEPT = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName")


def suffix(length: int = 5) -> str:
    """The random end of a generated name."""
    return "".join(secrets.choice(_SUFFIX) for _ in range(length))


def prepared_create(kind: Kind, namespace: str, body: Raw) -> Raw:
    """The object as it is stored first."""
    value = checked_type(kind, body)
    metadata = dict(value.get("metadata") or {})
    if kind.namespaced and metadata.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"][:58] + suffix()
    for key in ("resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"):
        metadata.pop(key, None)
    metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": times.now()}
    metadata |= {"namespace": namespace} if kind.namespaced else {}
    metadata |= {"generation": 1} if kind.generational else {}
    if kind.has_status and kind.name != "Node":
        value.pop("status", None)
    result = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
    result = defaulted(kind, {**value, **result})
    if kind.name == "Deployment":
        result.setdefault("status", {})
    return result


def prepared_update(kind: Kind, live: Raw, body: Raw, subresource: str) -> Raw:
    """The object as it replaces `live`; raises when it was made from an older version or for another object."""
    value = checked_type(kind, body)
    metadata, old = dict(value.get("metadata") or {}), live["metadata"]
    _check_identity(kind, metadata, old)
    for key in _KEPT:
        metadata.pop(key, None)
    metadata |= {key: old[key] for key in (*_KEPT, "name", "namespace", "resourceVersion") if key in old}
    metadata.setdefault("managedFields", old.get("managedFields", []))
    if subresource == "status":
        metadata["labels"] = old.get("labels")
        if metadata["labels"] is None:
            del metadata["labels"]
        value = {**live, "status": value.get("status") or {}}
    elif kind.has_status and "status" in live:
        value = {**value, "status": live["status"]}
    result = {**value, "apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
    result = defaulted(kind, _with_kept_spec(kind, live, result))
    if kind.generational and subresource != "status" and _asks_for_more(kind, live, result):
        result["metadata"]["generation"] = old.get("generation", 0) + 1
    return result


def check_name(body: Any, name: str) -> None:
    """Raise when an object that was sent is called otherwise than the one it is sent to."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    said = metadata.get("name", name) if isinstance(metadata, dict) else name
    if said != name:
        raise bad_request(f"the name of the object ({said}) does not match the name on the URL ({name})")


def checked_type(kind: Kind, body: Any) -> Raw:
    """A copy of the body, which has to be an object of that kind."""
    if not isinstance(body, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.name})")
    said, version = body.get("kind") or kind.name, body.get("apiVersion") or kind.api_version
    if said != kind.name:
        group_version = version.rpartition("/")[2]
        raise bad_request(
            f'{said} in version "{version}" cannot be handled as a {kind.name}: converting ({group_version}.{said}) to '
            f"({kind.group.partition('.')[0] or 'core'}.{kind.name}): unknown conversion"
        )
    if version != kind.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version ({kind.api_version})"
        )
    if not isinstance(body.get("metadata") or {}, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.name})")
    return {key: value for key, value in body.items() if value is not None or key == "eventTime"}


def _check_identity(kind: Kind, new: Raw, old: Raw) -> None:
    check_name({"metadata": new}, old["name"])
    if new.get("uid", old["uid"]) != old["uid"]:
        cause = Cause("metadata.uid", f'Invalid value: "{new["uid"]}": field is immutable')
        raise invalid(old["name"], kind.group, kind.name, [cause, cause])
    if new.get("resourceVersion", old["resourceVersion"]) not in {"", old["resourceVersion"]}:
        raise conflict(old["name"], kind.group, kind.plural)


def _with_kept_spec(kind: Kind, live: Raw, value: Raw) -> Raw:
    """Some fields of a spec are the server's as well."""
    if kind.name == "Service":
        kept = {key: live["spec"][key] for key in ("clusterIP", "clusterIPs") if key in live.get("spec", {})}
        return {**value, "spec": {**(value.get("spec") or {}), **kept}}
    return value


def _asks_for_more(kind: Kind, live: Raw, value: Raw) -> bool:
    if kind.name == "Deployment":
        before, after = live["metadata"].get("annotations"), value["metadata"].get("annotations")
        if (before or {}) != (after or {}):
            return True
    parts = ("spec", "endpoints", "ports")
    return any(live.get(part) != value.get(part) for part in parts)
