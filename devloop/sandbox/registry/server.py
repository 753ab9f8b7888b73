"""The registry as a server: loopback only, on a port that the system chooses."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from devloop.sandbox.registry.blobs import Blobs
from devloop.sandbox.registry.errors import Code, Refused
from devloop.sandbox.registry.login import CHALLENGE, lets_in
from devloop.sandbox.registry.manifests import Manifests
from devloop.sandbox.registry.store import Store

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Heard = Callable[[str, str], None]
"""Is told the method and the path of each request."""


class Registry:
    """An OCI registry over a folder; use as an async context manager, or `start` and `close` it."""

    def __init__(self, folder: Path, *, token: str = "", heard: Heard | None = None) -> None:
        """What an earlier one left in the folder is there again. Without a token everybody is let in."""
        self._folder, self._token, self._heard = folder, token, heard
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`, as images name it; the port stays the same when it is started anew."""
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> "Registry":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1.0, handle_signals=False)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        self._port = int(runner.addresses[0][1])

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _app(self) -> web.Application:
        app, store = web.Application(middlewares=[self._answering]), Store(self._folder)
        app.router.add_get("/v2/", _version)
        app.router.add_get("/v2", _version)
        Blobs(store).add_to(app.router)
        Manifests(store).add_to(app.router)
        return app

    @web.middleware
    async def _answering(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if self._heard is not None:
            self._heard(request.method, request.path)
        try:
            if self._token and not lets_in(request.headers, self._token):
                raise Refused(Code.UNAUTHORIZED, "authentication required", CHALLENGE)
            return await handler(request)
        except Refused as refused:
            return refused.response()
        except web.HTTPMethodNotAllowed:
            return Refused(Code.UNSUPPORTED, f"{request.method} is not supported here").response()
        except web.HTTPNotFound:
            return Refused(Code.NAME_UNKNOWN, f"there is nothing at {request.path}").response()


async def _version(_: web.Request) -> web.Response:
    return web.json_response({}, headers={"Docker-Distribution-API-Version": "registry/2.0"})
