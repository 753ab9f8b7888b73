"""Real builds through buildx on a real engine, and every way in which they fail."""

import asyncio
import base64
import contextlib
import os
import socket
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from devloop.adapters.buildx import BuildxBuilder
from devloop.core.events import StepState
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef
from devloop.core.ports import BuildProgress, BuildRequest, Built, OutputLine, PushStarted, StepProgress
from devloop.core.service import BuildSpec
from tests.adapters.own_registry import free_port, own_registry

pytestmark = pytest.mark.engine


@dataclass
class Project:
    """A build context, and what its builds told."""

    folder: Path
    registry: str
    told: list[BuildProgress] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def dockerfile(self, *lines: str, base: str = "") -> None:
        text = "\n".join([f"FROM {base or self.registry + '/busybox:1'}", *lines, ""])
        (self.folder / "Dockerfile").write_text(text)

    def request(self, push: str = "", **spec: object) -> BuildRequest:
        build = BuildSpec(self.folder, self.folder / "Dockerfile")
        ref = ImageRef.parse(push or f"{self.registry}/bld/app:dev")
        return BuildRequest(replace(build, **spec), ref, "linux/amd64")  # type: ignore[arg-type]

    def builder(self, **options: float) -> BuildxBuilder:
        return BuildxBuilder(self.folder, self.env, **options)

    async def build(self, push: str = "", **spec: object) -> Built | Failure:
        return await self.builder().build(self.request(push, **spec), self.told.append)

    async def failure(self, push: str = "", **spec: object) -> Failure:
        result = await self.build(push, **spec)
        assert isinstance(result, Failure)
        return result

    def lines(self) -> list[str]:
        return [p.text for p in self.told if isinstance(p, OutputLine)]


@pytest.fixture
def project(tmp_path: Path, registry: str) -> Project:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.txt").write_text("hello")
    project = Project(folder, registry)
    project.dockerfile("COPY app.txt /app.txt")
    return project


async def test_a_build_is_pushed_and_its_digest_is_the_registrys(project: Project) -> None:
    built = await project.build()
    assert isinstance(built, Built)
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    url = f"http://{project.registry}/v2/bld/app/manifests/dev"
    with urllib.request.urlopen(urllib.request.Request(url, headers=accept)) as answer:
        assert built.digest == answer.headers["Docker-Content-Digest"]
    assert built.builder == "buildx"
    assert sum(isinstance(p, PushStarted) for p in project.told) == 1
    copied = [p for p in project.told if isinstance(p, StepProgress) and "COPY app.txt" in p.name]
    assert copied[-1].state is StepState.DONE
    assert await project.build() == built


async def test_arguments_secrets_and_paths_reach_the_build_and_no_secret_gets_out(project: Project) -> None:
    (project.folder / "npmrc").write_text("//r.example/:_authToken=npm_0123456789\n")
    project.env["MY_SECRET"] = "env-secret-0123"
    project.dockerfile(
        "ARG VERSION",
        "ARG API_TOKEN",
        "ARG HTTP_PROXY",
        'RUN echo "version $VERSION token $API_TOKEN proxy $HTTP_PROXY"',
        "RUN --mount=type=secret,id=a --mount=type=secret,id=b cat /run/secrets/a /run/secrets/b; echo $RANDOM",
    )
    built = await project.build(
        args=(("VERSION", "1.2.3"), ("API_TOKEN", "tok-0123456789"), ("HTTP_PROXY", "http://proxy.invalid:1")),
        secrets=("id=a,src=npmrc", "id=b,env=MY_SECRET"),
        flags=("--no-cache",),
    )
    assert isinstance(built, Built)
    everything = repr(project.told)
    assert "version 1.2.3 token *** proxy http://proxy.invalid:1" in project.lines()
    for secret in ("tok-0123456789", "npm_0123456789", "env-secret-0123"):
        assert secret not in everything


async def test_a_failing_step_is_named_with_its_decisive_line(project: Project) -> None:
    project.dockerfile("RUN for i in $(seq 30); do echo line $i; done; echo 'cc: fatal error: x.h'; echo bye; exit 3")
    failure = await project.failure()
    assert failure.code is FailureCode.BUILD_FAILED
    assert failure.message.startswith("`[2/2] RUN for i in")
    assert failure.message.endswith("failed: cc: fatal error: x.h (exit code 3)")
    assert set(project.lines()) >= {f"line {i}" for i in range(11, 31)} | {"bye"}


async def test_the_failure_hides_secrets_too(project: Project) -> None:
    project.dockerfile("ARG API_TOKEN", "RUN echo error with $API_TOKEN; exit 1")
    failure = await project.failure(args=(("API_TOKEN", "tok-0123456789"),))
    assert "error with ***" in failure.message
    assert "tok-0123456789" not in repr((failure, project.told))


