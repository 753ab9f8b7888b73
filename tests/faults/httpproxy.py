"""A proxy that understands HTTP, before the real registry or API server: it answers instead when told to."""

import asyncio
import io
import json
import ssl
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

_T = TypeVar("_T")
_PATIENCE = 20.0
_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "host", "content-length"}
Request = web.BaseRequest
Headers = CIMultiDict[str]
Only = Callable[[Request], bool]


def every(_: Request) -> bool:
    return True


def pushes(request: Request) -> bool:
    """What moves the tag."""
    return request.method == "PUT" and "/manifests/dev" in request.path


_CODES = {401: "UNAUTHORIZED", 403: "DENIED", 429: "TOOMANYREQUESTS"}
"""The distribution specification's words for a status."""


def uploads(request: Request) -> bool:
    """The beginning of a blob's upload."""
    return request.method == "POST" and "/blobs/uploads" in request.path


def patches(request: Request) -> bool:
    return request.method == "PATCH"


def watches(request: Request) -> bool:
    return request.query.get("watch") == "true"


def _as_it_is(path: str) -> str:
    return path


def _passed_on(headers: Mapping[str, str]) -> Headers:
    """The same name may come several times."""
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP)


class HttpProxy:
    """Forwards every request to `upstream`, unless a rule for it says otherwise; rules stay until `mend`."""

    def __init__(self, upstream: str, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[str] = []
        """Method and path of each request."""
        self._upstream, self._tls = upstream, tls
        self._instead: list[tuple[Only, Callable[[Request], Coroutine[Any, Any, web.StreamResponse | None]]]] = []
        self._rewrite: Callable[[str], str] = _as_it_is
        self._alter: Callable[[Request, Headers], None] = lambda *_: None
        self._open: list[Request] = []
        self._mute: list[Request] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = self._do(self._begin())

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def mend(self) -> None:
        """Forward everything from now on."""
        self._instead = []
        self._rewrite = _as_it_is
        self._alter = lambda *_: None

    def answer(self, status: int, body: Any = None, only: Only = every, times: int = 10**9, **headers: str) -> None:
        """Answer this instead of forwarding."""
        error = {"code": _CODES.get(status, "UNKNOWN"), "message": "no"}
        text = json.dumps(body if body is not None else {"errors": [error]})
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        left = [times]

        async def say(_: Request) -> web.StreamResponse | None:
            left[0] -= 1
            if left[0] < 0:
                return None
            return web.Response(status=status, text=text, content_type="application/json", headers=named)

        self._instead.append((only, say))

    def slow(self, seconds: float, only: Only = every) -> None:
        """Forward it after so many seconds."""

        async def wait(_: Request) -> None:
            await asyncio.sleep(seconds)

        self._instead.append((only, wait))

    def first(self, do: Callable[[], None], only: Only) -> None:
        """Do something before the first such request is forwarded."""
        done: list[bool] = []

        async def act(_: Request) -> None:
            if not done:
                done.append(True)
                await asyncio.get_running_loop().run_in_executor(None, do)

        self._instead.append((only, act))

    def alter_reads(self, path: str, instead: str) -> None:
        """Read another path than the one that was asked for."""
        self._rewrite = lambda asked: asked.replace(path, instead)

    def alter(self, change: Callable[[Request, Headers], None]) -> None:
        """Change the headers of answers."""
        self._alter = change

    def silence(self, only: Only) -> None:
        """Nothing more arrives of the answers that are under way now, and nobody is told."""
        self._mute += [request for request in self._open if only(request)]

    def cut(self) -> None:
        """Break the requests that are under way, watches among them."""
        self._loop.call_soon_threadsafe(self._cut)

    def close(self) -> None:
        self.cut()
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    def _cut(self) -> None:
        for request in self._open:
            if request.transport:
                request.transport.abort()

    async def _begin(self) -> int:
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(ssl=self._tls or False, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _end(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: Request) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.path}")
        self._open.append(request)
        try:
            for only, instead in list(self._instead):
                if only(request) and (answer := await instead(request)) is not None:
                    return answer
            return await self._forward(request)
        except (aiohttp.ClientError, ConnectionError):
            if request.transport:
                request.transport.abort()
            return web.Response(status=502)
        finally:
            self._open = [each for each in self._open if each is not request]

    async def _forward(self, request: Request) -> web.StreamResponse:
        reads = request.method in {"GET", "HEAD"}
        url = f"{self._upstream}{self._rewrite(request.raw_path) if reads else request.raw_path}"
        headers = _passed_on(request.headers)
        # The registry tells where an upload goes on by the name that it was asked by.
        headers["Host"] = request.host
        body = io.BytesIO(await request.content.read()) if request.body_exists else None
        # As it was asked: the state of an upload does not survive being quoted anew.
        asked = URL(url, encoded=True)
        async with self._session.request(
            request.method, asked, headers=headers, data=body, allow_redirects=False
        ) as got:
            said = _passed_on(got.headers)
            if "Content-Length" in got.headers:
                said["Content-Length"] = got.headers["Content-Length"]
            self._alter(request, said)
            answer = web.StreamResponse(status=got.status, headers=said)
            await answer.prepare(request)
            if request.method != "HEAD":
                async for chunk in got.content.iter_any():
                    if not any(request is each for each in self._mute):
                        await answer.write(chunk)
            await answer.write_eof()
            return answer
