"""A port of this machine that leads to the Pods of a Service."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from devloop.sandbox import kinds
from devloop.sandbox.gateway import Gateway
from devloop.sandbox.podaccess import LogSource
from devloop.sandbox.resources import Resources
from devloop.sandbox.store import Store


class Pods:
    """Implements `podaccess.PodAccess`: ports by uid."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}

    def host_port(self, uid: str, port: str) -> int | None:
        return self.ports.get(uid) if port == "8080" else None

    def log(self, uid: str, container: str, *, previous: bool) -> LogSource | None:
        return None

    async def execute(self, uid: str, container: str, command: Any) -> tuple[int, str] | None:
        return None


def slice_of(**ready: bool) -> dict[str, Any]:
    endpoints = [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": each}, "targetRef": {"name": uid, "uid": uid}}
        for uid, each in ready.items()
    ]
    metadata = {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}
    ports = [{"name": "", "protocol": "TCP", "port": 8080}]
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": ports}


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


@pytest.fixture
def resources() -> Resources:
    made = Resources(Store())
    made.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}}, "test")
    return made


async def said(gateway: Gateway) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(gateway.url) as reply:
        return reply.status, await reply.text()


async def test_ready_pods_are_asked_in_turn_and_others_never(resources: Resources) -> None:
    resources.create(kinds.ENDPOINT_SLICE, "default", slice_of(a=True, b=True, c=False), "test")
    pods = Pods()
    async with (
        program("a") as first, program("b") as second, program("c") as third,
        Gateway(resources, pods, "default", "web") as gateway,
    ):  # fmt: skip
        pods.ports = {"a": first, "b": second, "c": third}
        assert [(await said(gateway))[1] for _ in range(4)] == ["a", "b", "a", "b"]


async def test_a_pod_that_has_just_ended_is_passed_over(resources: Resources) -> None:
    resources.create(kinds.ENDPOINT_SLICE, "default", slice_of(a=True, b=True), "test")
    pods = Pods()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with program("b") as port, Gateway(resources, pods, "default", "web") as gateway:
            pods.ports = {"a": nobody.getsockname()[1], "b": port}
            assert {await said(gateway) for _ in range(2)} == {(200, "b")}


async def test_without_a_ready_pod_that_is_said(resources: Resources) -> None:
    async with Gateway(resources, Pods(), "default", "web") as gateway:
        status, text = await said(gateway)
    assert status == 503
    assert "no Pod behind this is ready" in text
