"""Server-side apply: what a manager asks for is merged in, what it asked for before and does not now goes.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

import copy
import json
from typing import Any

from devloop.sandbox.errors import ApiError, Cause, invalid
from devloop.sandbox.kinds import Kind
from devloop.sandbox.managedfields import Path, decoded, encoded, fields_of, who
from devloop.sandbox.patches import strategic
from devloop.sandbox.strategy import checked_type

Raw = dict[str, Any]


def applied(
    kind: Kind, live: Raw | None, body: Any, manager: str, subresource: str, now: str, *, force: bool
) -> tuple[Raw, list[Raw]]:
    """The merged object and its new `managedFields`; raises when others hold what this would change."""
    if not manager:
        cause = Cause("fieldManager", "Required value: is required for apply patch", "FieldValueRequired")
        raise invalid("", "meta.k8s.io", "PatchOptions", [cause])
    config = checked_type(kind, body)
    wanted = fields_of(config)
    entries = (live or {"metadata": {}})["metadata"].get("managedFields") or []
    me = (manager, "Apply", subresource, kind.api_version)
    before = next((decoded(entry["fieldsV1"]) for entry in entries if who(entry) == me), set())
    there = fields_of(live) if live else {}
    changed = {path for path in wanted if path in there and there[path] != wanted[path]}
    others = [entry for entry in entries if who(entry) != me]
    _check_conflicts(others, changed, force=force)
    merged = strategic(copy.deepcopy(live), _unversioned(config)) if live else config
    kept = [(entry, decoded(entry["fieldsV1"]) - changed) for entry in others]
    held = set(wanted).union(*(paths for _, paths in kept))
    _drop(merged, before - held, held)
    mine = {"manager": manager, "operation": "Apply", "apiVersion": kind.api_version, "time": now,
            "fieldsType": "FieldsV1", "fieldsV1": encoded(wanted)}  # fmt: skip
    mine |= {"subresource": subresource} if subresource else {}
    return merged, [mine, *({**entry, "fieldsV1": encoded(paths)} for entry, paths in kept if paths)]


def _unversioned(config: Raw) -> Raw:
    return {key: value for key, value in config.items() if key not in {"apiVersion", "kind"}}


def _check_conflicts(others: list[Raw], changed: set[Path], *, force: bool) -> None:
    found = [(entry, path) for entry in others for path in sorted(decoded(entry["fieldsV1"]) & changed)]
    if not found or force:
        return
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_named(entry)}", "field": _shown(path)}
        for entry, path in found
    ]
    by: dict[str, list[str]] = {}
    for cause in causes:
        by.setdefault(cause["message"], []).append(cause["field"])
    count = f"{len(found)} conflict{'' if len(found) == 1 else 's'}"
    if len(found) == 1:
        text = f"{causes[0]['message']}: {causes[0]['field']}"
    else:
        text = "\n".join(f"{who_}:\n" + "\n".join(f"- {field}" for field in fields) for who_, fields in by.items())
    raise ApiError(409, "Conflict", f"Apply failed with {count}: {text}", {"causes": causes})


def _named(entry: Raw) -> str:
    through = f' with subresource "{entry["subresource"]}"' if entry.get("subresource") else ""
    return f'"{entry["manager"]}"{through} using {entry["apiVersion"]}'


def _shown(path: Path) -> str:
    text = ""
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            pairs = ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items())
            text += f"[{pairs}]"
        else:
            text += f"[={rest}]"
    return text


def _drop(value: Raw, gone: set[Path], held: set[Path]) -> None:
    """Remove what nobody asks for any more, and all that is in it."""
    for path in sorted(gone, key=len):
        if not any(other[: len(path)] == path for other in held):
            _remove(value, path)


def _remove(value: Any, path: Path) -> None:
    *steps, last = path
    for step in steps:
        value = _step(value, step)
    kind, _, rest = last.partition(":")
    if kind == "f" and isinstance(value, dict):
        value.pop(rest, None)
    elif kind == "k" and isinstance(value, list):
        value[:] = [item for item in value if item is not _step(value, last)]
    elif kind == "v" and isinstance(value, list):
        value[:] = [item for item in value if item != json.loads(rest)]


def _step(value: Any, step: str) -> Any:
    kind, _, rest = step.partition(":")
    if kind == "f":
        return value.get(rest) if isinstance(value, dict) else None
    keys = json.loads(rest) if kind == "k" else {}
    items = value if isinstance(value, list) else []
    return next((item for item in items if isinstance(item, dict) and keys.items() <= item.items()), None)
