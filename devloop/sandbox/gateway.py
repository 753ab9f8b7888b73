"""A port of this machine that leads to the ready Pods of a Service, in turn: what an ingress does for a page."""

import asyncio
import contextlib
from collections.abc import Iterator
from itertools import count

from devloop.sandbox import kinds
from devloop.sandbox.podaccess import PodAccess
from devloop.sandbox.resources import Resources

_NOBODY = (
    b"HTTP/1.0 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"no Pod behind this is ready\n"
)


class Gateway:
    """Forwards connections between `start` and `close`; which Pod has it is decided for each connection."""

    def __init__(self, resources: Resources, access: PodAccess, namespace: str, service: str) -> None:
        self.port = 0
        self._resources, self._access = resources, access
        self._namespace, self._service = namespace, service
        self._turns = count()
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Gateway":
        self._server = await asyncio.start_server(self._come, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._forward(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for port in self._in_turn():
                with contextlib.suppress(OSError):  # a Pod that ended a moment ago
                    there = await asyncio.open_connection("127.0.0.1", port)
                    break
            else:
                writer.write(_NOBODY)
                await writer.drain()
                return
            try:
                # Whoever asked may have said all; the answer is whole when the program closes.
                asked = asyncio.ensure_future(_pass_on(reader, there[1]))
                await _pass_on(there[0], writer)
                asked.cancel()
            finally:
                there[1].close()
        except OSError:
            pass  # whoever asked is gone
        finally:
            writer.close()

    def _in_turn(self) -> list[int]:
        ports = [*self._ports()]
        first = next(self._turns) % len(ports) if ports else 0
        return ports[first:] + ports[:first]

    def _ports(self) -> Iterator[int]:
        """Where the programs of ready Pods listen on this machine."""
        for each in self._resources.all_of(kinds.ENDPOINT_SLICE, self._namespace):
            if each["metadata"].get("labels", {}).get("kubernetes.io/service-name") != self._service:
                continue
            number = next((str(port["port"]) for port in each.get("ports") or []), "")
            for endpoint in each.get("endpoints") or []:
                if endpoint.get("conditions", {}).get("ready"):
                    found = self._access.host_port(endpoint["targetRef"]["uid"], number)
                    if found is not None:
                        yield found


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
