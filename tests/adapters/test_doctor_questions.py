"""What only `doctor` asks: other clocks, whose credentials were taken, the builder's way, what carries the label."""

import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from devloop.adapters.buildx import BuildxBuilder
from devloop.adapters.clock import http_reading
from devloop.adapters.dockerconfig import Credentials, DockerConfig
from devloop.adapters.engine import DockerEngine, EngineInfo, _info
from devloop.adapters.kube import KubeCluster
from devloop.adapters.registry import HttpRegistry
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef
from devloop.core.judgements import Reading
from devloop.core.ports import BuildRequest
from devloop.core.service import BuildSpec
from tests.adapters.fakeapi import FakeApi, fake_api, pinned, real_context
from tests.adapters.own_registry import free_port, own_registry

DATE, UNIX = "Sat, 01 Jan 2028 00:00:00 GMT", 1_830_297_600.0


@pytest.fixture
async def server() -> AsyncIterator[FakeApi]:
    """Answers everything with an empty object and a clock of its own."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, headers={"Date": DATE})

    async with fake_api() as api:
        api.handler = answer
        yield api


def test_a_date_is_rounded_to_whole_seconds() -> None:
    assert http_reading(1.0, 2.0, DATE) == Reading(1.0, 2.0, UNIX, 1.0)
    assert http_reading(1.0, 2.0, "") is None
    assert http_reading(1.0, 2.0, "yesterday") is None


async def test_the_api_servers_clock(server: FakeApi, tmp_path: Path) -> None:
    cluster = KubeCluster(pinned(tmp_path, server.url, {}))
    reading = await cluster.clock()
    await cluster.close()
    assert reading is not None
    assert (reading.told, reading.resolution) == (UNIX, 1.0)
    assert reading.sent <= reading.received


async def test_a_registrys_clock(server: FakeApi) -> None:
    ref = ImageRef.parse(f"{server.url.removeprefix('http://')}/web:dev")
    async with HttpRegistry() as registry:
        reading = await registry.clock(ref)
    assert reading is not None
    assert reading.told == UNIX


async def test_who_does_not_answer_tells_no_time(tmp_path: Path) -> None:
    away = f"127.0.0.1:{free_port()}"
    cluster = KubeCluster(pinned(tmp_path, f"http://{away}", {}))
    assert await cluster.clock() is None
    await cluster.close()
    async with HttpRegistry() as registry:
        assert await registry.clock(ImageRef.parse(f"{away}/web:dev")) is None


class _Engine:
    """A client of an engine that says this."""

    def __init__(self, **said: str) -> None:
        self._said = said

    def info(self) -> dict[str, str]:
        return self._said


def test_an_engine_elsewhere_has_no_folder_here() -> None:
    here, time = os.uname(), {"SystemTime": "2028-01-01T00:00:00.500000000Z"}
    named = {"Name": here.nodename, "KernelVersion": here.release, "DockerRootDir": "/var/lib/docker"}
    for said, folder in ((named, "/var/lib/docker"), ({**named, "Name": "docker-desktop"}, ""), ({}, "")):
        info = _info(_Engine(**said, **time))
        assert info.folder == folder
        assert info.clock is not None
        assert (info.clock.told, info.clock.resolution) == (UNIX + 0.5, 0.0)
    assert _info(_Engine()) == EngineInfo(None, "")


@pytest.mark.engine
async def test_a_real_engine_tells_its_time() -> None:
    info = await DockerEngine().info()
    assert isinstance(info, EngineInfo)
    assert info.clock is not None


def test_where_the_docker_context_was_chosen(tmp_path: Path) -> None:
    env = {"DOCKER_CONFIG": str(tmp_path)}
    file = tmp_path / "config.json"
    assert DockerConfig.load(env).context() == ("default", str(file))
    file.write_text('{"currentContext": "one"}')
    assert DockerConfig.load(env).context() == ("one", str(file))
    assert DockerConfig.load({**env, "DOCKER_CONTEXT": "two"}).context() == ("two", "DOCKER_CONTEXT")


@pytest.mark.parametrize(
    ("credentials", "shown"),
    [
        (Credentials("jo", "secret"), "`jo`"),
        (Credentials("", "", "identity"), "a token"),
        (Credentials("<token>", "", "identity"), "a token"),
        (Credentials("dop_v1_0123", "dop_v1_0123"), "a token"),
    ],
)
def test_a_user_is_named_unless_it_is_a_token(credentials: Credentials, shown: str) -> None:
    assert credentials.shown_user == shown


async def test_whose_credentials_a_registry_took(tmp_path: Path, server: FakeApi) -> None:
    open_ref = ImageRef.parse(f"{server.url.removeprefix('http://')}/web:dev")
    async with own_registry(tmp_path) as own:
        ref = ImageRef.parse(f"{own.host}/web:dev")
        async with HttpRegistry(env={"DOCKER_CONFIG": str(own.docker_config())}) as registry:
            assert await registry.check(ref) is await registry.check(open_ref) is None
            assert (registry.user(ref), registry.user(open_ref)) == ("`dev`", None)
        async with HttpRegistry(env={"DOCKER_CONFIG": str(own.docker_config(None))}) as registry:
            assert await registry.check(ref) is not None
            assert registry.user(ref) == ""


def request(folder: Path, registry: str, builder: str = "") -> BuildRequest:
    spec = BuildSpec(folder, folder / "Dockerfile", builder=builder)
    return BuildRequest(spec, ImageRef.parse(f"{registry}/doctor/none:dev"), "")


@pytest.mark.engine
async def test_a_builder_reaches_a_registry_or_says_why_not(tmp_path: Path, registry: str) -> None:
    builder = BuildxBuilder(tmp_path)
    assert await builder.reach(request(tmp_path, registry)) is True
    away = f"127.0.0.1:{free_port()}"
    failure = await builder.reach(request(tmp_path, away))
    assert isinstance(failure, Failure)
    assert failure.code is FailureCode.REGISTRY_UNREACHABLE
    assert failure.message.startswith(f"the builder cannot reach {away}: ")
    assert "connection refused" in failure.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.engine
async def test_a_registry_that_wants_credentials_was_reached(tmp_path: Path) -> None:
    async with own_registry(tmp_path) as own:
        env = {**os.environ, "DOCKER_CONFIG": str(own.docker_config(None))}
        assert await BuildxBuilder(tmp_path, env).reach(request(tmp_path, own.host)) is True


@pytest.mark.engine
async def test_a_registry_that_never_answers_the_builder(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        failure = await BuildxBuilder(tmp_path).reach(request(tmp_path, host))
    assert isinstance(failure, Failure)
    assert failure.message == f"the builder cannot reach {host}: no answer within 5 s"


def plugin(folder: Path, *says: str) -> dict[str, str]:
    """The environment of a buildx plugin that prints these lines whatever it is asked, and notes what that was."""
    (folder / "cli-plugins").mkdir()
    script = folder / "cli-plugins" / "docker-buildx"
    script.write_text("\n".join(["#!/bin/sh", f'echo "$@" >> {folder}/asked', "cat <<'END'", *says, "END", ""]))
    script.chmod(0o755)
    return {"DOCKER_CONFIG": str(folder), "DOCKER_HOST": "unix:///nowhere", "PATH": os.environ["PATH"]}


async def test_a_builder_that_does_not_run_is_not_started(tmp_path: Path) -> None:
    env = plugin(tmp_path, "Name: far", "Driver: docker-container", "Nodes:", "Status: inactive")
    assert await BuildxBuilder(tmp_path, env).reach(request(tmp_path, "r.example.com", "far")) is False
    assert (tmp_path / "asked").read_text() == "inspect far\n"


async def test_a_builder_that_says_something_else_tells_nothing(tmp_path: Path) -> None:
    env = plugin(tmp_path, "Driver: docker-container", "Status: running")
    assert await BuildxBuilder(tmp_path, env).reach(request(tmp_path, "r.example.com", "far")) is False
    asked = (tmp_path / "asked").read_text()
    assert "build --progress=rawjson --output=type=cacheonly --builder far " in asked
    assert "--push" not in asked


@pytest.mark.parametrize(
    ("says", "found"),
    [("github.com/docker/buildx v0.29.1 abc", "0.29.1"), ("github.com/docker/buildx 0.0.0+unknown", "0.0.0")],
)
async def test_the_version_of_buildx(tmp_path: Path, says: str, found: str) -> None:
    assert await BuildxBuilder(tmp_path, plugin(tmp_path, says)).version() == found


async def test_a_buildx_that_is_too_old_or_absent(tmp_path: Path) -> None:
    old = await BuildxBuilder(tmp_path, plugin(tmp_path, "github.com/docker/buildx v0.9.1 abc")).version()
    assert isinstance(old, Failure)
    assert "v0.9.1 is older than 0.12" in old.message
    absent = await BuildxBuilder(tmp_path, {"DOCKER_CONFIG": str(tmp_path / "none"), "PATH": "/nowhere"}).version()
    assert isinstance(absent, Failure)


@pytest.mark.e2e
async def test_what_carries_the_label_is_listed(kubectl: Callable[..., str], namespace: str, registry: str) -> None:
    for name in ("marked", "plain"):
        kubectl("-n", namespace, "create", "deployment", name, f"--image={registry}/busybox:1", "--replicas=0")
    kubectl("-n", namespace, "label", "deployment", "marked", "devloop/active=")
    cluster = KubeCluster(real_context())
    here, everywhere, nodes = await cluster.list_marked(namespace), await cluster.list_marked(), await cluster.nodes()
    await cluster.close()
    assert not isinstance(here, Failure)
    assert not isinstance(everywhere, Failure)
    assert [raw["metadata"]["name"] for raw in here] == ["marked"]
    assert (namespace, "marked") in {(raw["metadata"]["namespace"], raw["metadata"]["name"]) for raw in everywhere}
    assert nodes
