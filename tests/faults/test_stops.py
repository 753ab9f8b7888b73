"""Parts of the cluster itself are stopped and hung at more moments than those of `test_moments`; nobody saves again.

These tests disturb everybody who uses the cluster; they run one after the other.
"""

import time
from collections.abc import Callable

import pytest

from tests.e2e.harness import get
from tests.faults.control import Control
from tests.faults.httpproxy import HttpProxy, Only, Request
from tests.faults.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.faults, pytest.mark.breaks, pytest.mark.timeout(420)]
HANGS = 10
NODE = "node2"
Hurt = Callable[[Control, str], None]


def scale(stage: Stage, replicas: int) -> None:
    stage.scene.kubectl("-n", stage.scene.namespace, "scale", "deployment/web", f"--replicas={replicas}")


def for_a_while(control: Control, hurt: Hurt, component: str) -> None:
    hurt(control, component)
    time.sleep(HANGS)  # that long, whatever is told meanwhile
    control.mend(component)


# the registry --------------------------------------------------------------------------------------------------------


def confirms(registry: HttpProxy) -> Only:
    """Whether it is asked for the tag after it was pushed once more."""
    before = len(registry.seen)

    def is_so(request: Request) -> bool:
        pushed = any(each.startswith("PUT") and "/manifests/dev" in each for each in registry.seen[before:])
        return pushed and request.method in {"GET", "HEAD"} and "/manifests/" in request.path

    return is_so


def test_the_registry_is_stopped_between_a_push_and_its_confirmation(stage: Stage, control: Control) -> None:
    """What was pushed is not believed until the registry shows it."""
    registry = stage.registry
    with stage.session() as session:
        registry.first(lambda: control.stop("registry"), only=confirms(registry))
        session.save("two")
        session.lost("registry")
        assert not session.devloop.of("cycle_finished", outcome="verified", cycle=2)
        registry.mend()
        control.mend("registry")
        session.back("registry")
        session.ends_with("two")


# the API server ------------------------------------------------------------------------------------------------------


def test_the_api_server_is_stopped_while_nobody_saves(stage: Stage, control: Control) -> None:
    """What changes afterwards is seen."""
    with stage.session() as session:
        for_a_while(control, Control.stop, "apiserver")
        scale(stage, 2)
        session.until("workload_observed", desired=2, ready=2)
        session.save("two")
        session.ends_with("two", count=2)
        scale(stage, 1)  # a Pod more is a log more that is followed
        session.until("workload_observed", desired=1, ready=1, terminating=0)


@pytest.mark.parametrize("hurt", [Control.stop, Control.pause], ids=["stopped", "hung"])
def test_the_api_server_goes_before_the_patch(stage: Stage, control: Control, hurt: Hurt) -> None:
    """What was pushed meanwhile is rolled out when it is back."""
    with stage.session() as session:
        session.save("two")
        session.until("phase_started", phase="push", cycle=2)
        for_a_while(control, hurt, "apiserver")
        session.ends_with("two")


# what starts Pods ----------------------------------------------------------------------------------------------------


@pytest.fixture
def on_second_node(stage: Stage) -> dict[str, str]:
    nodes = [node["metadata"]["name"] for node in get(stage.scene.kubectl, "default", "nodes")["items"]]
    if NODE not in nodes:
        pytest.skip(f"needs a second node, `{NODE}`")
    return {"kubernetes.io/hostname": NODE}


def test_the_kubelet_is_stopped(stage: Stage, control: Control, on_second_node: dict[str, str]) -> None:
    """Nothing is verified that no kubelet has started; it is once the kubelet is back."""
    with stage.session(nodeSelector=on_second_node) as session:
        control.stop("kubelet2")
        session.save("two")
        session.until("workload_observed", updated=1)
        assert not session.devloop.of("pod_verified", cycle=2)
        control.mend("kubelet2")
        session.ends_with("two")
