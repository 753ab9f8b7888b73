"""`devloop why` where the newest save has not come as far as the registry, and where nothing is stale at all."""

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from devloop.core.plan import ASSEMBLED
from tests.e2e import harness
from tests.e2e.asking import build, deploy, digests, do, expect, fine, mend, push, say, why
from tests.e2e.harness import PATIENCE, registry_digest
from tests.e2e.scene import Scene

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]
AN_HOUR_AGO = time.time() - 3600


def up(scene: Scene, word: str) -> None:
    """The service `web`, with a Pod that devloop verified."""
    push(scene, "released", "release")
    deploy(scene, "release")
    say(scene, word)
    scene.configure('container = "web"')
    code, devloop = scene.once()
    assert code == 0, devloop.said()


def save(scene: Scene, name: str, text: str = "saved\n") -> None:
    """Save a file later than everything that is there."""
    (scene.folder / "web" / name).write_text(text)


# not-pushed ----------------------------------------------------------------------------------------------------------


@pytest.mark.e2e  # only an engine knows what was built here
def test_what_was_built_here_is_not_in_the_registry(scene: Scene) -> None:
    old = push(scene, "old")
    deploy(scene, policy="Always")
    build(scene, "new")
    told = why(scene)
    said = (f"{scene.image}:dev was built on this machine, but not pushed", "an older image under that tag")
    cause = expect(told, "not-pushed", *said, first_broken="registry tag")
    assert digests(cause, "registry") == {old}
    do(scene, cause["fix"])
    cause = expect(why(scene), "template-unchanged")
    mend(scene, cause)


@pytest.mark.e2e  # only an engine knows what was built here
def test_what_was_built_here_is_nowhere_else(scene: Scene) -> None:
    """The node has it all the same: somebody loaded it there."""
    push(scene, "old")
    deploy(scene)
    unpush(scene)
    cause = expect(why(scene), "not-pushed", "not pushed: the registry has nothing under that tag")
    mend(scene, cause)


def unpush(scene: Scene) -> None:
    host, _, repository = scene.image.partition("/")
    url = f"http://{host}/v2/{repository}/manifests/{registry_digest(f'{scene.image}:dev')}"
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10).close()


# not-built -----------------------------------------------------------------------------------------------------------


def test_a_save_after_the_last_build(scene: Scene) -> None:
    up(scene, "one")
    fine(scene, "web")
    say(scene, "two")
    cause = expect(why(scene, "web", name="not-built"), "not-built", "run.sh", first_broken="source")
    assert {"file run.sh", "registry"} <= {each["source"] for each in cause["evidence"]}
    assert expect(why(scene), "not-built")["message"] == cause["message"], "the workload by its own name"
    assert cause["fix"] == "devloop up web --once"
    do(scene, cause["fix"])
    fine(scene, "web")


def test_a_dockerfile_that_was_built_is_no_later_save_though_an_image_is_dated_by_its_files(
    scene: Scene, tmp_path: Path
) -> None:
    """Where nothing tells when a session built it, as in another state folder."""
    up(scene, "one")
    folder = scene.folder / "web"
    for path in folder.iterdir():
        os.utime(path, (AN_HOUR_AGO, AN_HOUR_AGO))
    save(scene, "Dockerfile", (folder / "Dockerfile").read_text() + "LABEL more=1\n")
    code, devloop = scene.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    elsewhere = {"DEVLOOP_STATE_DIR": str(tmp_path / "elsewhere")}
    told = why(scene, "web", **elsewhere)
    assert (told.code, told.codes) == (0, []), json.dumps(told.answers, indent=1)
    (registry,) = (link["text"] for link in told.answer["chain"] if link["link"] == "registry tag")
    assert registry.endswith("made of files of") is (harness.HERE.full == ASSEMBLED)
    say(scene, "two")
    expect(why(scene, "web", **elsewhere), "not-built", "run.sh")


def test_a_save_that_can_be_in_no_image(scene: Scene) -> None:
    up(scene, "one")
    save(scene, "notes.txt")
    said = ("notes.txt, the newest save, is in no image", "no instruction of the Dockerfile takes it")
    cause = expect(why(scene, "web"), "not-built", *said, first_broken="source")
    assert "add a COPY for notes.txt" in cause["fix"]
    save(scene, ".dockerignore", "conf\n")
    (scene.folder / "web" / "conf").mkdir()
    save(scene, "conf/dev.yaml")
    git(scene, "init", "--quiet")
    git(scene, "add", "conf")
    said = ("conf/dev.yaml, the newest save, can be in no image", "web/.dockerignore leaves it out (conf)")
    cause = expect(why(scene, "web"), "not-built", *said, first_broken="source")
    assert "take the pattern `conf` out of web/.dockerignore" in cause["fix"]


def git(scene: Scene, *args: str) -> None:
    subprocess.run(["git", "-C", str(scene.folder / "web"), *args], check=True, capture_output=True, timeout=PATIENCE)


# same-content --------------------------------------------------------------------------------------------------------


def test_a_second_build_without_a_change(scene: Scene) -> None:
    up(scene, "one")
    code, devloop = scene.once()
    assert (code, devloop.outcomes("web")) == (0, ["unchanged"]), devloop.said()
    told = why(scene, "web")
    cause = expect(told, "same-content", "nothing is stale", "the same image as the one before it", exit_code=0)
    assert told.answer["first_broken"] is None
    assert digests(cause, "recorded session") == {registry_digest(f"{scene.image}:dev")}
