"""The process itself in trouble: stopped, killed, without room to write, with a clock that jumps, with nobody there."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import DEVLOOP, run
from tests.e2e.talk import speak
from tests.faults.census import children
from tests.faults.session import start
from tests.faults.stage import FULL, Stage
from tests.onterminal import OnTerminal

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.faults, pytest.mark.timeout(300)]
short = pytest.mark.short
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")


@pytest.mark.parametrize("seconds", [pytest.param(5, marks=short), 60])
def test_suspended_and_resumed(stage: Stage, seconds: int) -> None:
    """What was saved meanwhile is seen afterwards."""
    with stage.session() as session:
        session.devloop.process.send_signal(signal.SIGSTOP)
        session.save("two")
        time.sleep(seconds)  # nothing but time tells that it passes
        session.devloop.process.send_signal(signal.SIGCONT)
        session.ends_with("two")


@short
def test_suspended_in_the_middle_of_a_rollout(stage: Stage) -> None:
    with stage.session() as session:
        session.save("two")
        session.until("workload_patched", cycle=2)
        session.devloop.process.send_signal(signal.SIGSTOP)
        stage.scene.kubectl("-n", stage.scene.namespace, "rollout", "status", "deployment/web", "--timeout=45s")
        session.devloop.process.send_signal(signal.SIGCONT)
        session.ends_with("two")


@short
def test_a_clock_that_jumps_back_two_hours(both: Stage) -> None:
    """`time.time` of the process tells another time from one moment to the next."""
    with both.session() as session:
        session.devloop.process.send_signal(signal.SIGUSR2)
        session.save("two")
        session.ends_with("two")
        session.save("three")
        session.ends_with("three")


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for hardly anything."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room at all."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast


@as_root
@short
def test_no_room_for_the_recording(stage: Stage, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session goes on; that its recording ends there is told."""
    monkeypatch.setenv("DEVLOOP_STATE_DIR", str(tiny))
    stage.build = FULL
    with stage.session() as session:
        fill(tiny)
        for word in ("two", "three"):
            session.save(word)
            session.ends_with(word)
    said = "\n".join(session.devloop.errors)
    assert "No space left on device" in said, said
    assert f"recorded in {tiny}" not in said


@as_root
def test_no_room_for_the_metadata_file(stage: Stage, tiny: Path) -> None:
    """Without buildx's own word of what it pushed there is nothing to prove."""
    stage.build = FULL
    stage.way.env["TMPDIR"] = str(tiny)
    with stage.session() as session:
        ballast = fill(tiny)
        session.save("two")
        session.told("build_failed", str(tiny), "free space")
        ballast.unlink()
        session.trigger()
        session.ends_with("two")


@short
def test_the_terminal_is_closed(stage: Stage) -> None:
    with stage.session(code=None) as session:
        session.save("two")
        session.until("phase_started", cycle=2)
        assert session.devloop.stop(signal.SIGHUP) == 129
        assert not children(session.devloop.process.pid)
        assert session.devloop.events[-1]["exit_code"] == 129


def test_the_window_is_closed(stage: Stage) -> None:
    """Of the full-screen terminal, in the middle of a build."""
    stage.build, stage.steps = FULL, [f"RUN echo {stage.scene.namespace} && sleep 600"]
    stage.prepare()
    with OnTerminal([*DEVLOOP, "up"], stage.scene.folder, env=stage.way.env) as terminal:
        terminal.until("sleep 600")
        running = children(terminal.process.pid)
        assert running
        terminal.hang_up()
        assert terminal.finish() == 129
    assert not [pid for pid in running if Path(f"/proc/{pid}").exists()]
    assert not stage.scene.patched()


@short
@pytest.mark.parametrize("finish", ["up", "restore"])
@pytest.mark.parametrize("turn", range(3))
def test_killed_at_a_random_moment_of_a_cycle(stage: Stage, chance: random.Random, turn: int, finish: str) -> None:
    """The next start finishes what was begun, or `restore` finds what was there at first."""
    moments = ("cycle_started", "phase_started", "image_pushed", "workload_patched", "workload_observed")
    stage.prepare()
    image = f"{stage.scene.image}:none"
    first = start(stage.scene, stage.way.env)
    with first.devloop:
        if chance.random() < 0.5:
            first.verified()
            first.save("two")
        first.until(chance.choice(moments))
        time.sleep(chance.uniform(0, 0.4))  # the moment is what is random here
        os.killpg(first.devloop.process.pid, signal.SIGKILL)
        first.devloop.process.wait()
    if finish == "up":
        speak(stage.scene, "three")
        with stage.again() as session:
            session.ends_with("three")
    assert_restored(stage, image)


@pytest.mark.parametrize("turn", range(3))
def test_restore_that_is_killed_at_a_random_moment(stage: Stage, chance: random.Random, turn: int) -> None:
    """The record goes with the patch that puts everything back; what is left then, another `restore` finishes."""
    with stage.session(code=None) as session:
        assert session.devloop.stop() == 130
    command = [*DEVLOOP, "restore", "deployment/web", "-n", stage.scene.namespace]
    restoring = subprocess.Popen(
        command, cwd=stage.scene.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(chance.uniform(0.3, 2.0))  # the moment is what is random here
    os.killpg(restoring.pid, signal.SIGKILL)
    restoring.wait()
    assert_restored(stage, f"{stage.scene.image}:none")


def assert_restored(stage: Stage, image: str) -> None:
    """`restore` finds what was there at first, and leaves nothing of devloop behind."""
    done = run(stage.scene.folder, "restore", "deployment/web", "-n", stage.scene.namespace)
    assert done.returncode in {0, 5}, done.stderr  # 5: nobody has the image that was there at first
    found = stage.scene.deployment()
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["imagePullPolicy"]) == (image, "IfNotPresent"), done.stdout
    marks = (found["metadata"], found["spec"]["template"]["metadata"])
    assert not [name for each in marks for name in each.get("annotations", {}) if name.startswith("devloop/")]
