"""Which clusters devloop may write to without being told so: the known local ones, and those that the file allows.

A name alone proves nothing (anybody may call a context `kind-prod`), so a known local name counts only when every
address of its server is on this machine or private. The addresses come from the caller, who has resolved them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from devloop.core.failure import Failure, FailureCode

LOCAL_CONTEXTS = (
    "kind-*",
    "k3d-*",
    "minikube",
    "docker-desktop",
    "rancher-desktop",
    "colima*",
    "orbstack",
    "microk8s",
)
"""Names that the tools for local clusters give to their contexts."""

_NEAR = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/32", "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("::/128", "::1/128", "fc00::/7", "fe80::/10"),
    )
)
"""Unspecified, loopback, private and link-local (RFC 1122, 1918, 3927, 4193, 4291)."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """devloop may write there; `reason` says why, for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """devloop may not write there; the hint of `failure` is the line that would allow it."""

    failure: Failure


def is_local(context: str, addresses: Sequence[str]) -> bool:
    """Whether this is a local development cluster: known by its name, and near by its addresses."""
    return _known(context) and bool(addresses) and all(_near(address) for address in addresses)


def judge(context: str, server: str, addresses: Sequence[str], allowed: bool, namespace: str) -> Allowed | Refused:
    """Whether devloop may write through `context`.

    `addresses` are those that the server's host resolves to; none when it does not resolve. `allowed` says whether the
    configuration names this context (and namespace).
    """
    if allowed:
        return Allowed(f"context {context} is allowed in the configuration")
    if is_local(context, addresses):
        return Allowed(f"context {context} is a local cluster: {server} is on this machine or a private address")
    return Refused(
        Failure(
            FailureCode.CONTEXT_REFUSED,
            f"context {context} ({server}) {_objection(context, addresses)}, and nothing allows devloop to write to it",
            "start devloop in a terminal, where you can type its name, "
            f"or add under `[cluster]` in devloop.toml: {allowing_line(context, namespace)}",
        )
    )


def declined(context: str, *, by_file: bool) -> Failure:
    """What to say when a person was asked and did not type its name. `by_file`: whether a devloop.toml is there."""
    where = "devloop.local.toml" if by_file else "devloop.toml, which `devloop init` writes"
    return Failure(
        FailureCode.CONTEXT_REFUSED,
        f"you did not type the name of context {context}, so devloop does not write there",
        f"to allow it for good, set `context = {_quoted(context)}` under `[cluster]` in {where}",
    )


def allowing_line(context: str, namespace: str) -> str:
    """The line of TOML, for the table `[cluster]`, that allows this context in this namespace."""
    if not namespace:
        return f"allow = [{_quoted(context)}]"
    return f"allow = [{{ context = {_quoted(context)}, namespace = {_quoted(namespace)} }}]"


def _objection(context: str, addresses: Sequence[str]) -> str:
    if not _known(context):
        return "is no known local cluster"
    if not addresses:
        return "has the name of a local cluster, but its server's name cannot be resolved"
    far = next(address for address in addresses if not _near(address))
    return f"has the name of a local cluster, but its server's address {far} is neither on this machine nor private"


def _known(context: str) -> bool:
    return any(fnmatchcase(context, pattern) for pattern in LOCAL_CONTEXTS)


def _near(address: str) -> bool:
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in _NEAR)


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string.
    return json.dumps(text, ensure_ascii=False)
