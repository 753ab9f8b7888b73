"""What one Pod waits for between its creation and being ready."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from devloop.core.why.slow import Found, slowness
from devloop.core.workload import Condition, Running, Terminated
from tests.core.why.slowscenes import BEGAN, failing, made, measured, scene, wait_of
from tests.core.workloads import event

PROBE: Mapping[str, Any] = {"readinessProbe": {"exec": {}, "periodSeconds": 5}}


def test_a_pod_that_starts_at_once_waits_for_nothing() -> None:
    assert measured(scene(made(ready=1))) == {}


def test_a_probe_that_asks_seldom() -> None:
    wait = wait_of(scene(made(ready=6), **PROBE), "probe-period")
    assert wait.seconds == 5
    assert "asked every 5 s" in wait.message
    assert '{"name":"web","readinessProbe":{"periodSeconds":1}}' in wait.fix
    assert wait.fix.startswith("kubectl patch deployment/web -n shop -p '")


def test_the_default_period_is_kuberneteses() -> None:
    assert "asked every 10 s" in wait_of(scene(made(ready=9), readinessProbe={"exec": {}}), "probe-period").message


def test_an_initial_delay_is_told_apart_from_the_period() -> None:
    found = scene(made(ready=14), readinessProbe={"exec": {}, "periodSeconds": 5, "initialDelaySeconds": 10})
    assert measured(found) == {"initial-delay": 10, "probe-period": 3}
    assert '"initialDelaySeconds":0' in wait_of(found, "initial-delay").fix


def test_a_pod_that_was_ready_before_its_delay_had_passed_waited_less() -> None:
    """Its probe was changed in place meanwhile, or the clocks differ: never more than there was."""
    assert measured(scene(made(ready=5), readinessProbe={"exec": {}, "initialDelaySeconds": 60})) == {
        "initial-delay": 4
    }


def test_failures_of_the_probe_are_the_program() -> None:
    pod_ = made(ready=21)
    found = scene(pod_, events=(failing(pod_, "Readiness probe failed: connection refused", 18),), **PROBE)
    assert measured(found) == {"slow-start": 17, "probe-period": 3}


@pytest.mark.parametrize(
    ("message", "container", "last"),
    [
        ("Liveness probe failed: 500", "web", 18),
        ("Readiness probe failed: 500", "sidecar", 18),
        ("Readiness probe failed: it fails now and then", "web", 500),
    ],
)
def test_other_failures_do_not_count(message: str, container: str, last: float) -> None:
    pod_ = made(ready=6)
    assert measured(scene(pod_, events=(failing(pod_, message, last, container),), **PROBE)) == {"probe-period": 5}


def test_asked_every_second_what_is_left_is_the_program() -> None:
    found = scene(made(ready=8), readinessProbe={"exec": {}, "periodSeconds": 1})
    assert measured(found) == {"slow-start": 7}


def test_two_good_answers_take_a_period_more() -> None:
    probe = {"exec": {}, "periodSeconds": 1, "successThreshold": 3}
    wait = wait_of(scene(made(ready=4), readinessProbe=probe), "probe-period")
    assert "3 times (successThreshold)" in wait.message
    assert '"successThreshold":1' in wait.fix


def test_a_startup_probe_is_a_gate_as_well() -> None:
    found = scene(made(ready=11), startupProbe={"exec": {}, "initialDelaySeconds": 6})
    assert measured(found) == {"initial-delay": 6, "probe-period": 4}
    assert "raise failureThreshold as much" in wait_of(found, "initial-delay").fix, (
        "or it would be killed while it starts"
    )


def test_a_pod_that_was_started_again_since_tells_nothing_of_the_rollout() -> None:
    pod_ = made(started=500, ready=506)
    again = replace(pod_, containers=(replace(pod_.containers[0], restarts=1),))
    found = slowness(scene(again, **PROBE), "web-new")
    assert (found.found, found.later) == (Found.NOTHING, 1)


def test_a_pull_with_its_size() -> None:
    pod_ = made(started=9, ready=9)
    message = 'Successfully pulled image "x:dev" in 7.5s (8.25s including waiting). Image size: 310000000 bytes.'
    wait = wait_of(scene(pod_, events=(event(pod_, "Pulled", message),)), "image-size")
    assert wait.seconds == 8.25
    assert wait.message == "node1 pulled the image of container web, 310 MB when nothing of it is there"


def test_a_node_that_was_waited_for() -> None:
    assert measured(scene(made(scheduled=12, started=12, ready=12))) == {"scheduling": 12}


def test_init_containers() -> None:
    pod_ = made(started=5, ready=5)
    ran = replace(
        pod_.containers[0], name="migrate", init=True, state=Terminated(0, started_at=BEGAN + 1, finished_at=BEGAN + 5)
    )
    wait = wait_of(scene(replace(pod_, containers=(ran, *pod_.containers))), "init-containers")
    assert (wait.seconds, "migrate" in wait.fix) == (4, True)


def test_failures_that_no_event_tells_of_any_more_are_no_period() -> None:
    """Events are gone after an hour, and a kubelet tells only the first failures of many."""
    assert measured(scene(made(ready=61), **PROBE)) == {"slow-start": 55, "probe-period": 5}
    assert "though it is asked every 5 s" in wait_of(scene(made(ready=61), **PROBE), "slow-start").message
    pod_ = made(ready=61)
    found = scene(pod_, events=(failing(pod_, "Readiness probe failed: 500", 11),), **PROBE)
    assert measured(found) == {"slow-start": 55, "probe-period": 5}
    twice = {"exec": {}, "periodSeconds": 5, "successThreshold": 2}
    assert measured(scene(made(ready=61), readinessProbe=twice)) == {"slow-start": 50, "probe-period": 10}


def test_times_are_whole_seconds_so_a_period_may_look_longer() -> None:
    assert measured(scene(made(ready=7), **PROBE)) == {"probe-period": 6}


BOTH: Mapping[str, Any] = {
    "startupProbe": {"exec": {}, "periodSeconds": 10},
    "readinessProbe": {"exec": {}, "periodSeconds": 1},
}


def test_the_probe_that_asks_seldom_is_blamed_whichever_it_is() -> None:
    wait = wait_of(scene(made(ready=10), **BOTH), "probe-period")
    assert (wait.seconds, "its startupProbe)" in wait.message) == (9, True)
    assert "raise failureThreshold as much" in wait.fix


def test_a_startup_probe_is_over_when_readiness_is_asked() -> None:
    pod_ = made(ready=10)
    assert measured(scene(pod_, events=(failing(pod_, "Readiness probe failed: 500", 9),), **BOTH)) == {"slow-start": 9}
    pod_ = made(ready=20)
    found = scene(pod_, events=(failing(pod_, "Startup probe failed: 500", 11),), **BOTH)
    assert measured(found) == {"slow-start": 10, "probe-period": 9}


def test_of_several_containers_the_last_start_begins_the_wait_for_readiness() -> None:
    """What was pulled for the second one is no period of the first one's probe."""
    pod_ = made(started=1, ready=25)
    second = replace(pod_.containers[0], name="sidecar", state=Running(BEGAN + 21))
    message = 'Successfully pulled image "x:dev" in 19.5s (19.5s including waiting). Image size: 310000000 bytes.'
    events = (event(pod_, "Pulled", message, "sidecar", last=BEGAN + 21),)
    pod_ = replace(pod_, containers=(*pod_.containers, second))
    assert measured(scene(pod_, events=events, **PROBE)) == {"image-size": 19.5, "probe-period": 4}
    late = {"exec": {}, "periodSeconds": 5, "initialDelaySeconds": 22}
    assert measured(scene(pod_, events=events, readinessProbe=late)) == {
        "image-size": 19.5,
        "initial-delay": 2,
        "probe-period": 2,
    }


