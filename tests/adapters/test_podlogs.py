"""Logs of Pods: against a real cluster, and a scripted API server for broken streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from devloop.adapters import podlogs
from devloop.adapters.kube import KubeCluster
from devloop.adapters.observer import KubeObserver
from devloop.adapters.podlogs import CUT, Lines, PodLogs
from devloop.core.service import WorkloadKey
from devloop.core.workload import ContainerStatus, Pod, Running, Snapshot, Terminated
from tests.adapters.fakeapi import FakeApi, fake_api, pinned, real_context

Kubectl = Callable[..., str]
KEY = WorkloadKey("shop", "deployment", "web")


class Read:
    """The lines that were handed on, and a way to wait for them."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str, str]] = []
        self.written: list[float] = []
        self._news = asyncio.Event()

    def line(self, service: str, pod: str, container: str, text: str, written: float) -> None:
        self.lines.append((service, pod, container, text))
        self.written.append(written)
        self._news.set()

    @property
    def texts(self) -> list[str]:
        return [text for *_, text in self.lines]

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()


@pytest.mark.e2e
async def test_from_the_start_through_a_restart_and_a_rollout(kubectl: Kubectl, namespace: str, registry: str) -> None:
    script = "echo first $0; echo second; read line < /dev/null; sleep 2; exit 1"
    container = {"name": "web", "image": f"{registry}/busybox:1", "command": ["sh", "-c", script]}
    side = {"name": "side", "image": f"{registry}/busybox:1", "command": ["sh", "-c", "echo not me; sleep 3600"]}
    pod = {"containers": [container, side], "terminationGracePeriodSeconds": 0}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    cluster, read = KubeCluster(real_context()), Read()
    logs = PodLogs(cluster, read.line)
    watching = KubeObserver(cluster, lambda s: logs.follow("shop", s, ["web"]), lambda *_: None)
    watching.follow(WorkloadKey(namespace, "deployment", "web"))
    await asyncio.to_thread(kubectl, "-n", namespace, "apply", "-f", "-", stdin=json.dumps(body))
    await read.until(lambda: read.texts.count("second") == 2)
    assert read.texts[:4] == ["first sh", "second"] * 2
    (before,) = {pod for _, pod, *_ in read.lines}
    await asyncio.to_thread(kubectl, "-n", namespace, "rollout", "restart", "deployment/web")
    await read.until(lambda: any(pod != before for _, pod, *_ in read.lines))
    assert {(service, container) for service, _, container, _ in read.lines} == {("shop", "web")}
    await watching.close()
    await logs.close()
    await cluster.close()


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with fake_api() as api:
        yield api


@pytest.fixture
async def cluster(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeCluster]:
    monkeypatch.setattr(podlogs, "FIRST_DELAY", 0.01)
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "t"}))
    yield cluster
    await cluster.close()


@pytest.fixture
def read() -> Read:
    return Read()


@pytest.fixture
async def logs(cluster: KubeCluster, read: Read) -> AsyncIterator[PodLogs]:
    logs = PodLogs(cluster, read.line)
    yield logs
    await logs.close()


def showing(*pods: str, id_: str = "1", over: bool = False) -> Snapshot:
    state = Terminated(0) if over else Running(1.0)
    status = ContainerStatus("web", False, "", True, 0, state, container_id=id_)
    return Snapshot(
        KEY,
        None,
        pods=tuple(Pod(name, f"uid-{name}", "node", "rs", "Running", 1.0, 0.0, True, (status,), ()) for name in pods),
    )


async def test_a_stream_that_breaks_is_read_on_without_a_line_twice(api: FakeApi, logs: PodLogs, read: Read) -> None:
    stamps = [f"2026-01-01T00:00:0{n}.00000000{n}Z" for n in range(5)]
    parts = iter([stamps[:2], stamps[:3], stamps[2:]])

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for stamp in next(parts, []):
            await response.write(f"{stamp} line {stamp[18]}\n".encode())
        if request.transport is not None:
            request.transport.abort() if len(api.requests) == 1 else None
        return response

    api.handler = handler
    logs.follow("shop", showing("a"), ["web"])
    await read.until(lambda: len(read.lines) == 5)
    assert read.texts == [f"line {n}" for n in range(5)]
    since = [r.query.get("sinceTime") for r in api.requests[:3]]
    assert since == [None, stamps[1], stamps[2]]
    assert api.requests[0].query["timestamps"] == "true"


async def test_what_pods_wrote_before_is_told_in_the_order_in_which_it_was_written(
    api: FakeApi, logs: PodLogs, read: Read
) -> None:
    """Also where the stream of the one that wrote last is read first."""
    texts = {"b": ("00:00:02", "00:00:04"), "a": ("00:00:01", "00:00:03")}
    read_b = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        pod = request.path.split("/")[-2]
        if pod == "a":
            await read_b.wait()
        response = web.StreamResponse()
        await response.prepare(request)
        for at in texts[pod]:
            await response.write(f"2026-01-01T{at}.000000001Z {at}\n".encode())
        await response.write_eof()
        read_b.set()
        return response

    api.handler = handler
    logs.follow("shop", showing("a", "b"), ["web"])
    await read.until(lambda: len(read.lines) == 4)
    assert read.texts == [f"00:00:0{n}" for n in (1, 2, 3, 4)]


