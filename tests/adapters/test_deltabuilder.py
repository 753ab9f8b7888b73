"""When a session appends a layer and when it builds: earlier sessions, what moved, what no layer holds, who pushes."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devloop.adapters import deltabuilder
from devloop.adapters.appending import _continued
from devloop.adapters.basefile import decoded, encoded
from devloop.adapters.deltabuilder import DeltaBuilder
from devloop.adapters.layer import Layer, NoLayerError, pack
from devloop.adapters.registry import HttpRegistry
from devloop.adapters.registryauth import Scope
from devloop.adapters.scope import Area
from devloop.adapters.scope import Scope as ContextScope
from devloop.adapters.sendahead import SendAhead
from devloop.core.delta import Put
from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.core.image import ImageRef, ResolvedImage
from devloop.core.ports import Builder, BuildProgress, BuildRequest, Built
from devloop.core.service import Pin, Service
from tests.adapters.bothways import BothWays, OnDisk, both_ways, write
from tests.adapters.own_registry import OwnRegistry, own_registry, tls_registry, token_registry

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
FROM = "FROM {registry}/busybox:1"


@pytest.fixture
async def ways(tmp_path: Path, registry: str) -> AsyncIterator[BothWays]:
    """A tree that was built fully once."""
    async with both_ways(tmp_path / "app", registry, f"ways-{os.getpid()}") as ways:
        write(ways.folder, "main.py", "0")
        write(ways.folder, "requirements.txt", "0")
        _dockerfile(ways, FROM, "COPY requirements.txt /", "RUN cat /requirements.txt", "WORKDIR /app", "COPY . .")
        await ways.build()
        assert ways.words == ""
        yield ways


def _dockerfile(ways: BothWays, *lines: str) -> None:
    text = "\n".join((*lines, "")).format(registry=ways.request.push.registry)
    write(ways.folder, "Dockerfile", text)


async def _words(ways: BothWays, name: str = "main.py", content: str = "1") -> str:
    # BuildKit takes a file of the same size and time for the same file.
    write(ways.folder, name, content, mtime=time.time())
    await ways.build()
    return ways.words


async def test_what_a_run_reads_is_built(ways: BothWays) -> None:
    assert await _words(ways) == "delta: 1 file into /app"
    found = await _words(ways, "requirements.txt")
    assert found == "full build: requirements.txt is there for `RUN cat /requirements.txt`"
    assert await _words(ways, content="2") == "delta: 1 file into /app"


async def test_a_later_session_begins_with_a_layer_and_needs_no_engine(ways: BothWays) -> None:
    ways.env = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    ways.__post_init__()
    assert await ways.delta.check(ways.request) is None
    assert await _words(ways) == "delta: 1 file into /app"
    (ways.folder / "main.py").unlink()
    failure = await ways.delta.build(ways.request, lambda _: None)
    assert isinstance(failure, Failure)
    assert failure.code is FailureCode.ENGINE_UNREACHABLE


async def test_without_an_earlier_full_build_the_engine_is_needed(ways: BothWays) -> None:
    ways.env = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    ways.state.kept.clear()
    ways.__post_init__()
    failure = await ways.delta.check(ways.request)
    assert failure is not None
    assert failure.code is FailureCode.ENGINE_UNREACHABLE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("dockerfile", "full build: the Dockerfile changed"),
        ("ignore", "full build: what the ignore file says changed"),
        ("arguments", "full build: the build's arguments, platform or builder changed"),
        ("lost", "full build: the registry does not have the last full build any more"),
        ("broken", ""),
    ],
)
async def test_what_changed_between_two_sessions(ways: BothWays, change: str, words: str) -> None:
    (key, data), *_ = ways.state.kept.items()
    kept = decoded(data)
    assert kept is not None
    if change == "dockerfile":
        _dockerfile(ways, FROM, "WORKDIR /app", "COPY . .")
    elif change == "ignore":
        write(ways.folder, ".dockerignore", "*.log")
    elif change == "arguments":
        ways.request = replace(ways.request, spec=replace(ways.request.spec, args=(("A", "b"),)))
    elif change == "lost":
        ways.state.kept[key] = encoded(replace(kept, digest=f"sha256:{'0' * 64}"))
    else:
        ways.state.kept[key] = data[:-20]
    ways.anew()
    assert await _words(ways) == words


async def test_steering_files_that_change_in_a_session(ways: BothWays) -> None:
    _dockerfile(ways, FROM, "WORKDIR /app", "COPY . .")
    assert await _words(ways) == "full build: the Dockerfile changed"
    assert await _words(ways, ".dockerignore", "*.log") == "full build: what the ignore file says changed"
    assert await _words(ways, content="2") == "delta: 1 file into /app"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"delta": False}, ""),
        ({"flags": ("--label", "a=b")}, "full build: `build.flags` may change what it is built from"),
        ({"ssh": ("default=/nowhere",)}, "full build: `build.ssh` may change what it is built from"),
    ],
)
async def test_builds_that_are_never_a_layer(ways: BothWays, spec: dict[str, object], words: str) -> None:
    ways.request = replace(ways.request, spec=replace(ways.request.spec, **spec))  # type: ignore[arg-type]
    write(ways.folder, "main.py", "1")
    ways.told.clear()
    await ways.delta.build(ways.request, ways.hear)
    assert ways.words == words


async def test_files_that_cannot_be_packed_as_buildkit_does(ways: BothWays) -> None:
    (ways.folder / "twin.py").hardlink_to(ways.folder / "main.py")
    await ways.build()
    assert ways.words == "full build: twin.py is a hard link"
    write(ways.folder, "named.py", "1")
    os.setxattr(ways.folder / "named.py", "user.note", b"x")
    await ways.build()
    assert ways.words == "full build: named.py has extended attributes"


async def test_an_image_that_moved_is_built_on_again(ways: BothWays) -> None:
    parent = f"{ways.request.push.name}-parent"
    _dockerfile(ways, FROM, "WORKDIR /parent")
    await ways.full.build(replace(ways.request, push=ImageRef.parse(f"{parent}:1")), lambda _: None)
    _dockerfile(ways, f"FROM {parent}:1", "WORKDIR /app", "COPY . .")
    ways.delta = DeltaBuilder(ways.full, ways.registry, OnDisk(), ways.state, look_again=0)
    await ways.build()
    assert await _words(ways) == "delta: 1 file into /app"
    await _move(ways, parent)
    assert await _words(ways, content="2") == "delta: 1 file into /app"  # it looks beside the build
    assert await _words(ways, content="3") == f"full build: {parent}:1 moved"
    assert await _words(ways, content="4") == "delta: 1 file into /app"


async def _move(ways: BothWays, parent: str) -> None:
    kept = (ways.folder / "Dockerfile").read_text()
    _dockerfile(ways, FROM, "WORKDIR /another")
    await ways.full.build(replace(ways.request, push=ImageRef.parse(f"{parent}:1")), lambda _: None)
    write(ways.folder, "Dockerfile", kept)


async def test_what_an_image_adds_to_whatever_is_built_on_it(ways: BothWays) -> None:
    parent = f"{ways.request.push.name}-onbuild-not-told"[:-10]
    _dockerfile(ways, FROM, "ONBUILD COPY main.py /early.py")
    await ways.full.build(replace(ways.request, push=ImageRef.parse(f"{parent}:1")), lambda _: None)
    _dockerfile(ways, f"FROM {parent}:1", "WORKDIR /app", "COPY . .")
    await ways.build()
    assert "ONBUILD" in await _words(ways)


async def test_no_secret_of_an_instruction_is_told(ways: BothWays) -> None:
    url = "https://me:hunter22@example.com/x"
    _dockerfile(ways, FROM, "ARG KEY", "COPY main.py /m.py", f"RUN echo {url} s3cret-value", "COPY . /app")
    ways.request = replace(ways.request, spec=replace(ways.request.spec, args=(("API_TOKEN", "s3cret-value"),)))
    await ways.build()
    words = await _words(ways)
    assert words == "full build: main.py is there for `RUN echo https://example.com/x ***`"


async def test_a_secret_that_is_too_long_to_be_shown_is_not_shown_in_part(ways: BothWays) -> None:
    url = f"https://me:{'hunter2' * 30}@example.com/x"
    _dockerfile(ways, FROM, "COPY main.py /m.py", f"RUN echo {url}", "COPY . /app")
    await ways.build()
    words = await _words(ways)
    assert words == "full build: main.py is there for `RUN echo https://example.com/x`"


async def test_builds_side_by_side_leave_one_build_that_passes_the_time(ways: BothWays) -> None:
    ways.delta = DeltaBuilder(ways.full, ways.registry, OnDisk(), ways.state, idle_after=0)
    write(ways.folder, "main.py", "1", mtime=time.time())
    first = _base_of(ways)
    await asyncio.gather(*(ways.delta.build(ways.request, ways.hear) for _ in range(3)))
    while _base_of(ways) == first:
        await asyncio.sleep(0.02)


async def test_checks_side_by_side_read_what_is_kept_once(ways: BothWays) -> None:
    ways.env = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    ways.__post_init__()
    assert await asyncio.gather(*(ways.delta.check(ways.request) for _ in range(3))) == [None] * 3


@pytest.mark.parametrize(
    ("ignore", "watch", "outside", "inside", "tells_all"),
    [
        ("*\n!src/app\n", ("src",), "src/other.py", "src/app/a.py", False),
        ("", (".",), "../shared.py", "src/app/a.py", True),
        ("", ("src",), "../shared.py", "main.py", False),
    ],
)
def test_what_is_watched_and_no_part_of_the_context(
    tmp_path: Path, ignore: str, watch: tuple[str, ...], outside: str, inside: str, tells_all: bool
) -> None:
    """What the ignore file takes back is a part of it, although a folder around it is watched beside it."""
    write(tmp_path, ".dockerignore", ignore)
    area = Area(tmp_path, tmp_path / "Dockerfile", tuple(tmp_path / each for each in watch), ())
    scope = ContextScope.read(area)
    assert scope.is_outside(outside)
    assert not scope.is_outside(inside)
    assert scope.tells_all is tells_all


LOCATIONS = [
    ("/v2/app/blobs/uploads/7?state=x", "/v2/app/blobs/uploads/7?state=x&"),
    ("7", "/v2/app/blobs/uploads/7?"),
    ("https://r.example/v2/up/7", "/v2/up/7?"),
    ("https://r.example:443/v2/up/7", "/v2/up/7?"),
    (".evil.example/x", "/v2/app/blobs/uploads/.evil.example/x?"),
    ("https://r.example.evil/x", ""),
    ("//evil.example/x", ""),
    ("https://r.example:8443/x", ""),
    ("", ""),
]


@pytest.mark.parametrize(("location", "path"), LOCATIONS)
def test_an_upload_goes_on_at_the_same_host_or_not_at_all(location: str, path: str) -> None:
    scope = Scope("r.example", "app")
    if path:
        assert _continued(scope, location) == path
    else:
        with pytest.raises(NoLayerError):
            _continued(scope, location)


async def test_two_saves_in_a_row_do_not_wait_for_what_is_gathered(ways: BothWays) -> None:
    _dockerfile(ways, FROM, "WORKDIR /app", "COPY . .")
    await ways.delta.build(ways.request, ways.hear)
    await ways.delta.build(ways.request, ways.hear)
    assert ways.words == "full build: the last full build is still being looked at"
    await ways.delta.gathered()
    assert await _words(ways) == "delta: 1 file into /app"


async def test_closing_leaves_nothing_running(ways: BothWays) -> None:
    _dockerfile(ways, FROM, "WORKDIR /app", "COPY . .")
    await ways.delta.build(ways.request, ways.hear)
    await ways.delta.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_registry_that_asks_who_one_is(tmp_path: Path, registry: str) -> None:
    async with own_registry(tmp_path) as own:
        env = {**os.environ, "DOCKER_CONFIG": str(own.docker_config())}
        async with both_ways(tmp_path / "app", own.host, "private", env) as ways:
            write(ways.folder, "main.py", "0")
            write(ways.folder, "Dockerfile", f"FROM {registry}/busybox:1\nWORKDIR /app\nCOPY . .\n")
            await ways.build()
            assert await _words(ways) == "delta: 1 file into /app"
            ways.env = {**env, "DOCKER_CONFIG": str(own.docker_config("wrong"))}
            async with HttpRegistry(env=ways.env) as stranger:
                ways.registry = stranger
                ways.__post_init__()
                failure = await ways.delta.build(ways.request, ways.hear)
    assert isinstance(failure, Failure)
    assert failure.code is FailureCode.REGISTRY_DENIED
    assert failure.exit_code is ExitCode.UNREACHABLE
    assert f"docker login {own.host}" in failure.hint


async def test_basic_authentication_over_tls(tmp_path: Path, registry: str) -> None:
    async with tls_registry(tmp_path) as own:
        await _pushes_a_layer(own, tmp_path, registry)


async def test_a_registry_that_wants_tokens(tmp_path: Path, registry: str) -> None:
    async with token_registry(tmp_path) as (own, asked):
        await _pushes_a_layer(own, tmp_path, registry)
    assert "repository:equal/tokens:pull,push" in asked


async def _pushes_a_layer(own: OwnRegistry, folder: Path, registry: str) -> None:
    env = {**os.environ, "DOCKER_CONFIG": str(own.docker_config())}
    async with both_ways(folder / "app", own.host, "tokens", env) as ways:
        write(ways.folder, "main.py", "0")
        write(ways.folder, "Dockerfile", f"FROM {registry}/busybox:1\nWORKDIR /app\nCOPY . .\n")
        await ways.build()
        assert await _words(ways) == "delta: 1 file into /app"
        built, held = await ways.build(), await ways.registry.resolve(ways.request.push)
        assert isinstance(held, ResolvedImage)
        assert held.digest == built.digest


async def test_credentials_that_end_between_two_layers(tmp_path: Path, registry: str) -> None:
    async with own_registry(tmp_path) as own:
        env = {**os.environ, "DOCKER_CONFIG": str(own.docker_config())}
        async with both_ways(tmp_path / "app", own.host, "ended", env) as ways:
            write(ways.folder, "main.py", "0")
            write(ways.folder, "Dockerfile", f"FROM {registry}/busybox:1\nWORKDIR /app\nCOPY . .\n")
            await ways.build()
            (own.folder / "htpasswd").write_text("nobody:x\n")
            write(ways.folder, "main.py", "1")
            failure = await ways.delta.build(ways.request, ways.hear)
    assert isinstance(failure, Failure)
    assert failure.code is FailureCode.REGISTRY_DENIED


async def test_a_full_build_that_fails_or_is_given_up_leaves_the_one_before(ways: BothWays) -> None:
    write(ways.folder, "requirements.txt", "1", mtime=time.time())
    given_up = asyncio.ensure_future(ways.delta.build(ways.request, ways.hear))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    (ways.folder / "requirements.txt").unlink()
    assert isinstance(await ways.delta.build(ways.request, ways.hear), Failure)
    assert ways.words == "full build: requirements.txt was deleted"
    assert await _words(ways, "requirements.txt", "0") == "delta: nothing differs from the last full build"


async def test_when_nobody_saves_a_full_build_is_made_beside(ways: BothWays) -> None:
    """The dev tag stays where it is; what comes next is a layer on the new base."""
    ways.delta = DeltaBuilder(ways.full, ways.registry, OnDisk(), ways.state, idle_after=0.05)
    first = _base_of(ways)
    write(ways.folder, "main.py", "1", mtime=time.time())
    built = await ways.build()
    assert built.builder == "delta"
    while _base_of(ways) == first:
        await asyncio.sleep(0.02)
    assert _base_of(ways) != built.digest
    held = await ways.registry.resolve(ways.request.push, configs=False)
    assert isinstance(held, ResolvedImage)
    assert held.digest == built.digest
    # What runs is made of the same source: asked for once more, also by the next session, it stays.
    for builder in (ways.delta, DeltaBuilder(ways.full, ways.registry, OnDisk(), ways.state)):
        ways.delta = builder
        assert (await ways.build()).digest == built.digest
    assert await _words(ways, "other.py") == "delta: 1 file into /app"


async def test_nothing_passes_the_time_for_a_service_that_left(ways: BothWays) -> None:
    slow = _Slow(ways.full)
    ways.delta = DeltaBuilder(slow, ways.registry, OnDisk(), ways.state, idle_after=0)
    assert await _words(ways) == "delta: 1 file into /app"
    await slow.began.wait()
    ways.delta.retain([_service_of(ways)])
    assert not [task for task in ways.delta._passing if task.cancelling()], "it is still there"
    ways.delta.retain([])
    assert all(task.cancelling() for task in ways.delta._passing)
    slow.go_on.set()
    await slow.ended.wait()
    assert ways.delta._layered == {}
    assert await _words(ways, content="2") == "delta: 1 file into /app", "what is stored of it is known again"


def _service_of(ways: BothWays) -> Service:
    return Service("web", ways.request.push, ways.request.push, Pin.TAG, (), (), ways.request.spec, ())


async def test_a_save_does_not_wait_for_a_build_that_passes_the_time(ways: BothWays) -> None:
    slow = _Slow(ways.full)
    ways.delta = DeltaBuilder(slow, ways.registry, OnDisk(), ways.state, idle_after=0)
    assert await _words(ways) == "delta: 1 file into /app"
    await slow.began.wait()
    assert await _words(ways, content="2") == "delta: 1 file into /app"
    assert not slow.ended.is_set()
    slow.go_on.set()
    await slow.ended.wait()


# the audit -----------------------------------------------------------------------------------------------------------


async def test_the_audit_finds_a_layer_equal_to_a_full_build(ways: BothWays) -> None:
    heard = _audits(ways)
    assert await _words(ways) == "delta: 1 file into /app"
    async with asyncio.timeout(60):
        assert await heard.get() == ()
    assert await _words(ways, content="2") == "delta: 1 file into /app"


async def test_what_the_audit_finds_ends_the_layers_of_that_service(
    ways: BothWays, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrongly(puts: Sequence[Put], context: Path) -> Layer:
        return pack([replace(put, mode=0o600) if put.source else put for put in puts], context)

    monkeypatch.setattr(deltabuilder, "pack", wrongly)
    heard = _audits(ways)
    assert await _words(ways) == "delta: 1 file into /app"
    async with asyncio.timeout(60):
        assert await heard.get() == ("/app/main.py",)
    assert await _words(ways, content="2") == "full build: the audit found a layer that was not what a full build gave"


async def test_an_inline_cache_in_the_config_is_no_difference(ways: BothWays) -> None:
    ways.request = replace(ways.request, spec=replace(ways.request.spec, args=(("BUILDKIT_INLINE_CACHE", "1"),)))
    await ways.build()
    heard = _audits(ways)
    assert await _words(ways) == "delta: 1 file into /app"
    async with asyncio.timeout(60):
        assert await heard.get() == ()


async def test_no_audit_of_another_source(ways: BothWays) -> None:
    """What was saved since is in the full build and not in the layer: while a service is paused nobody builds it."""
    heard = _audits(ways)
    write(ways.folder, "main.py", "1", mtime=time.time())
    await ways.delta.build(ways.request, ways.hear)
    first = _base_of(ways)
    write(ways.folder, "main.py", "2", mtime=time.time())
    while _base_of(ways) == first:
        await asyncio.sleep(0.02)
    assert await _words(ways, content="3") == "delta: 1 file into /app"
    async with asyncio.timeout(60):
        assert await heard.get() == ()
    assert heard.empty()


def _audits(ways: BothWays) -> "asyncio.Queue[tuple[str, ...]]":
    """What is found from here on, by builds that come soon after a save."""
    found: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
    ways.delta = DeltaBuilder(
        ways.full,
        ways.registry,
        OnDisk(),
        ways.state,
        idle_after=0.1,
        audited=lambda _, differing: found.put_nowait(differing),
    )
    return found


# ahead of the debounce -----------------------------------------------------------------------------------------------


async def test_a_layer_that_was_sent_ahead_is_not_sent_again(ways: BothWays) -> None:
    assert await _words(ways) == "delta: 1 file into /app"
    asked = _asked(ways)
    await _look_ahead(ways, f"not in BuildKit's cache: {time.time_ns()}")
    built = await ways.build()
    assert (ways.words, asked.count("POST"), asked.count("PUT")) == ("delta: 1 file into /app", 2, 3)
    await ways.equal(built)


async def test_a_layer_that_was_sent_ahead_in_vain(ways: BothWays) -> None:
    """An editor writes more than once."""
    await _look_ahead(ways, "half of it")
    await _look_ahead(ways, "nearly all of it")
    write(ways.folder, "main.py", f"all of it, {time.time_ns()}", mtime=time.time())
    built = await ways.build()
    assert ways.words == "delta: 1 file into /app"
    await ways.equal(built)


async def test_a_registry_that_lost_what_was_sent_ahead(ways: BothWays, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgotten(*_: object) -> bool:
        return True

    monkeypatch.setattr(SendAhead, "was_sent", forgotten)
    write(ways.folder, "main.py", f"never sent: {time.time_ns()}", mtime=time.time())
    built = await ways.build()
    assert ways.words == "delta: 1 file into /app"
    await ways.equal(built)


async def test_what_is_no_layer_is_not_sent_ahead(ways: BothWays) -> None:
    asked = _asked(ways)
    write(ways.folder, "requirements.txt", "1", mtime=time.time())
    await _look_ahead(ways, "2")
    write(ways.folder, "requirements.txt", "2", mtime=time.time())
    write(ways.folder, "main.py", "", mtime=time.time())
    (ways.folder / "main.py").unlink()
    await _look_ahead(ways, "")
    await ways.delta.close()
    assert asked == []


async def _look_ahead(ways: BothWays, content: str) -> None:
    if content:
        write(ways.folder, "main.py", content, mtime=time.time())
    ways.delta.look_ahead(await OnDisk().context(ways.request.spec, anew=True))
    await asyncio.sleep(0)


def _asked(ways: BothWays) -> list[str]:
    """The methods of all that is asked of the registry from here on, but for what is looked up."""
    asked: list[str] = []
    request = ways.registry.http.request

    async def heard(method: str, *args: Any, **more: Any) -> Any:
        if method not in {"GET", "HEAD"}:
            asked.append(method)
        return await request(method, *args, **more)

    ways.registry.http.request = heard  # type: ignore[method-assign]
    return asked


def _base_of(ways: BothWays) -> str:
    """The full build that is remembered."""
    kept = decoded(next(iter(ways.state.kept.values())))
    assert kept is not None
    return kept.digest


class _Slow:
    """A builder that takes long to end when it is cancelled."""

    name = "buildx"

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self.began, self.go_on, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def build(self, request: BuildRequest, progress: Callable[[BuildProgress], None]) -> Built | Failure:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.go_on.wait()
            self.ended.set()
        raise AssertionError("it is cancelled")

    async def check(self, request: BuildRequest) -> Failure | None:
        return await self._builder.check(request)
