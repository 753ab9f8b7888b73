"""Layers: a node unpacks them as it unpacks a full build, and the proof is the same."""

import pytest

from devloop.adapters.statefolder import default_root
from tests.e2e import harness
from tests.e2e.asking import fine
from tests.e2e.harness import Devloop
from tests.e2e.scene import SERVE, Scene
from tests.e2e.talk import heard, until_appendable

pytestmark = [pytest.mark.shared, pytest.mark.timeout(150)]
LOOK = f"echo $(cat word); {SERVE}"


def _write(scene: Scene, name: str, text: str, mode: int = 0o644) -> None:
    file = scene.folder / "web" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


def _app(scene: Scene, *lines: str) -> None:
    _write(scene, "word", "one")
    scene.dockerfile(f"FROM {scene.registry}/busybox:1", "WORKDIR /app", *lines, f'CMD ["sh", "-c", "{LOOK}"]')


def _tree(scene: Scene) -> list[str]:
    """Kind, mode, owner and size of all there is in /app of the Pod; of a folder its size says nothing."""
    (pod,) = scene.new_pods()
    find = "find /app -exec stat -c '%F %a %u:%g %n' {} + | sort; find /app -type f -exec md5sum {} + | sort"
    said = scene.kubectl("-n", scene.namespace, "exec", pod["metadata"]["name"], "--", "sh", "-c", find)
    return said.splitlines()


def _verified_by(devloop: Devloop, builder: str, files: int) -> None:
    """The cycle of so many files, which may come in two steps."""
    end = devloop.wait_for("cycle_finished", outcome="verified")
    while end["builder"] != builder or not _has(devloop, files):
        end = devloop.wait_for("cycle_finished", outcome="verified")


def _has(devloop: Devloop, files: int) -> bool:
    return any(f"delta: {files} file" in event["name"] for event in devloop.of("build_step", step="how"))


@pytest.mark.e2e  # a sandbox has no exec to look by, and its nodes unpack as nobody but the one who runs it
def test_a_node_unpacks_a_layer_as_it_unpacks_a_full_build(scene: Scene) -> None:
    """Not as root, in folders that only their owner may enter: what a layer does not repeat of a folder would show."""
    _app(scene, "COPY --chown=1000:1001 . .", "USER 1000:1001")
    _write(scene, "deep/inner/file", "old", 0o640)
    (scene.folder / "web/deep").chmod(0o700)
    (scene.folder / "web/deep/inner").chmod(0o750)
    scene.deploy()
    scene.configure()
    with scene.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        until_appendable(scene)
        _write(scene, "deep/inner/file", "new", 0o600)
        _write(scene, "deep/more/script", "echo hi", 0o755)
        (scene.folder / "web/deep/more").chmod(0o711)
        _write(scene, "word", "two")
        _verified_by(devloop, "delta", 3)
        assert heard(scene) == ["two"]
        by_layer = _tree(scene)
        assert devloop.stop() == 130
    scene.configure(build='{ context = "web", delta = false }')
    _write(scene, "again", "x")
    code, fully = scene.once()
    assert code == 0
    assert fully.of("cycle_finished")[-1]["builder"] == "buildx"
    assert [line for line in _tree(scene) if not line.endswith("/app/again")] == by_layer


def test_why_of_a_layer(scene: Scene) -> None:
    """Asked where no session is recorded: the image is as new as the newest file in it."""
    _app(scene, "COPY . /app/")
    scene.deploy()
    scene.configure()
    with scene.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        until_appendable(scene)
        _write(scene, "word", "two")
        end = devloop.wait_for("cycle_finished", outcome="verified")
        assert (end["builder"], heard(scene)) == ("delta", ["two"])
        assert devloop.stop() == 130
    for recording in (default_root() / "sessions").iterdir():
        recording.unlink()
    fine(scene)


def test_a_later_session_begins_where_the_one_before_ended(scene: Scene) -> None:
    _app(scene, "COPY . /app/")
    scene.deploy()
    scene.configure()
    with scene.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        until_appendable(scene)
        assert devloop.stop() == 130
    _write(scene, "word", "two")
    with scene.start() as devloop:
        end = devloop.wait_for("cycle_finished", outcome="verified")
        assert end["builder"] == "delta"
        assert heard(scene) == ["two"]
        _write(scene, "Dockerfile", (scene.folder / "web/Dockerfile").read_text() + "ENV A=b\n")
        end = devloop.wait_for("cycle_finished", outcome="verified")
        assert end["builder"] == harness.HERE.full
        assert "full build: the Dockerfile changed" in _how(devloop)
        assert devloop.stop() == 130


def _how(devloop: Devloop) -> list[str]:
    return [event["name"] for event in devloop.of("build_step", step="how")]
