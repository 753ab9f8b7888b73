"""Components of the test cluster itself are stopped and hung: what proxies cannot show, or show too kindly.

These tests disturb everybody who uses the cluster; they run one after the other, and each mends what it broke.
"""

from collections.abc import Callable

import pytest

from tests.e2e.harness import apply, deployment, get
from tests.e2e.scene import Scene
from tests.e2e.talk import heard, speak, until_appendable
from tests.faults.control import Control

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.short, pytest.mark.breaks, pytest.mark.timeout(420)]

BACK = 90.0
"""Seconds until devloop notices."""
FULLY = '{ context = "web", delta = false }'
"""A layer needs no engine."""
BREAKS: list[tuple[str, str, Callable[[Control, str], None]]] = [
    ("registry", "registry", Control.stop),
    ("dockerd", "engine", Control.stop),
    ("apiserver", "cluster", Control.stop),
    ("apiserver", "cluster", Control.pause),
]


@pytest.mark.parametrize(
    ("component", "to", "hurt"), BREAKS, ids=[f"{component} {hurt.__name__}" for component, _, hurt in BREAKS]
)
def test_a_save_while_a_component_is_away_is_verified_when_it_is_back(
    scene: Scene, control: Control, component: str, to: str, hurt: Callable[[Control, str], None]
) -> None:
    speak(scene, "one")
    scene.deploy()
    scene.configure(build=FULLY)
    with scene.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        hurt(control, component)
        speak(scene, "two")
        devloop.wait_for("connection_changed", to=to, ok=False, patience=BACK)
        control.mend(component)
        devloop.wait_for("connection_changed", to=to, ok=True, patience=BACK)
        devloop.wait_for("cycle_finished", outcome="verified", patience=BACK)
        assert heard(scene) == ["two"]
        assert devloop.stop() == 130
    assert len(devloop.of("change_detected")) == 1, "one save was enough"


def test_a_restarted_api_server_during_a_rollout_changes_nothing(scene: Scene, control: Control) -> None:
    """Also the other controllers lose their watches: the rollout is late, and proved when it is there."""
    speak(scene, "one")
    scene.deploy()
    scene.configure()
    with scene.start() as devloop:
        devloop.wait_for("workload_patched")
        control.stop("apiserver")
        devloop.wait_for("connection_changed", to="cluster", ok=False, patience=BACK)
        control.mend("apiserver")
        devloop.wait_for("cycle_finished", outcome="verified", cycle=1, patience=BACK)
        assert heard(scene) == ["one"]
        assert devloop.stop() == 130
    assert len(devloop.of("workload_patched")) == 1


def test_a_pod_on_a_node_whose_kubelet_hangs_is_not_taken_for_proof(scene: Scene, control: Control) -> None:
    """Nothing is verified until that node has started its Pod, and no save is needed once it has."""
    nodes = [node["metadata"]["name"] for node in get(scene.kubectl, "default", "nodes")["items"]]
    if "node2" not in nodes:
        pytest.skip("needs a second node, `node2`, whose kubelet can be paused")
    speak(scene, "one")
    apply(
        scene.kubectl,
        scene.namespace,
        deployment("web", f"{scene.image}:none", probe=False, nodeName="node2"),
    )
    scene.configure()
    with scene.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        control.pause("kubelet2")
        speak(scene, "two")
        # The watch may show the new Pod before the patch is answered.
        devloop.wait_for("phase_started", phase="rollout", cycle=2)
        devloop.wait_for("workload_observed", updated=1)
        devloop.ever("workload_patched", cycle=2)
        assert not devloop.of("cycle_finished", cycle=2)
        assert not devloop.of("pod_verified", cycle=2)
        control.mend("kubelet2")
        devloop.wait_for("cycle_finished", outcome="verified", cycle=2, patience=BACK)
        assert heard(scene) == ["two"]
        assert devloop.stop() == 130


def test_without_the_engine_a_save_becomes_a_layer(scene: Scene, control: Control) -> None:
    """In a session that runs, and in one that starts meanwhile; what needs a full build waits for the engine."""
    speak(scene, "one")
    scene.deploy()
    scene.configure()
    with scene.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        until_appendable(scene)
        control.stop("dockerd")
        speak(scene, "two")
        end = devloop.wait_for("cycle_finished", outcome="verified")
        assert (end["builder"], heard(scene)) == ("delta", ["two"])
        assert devloop.stop() == 130
    speak(scene, "three")
    with scene.start() as devloop:
        end = devloop.wait_for("cycle_finished", outcome="verified")
        assert (end["builder"], heard(scene)) == ("delta", ["three"])
        source = scene.folder / "web" / "Dockerfile"
        source.write_text(source.read_text() + "ENV A=b\n")
        devloop.wait_for("connection_changed", to="engine", ok=False, patience=BACK)
        control.mend("dockerd")
        end = devloop.wait_for("cycle_finished", outcome="verified", patience=BACK)
        assert (end["builder"], heard(scene)) == ("buildx", ["three"])
        assert devloop.stop() == 130