@pytest.mark.parametrize(
    ("lines", "base", "message"),
    [
        (["RUNN x"], "", "Dockerfile: dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)"),
        (["COPY nothere /x"], "", '`[2/2] COPY nothere /x` failed: "/nothere": not found'),
        (["RUN true"], "{registry}/nothere:1", "the base image {registry}/nothere:1 cannot be read: not found"),
    ],
    ids=["parse", "copy", "base"],
)
async def test_a_broken_dockerfile(project: Project, lines: list[str], base: str, message: str) -> None:
    project.dockerfile(*lines, base=base.format(registry=project.registry))
    failure = await project.failure()
    assert failure.code is FailureCode.BUILD_FAILED
    assert failure.message.endswith(message.format(registry=project.registry))
    assert failure.hint


async def test_a_dead_registry_is_unreachable(project: Project) -> None:
    failure = await project.failure("127.0.0.1:1/bld/app:dev")
    assert failure.code is FailureCode.REGISTRY_UNREACHABLE
    assert failure.message.startswith("127.0.0.1:1 cannot be reached to push 127.0.0.1:1/bld/app:dev: ")
    assert "connection refused" in failure.message


async def test_a_base_image_in_the_same_dead_registry_is_no_fault_of_the_dockerfile(project: Project) -> None:
    host = f"127.0.0.1:{free_port()}"
    project.dockerfile("RUN true", base=f"{host}/base:1")
    failure = await project.failure(f"{host}/bld/app:dev")
    assert failure.code is FailureCode.REGISTRY_UNREACHABLE


@pytest.mark.parametrize("password", [None, "wrong-pw-1"])
async def test_refused_access_says_how_to_log_in(project: Project, tmp_path: Path, password: str | None) -> None:
    async with own_registry(tmp_path) as own:
        project.env["DOCKER_CONFIG"] = str(own.docker_config(password))
        failure = await project.failure(f"{own.host}/bld/app:dev")
    assert failure.code is FailureCode.REGISTRY_DENIED
    assert f"`docker login {own.host}`" in failure.hint
    assert str(own.docker_config(password) / "config.json") in failure.hint


async def test_credentials_of_the_docker_configuration_are_used(project: Project, tmp_path: Path) -> None:
    async with own_registry(tmp_path) as own:
        project.env["DOCKER_CONFIG"] = str(own.docker_config())
        assert isinstance(await project.build(f"{own.host}/bld/app:dev"), Built)


async def test_without_an_engine(project: Project) -> None:
    project.env["DOCKER_HOST"] = "unix:///nowhere.sock"
    for failure in (await project.failure(), await project.builder().check(project.request())):
        assert failure is not None
        assert failure.code is FailureCode.ENGINE_UNREACHABLE
        assert "unix:///nowhere.sock" in failure.message


async def test_without_engine_and_plugin_the_engine_is_what_is_missing(project: Project, tmp_path: Path) -> None:
    project.env |= {"DOCKER_CONFIG": str(tmp_path), "PATH": "/nowhere", "DOCKER_HOST": "unix:///nowhere.sock"}
    for failure in (await project.failure(), await project.builder().check(project.request())):
        assert failure is not None
        assert failure.code is FailureCode.ENGINE_UNREACHABLE
        assert "unix:///nowhere.sock (from DOCKER_HOST)" in failure.message
    elsewhere = await project.builder().check(project.request(builder="team"))
    assert elsewhere is not None
    assert elsewhere.code is FailureCode.BUILDX_MISSING, "a builder elsewhere needs no engine here"


async def test_an_unknown_context_fails_loudly(project: Project, tmp_path: Path) -> None:
    del project.env["DOCKER_HOST"]
    project.env["DOCKER_CONTEXT"] = "nope"
    for failure in (await project.failure(), await project.builder().check(project.request())):
        assert failure is not None
        assert failure.code is FailureCode.ENGINE_UNREACHABLE
        assert "no Docker context `nope`" in failure.message


async def test_without_the_plugin(project: Project, tmp_path: Path) -> None:
    project.env |= {"DOCKER_CONFIG": str(tmp_path), "PATH": "/nowhere"}
    for failure in (await project.failure(), await project.builder().check(project.request())):
        assert failure is not None
        assert failure.code is FailureCode.BUILDX_MISSING
        assert "install" in failure.hint


def fake_plugin(folder: Path, script: str) -> None:
    plugin = folder / "cli-plugins" / "docker-buildx"
    plugin.parent.mkdir()
    plugin.write_text(f"#!/bin/sh\n{script}\n")
    plugin.chmod(0o755)


async def test_an_old_plugin_is_refused(project: Project, tmp_path: Path) -> None:
    fake_plugin(tmp_path, "echo 'github.com/docker/buildx v0.11.2 9872040'")
    project.env["DOCKER_CONFIG"] = str(tmp_path)
    failure = await project.builder().check(project.request())
    assert failure is not None
    assert failure.code is FailureCode.BUILDX_MISSING
    assert "v0.11.2 is older than 0.12" in failure.message


async def test_a_plugin_that_reports_no_digest(project: Project, tmp_path: Path) -> None:
    fake_plugin(tmp_path, "exit 0")
    project.env["DOCKER_CONFIG"] = str(tmp_path)
    assert (await project.failure()).code is FailureCode.PUSH_FAILED


