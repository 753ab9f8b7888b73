"""Images that are assembled without an engine: over the sandbox's own registry, and as buildx builds them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from devloop.adapters.appending import read_base
from devloop.adapters.assembling import AssemblingBuilder
from devloop.adapters.audit import Contents, contents_of, differences
from devloop.adapters.buildx import BuildxBuilder
from devloop.adapters.deltabuilder import DeltaBuilder
from devloop.adapters.registry import HttpRegistry
from devloop.core.events import HOW
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef
from devloop.core.ports import BuildProgress, BuildRequest, Built, PushStarted, StepProgress
from devloop.core.service import BuildSpec
from devloop.sandbox.baseimage import put_base_image
from devloop.sandbox.registry.server import Registry
from tests.adapters.bothways import OnDisk, write
from tests.adapters.memory import Memory


@dataclass
class Builds:
    """One context, and what builds it."""

    folder: Path
    base: str
    http: HttpRegistry
    request: BuildRequest
    told: list[BuildProgress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.builder = AssemblingBuilder(self.http)

    def dockerfile(self, *lines: str) -> None:
        write(self.folder, "Dockerfile", "\n".join((f"FROM {self.base}", *lines, "")))

    async def build(self, *lines: str) -> Built | Failure:
        if lines:
            self.dockerfile(*lines)
        return await self.builder.build(self.request, self.told.append)

    async def built(self, *lines: str) -> Built:
        built = await self.build(*lines)
        assert isinstance(built, Built), built
        return built

    async def holds(self, digest: str) -> Contents:
        scope = self.http.scope_of(self.request.push)
        image = await read_base(self.http.http, scope, digest)
        assert not isinstance(image, Failure), image
        contents = await contents_of(self.http.http, scope, image)
        assert isinstance(contents, Contents), contents
        return contents


def _builds(folder: Path, base: str, http: HttpRegistry, push: str) -> Builds:
    folder.mkdir()
    spec = BuildSpec(folder, folder / "Dockerfile")
    return Builds(folder, base, http, BuildRequest(spec, ImageRef.parse(push), "linux/amd64"))


@pytest.fixture
async def builds(tmp_path: Path) -> AsyncIterator[Builds]:
    async with Registry(tmp_path / "registry") as registry, HttpRegistry(env={}) as http:
        base = await put_base_image(registry.host, platform="linux/amd64")
        yield _builds(tmp_path / "app", base, http, f"{registry.host}/shop/web:dev")


def tree(folder: Path) -> None:
    write(folder, "main.py", "print(0)")
    write(folder, "run.sh", "#!/bin/sh\n", 0o755)
    write(folder, "src/a.py", "a = 0")
    write(folder, "src/deep/b.py", "b = 0", 0o640)
    write(folder, "docs/x.txt", "x")
    write(folder, "ignored.log", "0")
    write(folder, "kept.log", "0")
    write(folder, ".dockerignore", "*.log\n!kept.log\nDockerfile\n")
    (folder / "src/deep").chmod(0o711)
    (folder / "src/link.py").symlink_to("a.py")
    (folder / "empty").mkdir()


ALL = ("WORKDIR /app", "COPY . .")


async def test_what_is_built_is_in_the_registry_and_the_same_each_time(builds: Builds) -> None:
    tree(builds.folder)
    built = await builds.built(*ALL, 'CMD ["python3", "main.py"]')
    assert built.builder == "assembled"
    resolved = await builds.http.resolve(builds.request.push)
    assert resolved is not None
    assert not isinstance(resolved, Failure)
    assert (resolved.digest, resolved.platforms) == (built.digest, ("linux/amd64",))
    assert (await builds.built()).digest == built.digest
    write(builds.folder, "main.py", "print(1)")
    assert (await builds.built()).digest != built.digest
    write(builds.folder, "main.py", "print(0)")
    assert (await builds.built()).digest == built.digest


async def test_what_it_holds(builds: Builds) -> None:
    tree(builds.folder)
    held = await builds.holds((await builds.built(*ALL)).digest)
    assert sorted(path for path in held.entries if path.startswith("/app/")) == [
        "/app/.dockerignore", "/app/docs", "/app/docs/x.txt", "/app/empty", "/app/kept.log", "/app/main.py",
        "/app/run.sh", "/app/src", "/app/src/a.py", "/app/src/deep", "/app/src/deep/b.py", "/app/src/link.py",
    ]  # fmt: skip
    assert held.entries["/app/src/deep"][:4] == (b"5", 0o711, 0, 0)
    assert held.entries["/app/src/deep/b.py"][:5] == (b"0", 0o640, 0, 0, hashlib.sha256(b"b = 0").hexdigest())
    assert held.entries["/app/src/link.py"][4] == "a.py"
    assert held.entries["/tmp"][:2] == (b"5", 0o1777)


async def test_it_tells_its_steps_and_then_the_push(builds: Builds) -> None:
    tree(builds.folder)
    await builds.built(*ALL)
    names = [item.name for item in builds.told if isinstance(item, StepProgress) and item.seconds is not None]
    assert names == ["[2/3] WORKDIR /app", "[3/3] COPY . ."]
    assert isinstance(builds.told[-1], PushStarted)


async def test_stages_on_each_other_and_variables_of_every_kind(builds: Builds) -> None:
    tree(builds.folder)
    write(builds.folder, "Dockerfile", f"""ARG BASE={builds.base}