@pytest.mark.parametrize("told_at", [2, 20])
def test_network_is_not_the_pull_that_comes_behind_it(told_at: float) -> None:
    """Older kubelets say that the Pod's network is ready when the first pull is over."""
    pod_ = made(started=20, ready=20)
    network = Condition("PodReadyToStartContainers", "True", since=BEGAN + told_at)
    pod_ = replace(pod_, conditions=(*pod_.conditions, network))
    message = 'Successfully pulled image "x:dev" in 17.5s (17.5s including waiting). Image size: 310000000 bytes.'
    pulls = (
        event(pod_, "Pulling", 'Pulling image "x:dev"', last=BEGAN + 2),
        event(pod_, "Pulled", message, last=BEGAN + 20),
    )
    assert measured(scene(pod_, events=pulls)) == {"sandbox": 2, "image-size": 17.5}


def test_a_pull_is_told_more_exactly_than_the_time_that_it_took() -> None:
    """Made at 0.9 s and started at 9.1 s it is told to have taken eight seconds: never more than there was."""
    pod_ = made(started=8, ready=8)
    message = 'Successfully pulled image "x:dev" in 8.25s (8.25s including waiting). Image size: 310000000 bytes.'
    assert measured(scene(pod_, events=(event(pod_, "Pulled", message, last=BEGAN + 8),))) == {"image-size": 8}
