"""An API server for the faults that a real one cannot be asked to make: it answers from a script."""

import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from devloop.adapters.kubeconfig import PinnedContext, resolve
from devloop.core.failure import Failure, FailureCode

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeApi:
    """Remembers each request and hands it to `handler`."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.handler: Handler = self._nothing
        self.url = ""

    async def _nothing(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "not found"}, status=404)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return await self.handler(request)


@asynccontextmanager
async def fake_api() -> AsyncIterator[FakeApi]:
    api = FakeApi()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0)
    api.url = str(server.make_url("")).rstrip("/")
    try:
        yield api
    finally:
        await server.close()


def pinned(folder: Path, server: str, user: dict[str, Any]) -> PinnedContext:
    """A kubeconfig with one context `fake`, and that context."""
    file = folder / "kubeconfig"
    content = {
        "current-context": "fake",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "fake", "context": {"cluster": "c", "user": "u"}}],
    }
    file.write_text(yaml.safe_dump(content))
    found = resolve("fake", (file,))
    assert isinstance(found, PinnedContext)
    return found


def real_context(suffix: str = "", files: tuple[Path, ...] | None = None) -> PinnedContext:
    """The test cluster's context, or the one beside it with that suffix; skips when there is none."""
    found = resolve(os.environ["DEVLOOP_E2E_CONTEXT"] + suffix, files)
    if isinstance(found, Failure):
        pytest.skip(found.message)
    return found


def failure(found: object, code: FailureCode) -> Failure:
    """The failure that is expected."""
    assert isinstance(found, Failure)
    assert found.code is code
    return found


def plugin(code: str) -> dict[str, Any]:
    """A user entry whose credential plugin runs this Python code."""
    version = "client.authentication.k8s.io/v1"
    return {
        "exec": {"apiVersion": version, "command": sys.executable, "args": ["-c", code], "interactiveMode": "Never"}
    }


def credential(expression: str) -> str:
    """Python code that prints an ExecCredential whose token is the value of the expression."""
    version = "client.authentication.k8s.io/v1"
    parts = {"apiVersion": version, "kind": "ExecCredential"}
    return f"import json; print(json.dumps({{**{parts!r}, 'status': {{'token': {expression}}}}}))"


def line(kind: str, raw: dict[str, Any]) -> bytes:
    """One event of a watch."""
    return json.dumps({"type": kind, "object": raw}).encode() + b"\n"
