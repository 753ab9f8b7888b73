"""What a URL path of the API names."""

from dataclasses import dataclass
from urllib.parse import unquote

from devloop.sandbox import kinds
from devloop.sandbox.kinds import Kind


@dataclass(frozen=True, slots=True)
class Target:
    """A resource, an object of it, or a part of that."""

    kind: Kind
    namespace: str
    name: str = ""
    subresource: str = ""
    rest: str = ""
    """What follows a proxy's path."""


def target_of(raw_path: str) -> Target | None:
    """None for a path that leads to no resource."""
    parts = raw_path.strip("/").split("/")
    if parts[:1] == ["api"] and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and kinds.at(group, version, unquote(rest[2])):
        namespace, rest = unquote(rest[1]), rest[2:]
    kind = kinds.at(group, version, unquote(rest[0]))
    if kind is None or (len(rest) > 3 and rest[2] != "proxy"):
        return None
    name, subresource = (*map(unquote, rest[1:3]), "", "")[:2]
    if (kind.namespaced and name and not namespace) or (namespace and not kind.namespaced):
        return None
    if subresource and subresource not in kind.subresources:
        return None
    before = len(parts) - len(rest) + 3
    tail = raw_path.lstrip("/").split("/", before)[before:] if subresource == "proxy" else []
    return Target(kind, namespace, name, subresource, f"/{tail[0]}" if tail else "")
