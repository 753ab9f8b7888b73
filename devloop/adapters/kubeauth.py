"""Credentials of the pinned context: what the kubeconfig's user entry amounts to at this moment.

The library's loader knows tokens, certificates, passwords and OIDC. It is handed the pinned context's own entries and
nothing else, and two things are done here because it does them in a way that does not suit: it only logs the failure of
a credential plugin (and goes on without credentials), and it ignores impersonation, which would give this session more
rights than kubectl has.
"""

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.kube_config import ConfigNode, FileOrData, KubeConfigLoader

from devloop.adapters.execplugin import PluginError, run_plugin
from devloop.adapters.kubeconfig import Entry, Kubeconfig, PinnedContext, pin, read, shown_server
from devloop.core.failure import Failure, FailureCode


@dataclass(frozen=True, slots=True)
class Login:
    """What a connection needs; never shown to anybody."""

    headers: tuple[tuple[str, str], ...] = field(repr=False)
    ssl: ssl.SSLContext | None
    server_name: str | None
    proxy: str | None
    transport: str
    """Equal for logins that differ in their headers only: those can share connections."""


async def log_in(pinned: PinnedContext) -> Login | Failure:
    """Read the credentials anew, running the credential plugin if there is one.

    The kubeconfig may have been rewritten since the session began: it must still say the same server and user.
    """
    config = read(pinned.files)
    if isinstance(config, Failure):
        return config
    again = pin(pinned.name, config)
    if isinstance(again, Failure):
        return again
    if (again.server, again.user) != (pinned.server, pinned.user):
        return _moved(pinned, again)
    try:
        return await _load(pinned, config)
    except PluginError as error:
        return _denied(pinned, str(error), error.hint)
    except (ConfigException, ValueError, OSError, TypeError, KeyError) as error:
        return _denied(pinned, f"its credentials cannot be used: {_sentence(error)}")


async def _load(pinned: PinnedContext, config: Kubeconfig) -> Login:
    cluster_name = str(config.contexts[pinned.name].value["cluster"])
    user = config.users.get(pinned.user, Entry({}, pinned.files[0]))
    loader = _Loader(pinned, config.clusters[cluster_name].value, user)
    loaded = Configuration()
    await loader.load_and_set(loaded)  # type: ignore[no-untyped-call]
    headers = _impersonation(user.value)
    if token := loaded.api_key.get("BearerToken"):
        headers.append(("Authorization", token))
    context = _tls(loaded) if pinned.server.startswith("https") else None
    proxy = loaded.proxy or _environment_proxy(pinned.server)
    return Login(tuple(headers), context, loaded.tls_server_name, proxy, _fingerprint(loaded))


class _Loader(KubeConfigLoader):
    """The library's loader over one context, with plugins that are heard and that end with the task."""

    def __init__(self, pinned: PinnedContext, cluster: Mapping[str, Any], user: Entry) -> None:
        self._plugin, self._plugin_cluster = user.value.get("exec") or {}, cluster
        renewed = dict(user.value)
        entries = {
            "current-context": pinned.name,
            "contexts": [{"name": pinned.name, "context": {"cluster": "pinned", "user": "pinned"}}],
            "clusters": [{"name": "pinned", "cluster": dict(cluster)}],
            "users": [{"name": "pinned", "user": renewed}],
        }
        super().__init__(  # type: ignore[no-untyped-call]
            ConfigNode("kubeconfig", entries),
            active_context=pinned.name,
            config_base_path="",
            config_persister=lambda _: _persist(user.file, pinned.user, renewed),
        )

    async def load_from_exec_plugin(self) -> bool:
        status = await run_plugin(self._plugin, self._plugin_cluster)
        if token := status.get("token"):
            self.token = f"Bearer {token}"
        if status.get("clientCertificateData") and status.get("clientKeyData"):
            self.cert_file = _temporary(status, "clientCertificateData")
            self.key_file = _temporary(status, "clientKeyData")
        elif not token:
            raise PluginError("it printed neither a token nor a certificate")
        return True


def _temporary(status: Mapping[str, Any], key: str) -> str:
    return str(FileOrData(status, None, data_key_name=key, base64_file_content=False).as_file())


def _persist(file: Path, user: str, renewed: Mapping[str, Any]) -> None:
    """Write renewed OIDC tokens back: the refresh token that was just used may never work again, for kubectl too."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    for item in content["users"]:
        if item["name"] == user:
            item["user"]["auth-provider"] = renewed["auth-provider"]
            break
    beside = file.with_name(f".{file.name}.devloop")
    beside.touch(mode=0o600)
    beside.write_text(yaml.safe_dump(content, default_flow_style=False), encoding="utf-8")
    beside.replace(file)


def _impersonation(user: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Headers for a user entry's `as...` keys, as client-go sends them."""
    headers = [("Impersonate-User", user.get("as")), ("Impersonate-Uid", user.get("as-uid"))]
    headers += [("Impersonate-Group", group) for group in user.get("as-groups") or []]
    for key, values in (user.get("as-user-extra") or {}).items():
        headers += [(f"Impersonate-Extra-{quote(key.lower(), safe='')}", value) for value in values]
    return [(name, str(value)) for name, value in headers if value]


def _tls(loaded: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=loaded.ssl_ca_cert)
    # Python 3.13 refuses certificate authorities that Go, and so kubectl, accepts.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if loaded.cert_file:
        context.load_cert_chain(loaded.cert_file, loaded.key_file)
    if not loaded.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _fingerprint(loaded: Any) -> str:
    digest = hashlib.sha256(f"{loaded.verify_ssl} {loaded.tls_server_name} {loaded.proxy}".encode())
    for file in (loaded.ssl_ca_cert, loaded.cert_file, loaded.key_file):
        digest.update(Path(file).read_bytes() if file else b"-")
    return digest.hexdigest()


def _environment_proxy(server: str) -> str | None:
    """The proxy that HTTPS_PROXY and NO_PROXY choose, by Go's rules: never for this machine, and networks count."""
    parts = urlsplit(server)
    host = parts.hostname or ""
    proxies = getproxies()
    proxy = proxies.get(parts.scheme)
    if proxy is None or host == "localhost" or proxy_bypass(f"{host}:{parts.port or 443}"):
        return None
    try:
        address = ip_address(host)
    except ValueError:
        return proxy
    excluded = [part.strip() for part in proxies.get("no", "").split(",") if "/" in part]
    return None if address.is_loopback or any(_within(address, part) for part in excluded) else proxy


def _within(address: Any, network: str) -> bool:
    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return False


def _moved(pinned: PinnedContext, now: PinnedContext) -> Failure:
    return Failure(
        FailureCode.CONTEXT_REFUSED,
        f"context {pinned.name} meant {shown_server(pinned.server)} as {pinned.user or 'nobody'} when this session "
        f"began, and the kubeconfig now says {shown_server(now.server)} as {now.user or 'nobody'}",
        "start devloop again if the new one is meant",
    )


def _denied(pinned: PinnedContext, reason: str, hint: str = "") -> Failure:
    return Failure(
        FailureCode.CLUSTER_LOGIN,
        f"no credentials for context {pinned.name}: {reason}",
        hint or f"`kubectl --context {pinned.name} version` must work first",
    )


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)
