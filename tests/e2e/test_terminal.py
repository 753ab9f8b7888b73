"""The full-screen terminal on a real cluster, as a person meets it: keys are typed, and the screen is read."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.scene import SERVE, Scene
from tests.e2e.talk import speak, words
from tests.e2e.tmux import Recording, Tmux

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(150),
    pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux, the terminal that these tests look at"),
]


@pytest.fixture
def tmux(scene: Scene) -> Iterator[Tmux]:
    with Tmux(scene.folder) as terminal:
        yield terminal


@pytest.fixture
def recording() -> Recording:
    return Recording(Path(os.environ["DEVLOOP_STATE_DIR"]))


def _started(scene: Scene, tmux: Tmux) -> None:
    speak(scene, "said-one")
    scene.deploy()
    scene.configure()
    tmux.devloop("up")
    tmux.until("VERIFIED", "1/1 Pods")


def test_a_session_from_its_first_start_to_its_last_words(scene: Scene, tmux: Tmux) -> None:
    tmux.enter("stty -g > before.txt")
    _started(scene, tmux)
    tmux.until("said-one")

    speak(scene, "said-two")
    tmux.until("VERIFIED run.sh", "1/1 Pods")
    assert words(scene) == ["said-two"]

    scene.dockerfile(f"FROM {scene.registry}/busybox:1", "RUN echo 'main.c:3: expected ;' >&2; exit 7")
    screen = tmux.until("NOT LIVE")
    assert "main.c:3: expected ;" in screen

    speak(scene, "said-three")
    tmux.until("said-three")
    tmux.until("VERIFIED", "1/1 Pods", without="NOT LIVE")

    tmux.press("d")
    screen = tmux.until("deployment/web", without="looking")
    assert "newest" in screen

    tmux.press("q")
    tmux.until("[logs]")
    tmux.press("q")
    tmux.until("Quit devloop?")
    tmux.press("y")
    tmux.until("code=0")
    _is_sane(scene, tmux)


def _is_sane(scene: Scene, tmux: Tmux) -> None:
    """The last words are there, and the shell's terminal is as it was."""
    left = tmux.scrollback
    assert "web: verified" in left
    assert f"undo: devloop restore deployment/web -n {scene.namespace}" in left
    assert "recorded in " in left
    assert [tmux.flag(name) for name in ("alternate_on", "mouse_any_flag", "cursor_flag")] == ["0", "0", "1"]
    tmux.enter("stty -g > after.txt; echo sane-$((40 + 2))")
    tmux.until("sane-42")
    assert (scene.folder / "after.txt").read_text() == (scene.folder / "before.txt").read_text()


def test_a_crash_loop_shows_what_the_container_said(scene: Scene, tmux: Tmux) -> None:
    _started(scene, tmux)
    scene.program("echo 'config.py:7: no such key'; exit 3")
    screen = tmux.until("NOT LIVE")
    assert "config.py:7: no such key" in screen
    assert "exit code 3" in screen
    scene.program(f"echo mended\n{SERVE}")
    tmux.until("VERIFIED run.sh", "1/1 Pods", without="NOT LIVE")


def test_saves_while_paused_are_one_cycle(scene: Scene, tmux: Tmux, recording: Recording) -> None:
    _started(scene, tmux)
    tmux.press("Space")
    tmux.until("PAUSED")
    for name in ("a.txt", "b.txt", "c.txt"):
        (scene.folder / "web" / name).write_text("saved")
        recording.wait_for("change_detected", files=[name])
    assert len(recording.of("cycle_started")) == 1
    tmux.press("Space")
    tmux.until("VERIFIED", "+2", "1/1 Pods", without="PAUSED")
    assert [event["count"] for event in recording.of("cycle_started", trigger="files")] == [3]


def test_a_newer_save_supersedes_the_build_of_the_one_before(scene: Scene, tmux: Tmux, recording: Recording) -> None:
    _started(scene, tmux)
    scene.dockerfile(f"FROM {scene.registry}/busybox:1", "COPY run.sh /", "RUN sleep 20", 'CMD ["sh", "/run.sh"]')
    tmux.until("building", "Dockerfile")
    tmux.until("RUN sleep 20")
    speak(scene, "newer")
    tmux.until("Dockerfile +1", without="RUN sleep 20")
    tmux.until("VERIFIED Dockerfile +1", "1/1 Pods")
    assert words(scene) == ["newer"]
    assert [event["outcome"] for event in recording.of("cycle_finished")] == ["verified", "superseded", "verified"]
