"""Signals: the session ends with its exit code wherever it is, leaves no child, and says what it left behind."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import PATIENCE, Devloop, Kubectl, apply, deployment, run
from tests.e2e.proxies import Ways, ways
from tests.e2e.scene import SERVE, SLEEP, Scene
from tests.e2e.talk import speak

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="other processes' environment is read from /proc")


@pytest.fixture
def way(tmp_path: Path, kubectl: Kubectl, registry: str) -> Iterator[Ways]:
    with ways(tmp_path, kubectl, registry) as found:
        yield found


def processes() -> list[str]:
    """The command lines of all processes that run."""
    done = subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def scaled_to_zero(scene: Scene) -> None:
    """A workload whose cycles end without a rollout to wait for."""
    speak(scene, "one")
    scene.deploy()
    scene.kubectl("-n", scene.namespace, "scale", "deployment/web", "--replicas=0")


def assert_summed_up(devloop: Devloop, words: str) -> None:
    """stderr tells how the service is left, and stdout ends with the end of the session."""
    assert devloop.events[-1]["event"] == "session_finished", devloop.said()
    assert [line for line in devloop.errors if line.startswith("web: ") and words in line], devloop.said()


def undo_command(scene: Scene, devloop: Devloop) -> list[str]:
    """The command on the undo line, without `devloop` itself."""
    (line,) = (line for line in devloop.errors if line.startswith("left deployment/web on "))
    command = shlex.split(line.partition("undo: ")[2])
    assert command == ["devloop", "restore", "deployment/web", "-n", scene.namespace]
    return command[1:]


@pytest.mark.e2e  # no build takes long in a sandbox
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_during_a_build_ends_the_build_and_the_session(
    scene: Scene, number: signal.Signals, code: int
) -> None:
    scene.dockerfile(f"FROM {scene.registry}/busybox:1", f"RUN echo {scene.namespace} && sleep 600")
    scene.deploy()
    scene.configure()
    with scene.start() as devloop:
        devloop.wait_for("log", source="build", text=scene.namespace)
        assert [line for line in processes() if scene.image in line and "buildx" in line]
        assert devloop.stop(number) == code
    assert not [line for line in processes() if scene.image in line]
    assert devloop.outcomes("web") == ["stopped"]
    assert devloop.events[-1]["exit_code"] == code
    assert_summed_up(devloop, "nothing was rolled out")
    assert not scene.patched()


@pytest.mark.parametrize(("number", "code"), SIGNALS[:2])
def test_a_signal_while_idle_leaves_the_workload_and_says_how_to_undo_it(
    scene: Scene, number: signal.Signals, code: int
) -> None:
    scaled_to_zero(scene)
    scene.configure()
    with scene.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="applied")
        assert devloop.stop(number) == code
    assert_summed_up(devloop, "applied")
    assert scene.patched()
    done = run(scene.folder, *undo_command(scene, devloop))
    assert done.returncode == 0, done.stderr
    assert not scene.patched()


def test_an_interrupted_rollout_goes_on_in_the_cluster(scene: Scene) -> None:
    """The patch is the point of no return: the session ends, what it wrote stays, and the way back is told."""
    scene.program(SERVE)
    scene.deploy()
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1}
    scene.patch({"spec": {"template": {"spec": {"containers": [{"name": "web", "readinessProbe": probe}]}}}})
    scene.configure()
    with scene.start() as devloop:
        devloop.wait_for("workload_patched")
        devloop.wait_for("workload_observed")
        assert devloop.stop() == 130
    assert devloop.outcomes("web") == ["stopped"]
    assert_summed_up(devloop, "was rolled out but not proved")
    (container,) = scene.deployment()["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["imagePullPolicy"]) == (f"{scene.image}:dev", "Always")
    done = run(scene.folder, *undo_command(scene, devloop))
    assert "IfNotPresent" in done.stdout + done.stderr
    (container,) = scene.deployment()["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["imagePullPolicy"]) == (f"{scene.image}:none", "IfNotPresent")


@on_linux
@pytest.mark.e2e  # a sandbox has no engine
@pytest.mark.engine
def test_an_interrupt_during_the_preflight_ends_its_children(scene: Scene, way: Ways) -> None:
    speak(scene, "one")
    scene.deploy()
    scene.configure()
    engine = way.engine()
    engine.hang()

    def children() -> list[int]:
        """Everything that would use this test's way to the engine."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                text = path.read_bytes()
            except OSError:
                continue
            if way.env["DOCKER_HOST"].encode() in text:
                found.append(int(path.parent.name))
        return found

    with Devloop.start(scene.folder, env=way.env) as devloop:
        devloop.wait_for("session_started")
        assert children()
        assert devloop.stop() == 130
    assert children() == []
    assert not devloop.of("cycle_started")
    assert devloop.events[-1]["event"] == "session_finished"


@pytest.mark.parametrize("state", ["idle", "rollout"])
def test_a_session_ends_also_while_the_api_server_hangs(scene: Scene, way: Ways, state: str) -> None:
    scaled_to_zero(scene)
    scene.configure()
    api = way.api_server()
    with Devloop.start(scene.folder, env=way.env) as devloop:
        devloop.wait_for("cycle_finished", outcome="applied")
        api.hang()
        if state == "rollout":
            speak(scene, "two")
            devloop.wait_for("phase_started", phase="rollout")
        assert devloop.stop() == 130
    assert_summed_up(devloop, "applied")
    assert undo_command(scene, devloop)


def test_a_second_interrupt_leaves_at_once(scene: Scene) -> None:
    """Putting the workload back waits for a rollout that never ends; the second Ctrl-C does not."""
    speak(scene, "one")
    original = deployment("web", f"{scene.registry}/busybox:1", probe=False)
    (container,) = original["spec"]["template"]["spec"]["containers"]
    probe = {"exec": {"command": ["test", "-e", "/run.sh"]}, "periodSeconds": 1}
    container |= {"command": SLEEP, "readinessProbe": probe}
    apply(scene.kubectl, scene.namespace, original)
    scene.configure('container = "web"', loop=['rollout_timeout = "30m"', 'on_exit = "restore"'])
    with scene.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        devloop.process.send_signal(signal.SIGINT)
        while scene.patched():
            assert devloop.process.poll() is None, "it waits for what it put back"
        for _ in range(int(PATIENCE)):
            devloop.process.send_signal(signal.SIGINT)
            try:
                devloop.process.wait(1)
                break
            except subprocess.TimeoutExpired:
                continue
        assert devloop.finish(1) == 130
