"""Just enough of a strategic merge patch to apply devloop's own: maps merge, null deletes, containers merge by name.

As the API server does, a map that a deletion leaves empty is not written at all.
"""

from collections.abc import Mapping
from typing import Any

_BY_NAME = {"containers", "initContainers"}


def merged(live: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The object after the patch; both stay as they are."""
    result = dict(live)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            inner = merged(result.get(key) or {}, value)
            result.pop(key, None)
            if inner:
                result[key] = inner
        elif key in _BY_NAME:
            result[key] = _by_name(result.get(key) or [], value)
        else:
            result[key] = value
    return result


def _by_name(live: list[Any], patch: list[Any]) -> list[Any]:
    changes = {item["name"]: item for item in patch}
    unknown = changes.keys() - {item["name"] for item in live}
    assert not unknown, f"the patch would add containers: {unknown}"
    return [merged(item, changes.get(item["name"], {})) for item in live]
