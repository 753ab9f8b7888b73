"""Secrets of a build appear nowhere: not in what devloop says or records, and not in the list of processes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Devloop, run
from tests.e2e.scene import Scene, failed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

TOKEN, KEY = "tok-5f1c9a77e2", "npm_Zk41pQ88sX"


@pytest.fixture
def leaky(scene: Scene) -> Scene:
    """A build that prints what it was trusted with, stays a moment, and fails with it on its lips."""
    scene.deploy()
    scene.dockerfile(
        f"FROM {scene.registry}/busybox:1",
        "ARG API_TOKEN",
        'RUN echo "token is $API_TOKEN, $RANDOM$(cat /proc/uptime)"',
        "RUN --mount=type=secret,id=npm echo key is $(cat /run/secrets/npm); sleep 3; "
        'echo "fatal error: $API_TOKEN and $(cat /run/secrets/npm) were refused"; exit 1',
    )
    (scene.folder / "npm.txt").write_text(KEY + "\n")
    table = '{ context = "web", args = { API_TOKEN = "${THE_TOKEN}" }, secrets = ["id=npm,src=npm.txt"], '
    scene.configure(build=table + 'flags = ["--no-cache"] }')
    return scene


def children(of: int) -> Iterator[tuple[int, str]]:
    """Processes that descend from one, with their command lines."""
    parents: dict[int, list[int]] = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = each.read_text(errors="replace")
        except OSError:
            continue
        parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(each.parent.name))
    waiting = [of]
    while waiting:
        pid = waiting.pop()
        waiting += parents.get(pid, [])
        try:
            yield pid, Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


def recorded() -> str:
    folder = Path(os.environ["DEVLOOP_STATE_DIR"])
    return "\n".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def test_neither_events_nor_the_recording_nor_processes_show_them(leaky: Scene) -> None:
    with Devloop.start(leaky.folder, "--once", env={"THE_TOKEN": TOKEN}) as devloop:
        devloop.wait_for("log", text="key is ***")
        shown = dict(children(devloop.process.pid))
        code = devloop.finish()
    assert code == 4, devloop.said()
    if Path("/proc/self/stat").exists():
        assert any("buildx" in line for line in shown.values()), "it looked while buildx ran"
    message = failed(devloop, "build_failed")["message"]
    assert "fatal error: *** and *** were refused" in message
    record = recorded()
    assert "key is ***" in record
    for place in (devloop.said(), record, *shown.values()):
        assert TOKEN not in place
        assert KEY not in place


def test_plain_output_and_the_plan_do_not_show_them_either(leaky: Scene) -> None:
    for args, code in (("up", "--once", "--output", "plain"), 4), (("plan",), 0), (("plan", "--output", "json"), 0):
        done = run(leaky.folder, *args, env={"THE_TOKEN": TOKEN})
        assert done.returncode == code, done.stdout + done.stderr
        assert TOKEN not in done.stdout + done.stderr
        assert KEY not in done.stdout + done.stderr
    assert TOKEN not in recorded()
