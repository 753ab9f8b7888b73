"""kubeconfig files, read and merged as kubectl does, and the one context that a session is pinned to.

The rules (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/): KUBECONFIG lists
files, missing ones are skipped, the first that names something wins. Reading needs PyYAML only, because the guard
judges a context before the Kubernetes client, which takes half a second to import, is loaded.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from devloop.core.failure import Failure, FailureCode

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CLUSTER_FILES = ("certificate-authority",)
_USER_FILES = ("client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, slots=True)
class PinnedContext:
    """The context of a session: everything that is sent goes to this server as this user."""

    name: str
    server: str
    """URL as the kubeconfig has it."""
    namespace: str
    """The context's own; `default` when it names none."""
    user: str
    """Name of the kubeconfig's user entry; empty when the context names none."""
    files: tuple[Path, ...] = ()
    """The kubeconfig files that it was read from; credentials are read from them again when they expire."""
    cluster: str = ""
    """Name of the kubeconfig's cluster entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A cluster, user or context of a kubeconfig, with the paths in it made absolute."""

    value: Mapping[str, Any]
    file: Path


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """The merged kubeconfig."""

    files: tuple[Path, ...]
    current: str = ""
    contexts: dict[str, Entry] = field(default_factory=dict)
    clusters: dict[str, Entry] = field(default_factory=dict)
    users: dict[str, Entry] = field(default_factory=dict)


def kubeconfig_files() -> tuple[Path, ...]:
    """The files that kubectl would look at, in order, whether they exist or not."""
    listed = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return tuple(Path(part) for part in listed) or (Path.home() / ".kube" / "config",)


def read(files: tuple[Path, ...]) -> Kubeconfig | Failure:
    """Merge the files; the failure names the file that cannot be read."""
    present = tuple(file.absolute() for file in files if file.exists())
    if not present:
        looked = ", ".join(str(file) for file in files)
        return _invalid(f"there is no kubeconfig: {looked} does not exist", "set KUBECONFIG, or create a cluster first")
    merged = Kubeconfig(present)
    for file in present:
        content = _load(file)
        if isinstance(content, Failure):
            return content
        merged = _merge(merged, content, file)
    return merged


def contexts() -> tuple[str, ...] | Failure:
    """The names of all contexts, in the order of the files."""
    config = read(kubeconfig_files())
    return config if isinstance(config, Failure) else tuple(config.contexts)


def resolve(context: str | None, files: tuple[Path, ...] | None = None) -> PinnedContext | Failure:
    """Pin `context`, or the current one; the failure is one sentence that says what to choose from."""
    config = read(kubeconfig_files() if files is None else files)
    if isinstance(config, Failure):
        return config
    name = context or config.current
    if not name:
        return _invalid("the kubeconfig has no current context", f"choose one with --context: {_choice(config)}")
    return pin(name, config)


def pin(name: str, config: Kubeconfig) -> PinnedContext | Failure:
    """The context of that name, if the kubeconfig has all that it refers to."""
    if name not in config.contexts:
        return _invalid(f"the kubeconfig has no context `{name}`", _suggestion(name, config))
    value = config.contexts[name].value
    cluster, user = str(value.get("cluster") or ""), str(value.get("user") or "")
    if cluster not in config.clusters:
        return _invalid(f"context `{name}` names the cluster `{cluster}`, which the kubeconfig does not have")
    if user and user not in config.users:
        return _invalid(f"context `{name}` names the user `{user}`, which the kubeconfig does not have")
    server = str(config.clusters[cluster].value.get("server") or "")
    if not _host(server):
        return _invalid(f"cluster `{cluster}` of context `{name}` has no server URL in the kubeconfig")
    return PinnedContext(
        name, server.rstrip("/"), str(value.get("namespace") or "default"), user, config.files, cluster
    )


async def server_addresses(server: str) -> tuple[str, ...]:
    """What the host of a server's URL resolves to, sorted; empty when it does not resolve.

    An address of this machine itself is given as `127.0.0.1`, whatever it is: that is where it leads.
    """
    host = _host(server)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(sorted({"127.0.0.1" if _is_ours(family, at[0]) else str(at[0]) for family, *_, at in found}))


def shown_server(server: str) -> str:
    """The URL of a server without the user and password that may be in it."""
    parts = urlsplit(server)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _load(file: Path) -> Mapping[str, Any] | Failure:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506
    except OSError as error:
        return _invalid(f"the kubeconfig {file} cannot be read: {error.strerror}")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        return _invalid(f"the kubeconfig {file} is no valid YAML{line}", "`kubectl config view` must work first")
    except UnicodeDecodeError:
        return _invalid(f"the kubeconfig {file} is no UTF-8 text")
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        return _invalid(f"the kubeconfig {file} is no mapping of keys to values")
    return content


def _merge(config: Kubeconfig, content: Mapping[str, Any], file: Path) -> Kubeconfig:
    current = config.current or str(content.get("current-context") or "")
    merged = Kubeconfig(config.files, current, dict(config.contexts), dict(config.clusters), dict(config.users))
    sections = ((merged.contexts, "context", ()), (merged.clusters, "cluster", _CLUSTER_FILES))
    for entries, key, paths in (*sections, (merged.users, "user", _USER_FILES)):
        for item in _named(content.get(f"{key}s")):
            entries.setdefault(str(item["name"]), Entry(_absolute(item.get(key), file.parent, paths), file))
    return merged


def _named(items: Any) -> list[Mapping[str, Any]]:
    return [i for i in items if isinstance(i, Mapping) and i.get("name")] if isinstance(items, list) else []


def _absolute(value: Any, folder: Path, paths: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    found: dict[str, Any] = {path: str(folder / value[path]) for path in paths if value.get(path)}
    plugin = value.get("exec")
    if paths and isinstance(plugin, Mapping) and os.sep in str(plugin.get("command") or ""):
        found["exec"] = {**plugin, "command": str(folder / plugin["command"])}
    return {**value, **found}


def _host(server: str) -> str:
    try:
        return urlsplit(server).hostname or ""
    except ValueError:
        return ""


def _is_ours(family: int, address: str | int) -> bool:
    """Whether this machine has that address: then, and only then, what goes there also comes from there."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))  # of a datagram socket: sends nothing
            return bool(probe.getsockname()[0] == address)
    except OSError:
        return False


def _choice(config: Kubeconfig) -> str:
    return ", ".join(config.contexts) or "it has none"


def _suggestion(name: str, config: Kubeconfig) -> str:
    close = get_close_matches(name, config.contexts, n=1)
    return f"did you mean `{close[0]}`?" if close else f"it has: {_choice(config)}"


def _invalid(message: str, hint: str = "") -> Failure:
    return Failure(FailureCode.CONFIG_INVALID, message, hint)