ARG WHERE=/srv
FROM $BASE AS deps
ARG WHERE
ENV PLACE=$WHERE/app LIST="a b"
COPY src $PLACE/src
FROM scratch AS unused
RUN make
FROM deps
ARG LATE=${{PLACE}}/late
COPY main.py ${{LATE}}/
USER ${{NOBODY:-1000}}
""")  # fmt: skip
    held = await builds.holds((await builds.built()).digest)
    assert {"/srv/app/src/a.py", "/srv/app/late/main.py"} <= held.entries.keys()
    config = held.config["config"]
    assert (config["Env"][1:], config["User"]) == (["PLACE=/srv/app", "LIST=a b"], "1000")


async def test_arguments_and_the_stage_that_is_asked_for(builds: Builds) -> None:
    tree(builds.folder)
    builds.dockerfile("ARG TO=/x", "COPY main.py $TO/", "FROM scratch AS other", "COPY run.sh /")
    first = BuildSpec(builds.folder, builds.folder / "Dockerfile", target="other")
    builds.request = replace(builds.request, spec=first)
    assert list((await builds.holds((await builds.built()).digest)).entries) == ["/run.sh"]
    write(builds.folder, "Dockerfile", f"FROM {builds.base}\nARG TO=/x\nCOPY main.py $TO/\n")
    builds.request = replace(builds.request, spec=replace(first, target="", args=(("TO", "/given"),)))
    assert "/given/main.py" in (await builds.holds((await builds.built()).digest)).entries


REFUSED = {
    "RUN": (("RUN pip install x",), "line 2: the sandbox has no engine and cannot run `RUN pip install x`"),
    "another stage": (("COPY --from=build /x /",), "line 2: the sandbox has no engine and cannot copy from a stage:"),
    "a URL": (("ADD https://example.com/x /",), "line 2: the sandbox has no engine and cannot fetch `ADD https://"),
    "a heredoc": (("COPY <<EOF /x", "y", "EOF"), "line 2: the sandbox has no engine and cannot read the heredoc of"),
    "parents": (("COPY --parents src /",), "line 2: the sandbox has no engine for `--parents`"),
    "an owner by name": (("COPY --chown=app main.py /",), "line 2: `--chown=app` is no number, and needs an engine"),
    "an archive": (("ADD src.tgz /",), "the sandbox has no engine and cannot unpack src.tgz"),
    "a link": (("COPY link /x",), "line 2: `COPY link /x`: link is a link, which is left to an engine"),
    "nothing": (("COPY nope /x",), "line 2: `COPY nope /x`: nope is not in the build context"),
    "what is ignored": (("COPY ignored.log /x",), "line 2: `COPY ignored.log /x`: ignored.log is not in the build"),
    "a wildcard for nothing": (("COPY *.zip /x/",), "line 2: `COPY *.zip /x/`: *.zip is not in the build context"),
    "several into a file": (("COPY main.py run.sh /x",), "has several sources, so its destination has to end with"),
    "a folder over a file": (("COPY main.py /x", "COPY src /x"), "line 3: `COPY src /x`: /x is no folder"),
    "a file over a folder": (("COPY src /x/main.py", "COPY . /x"), "`COPY . /x`: /x/main.py is a folder in the image"),
    "no instruction": (("COPPY . .",), "line 2: `COPPY` is no instruction"),
    "not enough": (("COPY .",), "line 2: COPY needs more arguments"),
    "a quote": (('ENV A="b',), "line 2: `ENV A=\"b`: a double quote is not closed"),
    "a port": (("EXPOSE http",), "line 2: `http` of `EXPOSE http` is no port"),
    "no time": (("HEALTHCHECK --interval=soon CMD true",), "line 2: `--interval=soon` of HEALTHCHECK is not"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_what_it_cannot_do_is_one_sentence_with_the_place(builds: Builds, case: str) -> None:
    tree(builds.folder)
    (builds.folder / "link").symlink_to("main.py")
    (builds.folder / "src.tgz").write_bytes(b"\x1f\x8b anything")
    lines, words = REFUSED[case]
    failure = await builds.build(*lines)
    assert isinstance(failure, Failure)
    assert failure.code is FailureCode.BUILD_FAILED
    assert failure.message.startswith(("Dockerfile, line ", "Dockerfile: "))
    assert words in failure.message
    helps_itself = "COPY takes it as it is" in failure.message
    assert bool(failure.hint) == ("engine" in failure.message and not helps_itself)
    assert await builds.http.resolve(builds.request.push) is None


async def test_check_says_the_same_before_anything_is_built(builds: Builds) -> None:
    builds.dockerfile("RUN true")
    failure = await builds.builder.check(builds.request)
    assert failure is not None
    assert failure.message == "Dockerfile, line 2: the sandbox has no engine and cannot run `RUN true`"
    builds.dockerfile(*ALL)
    assert await builds.builder.check(builds.request) is None
    several = replace(builds.request, platform="linux/amd64,linux/arm64")
    failure = await builds.builder.check(several)
    assert failure is not None
    assert "several platforms" in failure.message


async def test_a_dockerfile_or_a_base_that_is_not_there(builds: Builds) -> None:
    failure = await builds.build()
    assert isinstance(failure, Failure)
    assert failure.message == "Dockerfile: it cannot be read: No such file or directory"
    write(builds.folder, "Dockerfile", f"FROM {builds.base}.14\n")
    failure = await builds.build()
    assert isinstance(failure, Failure)
    assert failure.message == f"the base image {builds.base}.14 cannot be read: not found"


async def test_a_registry_that_is_away(builds: Builds, tmp_path: Path) -> None:
    tree(builds.folder)
    builds.dockerfile(*ALL)
    async with Registry(tmp_path / "other") as other:
        gone = other.host
    builds.request = replace(builds.request, push=ImageRef.parse(f"{gone}/x:dev"))
    failure = await builds.build()
    assert isinstance(failure, Failure)
    assert failure.code is FailureCode.REGISTRY_UNREACHABLE


@pytest.mark.parametrize("pushed_to", [False, True])
async def test_a_base_whose_registry_is_away_is_named(builds: Builds, tmp_path: Path, pushed_to: bool) -> None:
    """Only the registry that is pushed to is waited for: nobody asks the other one whether it is back."""
    async with Registry(tmp_path / "other") as other:
        gone = other.host
    write(builds.folder, "Dockerfile", f"FROM {gone}/python:3\n")
    if pushed_to:
        builds.request = replace(builds.request, push=ImageRef.parse(f"{gone}/x:dev"))
    failure = await builds.build()
    assert isinstance(failure, Failure)
    assert failure.message.startswith(f"Dockerfile: the base image {gone}/python:3 cannot be read: ")
    assert "cannot be reached" in failure.message
    assert failure.code is (FailureCode.REGISTRY_UNREACHABLE if pushed_to else FailureCode.BUILD_FAILED)
    assert ("FROM" in failure.hint) is not pushed_to


async def test_a_base_in_another_registry_is_copied(builds: Builds, tmp_path: Path) -> None:
    tree(builds.folder)
    builds.dockerfile(*ALL)
    async with Registry(tmp_path / "other") as other:
        builds.request = replace(builds.request, push=ImageRef.parse(f"{other.host}/x:dev"))
        held = await builds.holds((await builds.built()).digest)
    assert {"/etc/os-release", "/app/main.py"} <= held.entries.keys()


async def test_what_follows_a_build_is_a_layer_on_it(builds: Builds) -> None:
    """The builder of deltas sits in front of it as in front of buildx."""
    tree(builds.folder)
    builds.dockerfile(*ALL, 'CMD ["python3", "main.py"]')
    delta = DeltaBuilder(builds.builder, builds.http, OnDisk(), Memory())
    first = await delta.build(builds.request, builds.told.append)
    assert isinstance(first, Built)
    assert first.builder == "assembled"
    await delta.gathered()
    for name, content in (("main.py", "print(1)"), ("src/new.py", "new")):
        write(builds.folder, name, content)
        second = await delta.build(builds.request, builds.told.append)
        assert isinstance(second, Built)
        assert second.builder == "delta"
        await delta.gathered()
        full = await builds.built()
        left, right = await asyncio.gather(builds.holds(second.digest), builds.holds(full.digest))
        assert list(differences(left, right)) == []
    (builds.folder / "main.py").unlink()
    third = await delta.build(builds.request, builds.told.append)
    assert isinstance(third, Built)
    assert third.builder == "assembled"
    how = [item.name for item in builds.told if isinstance(item, StepProgress) and item.step == HOW]
    assert how[-1] == "full build: main.py was deleted"
    await delta.close()


EQUAL: dict[str, tuple[str, ...]] = {
    "all": ALL,
    "a command as text": (*ALL, "CMD python3 main.py"),
    "a command as a list": (*ALL, 'CMD ["python3", "main.py"]'),
    "an entrypoint": (*ALL, 'ENTRYPOINT ["sh"]'),
    "an entrypoint after its arguments": (*ALL, 'CMD ["x"]', 'ENTRYPOINT ["sh"]'),
    "metadata": (
        *ALL, "ENV A=b C='d e' PATH=/x:$PATH", "EXPOSE 80 81/udp 90-92", "LABEL a=b c='d e'", "STOPSIGNAL SIGINT",
        "USER 1000:1000", "VOLUME /data /more", 'SHELL ["/bin/ash", "-c"]', "CMD run $HOME", "ONBUILD COPY . /x",
    ),
    "the old form of ENV": ("ENV A b  c", "ENV A=${A}-d"),
    "health": (*ALL, "HEALTHCHECK --interval=1m30s --timeout=3s --start-period=500ms --retries=2 CMD test -f /x"),
    "health as a list": ('HEALTHCHECK CMD ["true", "x"]',),
    "no health": ("HEALTHCHECK NONE",),
    "a maintainer": ("MAINTAINER Somebody <somebody@example.com>",),
    "a folder to a new place": ("COPY src /srv/app/src",),
    "a folder twice": ("COPY src /x", "COPY --chmod=0750 src /x"),
    "a folder into one that the base has": ("COPY src /etc",),
    "a file into a folder of the base": ("COPY main.py /etc",),
    "a file under another name": ("COPY main.py /opt/start.py",),
    "a file without its folder": ("COPY main.py opt/deep/start",),
    "several files": ("COPY main.py run.sh /opt/x/",),
    "a wildcard": ("COPY *.py *.sh /opt/x/",),
    "a wildcard for folders": ("COPY s* d?cs /opt/x/",),
    "a part of a folder": ("COPY src/deep docs/x.txt /opt/x/",),
    "exclude": ("COPY --exclude=*.txt --exclude=src/deep . /opt/x/",),
    "an owner": ("COPY --chown=1000:1001 src /data/deep/",),
    "an owner alone": ("COPY --chown=7 main.py /data/",),
    "an owner and a mode": ("COPY --chown=7:8 --chmod=640 . /data/",),
    "a mode of folders that are made": ("COPY --chmod=640 src/deep main.py /p/d/", "COPY --chmod=0700 main.py /q/"),
    "a link of its own": ("WORKDIR /app", "COPY --link . /app/"),
    "ADD": ("ADD src main.py /srv/src/",),
    "a JSON list": ('COPY ["main.py", "run.sh", "/opt/with space/"]',),
    "WORKDIR": ("WORKDIR /a/b", "WORKDIR c", "WORKDIR ../d", "COPY main.py ."),
    "a folder that is there already": ("WORKDIR /etc",),
    "links of the image": ("COPY links /x", "COPY main.py /x/to_y/z.py", "COPY src /x/to_y", "WORKDIR /x/to_y"),
    "comments and lines": ("# a comment", "COPY \\", "  main.py \\", "  # inside", "  /opt/", ""),
    "a mode of odd bits": ("COPY odd /odd/",),
}  # fmt: skip


@pytest.mark.engine
@pytest.mark.timeout(300)
@pytest.mark.parametrize("base", ["busybox", "scratch"])
@pytest.mark.parametrize("case", EQUAL)
async def test_the_image_is_that_of_buildx(case: str, base: str, tmp_path: Path, registry: str) -> None:
    name = hashlib.sha256(f"{case} {base}".encode()).hexdigest()[:12]
    async with HttpRegistry() as http:
        begin = "scratch" if base == "scratch" else f"{registry}/busybox:1"
        builds = _builds(tmp_path / "app", begin, http, f"{registry}/assembled/{name}:dev")
        tree(builds.folder)
        write(builds.folder, "links/y/in_y", "in y")
        (builds.folder / "links/to_y").symlink_to("y")
        write(builds.folder, "odd", "odd", 0o4755)
        built = await builds.built(*EQUAL[case])
        other = await BuildxBuilder(builds.folder).build(
            replace(builds.request, push=builds.request.push.with_tag("full")), lambda _: None
        )
        assert isinstance(other, Built), other
        left, right = await asyncio.gather(builds.holds(built.digest), builds.holds(other.digest))
        different = list(differences(left, right))
        shown = {path: (left.entries.get(path), right.entries.get(path)) for path in different}
        assert not different, (shown, left.config, right.config)
