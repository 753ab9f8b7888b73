"""The three ways to patch an object: JSON patch, merge patch and strategic merge patch."""

import copy
import re
from collections.abc import Sequence
from typing import Any

from devloop.sandbox.errors import ApiError, bad_request
from devloop.sandbox.schema import MERGED_SETS, merge_key

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_ORDER, _DELETE, _KEYS, _DIRECTIVE = "$setElementOrder/", "$deleteFromPrimitiveList/", "$retainKeys", "$patch"
_INDEX = re.compile(r"^(?:0|[1-9]\d*)$")


def patched(type_: str, live: Any, patch: Any) -> Any:
    """A new object; `live` stays as it is."""
    if type_ == JSON_PATCH:
        return json_patched(live, patch)
    if not isinstance(patch, dict):
        raise bad_request(f"cannot unmarshal {type(patch).__name__} into Go value of type map[string]interface {{}}")
    return merged(live, patch) if type_ == MERGE_PATCH else strategic(live, patch)


def merged(live: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def json_patched(live: Any, operations: Any) -> Any:
    """RFC 6902; an operation that does not fit refuses the whole patch."""
    if not isinstance(operations, list):
        raise bad_request("cannot unmarshal object into Go value of type jsonpatch.Patch")
    result = copy.deepcopy(live)
    try:
        for operation in operations:
            result = _operated(result, operation)
    except (LookupError, TypeError, ValueError):
        message = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", message, {}) from None
    return result


def _operated(root: Any, operation: Any) -> Any:
    kind, path = operation["op"], _steps(operation["path"])
    if kind == "test":
        if _at(root, path) != operation.get("value"):
            raise ValueError(path)
        return root
    if kind in {"move", "copy"}:
        source = _steps(operation["from"])
        value = copy.deepcopy(_at(root, source))
        return _added(_removed(root, source) if kind == "move" else root, path, value)
    if kind == "remove":
        return _removed(root, path)
    if kind == "replace":
        _at(root, path)
        if path and isinstance(_at(root, path[:-1]), list):
            root = _removed(root, path)
        return _added(root, path, operation["value"])
    if kind == "add":
        return _added(root, path, operation["value"])
    raise ValueError(kind)


def _steps(pointer: str) -> list[str]:
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise ValueError(pointer)
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


def _at(root: Any, path: Sequence[str]) -> Any:
    for step in path:
        root = root[_index(step)] if isinstance(root, list) else root[step]
    return root


def _index(step: str) -> int:
    if not _INDEX.match(step):
        raise ValueError(step)
    return int(step)


def _added(root: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent = _at(root, path[:-1])
    if isinstance(parent, list):
        at = len(parent) if path[-1] == "-" else _index(path[-1])
        if at > len(parent):
            raise IndexError(at)
        parent.insert(at, value)
    else:
        parent[path[-1]] = value
    return root


def _removed(root: Any, path: Sequence[str]) -> Any:
    parent = _at(root, path[:-1])
    del parent[_index(path[-1]) if isinstance(parent, list) else path[-1]]
    return root


def strategic(live: Any, patch: dict[str, Any]) -> dict[str, Any]:
    """Kubernetes' own: lists of named things are merged by name, and directives say what goes."""
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        plain: dict[str, Any] = _plain({key: value for key, value in patch.items() if key != _DIRECTIVE})
        return plain
    if directive == "delete":
        return {}
    result = dict(live) if isinstance(live, dict) else {}
    if _KEYS in patch:
        result = {key: value for key, value in result.items() if key in patch[_KEYS]}
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(result, key, value, patch)
    _sets(result, patch)
    return result


def _merge_field(result: dict[str, Any], key: str, value: Any, patch: dict[str, Any]) -> None:
    if value is None:
        result.pop(key, None)
    elif isinstance(value, dict):
        # An atomic map is merged like any other: being atomic concerns server-side apply.
        result[key] = strategic(result.get(key), value)
    elif isinstance(value, list):
        result[key] = _merged_list(key, result.get(key) or [], value, patch.get(_ORDER + key))
    else:
        result[key] = value


def _merged_list(field: str, live: list[Any], patch: list[Any], order: list[Any] | None) -> list[Any]:
    if field in MERGED_SETS:
        return [*live, *(item for item in patch if item not in live)]
    key = merge_key(field, [*live, *patch])
    if key is None or any(not isinstance(item, dict) for item in patch):
        return copy.deepcopy(patch)
    if any(item.get(_DIRECTIVE) == "replace" for item in patch):
        return [_plain(item) for item in patch if item.get(_DIRECTIVE) != "replace" or len(item) > 1]
    items = list(live)
    for item in patch:
        items = _with_item(items, item, key)
    return items if order is None else _ordered(items, [each.get(key) for each in order], key)


def _with_item(items: list[Any], item: dict[str, Any], key: str) -> list[Any]:
    if key not in item:
        raise bad_request(f"map: {item} does not contain declared merge key: {key}")
    if item.get(_DIRECTIVE) == "delete":
        return [each for each in items if each.get(key) != item[key]]
    for index, each in enumerate(items):
        if each.get(key) == item[key]:
            return [*items[:index], strategic(each, item), *items[index + 1 :]]
    return [*items, _plain(item)]


def _ordered(items: list[Any], order: list[Any], key: str) -> list[Any]:
    """As the patch lists them; those that it does not name keep their place relative to what precedes them."""
    named = [each for wanted in order for each in items if each.get(key) == wanted]
    for index, each in enumerate(items):
        if each.get(key) not in order:
            before = [named.index(other) for other in items[:index] if other in named]
            named.insert(max(before) + 1 if before else 0, each)
    return named


def _sets(result: dict[str, Any], patch: dict[str, Any]) -> None:
    for key, value in patch.items():
        if key.startswith(_DELETE):
            field = key.removeprefix(_DELETE)
            result[field] = [item for item in result.get(field) or [] if item not in value]


def _plain(value: Any) -> Any:
    """What a patch adds where nothing was: without directives, and without what it only removes."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if not k.startswith("$") and v is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value if not (isinstance(item, dict) and item.get(_DIRECTIVE) == "delete")]
    return value
