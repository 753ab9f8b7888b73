"""Loading into a cluster and removing from it, with commands that only write down what they were asked."""

import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from devloop.adapters.kubeconfig import PinnedContext
from devloop.adapters.loadbuilder import LoadBuilder
from devloop.adapters.loader import ClusterLoader
from devloop.adapters.oldimages import OldImages
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef, sha256_of
from devloop.core.load import Loaded, Target
from devloop.core.ports import BuildProgress, BuildRequest, Built, OutputLine, PushStarted
from devloop.core.service import BuildSpec, Load
from tests.adapters.memory import Memory

CONFIG = b'{"os":"linux","architecture":"amd64"}'
ID = sha256_of(CONFIG)
TAG = f"dev-{ID[7:19]}"
SPEC = BuildSpec(Path("/src"), Path("/src/Dockerfile"))
NODES = [{"metadata": {"name": name}} for name in ("dev-control-plane", "dev-worker")]


def request(load: Load | None = Load.KIND) -> BuildRequest:
    return BuildRequest(SPEC, ImageRef("", "web", "dev"), "linux/amd64", load)


class Commands:
    """A PATH of scripts; each call is a line of `calls`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        files = {"c": CONFIG, "manifest.json": json.dumps([{"Config": "c"}]).encode()}
        with tarfile.open(folder / "image.tar", "w") as tar:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        self.write("kind", '[ "$1" = get ] && echo dev; echo loading')
        self.write("k3d", 'echo "dev 1/1"')
        self.write("minikube", "")
        self.write(
            "docker",
            f'case "$1 $2" in "image inspect") echo {ID} ;; "image save") cp {folder}/image.tar "$4" ;;\n'
            f'"exec "*) [ "$7" = rm ] || cat {folder}/listed-$2 ;; esac',
        )

    def write(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.folder}/calls\n{script}\nexit $?\n')
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def loader(self, context: str = "kind-dev") -> ClusterLoader:
        async def nodes() -> Sequence[Mapping[str, Any]] | Failure:
            return NODES

        path = f"{self.folder / 'bin'}{os.pathsep}/bin{os.pathsep}/usr/bin"
        return ClusterLoader(
            PinnedContext(context, "https://x", "default", "u", cluster=context), nodes, {"PATH": path}
        )


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


class FullBuild:
    """Ends at once."""

    name = "buildx"

    async def build(self, request: BuildRequest, progress: Any) -> Built | Failure:
        return Built("sha256:of the build", self.name)

    async def check(self, request: BuildRequest) -> Failure | None:
        return None


async def no_pods() -> Sequence[Mapping[str, Any]] | Failure:
    return []


def old_images(commands: Commands, state: Memory | None = None, pods: Any = no_pods) -> OldImages:
    return OldImages(state, "kind-dev", commands.loader(), pods)


async def test_an_image_is_loaded_under_a_tag_of_its_own_and_noted_before(commands: Commands) -> None:
    told: list[BuildProgress] = []
    old = old_images(commands)
    built = await LoadBuilder(FullBuild(), commands.loader(), old).build(request(), told.append)
    assert isinstance(built, Built)
    assert built.loaded is not None
    assert (str(built.loaded.pod_ref), built.digest, built.loaded.digest) == (f"web:{TAG}", ID, ID)
    assert built.loaded.loaded_into == "the kind cluster `dev`"
    assert told == [PushStarted(), OutputLine("loading")]
    assert old.loaded(request()) == (Loaded(f"web:{TAG}", (ID,)),)
    *docker, kind = commands.calls
    assert docker[:2] == ["docker image inspect --format {{.Id}} web:dev", f"docker image tag web:dev web:{TAG}"]
    assert kind.startswith("kind load image-archive ")
    assert kind.endswith("/image.tar --name dev")
    assert not Path(kind.split()[3]).exists()


async def test_what_is_pushed_is_not_touched(commands: Commands) -> None:
    built = await LoadBuilder(FullBuild(), commands.loader(), old_images(commands)).build(request(None), lambda _: None)
    assert built == Built("sha256:of the build", "buildx")
    assert not (commands.folder / "calls").exists()


async def test_docker_desktop_has_the_engines_images(commands: Commands) -> None:
    loader = commands.loader("docker-desktop")
    built = await LoadBuilder(FullBuild(), loader, old_images(commands)).build(request(Load.AUTO), lambda _: None)
    assert isinstance(built, Built)
    assert built.loaded is not None
    assert (str(built.loaded.pod_ref), built.digest) == (f"web:{TAG}", ID)
    assert [call.split()[2] for call in commands.calls] == ["inspect", "tag"]


@pytest.mark.parametrize(
    ("name", "context", "script", "said"),
    [
        ("kind", "kind-dev", 'echo "ERROR: no nodes found" >&2; false', "ERROR: no nodes found"),
        ("k3d", "k3d-dev", 'echo "ERRO[0001] failed to import into dev-agent-0"', "ERRO[0001] failed to import into"),
        ("minikube", "minikube", "exit 85", "minikube ended with exit code 85"),
    ],
)
async def test_the_commands_own_words(commands: Commands, name: str, context: str, script: str, said: str) -> None:
    commands.write(name, script)
    builder = LoadBuilder(FullBuild(), commands.loader(context), old_images(commands))
    failure = await builder.build(request(Load.AUTO), lambda _: None)
    assert isinstance(failure, Failure)
    assert failure.code is FailureCode.LOAD_FAILED
    assert f"web:{TAG} could not be loaded into the " in failure.message
    assert said in failure.message


async def test_an_engine_that_lost_the_image_says_so(commands: Commands) -> None:
    commands.write("docker", 'echo "Error: No such image: web:dev" >&2; exit 1')
    failure = await LoadBuilder(FullBuild(), commands.loader(), old_images(commands)).build(request(), lambda _: None)
    assert isinstance(failure, Failure)
    assert failure.message == "`docker image inspect` failed: Error: No such image: web:dev"


@pytest.mark.parametrize(
    ("gone", "load", "context", "message"),
    [
        ("kind", Load.AUTO, "kind-dev", "`kind` is not on PATH, and images get into the kind cluster `dev` through it"),
        ("", Load.AUTO, "kind-other", "`kind get clusters` knows no cluster `other`, only dev"),
        ("", Load.K3D, "k3d-other", "`k3d cluster list --no-headers` knows no cluster `other`, only dev"),
    ],
)
async def test_what_is_missing_is_told_before(
    commands: Commands, gone: str, load: Load, context: str, message: str
) -> None:
    commands.write("kind", "echo dev")
    if gone:
        (commands.folder / "bin" / gone).unlink()
    failure = await commands.loader(context).check(load)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.message) == (FailureCode.LOADER_MISSING, message)


async def test_what_is_there_is_told(commands: Commands) -> None:
    commands.write("kind", "echo dev")
    names = tuple(node["metadata"]["name"] for node in NODES)
    assert await commands.loader().check(Load.AUTO) == Target(Load.KIND, "dev", names)


def listed(commands: Commands, node: str, *names: str) -> None:
    rows = [f"{name} type sha256:{'a' * 64} 1 MiB linux/amd64 -" for name in names]
    (commands.folder / f"listed-{node}").write_text("\n".join(["REF TYPE DIGEST", *rows]) + "\n")


OLD, NEW = Loaded("web:dev-0ld", ("sha256:0ld",)), Loaded("web:dev-new", ("sha256:new",))


async def test_what_is_over_is_removed_by_name_and_remembered_no_longer(commands: Commands) -> None:
    state, told = Memory(), list[str]()
    await old_images(commands, state).note(request(), OLD)
    await old_images(commands, state).note(request(), NEW)
    listed(commands, "dev-control-plane", "docker.io/library/web:dev-0ld", "sha256:0ld")
    listed(commands, "dev-worker")
    old = old_images(commands, state)
    assert await old.remove(request(), Load.KIND, told.append) is None
    removals = [call for call in commands.calls if " rm " in call]
    assert removals == [
        "docker image rm web:dev-0ld",
        "docker exec dev-control-plane ctr -n k8s.io images rm docker.io/library/web:dev-0ld sha256:0ld",
    ]
    assert told == ["removed web:dev-0ld, which nothing runs any more, from the kind cluster `dev`"]
    assert old.loaded(request()) == (NEW,)


async def test_what_cannot_be_removed_is_told_and_tried_again(commands: Commands) -> None:
    old = old_images(commands)
    await old.note(request(), OLD)
    await old.note(request(), NEW)
    commands.write("docker", '[ "$1" = exec ] && echo "Error: No such container: $2" >&2 && exit 1; true')
    failure = await old.remove(request(), Load.KIND, lambda _: None)
    assert failure is not None
    assert failure.message == (
        "the old image web:dev-0ld could not be removed from dev-control-plane: "
        "Error: No such container: dev-control-plane"
    )
    assert old.loaded(request()) == (OLD, NEW)


@pytest.mark.parametrize(
    "pods",
    [
        [{"spec": {"containers": [{"image": "web:dev-0ld"}]}}],
        Failure(FailureCode.CLUSTER_DENIED, "you may not list Pods"),
    ],
)
async def test_nothing_is_removed_that_a_pod_uses_or_may_use(commands: Commands, pods: Any) -> None:
    async def listed_pods() -> Any:
        return pods

    old = old_images(commands, pods=listed_pods)
    await old.note(request(), OLD)
    await old.note(request(), NEW)
    assert await old.remove(request(), Load.KIND, lambda _: None) is None
    assert not (commands.folder / "calls").exists()
    assert old.loaded(request()) == (OLD, NEW)


async def test_what_is_built_again_is_the_newest_again(commands: Commands) -> None:
    old = old_images(commands)
    for image in (OLD, NEW, OLD):
        await old.note(request(), image)
    assert old.loaded(request()) == (NEW, OLD)


async def test_a_record_that_cannot_be_read_counts_as_none(commands: Commands) -> None:
    state = Memory()
    await old_images(commands, state).note(request(), OLD)
    state.kept = dict.fromkeys(state.kept, b"[{}]")
    assert old_images(commands, state).loaded(request()) == ()
