"""Requests to a registry: over TLS or not, through a proxy or not, with what it takes to be let in.

Which registries may be spoken to in plain HTTP is the Docker engine's rule: those that are, or resolve to, a loopback
address, and those that the engine lists as insecure. The same ones need no certificate that can be checked.
"""

import asyncio
import contextlib
import ipaddress
import os
import re
import socket
import ssl
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from devloop.adapters.registryauth import Authorizer, Scope
from devloop.adapters.threads import in_daemon_thread
from devloop.core.failure import GOES_ON, Failure, FailureCode
from devloop.core.image import DOCKER_HUB

if TYPE_CHECKING:
    import aiohttp

InsecureRegistries = Callable[[], Awaitable[frozenset[str] | None]]
HUB_HOST = "registry-1.docker.io"
_CHUNK = 1 << 18
_LONGEST_PAUSE = 10.0
"""Seconds that a registry may ask to wait for without being taken for away."""
_CERTIFICATES = (Path("/etc/docker/certs.d"), Path("~/.docker/certs.d"))


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    challenges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What a request carries."""

    body: bytes
    media_type: str


class RegistryHttp:
    """One session with kept-alive connections to any number of registries; to be closed."""

    def __init__(
        self, env: Mapping[str, str] | None, insecure: InsecureRegistries | None, connect: float, read: float
    ) -> None:
        self.authorizer = Authorizer(env)
        self._insecure = insecure
        self._connect, self._read = connect, read
        self._session: aiohttp.ClientSession | None = None
        self._ways: dict[str, tuple[tuple[str, ssl.SSLContext | bool], ...]] = {}

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: str,
        scope: Scope,
        path: str,
        *,
        accept: Iterable[str] = (),
        body: bytes = b"",
        media_type: str = "",
    ) -> Answer | Failure:
        """Ask, meeting the registry's challenge when there is one; a refusal comes back as a Failure."""
        content = Content(body, media_type) if media_type else None
        return await self._met(method, scope, path, accept, content)

    async def download(self, scope: Scope, path: str, into: BinaryIO) -> Answer | Failure:
        """A GET whose body goes into a file; that of the answer is empty."""
        return await self._met("GET", scope, path, (), into)

    async def _met(
        self, method: str, scope: Scope, path: str, accept: Iterable[str], content: "Content | BinaryIO | None"
    ) -> Answer | Failure:
        import aiohttp  # deferred: about 150 ms

        session = self._opened()
        try:
            header = await self.authorizer.header(session, scope)
            if isinstance(header, Failure):
                return header
            answer = await self._send(method, scope.host, path, _headers(header, accept), content)
            if answer.status == 401:
                header = await self.authorizer.challenged(session, scope, answer.challenges, refused=header)
                if isinstance(header, Failure):
                    return header
                answer = await self._send(method, scope.host, path, _headers(header, accept), content)
            if (pause := _asked_to_wait(answer)) is not None:
                await asyncio.sleep(pause)
                answer = await self._send(method, scope.host, path, _headers(header, accept), content)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return self._unreachable(scope.host, error)
        return self._judged(scope, answer)

    def _judged(self, scope: Scope, answer: Answer) -> Answer | Failure:
        if answer.status in {401, 403}:
            return self.authorizer.denied(scope, f"it answers {answer.status} to the credentials found for it")
        if answer.status == 429 or answer.status >= 500:
            why = "too many requests" if answer.status == 429 else "an error of its own"
            return Failure(
                FailureCode.REGISTRY_UNREACHABLE, f"the registry {scope.host} answers {answer.status}: {why}", GOES_ON
            )
        return answer

    def _opened(self) -> "aiohttp.ClientSession":
        import aiohttp

        if self._session is None:
            # `total` stays off: a large blob may take long as long as something arrives.
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._connect, sock_read=self._read)
            connector = aiohttp.TCPConnector(resolver=_resolver(), limit_per_host=16)
            # `trust_env` would also take passwords for registries from ~/.netrc.
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self._session

    async def _send(
        self, method: str, host: str, path: str, headers: Mapping[str, str], content: "Content | BinaryIO | None"
    ) -> Answer:
        """Send it in the first of the registry's ways that leads anywhere; raises the first way's error."""
        import aiohttp

        ways = self._ways.get(host) or await self._find_ways(host)
        failed: Exception | None = None
        for way in ways:
            try:
                answer = await self._send_by(way, method, host, path, headers, content)
            except TimeoutError:
                raise
            except aiohttp.ClientError as error:
                failed = failed or error
                continue
            if answer.status == 400 and b"HTTPS server" in answer.body and len(ways) > 1:
                continue
            self._ways[host] = (way,)
            return answer
        raise failed or aiohttp.ClientError("it speaks neither HTTP nor HTTPS")

    async def _send_by(
        self,
        way: tuple[str, ssl.SSLContext | bool],
        method: str,
        host: str,
        path: str,
        headers: Mapping[str, str],
        content: "Content | BinaryIO | None",
    ) -> Answer:
        scheme, tls = way
        url = f"{scheme}://{HUB_HOST if host == DOCKER_HUB else host}{path}"
        proxy = _proxy(scheme, host)
        body = None
        if isinstance(content, Content):
            body, headers = content.body, {**headers, "Content-Type": content.media_type}
        async with self._opened().request(method, url, headers=headers, data=body, ssl=tls, proxy=proxy) as response:
            asked = tuple(response.headers.getall("WWW-Authenticate", ()))
            if content is None or isinstance(content, Content) or response.status != 200:
                return Answer(response.status, response.headers, await response.read(), asked)
            async for chunk in response.content.iter_chunked(_CHUNK):
                content.write(chunk)
            return Answer(response.status, response.headers, b"", asked)

    async def _find_ways(self, host: str) -> tuple[tuple[str, ssl.SSLContext | bool], ...]:
        if await self._may_be_plain(host):
            return (("http", False), ("https", False))
        return (("https", await in_daemon_thread(lambda: _tls_context(host))),)

    async def _may_be_plain(self, host: str) -> bool:
        name = _host_name(host)
        addresses = await _addresses(name)
        if name == "localhost" or any(address.is_loopback for address in addresses):
            return True
        listed = await self._insecure() if self._insecure else None
        networks = [network for entry in listed or () if (network := _network(entry))]
        return host in (listed or ()) or any(a in network for a in addresses for network in networks)

    def _unreachable(self, host: str, error: Exception) -> Failure:
        cause, hint = _cause(error, host, self._connect, self._read)
        return Failure(FailureCode.REGISTRY_UNREACHABLE, f"the registry {host} cannot be reached: {cause}", hint)


