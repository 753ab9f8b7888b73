"""Which clusters devloop may write to without being told so: the known local ones, and those that the file allows.

A name alone proves nothing (anybody may call a context `kind-prod`), so a known local name counts only when every
address of its server is on this machine or private. The addresses come from the caller, who has resolved them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from devloop.core.config import AllowedPlace, ClusterConfig, Config, to_toml
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
    """devloop may not write there; the hint of `failure` says what would allow it."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Written:
    """What the files say of clusters, and where a person can add to it."""

    cluster: ClusterConfig
    overlay: str = ""
    """As shown to the user; empty where there is no devloop.toml that it could be laid over."""
    faulty: str = ""
    """The files with mistakes, whose permissions do not count."""
    in_use: bool = False
    """Whether a session goes by them, which keeps its context."""


def is_local(context: str, addresses: Sequence[str]) -> bool:
    """Whether this is a local development cluster: known by its name, and near by its addresses."""
    return _known(context) and bool(addresses) and all(_near(address) for address in addresses)


def judge(context: str, server: str, addresses: Sequence[str], allowed: bool, way: str) -> Allowed | Refused:
    """Whether devloop may write through `context`.

    `addresses` are those that the server's host resolves to; none when it does not resolve. `allowed` says whether the
    configuration names this context (and namespace), `way` what to do where it does not (`remedy`).
    """
    if allowed:
        return Allowed(f"context {context} is allowed in the configuration")
    if is_local(context, addresses):
        return Allowed(f"context {context} is a local cluster: {server} is on this machine or a private address")
    return Refused(
        Failure(
            FailureCode.CONTEXT_REFUSED,
            f"context {context} ({server}) {_objection(context, addresses)}, and nothing allows devloop to write to it",
            f"start devloop in a terminal, where you can type its name, or {way}",
        )
    )


def declined(context: str, way: str) -> Failure:
    """What to say when a person was asked and did not type its name."""
    return Failure(
        FailureCode.CONTEXT_REFUSED,
        f"you did not type the name of context {context}, so devloop does not write there",
        f"to allow it for good, {way}",
    )


def remedy(context: str, namespaces: Sequence[str], written: Written) -> str:
    """What to write, and where, so that the context is allowed in these namespaces for good."""
    if written.faulty:
        return f"correct the mistakes in {written.faulty}: what that allows does not count before"
    line = _line(ClusterConfig(context=context))
    if not written.overlay:
        return (
            "let `devloop init` write a devloop.toml, "
            f"and set `{line}` under `[cluster]` in the devloop.local.toml beside it"
        )
    # To name the context would move everything there from the one that the files name, or a session that runs.
    if written.cluster.context or written.in_use:
        line = allowing_line(context, *namespaces, present=written.cluster.allow)
    return f"set `{line}` under `[cluster]` in {written.overlay}"


def allowing_line(context: str, *namespaces: str, present: Sequence[AllowedPlace] = ()) -> str:
    """The line of TOML, for the table `[cluster]`, that allows this context in these namespaces (empty: in all).

    A list in the overlay takes the place of the one below it, so what is allowed already is said again.
    """
    places = [AllowedPlace(context=context, namespace=each or "*") for each in namespaces]
    return _line(ClusterConfig(allow=(*present, *places)))


def _line(cluster: ClusterConfig) -> str:
    """The one line that says this, without the table's head."""
    return to_toml(Config(cluster=cluster)).partition("\n")[2].strip()


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
