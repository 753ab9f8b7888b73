"""The full-screen terminal on a real cluster when it ends otherwise than by a key."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.scene import Scene
from tests.e2e.talk import speak
from tests.onterminal import OnTerminal

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

BROKEN = """
import sys
from devloop.cli import main
from devloop.tui.board import Board

paint = Board.paint

def painting(self):
    if any(service.live for service in self.state.services.values()):
        raise ZeroDivisionError("no paint left")
    paint(self)

Board.paint = painting
main(["up"])
"""


def processes_of(scene: Scene) -> list[str]:
    done = subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if scene.image in line and "buildx" in line]


def test_a_screen_that_breaks_leaves_the_cluster_as_it_is_and_says_how(scene: Scene) -> None:
    speak(scene, "one")
    scene.deploy()
    scene.configure(loop=['on_exit = "restore"'])
    with OnTerminal([sys.executable, "-c", BROKEN], scene.folder) as terminal:
        assert terminal.finish() == 1
        terminal.assert_sane()
    assert scene.patched(), "after a mistake nothing more is written"
    (report,) = Path(os.environ["DEVLOOP_STATE_DIR"], "sessions").glob("*.screen.bug.txt")
    said = terminal.said
    assert "web: verified " in said
    assert f"undo: devloop restore deployment/web -n {scene.namespace}" in said
    assert f"recorded in {report.with_name(report.name.partition('.')[0])}.ndjson" in said
    mistake = f"devloop made a mistake: ZeroDivisionError: no paint left; please report it with {report}"
    assert said.rstrip().endswith(mistake)


def test_a_signal_during_a_build_ends_the_build_and_leaves_a_sane_terminal(scene: Scene) -> None:
    scene.dockerfile(f"FROM {scene.registry}/busybox:1", f"RUN echo {scene.namespace} && sleep 600")
    scene.deploy()
    scene.configure()
    with OnTerminal([sys.executable, "-m", "devloop", "up"], scene.folder) as terminal:
        terminal.until("sleep 600")
        assert processes_of(scene)
        terminal.signal(signal.SIGTERM)
        assert terminal.finish() == 143
        terminal.assert_sane()
    assert not processes_of(scene)
    assert "web: nothing was rolled out" in terminal.said
    assert not scene.patched()
