"""What happens to the tables of `devloop.toml` and its overlay before they are checked: variables, tags, merging."""

import re
from collections.abc import Mapping
from typing import Any

from devloop.core.config import with_own_tag
from devloop.core.problems import Finding, Place
from devloop.core.values import split_tag

_VARIABLE = re.compile(
    r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<has_default>:-(?P<default>[^}]*))?\}|(?P<broken>\$\{)"
)


def prepare(document: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, Any], list[Finding]]:
    """One file's tables with variables filled in and each image's tag moved to `tag`, and what was wrong with them."""
    findings: list[Finding] = []
    prepared = _filled(document, (), environ, findings)
    services = prepared.get("services")
    if isinstance(services, dict):
        for name, table in services.items():
            if isinstance(table, dict):
                services[name] = _one_tag(name, table, findings)
    return prepared, findings


def _filled(node: Any, place: Place, environ: Mapping[str, str], findings: list[Finding]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, (*place, key), environ, findings) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, (*place, index), environ, findings) for index, value in enumerate(node)]
    return _substituted(node, place, environ, findings) if isinstance(node, str) and "${" in node else node


def _substituted(text: str, place: Place, environ: Mapping[str, str], findings: list[Finding]) -> str:
    def value_of(match: re.Match[str]) -> str:
        name = match["name"]
        if match["escaped"]:
            return "${"
        if match["broken"]:
            findings.append(Finding(place, "`${` begins no variable", "write `${NAME}`, or `$${` for the characters"))
            return ""
        value = environ.get(name)
        if match["has_default"]:
            return value or match["default"]
        if value is None:
            findings.append(
                Finding(place, f"the variable `{name}` is not set", f"set it, or write `${{{name}:-DEFAULT}}`")
            )
        return value or ""

    return _VARIABLE.sub(value_of, text)


def _one_tag(name: str, table: dict[str, Any], findings: list[Finding]) -> dict[str, Any]:
    image = table.get("image")
    bare, tag = split_tag(image) if isinstance(image, str) else ("", "")
    if not tag or not table.get("tag"):
        return with_own_tag(table)
    findings.append(
        Finding(
            ("services", name, "tag"),
            f"`{table['tag']}` and the tag of `image`, `{tag}`, are both given",
            f'keep one of them, for example `image = "{bare}"`',
        )
    )
    return {**table, "image": bare}


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any], place: Place = ()) -> dict[str, Any]:
    """The base with the overlay on top: tables are merged, everything else is replaced.

    A `build` that is a folder in one of them and a table in the other is merged as the table that it is short for.
    """
    merged = dict(base)
    for key, above in overlay.items():
        below = merged.get(key)
        if len(place) == 2 and place[0] == "services" and key == "build":
            below, above = _as_tables(below, above)
        if isinstance(below, dict) and isinstance(above, dict):
            merged[key] = merge(below, above, (*place, key))
        else:
            merged[key] = above
    return merged


def _as_tables(below: Any, above: Any) -> tuple[Any, Any]:
    if isinstance(below, str) and isinstance(above, dict):
        return {"context": below}, above
    if isinstance(below, dict) and isinstance(above, str):
        return below, {"context": above}
    return below, above
