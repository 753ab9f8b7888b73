"""What the API server says of itself: its version, its groups and resources, and how it may be patched."""

from collections.abc import Iterable
from typing import Any

from devloop.sandbox import kinds
from devloop.sandbox.kinds import Kind

Raw = dict[str, Any]
VERSION = "v1.36.0-devloop-sandbox"
_SUBRESOURCES: dict[str, tuple[str, list[str]]] = {
    "exec": ("PodExecOptions", ["create", "get"]),
    "finalize": ("", ["update"]),
    "log": ("", ["get"]),
    "proxy": ("ProxyOptions", ["create", "delete", "get", "patch", "update"]),
    "scale": ("Scale", ["get", "patch", "update"]),
    "status": ("", ["get", "patch", "update"]),
}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def version() -> Raw:
    return {
        "major": "1", "minor": "36", "gitVersion": VERSION, "gitCommit": "", "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "devloop/sandbox",
    }  # fmt: skip


def versions(address: str) -> Raw:
    """`/api`."""
    where = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": where}


def groups() -> Raw:
    """`/apis`."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group(name) for name in kinds.GROUPS if name]}


def group(name: str) -> Raw:
    """`/apis/GROUP`, without what only stands alone."""
    version_ = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version_], "preferredVersion": version_}


def resources(group_: str, version_: str) -> Raw | None:
    """`/api/v1`, `/apis/GROUP/VERSION`."""
    found = [kind for kind in kinds.KINDS if (kind.group, kind.version) == (group_, version_)]
    if not found:
        return None
    listed = [resource for kind in found for resource in _resources(kind)]
    body = {"kind": "APIResourceList", "groupVersion": found[0].api_version, "resources": listed}
    return {"apiVersion": "v1", **body} if group_ else body


def aggregated(core: bool) -> Raw:
    """All of it in one answer: what is under `/api`, or what is under `/apis`."""
    names = [name for name in kinds.GROUPS if bool(name) is not core]
    items = [{"metadata": {"name": name} if name else {}, "versions": [_version(name)]} for name in names]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def openapi() -> Raw:
    """The index of `/openapi/v3`."""
    roots = {kind.root.strip("/"): f"/openapi/v3{kind.root}" for kind in kinds.KINDS}
    return {"paths": {root: {"serverRelativeURL": url} for root, url in roots.items()}}


def openapi_of(root: str) -> Raw | None:
    """What may be sent with a patch, and no schemas: enough for kubectl to leave the validation to the server."""
    found = [kind for kind in kinds.KINDS if kind.root == root]
    if not found:
        return None
    paths = {_path(kind): {"patch": _operation(kind, "patch"), "post": _operation(kind, "post")} for kind in found}
    info = {"title": "devloop sandbox", "version": VERSION}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}


def _path(kind: Kind) -> str:
    return f"{kind.root}{'/namespaces/{namespace}' if kind.namespaced else ''}/{kind.plural}/{{name}}"


def _operation(kind: Kind, action: str) -> Raw:
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    return {
        "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": kind.group, "kind": kind.name, "version": kind.version},
    }


def _resources(kind: Kind) -> Iterable[Raw]:
    own: Raw = {"name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.name}
    own |= {"verbs": list(kind.verbs)}
    own |= {"shortNames": list(kind.short)} if kind.short else {}
    yield own | ({"categories": list(kind.categories)} if kind.categories else {})
    for name in kind.subresources:
        other, verbs = _SUBRESOURCES[name]
        outside = {"group": "autoscaling", "version": "v1"} if name == "scale" else {}
        yield {
            "name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced, **outside,
            "kind": other or kind.name, "verbs": verbs,
        }  # fmt: skip


def _version(group_: str) -> Raw:
    found = [_aggregated(kind) for kind in kinds.KINDS if kind.group == group_]
    return {"version": "v1", "resources": found, "freshness": "Current"}


def _aggregated(kind: Kind) -> Raw:
    own: Raw = {
        "resource": kind.plural, "responseKind": {"group": "", "version": "", "kind": kind.name},
        "scope": "Namespaced" if kind.namespaced else "Cluster", "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }  # fmt: skip
    own |= {"shortNames": list(kind.short)} if kind.short else {}
    own |= {"categories": list(kind.categories)} if kind.categories else {}
    subresources = [_aggregated_subresource(kind, name) for name in kind.subresources]
    return own | ({"subresources": subresources} if subresources else {})


def _aggregated_subresource(kind: Kind, name: str) -> Raw:
    other, verbs = _SUBRESOURCES[name]
    where = {"group": "autoscaling", "version": "v1"} if name == "scale" else {"group": "", "version": ""}
    return {"subresource": name, "responseKind": {**where, "kind": other or kind.name}, "verbs": verbs}
