"""Services on this machine: a port of the loopback for each port of a Service, which leads to one of its ready Pods.

Programs learn of them as in every cluster: from the variables NAME_SERVICE_HOST and NAME_SERVICE_PORT
(https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables). Names are not
resolved: there is no DNS.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from itertools import count
from typing import Any

from devloop.sandbox import kinds
from devloop.sandbox.errors import ApiError
from devloop.sandbox.podaccess import PodAccess
from devloop.sandbox.proxying import ready_behind
from devloop.sandbox.resources import Resources
from devloop.sandbox.store import Change

Raw = dict[str, Any]
_Id = tuple[str, str, int]
"""Namespace, Service, port."""
_BLOCK = 2**16


class ServicePorts:
    """Listens for every Service between `start` and `stop`."""

    def __init__(self, resources: Resources, access: PodAccess) -> None:
        self._resources = resources
        self._access = access
        self._sockets: dict[_Id, socket.socket] = {}
        self._tasks: dict[_Id, asyncio.Task[None]] = {}
        self._turns = count()
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._unsubscribe = self._resources.store.subscribe(self._changed)

    async def stop(self) -> None:
        self._unsubscribe()
        tasks = list(self._tasks.values())
        for id_ in list(self._tasks):
            self._close(id_)
        await asyncio.gather(*tasks, return_exceptions=True)

    def local_port(self, namespace: str, service: str, port: int) -> int | None:
        """Where that port of the Service is on this machine."""
        found = self._sockets.get((namespace, service, port))
        return int(found.getsockname()[1]) if found is not None else None

    def environment(self, namespace: str) -> dict[str, str]:
        """What every program in a namespace is told of the Services there."""
        found: dict[str, str] = {}
        for service in self._resources.all_of(kinds.SERVICE, namespace):
            found |= self._variables(service)
        return found

    def _variables(self, service: Raw) -> dict[str, str]:
        metadata = service["metadata"]
        prefix = f"{_upper(metadata['name'])}_SERVICE"
        found: dict[str, str] = {}
        for each in service["spec"].get("ports") or []:
            port = self.local_port(metadata["namespace"], metadata["name"], each["port"])
            if port is not None:
                found.setdefault(f"{prefix}_HOST", "127.0.0.1")
                found.setdefault(f"{prefix}_PORT", str(port))
                if each.get("name"):
                    found[f"{prefix}_PORT_{_upper(each['name'])}"] = str(port)
        return found

    def _changed(self, change: Change) -> None:
        if change.plural != kinds.SERVICE.plural:
            return
        metadata = change.object["metadata"]
        at = metadata["namespace"], metadata["name"]
        ports = {each["port"] for each in change.object["spec"].get("ports") or []}
        wanted = set() if change.type == "DELETED" else {(*at, port) for port in ports}
        for id_ in [id_ for id_ in self._sockets if id_[:2] == at and id_ not in wanted]:
            self._close(id_)
        for id_ in wanted - self._sockets.keys():
            self._open(id_)

    def _open(self, id_: _Id) -> None:
        # Bound at once, so that a program that starts next is told of it.
        made = socket.create_server(("127.0.0.1", 0))
        made.setblocking(False)
        self._sockets[id_] = made
        task = asyncio.get_running_loop().create_task(self._serve(id_, made), name=f"service {id_}")
        # Not before asyncio has let go of it: whoever gets its descriptor next would be taken for it.
        task.add_done_callback(lambda _: made.close())
        self._tasks[id_] = task

    def _close(self, id_: _Id) -> None:
        del self._sockets[id_]
        self._tasks.pop(id_).cancel()

    async def _serve(self, id_: _Id, listening: socket.socket) -> None:
        open_: set[asyncio.Task[None]] = set()

        async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            open_.add(task)
            try:
                await self._forward(id_, reader, writer)
            except asyncio.CancelledError:
                pass  # asyncio tells of handlers that were cancelled as of errors
            finally:
                open_.discard(task)
                writer.close()

        server = await asyncio.start_server(met, sock=listening)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            for task in open_:
                task.cancel()
            await asyncio.gather(*open_, return_exceptions=True)

    async def _forward(self, id_: _Id, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        namespace, name, port = id_
        with contextlib.suppress(OSError, ApiError):
            pods, target = ready_behind(self._resources, namespace, name, str(port))
            back, forth = await self._connected([pod["metadata"]["uid"] for pod in pods], target)
            try:
                await asyncio.gather(_copy(reader, forth), _copy(back, writer))
            finally:
                forth.close()

    async def _connected(self, uids: list[str], port: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To one of the Pods, each in its turn; one that ended a moment ago is passed over. Raises `OSError`."""
        first = next(self._turns) % len(uids)
        for uid in uids[first:] + uids[:first]:
            if (there := self._access.host_port(uid, port)) is not None:
                with contextlib.suppress(OSError):
                    return await asyncio.open_connection("127.0.0.1", there)
        raise ConnectionRefusedError


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(_BLOCK):
        sink.write(data)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()
