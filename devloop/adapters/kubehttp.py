"""The HTTP connection to the API server of the pinned context: JSON requests and streams that stay open.

Requests go through aiohttp, which the Kubernetes client brings and uses itself; its own transport is not used because
it differs between the supported major versions, shares a pool of 100 connections among all watches, and its typed
classes cost a second of CPU. Credentials that the server refuses (401) are read anew once, whoever asks.
"""

import asyncio
import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import aiohttp

from devloop.adapters.kubeauth import Login, log_in
from devloop.adapters.kubeconfig import PinnedContext, shown_server
from devloop.core.failure import Failure, FailureCode

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 10.0
"""Seconds without a byte from the server."""
GOODBYE = 0.25
"""Seconds that closing waits for the other side at most."""
RENEWAL_PAUSE = 20.0
"""Seconds between two attempts to renew credentials: a plugin may open a browser each time."""
_LINE_LIMIT = 2**21
"""Bytes that aiohttp buffers before it stops reading."""
_OVERLOADED = frozenset({429, 502, 503, 504})

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the API server answered."""

    status: int
    body: bytes
    date: str = ""
    """The header that tells the server's clock."""

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def overloaded(self) -> bool:
        """Whether the API server, or what it stores to, cannot serve anybody just now."""
        return self.status in _OVERLOADED or (self.status == 500 and "etcdserver" in self.message)

    @property
    def message(self) -> str:
        """The sentence of a `Status` object, or the start of whatever else was answered."""
        text = self.object.get("message") or self.body[:300].decode(errors="replace").strip()
        return str(text) or f"HTTP status {self.status}"

    @property
    def object(self) -> Mapping[str, Any]:
        """The JSON object that it is; empty when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class KubeConnection:
    """Sends requests to the pinned server, with credentials that are renewed when they are refused."""

    def __init__(self, pinned: PinnedContext) -> None:
        self.pinned = pinned
        self._sessions: list[aiohttp.ClientSession] = []
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._login: Login | None = None
        self._logging_in = asyncio.Lock()
        self._next_renewal = float("-inf")
        self._refusal = self._not_accepted()
        self._closed = False

    async def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Reply | Failure:
        """One request and its whole answer. A status that says no is a `Reply` too, except 401."""
        data = None if body is None else json.dumps(body).encode()
        opened = await self._open(method, path, query, READ_TIMEOUT, data, content_type)
        if isinstance(opened, Failure):
            return opened
        try:
            async with opened:
                return Reply(opened.status, await opened.read(), opened.headers.get("Date", ""))
        except (aiohttp.ClientError, OSError) as error:
            return self.unreachable(error)

    async def stream(self, path: str, query: Query, silence: float | None) -> aiohttp.ClientResponse | Failure:
        """An answer that is read as it comes, with `silence` seconds at most between two bytes (None: any).

        The caller ends it with `drop`. A status that says no is returned to be read like any other.
        """
        return await self._open("GET", path, query, silence)

    async def close(self) -> None:
        """End all requests and streams; whatever is asked afterwards fails, and does not connect again."""
        self._closed = True
        sessions, self._sessions = self._sessions, []
        for session in sessions:
            await session.close()
        await self._until_closed()

    async def _until_closed(self) -> None:
        """Requests that were cancelled leave connections that still say good-bye, and the loop may end next."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                while any(made.fileno() != -1 for made in self._sockets):  # noqa: ASYNC110 - sockets tell nobody
                    await asyncio.sleep(0.005)

    def _socket(self, address: Any) -> socket.socket:
        """A socket whose peer has to prove every half minute that it is still there."""
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPALIVE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, option):
                made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        self._sockets.add(made)
        return made

    def _session(self, login: Login) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # watches and log streams hold a connection each; a full pool would starve requests silently
            ssl=login.ssl if login.ssl is not None else True,
            socket_factory=self._socket,
        )
        # Without the environment: it would add the password of a ~/.netrc, and chooses proxies unlike kubectl.
        return aiohttp.ClientSession(connector=connector, trust_env=False, read_bufsize=_LINE_LIMIT)

    def unreachable(self, error: BaseException) -> Failure:
        """The failure for an API server that does not answer, in one sentence."""
        return Failure(
            FailureCode.CLUSTER_UNREACHABLE,
            f"the API server {shown_server(self.pinned.server)} of context {self.pinned.name} {_reason(error)}",
            "check that the cluster runs and that this machine reaches it",
        )

    def refused(self, reply: Reply) -> Failure:
        """The failure for an answer that is no success, with the API server's own words."""
        if reply.status in {401, 403}:
            return Failure(
                FailureCode.CLUSTER_DENIED,
                f"context {self.pinned.name} may not do that: {reply.message}",
                "ask for the permission, or choose another context",
            )
        if reply.status == 404:
            return Failure(FailureCode.WORKLOAD_ABSENT, reply.message)
        return Failure(FailureCode.CLUSTER_UNREACHABLE, f"the API server cannot serve a request: {reply.message}")

    async def _open(
        self,
        method: str,
        path: str,
        query: Query | None,
        silence: float | None,
        data: bytes | None = None,
        content_type: str = "",
    ) -> aiohttp.ClientResponse | Failure:
        """Send it; with credentials read anew if the server does not take those at hand."""
        login = await self._credentials(None)
        while isinstance(login, Login):
            try:
                response = await self._send(login, method, path, query, silence, data, content_type)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                return self.unreachable(error)
            if response.status != 401:
                return response
            drop(response)
            login = await self._credentials(login)
        return login

    async def _send(
        self,
        login: Login,
        method: str,
        path: str,
        query: Query | None,
        silence: float | None,
        data: bytes | None,
        type_: str,
    ) -> aiohttp.ClientResponse:
        headers = [*login.headers, ("Accept", "application/json")]
        if data is not None:
            headers.append(("Content-Type", type_))
        # The first byte of an answer is due at once, also where the rest of it may take minutes.
        async with asyncio.timeout(CONNECT_TIMEOUT + READ_TIMEOUT):
            return await self._sessions[-1].request(
                method,
                self.pinned.server + path,
                params=query,
                data=data,
                headers=headers,
                proxy=login.proxy,
                server_hostname=login.server_name,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=silence),
                allow_redirects=False,
            )

    async def _credentials(self, refused: Login | None) -> Login | Failure:
        """The credentials at hand, unless they are those that were refused; concurrent callers renew them once."""
        async with self._logging_in:
            if over := self._over():
                return over
            if self._login is not None and self._login is not refused:
                return self._login
            now = asyncio.get_running_loop().time()
            if now < self._next_renewal:
                return self._refusal
            if refused is not None:
                self._next_renewal, self._refusal = now + RENEWAL_PAUSE, self._not_accepted()
            login = await log_in(self.pinned)
            if isinstance(login, Failure):
                self._next_renewal, self._refusal = now + RENEWAL_PAUSE, login
                return login
            if over := self._over():
                return over
            if self._login is None or self._login.transport != login.transport:
                await self._replace_session(login)
            self._login = login
            return login

    def _not_accepted(self) -> Failure:
        return Failure(
            FailureCode.CLUSTER_LOGIN,
            f"the API server does not accept the credentials of context {self.pinned.name} (401 Unauthorized)",
            f"log in again: `kubectl --context {self.pinned.name} version` must work first",
        )

    def _over(self) -> Failure | None:
        """What a request is told that comes after the end."""
        if not self._closed:
            return None
        message = f"devloop has closed its connection to the API server of context {self.pinned.name}"
        return Failure(FailureCode.CLUSTER_UNREACHABLE, message)

    async def _replace_session(self, login: Login) -> None:
        """Streams of the session before go on; those of the one before that had their time."""
        self._sessions.append(self._session(login))
        while len(self._sessions) > 2:
            await self._sessions.pop(0).close()


def drop(response: aiohttp.ClientResponse) -> None:
    """End a stream at once: nobody waits for the rest of it, nor for TLS to say good-bye."""
    if (connection := response.connection) is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return f"cannot be trusted: {error.os_error if hasattr(error, 'os_error') else error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "has a name that cannot be resolved"
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno  # asyncio puts its own words into `strerror`
        return f"does not answer: {os.strerror(number).lower() if number else error.os_error}"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return "closed the connection"
    return f"does not answer properly: {error}"
