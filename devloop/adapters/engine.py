"""What is asked of the Docker engine itself, beside builds: is it there, what is it, what does it see of a registry."""

import asyncio
import contextlib
import math
import os
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from devloop.adapters.dockerconfig import DockerConfig, Endpoint
from devloop.adapters.threads import in_daemon_thread
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef, PlatformManifest, ResolvedImage
from devloop.core.judgements import Reading

_T = TypeVar("_T")
_ELSEWHERE = (
    "choose another engine with `docker context use NAME` or DOCKER_HOST, or build elsewhere with `build.builder`"
)
_SAYS_NO_MORE = re.compile(r"Cannot connect to the Docker daemon at \S+ Is the docker daemon running\?")
"""What Docker's own programs say of an engine that is away, whatever keeps it away."""


def engine_unreachable(endpoint: Endpoint, cause: str) -> Failure:
    """The engine does not answer, with what to do about it."""
    if "permission denied" in cause.lower():
        hint = "you may not use its socket: add your user to the group that owns it (often `docker`) and log in again"
    elif endpoint.host.startswith("unix:"):
        hint = f"start Docker, {_ELSEWHERE}"
    else:
        hint = f"check that address, {_ELSEWHERE}"
    why = "" if _SAYS_NO_MORE.fullmatch(cause) else f": {cause}"
    message = f"no Docker engine answers at {endpoint.host} ({endpoint.source}){why}"
    return Failure(FailureCode.ENGINE_UNREACHABLE, message, hint)


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine says of its machine."""

    clock: Reading | None
    folder: str
    """Where it keeps images, if that is a folder of this machine; else empty."""


class DockerEngine:
    """The engine that `docker` on this terminal would talk to; each call opens and closes a client of its own.

    A client in each thread, because the SDK's authors do not promise that one may be shared.
    """

    def __init__(self, env: Mapping[str, str] | None = None, *, patience: float = 5.0) -> None:
        """`patience`: seconds after which an engine that does not answer counts as unreachable."""
        self._env = env
        self._patience = patience

    async def ping(self) -> Failure | None:
        """Whether the engine answers."""
        answer = await self.ask(lambda client: client.ping())
        return answer if isinstance(answer, Failure) else None

    async def version(self) -> Mapping[str, Any] | Failure:
        """The engine's answer to `/version`: `Version`, `ApiVersion`, `Os`, `Arch`, ..."""
        return await self.ask(lambda client: dict(client.version()))

    async def info(self) -> EngineInfo | Failure:
        return await self.ask(_info)

    async def platform(self) -> str:
        """`linux/amd64`; empty when the engine cannot be reached."""
        version = await self.version()
        return "" if isinstance(version, Failure) else f"{version.get('Os', 'linux')}/{version.get('Arch', '')}"

    async def insecure_registries(self) -> frozenset[str] | None:
        """Registries (`host:port`) and networks (CIDR) that the engine speaks plain HTTP to; None when not known."""
        info = await self.ask(lambda client: dict(client.info()))
        if isinstance(info, Failure):
            return None
        config = info.get("RegistryConfig") or {}
        hosts = {name for name, index in (config.get("IndexConfigs") or {}).items() if not index.get("Secure", True)}
        return frozenset(hosts | set(config.get("InsecureRegistryCIDRs") or ()))

    async def inspect_distribution(self, ref: ImageRef) -> ResolvedImage | Failure | None:
        """What the engine sees in the registry: the digest and the platforms' names, no manifests."""
        from docker.errors import APIError, NotFound

        try:
            found = await self.ask(lambda client: client.inspect_distribution(str(ref)), raises=APIError)
        except NotFound:
            return None
        except APIError as error:
            denied = error.status_code in {401, 403}
            code = FailureCode.REGISTRY_DENIED if denied else FailureCode.REGISTRY_UNREACHABLE
            return Failure(code, f"the Docker engine cannot read {ref} in its registry: {error.explanation}")
        if isinstance(found, Failure):
            return found
        platforms = (_platform(platform) for platform in found.get("Platforms") or ())
        manifests = tuple(PlatformManifest(platform, "", "") for platform in platforms)
        return ResolvedImage(found["Descriptor"]["digest"], manifests)

    async def ask(
        self, question: Callable[[Any], _T], *, raises: type[Exception] | tuple[type[Exception], ...] = ()
    ) -> _T | Failure:
        endpoint = DockerConfig.load(self._env).endpoint()
        if isinstance(endpoint, Failure):
            return endpoint
        try:
            async with asyncio.timeout(self._patience):
                return await in_daemon_thread(lambda: _with_client(endpoint, self._patience, question))
        except TimeoutError:
            return engine_unreachable(endpoint, f"no answer within {self._patience:g} s")
        except raises:
            raise
        except Exception as error:  # urllib3, requests and paramiko raise their own, unrelated ones
            return engine_unreachable(endpoint, _cause(error))


def _with_client(endpoint: Endpoint, patience: float, question: Callable[[Any], _T]) -> _T:
    _knock(endpoint, patience)
    # A client that negotiates in its constructor cannot be closed when that fails, so the version is asked for first.
    with contextlib.closing(_client(endpoint, patience)) as client:
        version = client.version(api_version=False)["ApiVersion"]
    with contextlib.closing(_client(endpoint, patience, version)) as client:
        return question(client)


def _knock(endpoint: Endpoint, patience: float) -> None:
    """Raise the plain `OSError` of a socket that is not there; the SDK wraps it several times and leaks its socket."""
    if endpoint.host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(patience)
            knocking.connect(endpoint.host.removeprefix("unix://"))


def _client(endpoint: Endpoint, patience: float, version: str = "") -> Any:
    from docker import APIClient  # deferred: about 150 ms
    from docker.constants import DEFAULT_DOCKER_API_VERSION
    from docker.tls import TLSConfig

    tls: TLSConfig | bool = False
    if endpoint.tls:
        pair = (str(endpoint.tls / "cert.pem"), str(endpoint.tls / "key.pem"))
        tls = TLSConfig(client_cert=pair, ca_cert=str(endpoint.tls / "ca.pem"), verify=endpoint.verify)
    return APIClient(
        base_url=endpoint.host,
        tls=tls,
        version=version or DEFAULT_DOCKER_API_VERSION,
        timeout=math.ceil(patience),
        use_ssh_client=endpoint.host.startswith("ssh:"),
    )


def _cause(error: BaseException) -> str:
    """The innermost operating system error in words, else the outermost message."""
    innermost = ""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            innermost = cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return innermost or str(error) or type(error).__name__


def _info(client: Any) -> EngineInfo:
    sent = time.time()
    info = client.info()
    received = time.time()
    try:
        clock = Reading(sent, received, datetime.fromisoformat(info["SystemTime"]).timestamp())
    except (KeyError, ValueError):
        clock = None
    return EngineInfo(clock, str(info.get("DockerRootDir") or "") if _is_here(info) else "")


def _is_here(info: Mapping[str, Any]) -> bool:
    """Whether the engine runs on this very machine: not in a virtual one, nor behind a tunnel."""
    here = os.uname()
    return (info.get("Name"), info.get("KernelVersion")) == (here.nodename, here.release)


def _platform(platform: Mapping[str, str]) -> str:
    parts = (platform.get("os"), platform.get("architecture"), platform.get("variant"))
    return "/".join(part for part in parts if part)