async def test_only_an_old_line_says_when_it_was_written(api: FakeApi, logs: PodLogs, read: Read) -> None:
    now = datetime.now(UTC).isoformat()
    stamps = ["2026-01-01T00:00:01.000000001Z", "2026-01-01T01:00:02.250000001+01:00", now, "0000-00-00T"]

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text="".join(f"{stamp} said\n" for stamp in sorted(stamps)))

    api.handler = handler
    logs.follow("shop", showing("a"), ["web"])
    await read.until(lambda: len(read.lines) == len(stamps))
    assert read.written == [1767225601.0, 1767225602.25, 0.0, 0.0]


async def test_each_start_of_a_container_is_read_once_and_no_more_when_the_pod_is_gone(
    api: FakeApi, logs: PodLogs, read: Read
) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text=f"2026-01-01T00:00:0{len(api.requests)}Z start {len(api.requests)}\n")

    api.handler = handler
    logs.follow("shop", showing("a", over=True), [])
    await read.until(lambda: len(read.lines) == 1)
    logs.follow("shop", showing("a", over=True), [])
    logs.follow("shop", showing("a", id_="2", over=True), [])
    await read.until(lambda: len(read.lines) == 2)
    logs.follow("shop", showing(), [])
    while _streams():
        await asyncio.sleep(0)
    assert len(api.requests) == 2


def _streams() -> list[str]:
    return [t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith("logs of ")]


async def test_what_may_not_be_read_is_said_once(api: FakeApi, logs: PodLogs, read: Read) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "no"}, status=403)

    api.handler = handler
    logs.follow("shop", showing("a"), ["web"])
    await read.until(lambda: bool(read.lines))
    logs.follow("shop", showing("a", id_="2"), ["web"])
    while _streams():
        await asyncio.sleep(0)
    assert len(api.requests) == len(read.lines) == 1
    assert "may not be read" in read.texts[0]


async def test_only_so_many_streams_are_open(
    api: FakeApi, logs: PodLogs, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podlogs, "MAX_STREAMS", 2)
    held = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await held.wait()
        return response

    api.handler = handler
    logs.follow("shop", showing("a", "b", "c", "d"), ["web"])
    assert len(_streams()) == 2
    assert len(read.lines) == 1
    assert "2 containers" in read.texts[0]
    held.set()


async def test_bytes_that_are_no_text_and_the_kubelet_s_own_words(api: FakeApi, logs: PodLogs, read: Read) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        body = b"unable to retrieve container logs for x\n2026-01-01T00:00:01Z \xff!\r\n2026-01-01T00:00:02Z \n"
        return web.Response(body=body)

    api.handler = handler
    logs.follow("shop", showing("a", over=True), ["web"])
    await read.until(lambda: len(read.lines) == 2)
    assert read.texts == ["\N{REPLACEMENT CHARACTER}!", ""]


@given(st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\r", b"\n"))), st.integers(1, 8))
def test_lines_do_not_depend_on_how_they_arrive(chunks: list[bytes], limit: int) -> None:
    splitter = Lines(limit)
    got = [line for chunk in chunks for line in splitter.feed(chunk)] + list(splitter.end())
    whole = b"".join(chunks).split(b"\n")
    if not whole[-1]:
        whole.pop()
    assert got == [line if len(line) <= limit else line[:limit] + CUT.encode() for line in whole]


def test_a_line_without_an_end_takes_bounded_memory() -> None:
    splitter = Lines(10)
    got = [line for _ in range(1000) for line in splitter.feed(b"x" * 100)]
    assert got == [b"x" * 10 + CUT.encode()]
    assert list(splitter.feed(b"rest\nnext\n")) == [b"next"]


async def test_the_logs_of_a_service_that_left_are_read_no_longer(api: FakeApi, logs: PodLogs, read: Read) -> None:
    """Its streams end at once, those of another service on the same Pod go on, and it may come back."""
    opened: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        opened.append(request.path)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"2026-01-01T00:00:00.000000001Z hello\n")
        await asyncio.Event().wait()
        return response

    api.handler = handler
    for name in ("web", "other"):
        logs.follow(name, showing("p"), ["web"])
    await read.until(lambda: len(read.lines) == 2)
    (ending,) = [tail.task for id_, tail in logs._tails.items() if id_[0] == "web"]
    assert ending is not None
    logs.forget("web", kept=[KEY])
    assert len(logs._tails) == 2
    logs.forget("web")
    await asyncio.wait([ending])
    assert [id_[0] for id_ in logs._tails] == ["other"]
    logs.follow("web", showing("p"), ["web"])
    await read.until(lambda: len(read.lines) == 3)
    assert len(opened) == 3


async def test_a_container_that_is_wanted_no_longer_is_let_go(logs: PodLogs) -> None:
    logs.follow("shop", showing("p"), ["web"])
    assert len(logs._tails) == 1
    logs.follow("shop", showing("p"), ["side"])
    assert logs._tails == {}