def _asked_to_wait(answer: Answer) -> float | None:
    """Seconds, where the registry says when to come back and that is soon.

    https://www.rfc-editor.org/rfc/rfc9110#name-retry-after; a date is as good as no answer, which is tried again later.
    """
    after = answer.headers.get("Retry-After", "")
    busy = answer.status in {429, 503} and after.isdecimal()
    return float(after) if busy and float(after) <= _LONGEST_PAUSE else None


def _headers(authorization: str, accept: Iterable[str]) -> dict[str, str]:
    headers = {"User-Agent": "devloop"}
    if accepted := ", ".join(accept):
        headers["Accept"] = accepted
    if authorization:
        headers["Authorization"] = authorization
    return headers


def _cause(error: Exception, host: str, connect: float, read: float) -> tuple[str, str]:
    """In words, and what to do about it."""
    import aiohttp

    running = f"is it running, and is its name right? {GOES_ON}"
    match error:
        case aiohttp.ConnectionTimeoutError():
            return f"no connection within {connect:g} s", running
        case TimeoutError():
            return f"no answer within {read:g} s", running
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
            return f"its certificate is not trusted ({reason})", f"put its CA into /etc/docker/certs.d/{host}/ca.crt"
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be resolved", running
        case aiohttp.ClientConnectorSSLError():
            hint = f"does it speak plain HTTP? Then add `{host}` to `insecure-registries` of the Docker engine"
            return "it does not speak TLS", hint
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno  # asyncio puts its own words into `strerror`
            return os.strerror(number).lower() if number else str(error.os_error), running
        case _:
            return str(error) or type(error).__name__, running


def _host_name(host: str) -> str:
    return re.sub(r":\d+$", "", host).strip("[]")


async def _addresses(name: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        return [ipaddress.ip_address(name)]
    except ValueError:
        pass
    with contextlib.suppress(OSError):
        found = await in_daemon_thread(lambda: socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
        return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    return []


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def _proxy(scheme: str, host: str) -> str | None:
    """The environment's proxy; like Go, never for what is on this machine."""
    name = _host_name(host)
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(name).is_loopback:
            return None
    if name == "localhost" or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(scheme)


def _tls_context(host: str) -> ssl.SSLContext:
    """Trusts what the system trusts, and what was put beside for this registry, as the engine does (`certs.d`)."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:  # Python from python.org on macOS comes without
        import certifi

        context.load_verify_locations(certifi.where())
    for folder in (base.expanduser() / host for base in _CERTIFICATES):
        with contextlib.suppress(OSError):
            for authority in sorted(folder.glob("*.crt")):
                context.load_verify_locations(authority)
            for certificate in sorted(folder.glob("*.cert")):
                context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


def _resolver() -> Any:
    """A resolver whose look-ups, unlike those of the loop's own pool of threads, cannot delay the exit."""
    from aiohttp.abc import AbstractResolver, ResolveResult

    class DaemonResolver(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            found = await in_daemon_thread(
                lambda: socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
            )
            return [
                ResolveResult(
                    hostname=host,
                    host=str(address[0]),
                    port=port,
                    family=kind,
                    proto=proto,
                    flags=socket.AI_NUMERICHOST,
                )
                for kind, _, proto, _, address in found
            ]

        async def close(self) -> None:
            return None

    return DaemonResolver()
