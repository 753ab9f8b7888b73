"""Who wrote which fields: `metadata.managedFields`, as server-side apply keeps them for every write.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from devloop.sandbox.schema import ALWAYS_THERE, ATOMIC, MERGED_SETS, identity

Raw = dict[str, Any]
Path = tuple[str, ...]
_NOBODYS = frozenset({"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink",
                      "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds"})  # fmt: skip


def fields_of(value: Raw) -> dict[Path, Any]:
    """Each field that somebody can own, with what is in it."""
    found: dict[Path, Any] = {}
    for key, inner in value.items():
        if key == "metadata":
            own = {k: v for k, v in inner.items() if k not in _NOBODYS}
            found |= dict(_members(("f:metadata",), own))
        elif key not in {"apiVersion", "kind"}:
            found |= dict(_field((), key, inner))
    return found


def _members(path: Path, value: Raw) -> Iterator[tuple[Path, Any]]:
    for key, inner in value.items():
        yield from _field(path, key, inner)


def _field(path: Path, key: str, value: Any) -> Iterator[tuple[Path, Any]]:
    at = (*path, f"f:{key}")
    if value is None:
        return
    if isinstance(value, dict) and value and key not in ATOMIC:
        if key not in ALWAYS_THERE:
            yield at, None
        yield from _members(at, value)
    elif isinstance(value, list) and value and key in MERGED_SETS:
        yield at, None
        yield from (((*at, f"v:{json.dumps(item)}"), item) for item in value)
    elif isinstance(value, list) and value and all(identity(key, item) for item in value):
        if key not in ALWAYS_THERE:
            yield at, None
        yield from _items(at, key, value)
    elif value != {} or key not in ALWAYS_THERE:
        yield at, value


def _items(path: Path, key: str, items: list[Any]) -> Iterator[tuple[Path, Any]]:
    for item in items:
        at = (*path, _item_step(key, item))
        if key == "ownerReferences":
            yield at, item
        else:
            yield at, None
            yield from _members(at, item)


def _item_step(key: str, item: Any) -> str:
    return "k:" + json.dumps(dict(identity(key, item) or ()), separators=(",", ":"))


def encoded(paths: Iterable[Path]) -> Raw:
    """FieldsV1."""
    known = set(paths)
    root: Raw = {}
    for path in sorted(known):
        node: Raw = root
        for index, step in enumerate(path):
            node = node.setdefault(step, {})
            if index < len(path) - 1 and path[: index + 1] in known:
                node.setdefault(".", {})
    return root


def decoded(fields: Raw, path: Path = ()) -> set[Path]:
    """The paths that FieldsV1 names."""
    found: set[Path] = set()
    for step, inner in fields.items():
        if step == ".":
            found.add(path)
        elif inner:
            found |= decoded(inner, (*path, step))
        else:
            found.add((*path, step))
    return found


def recorded(before: Raw | None, after: Raw, manager: str, subresource: str, api_version: str, now: str) -> list[Raw]:
    """The entries after a write: what changed is the writer's, what is gone is nobody's."""
    old, new = fields_of(before or {}), fields_of(after)
    changed = {path for path in new if path not in old or old[path] != new[path]}
    if before is None:
        # What stands in the status of a new object was written by the server.
        changed = {path for path in changed if path[0] != "f:status"}
    entries: list[Raw] = []
    mine: set[Path] = set()
    me = (manager, "Update", subresource, api_version)
    mine_before: Raw | None = None
    for entry in after["metadata"].get("managedFields") or []:
        if who(entry) == me:
            mine, mine_before = decoded(entry.get("fieldsV1") or {}), entry
        else:
            entries += _kept(entry, (decoded(entry.get("fieldsV1") or {}) & new.keys()) - changed)
    mine = (mine & new.keys()) | changed
    if mine:
        same = mine_before is not None and decoded(mine_before["fieldsV1"]) == mine
        time = mine_before["time"] if same and mine_before is not None else now
        entries.append(_entry(me, mine, time))
    return _sorted(entries)


def who(entry: Raw) -> tuple[str, str, str, str]:
    """Manager, operation, subresource and version: what makes an entry another one."""
    return (
        entry.get("manager", ""), entry.get("operation", ""), entry.get("subresource", ""), entry.get("apiVersion", ""),
    )  # fmt: skip


def _kept(entry: Raw, paths: set[Path]) -> list[Raw]:
    if not paths:
        return []
    if paths == decoded(entry.get("fieldsV1") or {}):
        return [entry]
    return [{**entry, "fieldsV1": encoded(paths)}]


def _entry(me: tuple[str, str, str, str], paths: Iterable[Path], time: str) -> Raw:
    manager, operation, subresource, api_version = me
    entry: Raw = {"manager": manager, "operation": operation, "apiVersion": api_version, "time": time}
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": encoded(paths)}
    return entry | ({"subresource": subresource} if subresource else {})


def _sorted(entries: list[Raw]) -> list[Raw]:
    return sorted(entries, key=lambda e: (e["operation"], e.get("time", ""), e["manager"], e.get("subresource", "")))
