"""Parts of the cluster stopped or hung at the worst moment of a cycle; each scenario mends what it broke."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.census import children
from tests.faults.control import Control
from tests.faults.httpproxy import uploads
from tests.faults.session import FaultSession
from tests.faults.stage import FULL, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.faults, pytest.mark.timeout(420)]
breaks = pytest.mark.breaks
HANG = 10.0
"""Seconds."""


def hang(control: Control, component: str) -> None:
    control.pause(component)
    time.sleep(HANG)  # for so long it does not answer
    control.mend(component)


def building(stage: Stage, session: FaultSession) -> int:
    """Save something whose build takes a while, and wait until it runs; the number of buildx's process."""
    session.save("two")
    session.until("log", source="build", text="building")
    (buildx,) = [pid for pid in children(session.devloop.process.pid) if b"buildx" in _command(pid)]
    return buildx


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]


@breaks
def test_the_registry_is_stopped_during_a_push(both: Stage, control: Control) -> None:
    registry = both.registry
    with both.session() as session:
        registry.first(lambda: control.stop("registry"), only=uploads)
        session.save("two")
        session.told("registry_unreachable", registry.host)
        control.mend("registry")
        session.back("registry")
        session.ends_with("two")


@breaks
def test_the_registry_is_stopped_after_a_push(stage: Stage, control: Control) -> None:
    """Nodes cannot pull what was pushed: nothing is verified before they have."""
    with stage.session() as session:
        session.save("two")
        session.until("image_pushed", cycle=2)
        control.stop("registry")
        session.until("workload_patched", cycle=2)
        session.told("image_pull", "web")
        assert not session.devloop.of("cycle_finished", outcome="verified", cycle=2)
        control.mend("registry")
        session.ends_with("two")


@breaks
@pytest.mark.parametrize("verb", [Control.stop, Control.pause], ids=["stopped", "hung"])
def test_the_engine_goes_in_the_middle_of_a_build(
    stage: Stage, control: Control, verb: Callable[[Control, str], None]
) -> None:
    stage.build, stage.steps = FULL, [f"RUN echo building && sleep 3 # {stage.scene.namespace}"]
    with stage.session() as session:
        building(stage, session)
        verb(control, "dockerd")
        if verb is Control.stop:
            session.lost("engine")
        control.mend("dockerd")
        session.ends_with("two")


def test_the_process_of_the_build_is_killed(stage: Stage) -> None:
    """As the machine does that runs out of memory. It is told, and one command builds again."""
    stage.build, stage.steps = FULL, [f"RUN echo building && sleep 3 # {stage.scene.namespace}"]
    with stage.session() as session:
        os.kill(building(stage, session), signal.SIGKILL)
        session.told("build_failed", "signal 9", "memory")
        session.trigger()
        session.ends_with("two")


@breaks
def test_the_api_server_hangs_for_10_s_while_nothing_happens(stage: Stage, control: Control) -> None:
    with stage.session() as session:
        hang(control, "apiserver")
        session.save("two")
        session.ends_with("two")


@breaks
@pytest.mark.parametrize("phase", ["rollout", "verify"])
def test_the_api_server_hangs_for_10_s(stage: Stage, control: Control, phase: str) -> None:
    """In the middle of a rollout, and between the rollout and its proof."""
    with stage.session() as session:
        session.save("two")
        if phase == "rollout":
            session.until("workload_patched", cycle=2)
        else:
            session.until("phase_started", cycle=2, phase=phase)
        hang(control, "apiserver")
        session.ends_with("two")
        assert len(session.devloop.of("workload_patched", cycle=2)) == 1


@breaks
def test_the_api_server_is_stopped_between_the_rollout_and_its_proof(stage: Stage, control: Control) -> None:
    with stage.session() as session:
        session.save("two")
        session.until("phase_started", cycle=2, phase="verify")
        control.stop("apiserver")
        session.lost("cluster")
        control.mend("apiserver")
        session.back("cluster")
        session.ends_with("two")


@breaks
def test_the_scheduler_is_stopped(stage: Stage, control: Control) -> None:
    """Nothing says so but that no node is found; the Pod runs as soon as one is."""
    stage.loop = ['rollout_timeout = "8s"']
    with stage.session() as session:
        control.stop("scheduler")
        session.save("two")
        session.told("rollout_timeout", "8s")
        control.mend("scheduler")
        session.ends_with("two")


@breaks
def test_a_node_that_is_not_ready(stage: Stage, control: Control) -> None:
    """Its kubelet is stopped until the cluster gives the node up: nothing is taken for proof meanwhile."""
    scene = stage.scene
    if "node2" not in scene.kubectl("get", "nodes", "-o", "name"):
        pytest.skip("needs a second node, `node2`, whose kubelet can be stopped")
    stage.loop = ['rollout_timeout = "8s"']
    with stage.session(nodeName="node2") as session:
        control.stop("kubelet2")
        scene.kubectl("wait", "node/node2", "--for=condition=Ready=Unknown", "--timeout=49s")
        session.save("two")
        session.told("not_ready", "node2")
        assert not session.devloop.of("cycle_finished", outcome="verified", cycle=2)
        control.mend("kubelet2")
        session.ends_with("two")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of its own; by a short path, because an engine's sockets lie on it."""
    with tempfile.TemporaryDirectory(prefix="disk-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def bridge() -> Iterator[str]:
    """A bridge of its own: an engine that is told to have none removes the one that another engine uses."""
    name = "devloop-test0"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "addr", "add", "198.18.77.1/24", "dev", name], check=True)
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", name], check=True)


@contextmanager
def engine_on(disk: Path, bridge: str) -> Iterator[str]:
    """An engine of the test's own; the address to reach it at."""
    address, log = f"unix://{disk}/socket", disk.with_suffix(".log")
    command = [
        "dockerd", f"--host={address}", f"--data-root={disk}/data", f"--exec-root={disk}/exec",
        f"--pidfile={disk}/pid", f"--bridge={bridge}", "--iptables=false", "--ip6tables=false",
    ]  # fmt: skip
    with log.open("wb") as said:
        engine = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        asks = ["docker", "-H", address, "version"]
        while subprocess.run(asks, capture_output=True, check=False).returncode:
            assert engine.poll() is None, log.read_text()[-2000:]
            time.sleep(0.1)
        yield address
    finally:
        engine.terminate()
        engine.wait(30)
        log.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run an engine on a small file system")
def test_an_engine_without_room(stage: Stage, small_disk: Path, bridge: str) -> None:
    """An engine whose disk fills up. It is told; with room, one command builds again."""
    with engine_on(small_disk, bridge) as address:
        stage.build, stage.way.env["DOCKER_HOST"] = FULL, address
        with stage.session() as session:
            ballast = small_disk / "ballast"
            subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"], check=False, capture_output=True)
            session.save("two", before=f"# {'x' * 2**17}")
            session.told("build_failed", "no space left on device", "free space")
            ballast.unlink()
            session.trigger()
            session.ends_with("two")
