"""`devloop status`, `trigger`, `wait` and `why` from another terminal, against a session on the real cluster."""

import asyncio
import json
import os
import subprocess
from asyncio.subprocess import PIPE
from typing import Any

import pytest

from devloop.core import events as ev
from devloop.core.commands import Pause
from tests.e2e.harness import DEVLOOP, HERE, PATIENCE, run, save
from tests.e2e.insession import in_session
from tests.e2e.scene import SERVE, Scene

pytestmark = [pytest.mark.shared, pytest.mark.timeout(150)]


def _status(scene: Scene) -> dict[str, Any]:
    done = run(scene.folder, "status", "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout)["status"][0])


def test_a_script_waits_for_what_it_saved(scene: Scene) -> None:
    """A session that failed, was mended, and went on, as a shell script sees it."""
    nobody = run(scene.folder, "wait")
    assert (nobody.returncode, nobody.stdout) == (3, "")
    assert nobody.stderr.startswith("no session runs for this folder")
    scene.program(SERVE)
    scene.deploy()
    scene.configure()
    with scene.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        assert run(scene.folder, "wait", "web").returncode == 0
        assert _status(scene)["proved"] is True
        script = f"""
            set -e
            devloop() {{ {" ".join(DEVLOOP)} "$@"; }}
            echo 'RUN exit 9' >>web/Dockerfile
            if devloop wait web --timeout 60s; then exit 90; else test $? = 4; fi
            sed -i '$d' web/Dockerfile
            echo '# mended' >>web/run.sh
            devloop wait web --timeout 60s
        """
        done = subprocess.run(
            ["sh", "-c", script], cwd=scene.folder, capture_output=True, text=True, timeout=140, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("web: verified "), "what came last"
        assert "RUN exit 9" in done.stderr
        assert devloop.of("cycle_finished")[-1]["outcome"] == "verified" or devloop.wait_for("cycle_finished")
        cycles = _status(scene)["cycle"]
        assert run(scene.folder, "trigger", "web", "--restart").stdout == "restart asked for: web\n"
        assert run(scene.folder, "wait").returncode == 0
        assert _status(scene)["cycle"] > cycles
        unknown = run(scene.folder, "wait", "nobody")
        assert (unknown.returncode, unknown.stdout) == (2, "")
        assert "→ there are: web" in unknown.stderr
        assert devloop.stop() == 130
    assert run(scene.folder, "status").returncode == 3


def test_why_asks_the_session_that_runs(scene: Scene) -> None:
    """A build that failed, and saves that wait for a person: the cluster itself knows of neither."""
    scene.program(SERVE)
    scene.deploy()
    scene.configure()
    with scene.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        assert run(scene.folder, "why", "web").returncode == 0
        recipe = scene.folder / "web" / "Dockerfile"
        good = recipe.read_text()
        save(recipe, f"{good}COPY nothing.py /\n")
        devloop.wait_for("cycle_finished", outcome="failed")
        told = run(scene.folder, "why", "web", "-o", "json")
        assert told.returncode == 6, told.stdout + told.stderr
        answer = json.loads(told.stdout)
        first = answer["causes"][0]
        assert (first["code"], first["reason"], answer["first_broken"]) == ("cycle-failed", "build_failed", "source")
        assert "the build of the newest save (Dockerfile) failed: " in first["message"]
        assert "nothing.py" in first["message"]
        by_workload = run(scene.folder, "why", "deployment/web", "-n", scene.namespace)
        assert "cycle-failed: the build of the newest save (Dockerfile)" in by_workload.stdout
        save(recipe, good)
        scene.program(f"echo mended\n{SERVE}")
        assert run(scene.folder, "wait", "web").returncode == 0
        told = run(scene.folder, "why", "web")
        assert "cycle-failed" not in told.stdout
        assert told.returncode == 0, told.stdout
        assert devloop.stop() == 130


async def test_why_believes_the_session_and_not_the_times_of_files(scene: Scene) -> None:
    """What `touch` did is no newer source; and what was restored is told as that."""
    scene.program(SERVE)
    scene.deploy()
    scene.configure()
    async with in_session(scene.folder) as (session, heard):
        await heard.ends(1)
        touched = scene.folder / "web" / "run.sh"
        times = touched.stat().st_mtime + 3600
        os.utime(touched, (times, times))
        told = await asyncio.to_thread(run, scene.folder, "why", "web")
        assert (told.returncode, "not-built" in told.stdout) == (0, False), told.stdout + told.stderr
        await session.restore("web")
        await heard.until(lambda: any(isinstance(each, ev.WorkloadDrifted) and each.restored for each in heard.events))
        told = await asyncio.to_thread(run, scene.folder, "why", "web")
        assert "restored: deployment/web is what it was before devloop" in told.stdout, told.stdout + told.stderr
        assert "not-built" not in told.stdout
        assert "devloop up" not in told.stdout.replace("devloop up, session", "")


async def test_why_tells_of_a_save_that_waits(scene: Scene) -> None:
    scene.program(SERVE)
    scene.deploy()
    scene.configure()
    async with in_session(scene.folder) as (session, heard):
        await heard.ends(1)
        session.send(Pause("web", True))
        scene.program(f"echo later\n{SERVE}")
        await heard.until(lambda: any(isinstance(each, ev.CycleHeld) for each in heard.events))
        told = await asyncio.to_thread(run, scene.folder, "why", "web")
        assert told.returncode == 6, told.stdout + told.stderr
        assert "pending: run.sh is not live yet: it is paused, and what was saved is not built; " in told.stdout
        command = (*HERE.devloop, "wait", "web")
        wait = await asyncio.create_subprocess_exec(*command, cwd=scene.folder, stdout=PIPE, stderr=PIPE)
        assert wait.stderr is not None
        async with asyncio.timeout(PATIENCE):
            assert await wait.stderr.readline() == b"web: it is paused, and what was saved is not built\n"
            assert (await wait.stderr.readline()).endswith(b"space on its screen, or `devloop trigger web`\n")
        session.send(Pause("web", False))
        await heard.ends(2)
        said, _ = await wait.communicate()
        assert (wait.returncode, said.startswith(b"web: verified ")) == (0, True), said
        assert (await asyncio.to_thread(run, scene.folder, "why", "web")).returncode == 0


async def test_restore_leaves_a_workload_to_the_screen_that_has_a_key_for_it(scene: Scene) -> None:
    scene.program(SERVE)
    scene.deploy()
    scene.configure()
    async with in_session(scene.folder) as (_, heard):
        await heard.ends(1)
        told = await asyncio.to_thread(run, scene.folder, "restore", "web")
        assert told.returncode == 3, told.stdout + told.stderr
        assert "works on deployment/web since " in told.stderr
        assert (
            "→ press R on the screen of that session, or end it, or restore all the same: `--take-over`" in told.stderr
        )
