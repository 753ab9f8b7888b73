"""Lists of objects: selected, in pages, at a version."""

import base64
import binascii
import json
from typing import Any

from devloop.sandbox.errors import ApiError, bad_request, too_large
from devloop.sandbox.kinds import Kind
from devloop.sandbox.queries import Query, number
from devloop.sandbox.selectors import Matches, field_selector, label_selector
from devloop.sandbox.store import Store, key_of
from devloop.sandbox.views import seen_as

Raw = dict[str, Any]


def selection(kind: Kind, query: Query) -> Matches:
    """What the selectors of a query ask for, of objects as they are seen."""
    labels = label_selector(query.get("labelSelector", ""))
    fields = field_selector(query.get("fieldSelector", ""), kind)
    return lambda raw: labels(raw) and fields(raw)


def listed(store: Store, kind: Kind, namespace: str, query: Query) -> Raw:
    """The list that a query asks for; its items are without kind and version, as in every typed list."""
    matches = selection(kind, query)
    version, start = _begin(store, query)
    found = store.all_of(kind, namespace) if version == store.version else store.list_at(kind, namespace, version)
    found = [each for each in (seen_as(kind, each) for each in found) if matches(each)]
    rest = [each for each in found if list(key_of(each)) > start]
    limit = number(query, "limit") or 0
    page = rest[:limit] if limit > 0 else rest
    metadata: Raw = {"resourceVersion": str(version)}
    if len(page) < len(rest):
        left = len(rest) - len(page)
        metadata |= {"continue": _token(version, page[-1])}
        if not query.get("labelSelector") and not query.get("fieldSelector"):
            metadata |= {"remainingItemCount": left}
    items = [{key: value for key, value in each.items() if key not in {"apiVersion", "kind"}} for each in page]
    return {"kind": f"{kind.name}List", "apiVersion": kind.api_version, "metadata": metadata, "items": items}


def version_of(query: Query) -> int:
    """The version that a query names; 0 for none."""
    text = query.get("resourceVersion") or "0"
    if not (text.isascii() and text.isdecimal()):
        why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        if query.get("watch") in {"true", "1"}:
            raise ApiError(500, "", why)
        raise bad_request(f"invalid resource version: {why}")
    return int(text)


def _begin(store: Store, query: Query) -> tuple[int, list[str]]:
    """At which version to look, and after which key to begin."""
    if token := query.get("continue"):
        return _continued(store, token)
    asked = version_of(query)
    if asked > store.version:
        raise too_large(asked, store.version)
    return (asked if query.get("resourceVersionMatch") == "Exact" else store.version), []


def _token(version: int, last: Raw) -> str:
    body = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": key_of(last)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def _continued(store: Store, token: str) -> tuple[int, list[str]]:
    try:
        body = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        version, start = int(body["rv"]), [str(part) for part in body["start"]]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from None
    try:
        store.since(version)
    except ApiError:
        message = (
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            "without the continue parameter."
        )
        raise ApiError(410, "Expired", message) from None
    return version, start