async def test_a_digest_that_cannot_be_written_down_is_told(project: Project, tmp_path: Path) -> None:
    say = 'echo "ERROR: write ${each#*=}: no space left on device" >&2; exit 1'
    fake_plugin(tmp_path, f'for each; do case "$each" in --metadata-file=*) {say};; esac; done')
    project.env["DOCKER_CONFIG"] = str(tmp_path)
    failure = await project.failure()
    assert failure.code is FailureCode.BUILD_FAILED
    assert "no space left on device" in failure.message
    assert "Dockerfile" not in failure.message
    assert "TMPDIR" in failure.hint


async def test_the_check_passes_where_a_build_would(project: Project) -> None:
    assert await project.builder().check(project.request()) is None


async def test_an_unknown_builder_is_named(project: Project) -> None:
    for failure in (
        await project.failure(builder="nope"),
        await project.builder().check(project.request(builder="nope")),
    ):
        assert failure is not None
        assert failure.code is FailureCode.BUILDX_MISSING
        assert "`nope`" in failure.message
    project.env["BUILDX_BUILDER"] = "nope2"
    failure = await project.builder().check(project.request())
    assert failure is not None
    assert "`nope2`" in failure.message


@pytest.fixture
def container_builder(project: Project, tmp_path: Path) -> Callable[..., str]:
    """Makes builders with the docker-container driver, known to this test alone; none is started."""
    project.env["BUILDX_CONFIG"] = str(tmp_path / "buildx")

    def create(*options: str) -> str:
        name = f"bld-{len(options)}"
        plugin = Path.home() / ".docker" / "cli-plugins" / "docker-buildx"
        command = [str(plugin), "create", "--name", name, "--driver", "docker-container", *options]
        subprocess.run(command, env=project.env, check=True, capture_output=True)
        return name

    return create


async def test_a_builder_in_a_container_cannot_reach_a_registry_on_localhost(
    project: Project, container_builder: Callable[..., str]
) -> None:
    failure = await project.builder().check(project.request(builder=container_builder()))
    assert failure is not None
    assert failure.code is FailureCode.REGISTRY_UNREACHABLE
    assert f"`bld-0` (docker-container) cannot reach {project.registry}" in failure.message
    assert "network=host" in failure.hint
    elsewhere = project.request("registry.example/bld/app:dev", builder="bld-0")
    assert await project.builder().check(elsewhere) is None


async def test_a_builder_on_the_hosts_network_can(project: Project, container_builder: Callable[..., str]) -> None:
    name = container_builder("--driver-opt", "network=host")
    assert await project.builder().check(project.request(builder=name)) is None


async def test_two_platforms_need_another_driver(project: Project) -> None:
    request = replace(project.request(), platform="linux/amd64,linux/arm64")
    failure = await project.builder().check(request)
    assert failure is not None
    assert "linux/amd64,linux/arm64" in failure.message
    built = await project.builder().build(request, project.told.append)
    assert isinstance(built, Failure)
    assert "Multi-platform build is not supported" in built.message


async def test_an_engine_that_hangs_is_unreachable(project: Project, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "s"))
        hung.listen()
        project.env["DOCKER_HOST"] = f"unix://{tmp_path}/s"
        failure = await project.builder(patience=1.0).check(project.request())
    assert failure is not None
    assert failure.code is FailureCode.ENGINE_UNREACHABLE
    assert "no answer within 1 s" in failure.message


@contextlib.asynccontextmanager
async def relay(path: Path) -> AsyncIterator[Callable[[], None]]:
    """A socket that passes everything on to the real engine, until the function it gives is called."""
    engine = os.environ["DOCKER_HOST"].removeprefix("unix://")
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(engine)
        writers.extend([writer, up_writer])
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))

    server = await asyncio.start_unix_server(accept, path)

    def cut() -> None:
        server.close()
        for writer in writers:
            writer.transport.abort()

    try:
        yield cut
    finally:
        cut()


async def test_an_engine_that_goes_away_during_a_build(project: Project, tmp_path: Path) -> None:
    project.dockerfile("RUN echo begun; sleep 60")
    async with relay(tmp_path / "s") as cut:
        project.env["DOCKER_HOST"] = f"unix://{tmp_path}/s"

        def progress(told: BuildProgress) -> None:
            if told == OutputLine("begun", getattr(told, "step", "")):
                cut()

        result = await project.builder().build(project.request(flags=("--no-cache",)), progress)
    assert isinstance(result, Failure)
    assert result.code is FailureCode.ENGINE_UNREACHABLE


async def test_cancelling_ends_the_build_and_every_process(project: Project) -> None:
    marker = base64.b32encode(os.urandom(10)).decode()
    project.dockerfile(f"RUN echo begun; sleep 60; echo {marker}")
    begun = asyncio.Event()

    def progress(told: BuildProgress) -> None:
        if isinstance(told, OutputLine) and told.text == "begun":
            begun.set()

    task = asyncio.create_task(project.builder().build(project.request(), progress))
    await begun.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    everything = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert marker not in everything
    assert str(project.folder) not in everything
