"""`devloop status`, `trigger` and `wait` from another terminal, against a session on the real cluster."""

import json
import subprocess
from typing import Any

import pytest

from tests.e2e.harness import DEVLOOP, run
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
