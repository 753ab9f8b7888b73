"""The source in trouble: saved without end, checked out back and forth, gone, not to be watched, not to be read."""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e import harness
from tests.e2e.talk import speak
from tests.faults.stage import FULL, LAYER, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.faults, pytest.mark.timeout(300)]
STRANGER = 12345
"""The user id of somebody else."""


@pytest.mark.parametrize("saves", [100, 1000])
def test_an_editor_that_saves_without_end(both: Stage, saves: int) -> None:
    """1,000 a minute: most of them are superseded, and the last one runs."""
    with both.session() as session:
        began = time.monotonic()
        for number in range(saves):
            session.save(f"save-{number}")
            time.sleep(max(0.0, began + number * 0.06 - time.monotonic()))  # the pace is the scenario
        session.ends_with(f"save-{saves - 1}")
        assert len(session.devloop.of("cycle_finished", outcome="superseded")) > 1


def git(folder: Path, *args: str) -> None:
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")
    subprocess.run(["git", *who, *args], cwd=folder, check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize("ends", ["two", "one"])
def test_git_checkout_back_and_forth_during_a_build(stage: Stage, chance: random.Random, ends: str) -> None:
    """What is checked out in the end is what runs, whether it differs from what ran before or not."""
    stage.build, stage.steps = FULL, [f"RUN echo {stage.scene.namespace} && sleep 2"]
    source = stage.scene.folder / "web"
    with stage.session() as session:
        git(source, "init", "--initial-branch=one")
        git(source, "add", "--all")
        git(source, "commit", "--message=one")
        git(source, "checkout", "-b", "two")
        for number in range(200):
            (source / f"file-{number}").write_text("two")
        session.save("two")
        git(source, "add", "--all")
        git(source, "commit", "--message=two")
        session.until("phase_started", phase="build")
        for branch in ("one", "two") * chance.randint(3, 6):
            git(source, "checkout", branch)
            time.sleep(chance.uniform(0, 0.5))  # the moment is what is random here
        git(source, "checkout", ends)
        session.ends_with(ends)


def test_deleted_and_made_again(both: Stage) -> None:
    """A build of what is not there fails and says so; nothing is rolled out until there is something again."""
    source = both.scene.folder / "web"
    with both.session() as session:
        shutil.rmtree(source)
        told = session.told("build_failed")
        assert "web" in told or "Dockerfile" in told, told
        assert len(session.devloop.of("workload_patched")) == 1
        speak(both.scene, "two")
        session.ends_with("two")


def test_moved_away_and_another_one_in_its_place(stage: Stage) -> None:
    source = stage.scene.folder / "web"
    with stage.session() as session:
        shutil.copytree(source, away := source.with_name("another"))
        text = (away / "run.sh").read_text()
        (away / "run.sh").write_text(re.sub(r"\bone\b", "two", text))
        source.rename(source.with_name("before"))
        away.rename(source)
        session.ends_with("two")
        session.save("three")
        session.ends_with("three")


def inside(monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    """Run devloop in a user namespace of its own, after this line: its limits are nobody else's."""
    unshare = ["unshare", "--user", "--map-root-user"]
    able = subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0
    if sys.platform != "linux" or not able:
        pytest.skip("user namespaces cannot be made here")
    command = [*unshare, "sh", "-c", f'{shell}\nexec "$@"', "-", *harness.HERE.devloop]
    monkeypatch.setattr(harness, "HERE", replace(harness.HERE, devloop=command))


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("watches", "fs.inotify.max_user_watches"),
        ("instances", "fs.inotify.max_user_instances"),
    ],
)
def test_a_limit_of_inotify_that_is_reached_at_the_start(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, limit: str, told: str
) -> None:
    """It is told with the command that raises it, and files are looked at again and again instead."""
    inside(monkeypatch, f"echo 0 > /proc/sys/user/max_inotify_{limit}")
    with stage.session() as session:
        session.told("watch", told, "sudo sysctl")
        for word in ("two", "three"):
            session.save(word)
            session.ends_with(word)


def test_the_limit_of_inotify_that_is_reached_in_the_session(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    inside(monkeypatch, "echo 12 > /proc/sys/user/max_inotify_watches")
    with stage.session() as session:
        for number in range(20):
            (stage.scene.folder / "web" / f"folder-{number}").mkdir()
        session.told("watch", "fs.inotify.max_user_watches", "sudo sysctl")
        (stage.scene.folder / "web" / "folder-19" / "deep").write_text("new")
        session.save("two")
        session.ends_with("two")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of somebody else")
@pytest.mark.parametrize("build", [LAYER, FULL], ids=["layer", "buildx"])
def test_a_file_that_cannot_be_read(stage: Stage, monkeypatch: pytest.MonkeyPatch, build: str) -> None:
    """Root of a user namespace may read nothing of somebody who is not in it."""
    inside(monkeypatch, "")
    stage.build, stage.steps = build, ["COPY . /all"]
    secret = stage.scene.folder / "web" / "secret"
    with stage.session() as session:
        other = secret.with_name(".secret.swp")  # which is not looked at
        other.write_text("x")
        other.chmod(0o600)
        os.chown(other, STRANGER, STRANGER)
        other.rename(secret)
        session.save("two")
        session.told("watch", "secret cannot be read", ".dockerignore")
        session.ends_with("two")
        before = len(session.devloop.of("cycle_finished"))
        secret.chmod(0o644)  # what was an empty file is built with its content
        while len(session.devloop.of("cycle_finished")) == before:
            session.devloop.drain()
        session.ends_with("two")
