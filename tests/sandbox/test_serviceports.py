"""Which of a Service's Pods is asked, connection by connection."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from devloop.sandbox import kinds
from devloop.sandbox.podaccess import LogGone, LogSource
from devloop.sandbox.resources import Resources
from devloop.sandbox.serviceports import ServicePorts
from devloop.sandbox.store import Store

SERVICE = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80, "targetPort": 8080}]}}


class Pods:
    """Implements `podaccess.PodAccess`: where each Pod listens, by its name."""

    def __init__(self, resources: Resources) -> None:
        self._names = {
            pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in resources.all_of(kinds.POD, "default")
        }
        self.ports: dict[str, int] = {}

    def host_port(self, uid: str, port: str) -> int | None:
        return self.ports.get(self._names[uid]) if port == "8080" else None

    def log(self, uid: str, container: str, *, previous: bool) -> LogSource | LogGone | None:
        return None

    async def execute(self, uid: str, container: str, command: Sequence[str]) -> tuple[int, str] | None:
        return None


@pytest.fixture
def resources() -> Resources:
    """With Pods a and b, which are ready, and c, which is not."""
    made = Resources(Store())
    made.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}}, "test")
    spec = {"containers": [{"name": "web", "image": "r/app:1"}]}
    for name in "abc":
        made.create(kinds.POD, "default", {"metadata": {"name": name}, "spec": spec}, "test")
    endpoints = [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": name != "c"}, "targetRef": {"kind": "Pod", "name": name}}
        for name in "abc"
    ]
    metadata = {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}
    body = {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": [{"port": 8080}]}
    made.create(kinds.ENDPOINT_SLICE, "default", body, "test")
    return made


@asynccontextmanager
async def program(name: str) -> AsyncIterator[int]:
    """One that answers with its name and closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + name.encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def service(resources: Resources, pods: Pods) -> AsyncIterator[str]:
    ports = ServicePorts(resources, pods)
    ports.start()
    resources.create(kinds.SERVICE, "default", SERVICE, "test")
    try:
        yield f"http://127.0.0.1:{ports.local_port('default', 'web', 80)}/"
    finally:
        await ports.stop()


async def said(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        return await reply.text()


async def test_ready_pods_are_asked_in_turn_and_others_never(resources: Resources) -> None:
    pods = Pods(resources)
    async with program("a") as a, program("b") as b, program("c") as c, service(resources, pods) as url:
        pods.ports = {"a": a, "b": b, "c": c}
        assert [await said(url) for _ in range(4)] == ["a", "b", "a", "b"]


async def test_a_service_that_goes_leaves_its_port_in_order(resources: Resources) -> None:
    pods = Pods(resources)
    async with program("a") as a, service(resources, pods) as url:
        pods.ports = {"a": a, "b": a}
        assert await said(url) == "a"
        (serving,) = (task for task in asyncio.all_tasks() if task.get_name().startswith("service"))
        resources.delete(kinds.SERVICE, "default", "web", {})
        await asyncio.wait([serving])
        assert serving.cancelled(), "asyncio has let go of its socket, whose descriptor somebody else gets"
        with pytest.raises(aiohttp.ClientConnectionError):
            await said(url)


async def test_a_pod_that_has_just_ended_is_passed_over(resources: Resources) -> None:
    pods = Pods(resources)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with program("b") as b, service(resources, pods) as url:
            pods.ports = {"a": nobody.getsockname()[1], "b": b}
            assert [await said(url) for _ in range(2)] == ["b", "b"]
