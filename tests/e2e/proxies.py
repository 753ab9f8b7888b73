"""Proxies between devloop and the real API server, engine or registry, so that one test can take one of them away.

The part itself goes on, for everybody else too: it is only this way to it that refuses, breaks or hangs.
"""

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.e2e.harness import Kubectl, log_in

_T = TypeVar("_T")
_CHUNK = 65_536
_PATIENCE = 10.0
Address = tuple[str, int] | Path
"""Host and port, or the path of a socket."""


class Proxy:
    """Forwards bytes from a port (or socket) of its own to `upstream`, until it is told otherwise."""

    def __init__(self, upstream: Address, listen: Path | None = None) -> None:
        """`listen`: the path of its socket; None for a free port of the loopback interface."""
        self._upstream = upstream
        self._path = listen
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.mend()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def mend(self) -> None:
        """Accept connections, and forward everything; what was held back arrives now."""
        self._do(self._mend())

    def refuse(self) -> None:
        """Refuse new connections and break those that exist: the part is not there."""
        self._do(self._refuse())

    def cut(self) -> None:
        """Break the connections that exist; new ones work."""
        self._do(self._cut())

    def hang(self) -> None:
        """Keep every connection and accept new ones, but forward nothing: the part does not answer."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def close(self) -> None:
        self._do(self._refuse())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def _do(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_PATIENCE)

    async def _mend(self) -> None:
        self._flows.set()
        if self._server is None and self._path:
            self._server = await asyncio.start_unix_server(self._accept, self._path)
        elif self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            if self._path:
                self._path.unlink(missing_ok=True)
        await self._cut()

    async def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        other: asyncio.StreamWriter | None = None
        try:
            await self._flows.wait()
            answers, other = await self._connect()
            self._writers.add(other)
            await asyncio.gather(self._pump(reader, other), self._pump(answers, writer))
        except OSError:
            pass
        finally:
            for each in (writer, other):
                if each:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._flows.wait()
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._upstream, Path):
            return await asyncio.open_unix_connection(self._upstream)
        return await asyncio.open_connection(*self._upstream)


@dataclass
class Ways:
    """devloop's own ways to the three parts, and the environment in which it takes them."""

    folder: Path
    kubectl: Kubectl
    shared_registry: str
    opened: list[Proxy] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    def engine(self) -> Proxy:
        """A way to the Docker engine; DOCKER_HOST leads there."""
        url = urlsplit(os.environ["DOCKER_HOST"])
        upstream: Address = Path(url.path) if url.scheme == "unix" else (url.hostname or "", url.port or 2375)
        path = self.folder / "engine.sock"
        self.env["DOCKER_HOST"] = f"unix://{path}"
        return self._open(Proxy(upstream, path))

    def registry(self) -> Proxy:
        """A way to the registry, to push by: `push_image` has to begin with its `host`."""
        host, _, port = self.shared_registry.rpartition(":")
        proxy = self._open(Proxy((host, int(port))))
        log_in(proxy.host, self.shared_registry)
        return proxy

    def api_server(self) -> Proxy:
        """A way to the API server; KUBECONFIG leads there, under the name of the test cluster's context."""
        config = only_context(self.kubectl)
        cluster = config["clusters"][0]["cluster"]
        url = urlsplit(cluster["server"])
        proxy = self._open(Proxy((url.hostname or "", url.port or 443)))
        cluster["server"] = f"{url.scheme}://{proxy.host}"
        cluster.setdefault("tls-server-name", url.hostname)
        self.env["KUBECONFIG"] = str(write_kubeconfig(self.folder / "proxied-kubeconfig", config))
        return proxy

    def close(self) -> None:
        for proxy in self.opened:
            proxy.close()

    def _open(self, proxy: Proxy) -> Proxy:
        self.opened.append(proxy)
        return proxy


@contextlib.contextmanager
def ways(folder: Path, kubectl: Kubectl, registry: str) -> Iterator[Ways]:
    found = Ways(folder, kubectl, registry)
    try:
        yield found
    finally:
        found.close()


def only_context(kubectl: Kubectl) -> dict[str, Any]:
    """A kubeconfig with nothing but the test cluster's context, and everything it refers to in it."""
    return dict(json.loads(kubectl("config", "view", "--minify", "--flatten", "--raw", "-o", "json")))


def write_kubeconfig(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return path
