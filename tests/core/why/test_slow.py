"""What a rollout waits for, from Pods made by hand; times are seconds since the first Pod was made."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from devloop.core.service import WorkloadKey
from devloop.core.why.slow import Found, Slowness, killings, slowness
from devloop.core.workload import ClusterEvent, Condition, Pod, Running, Snapshot, Terminated
from tests.core.workloads import event, pod, revision, snapshot

BEGAN = 1_000.0


def made(name: str = "web-new-1", *, at: float = 0, scheduled: float = 0, started: float = 1, ready: float = 1) -> Pod:
    """A ready Pod of the newest revision."""
    whens = {"PodScheduled": at + scheduled, "Ready": at + ready}
    conditions = tuple(Condition(type_, "True", since=BEGAN + when) for type_, when in whens.items())
    found = pod(name, "web-new", state=Running(BEGAN + at + started))
    return replace(found, created=BEGAN + at, conditions=conditions)


def scene(*pods: Pod, events: tuple[ClusterEvent, ...] = (), **spec: Any) -> Snapshot:
    """A Deployment whose container has these fields; `workload`: fields of its own spec."""
    workload: Mapping[str, Any] = spec.pop("workload", {})
    pod_spec: Mapping[str, Any] = spec.pop("pod_spec", {})
    raw = {"spec": {**workload, "template": {"spec": {"containers": [{"name": "web", **spec}], **pod_spec}}}}
    count = len(pods)
    fields = {"raw": raw, "replicas": count}
    if "strategy" in workload:
        fields |= {"strategy": workload["strategy"]["type"]}
    if "surge" in workload:
        fields |= {"max_surge": workload["surge"]}
    return snapshot(*pods, revisions=(revision(replicas=count),), events=events, **fields)


def measured(found: Snapshot, ends: tuple[ClusterEvent, ...] = ()) -> dict[str, float]:
    return {str(wait.code): wait.seconds for wait in slowness(found, "web-new", ends).waits}


def wait_of(found: Snapshot, code: str, ends: tuple[ClusterEvent, ...] = ()) -> Any:
    (wait,) = [each for each in slowness(found, "web-new", ends).waits if each.code == code]
    return wait


def killed(name: str, at: float, uid: str = "gone") -> ClusterEvent:
    return ClusterEvent(
        uid,
        "Pod",
        name,
        "spec.containers{web}",
        "Normal",
        "Killing",
        "Stopping container web",
        1,
        BEGAN + at,
        BEGAN + at,
    )


PROBE: Mapping[str, Any] = {"readinessProbe": {"exec": {}, "periodSeconds": 5}}


# one Pod -------------------------------------------------------------------------------------------------------------


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
    failing = event(pod_, "Unhealthy", "Readiness probe failed: connection refused", last=BEGAN + 18)
    found = scene(pod_, events=(failing,), **PROBE)
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
    failing = event(pod_, "Unhealthy", message, container, last=BEGAN + last)
    assert measured(scene(pod_, events=(failing,), **PROBE)) == {"probe-period": 5}


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
    assert slowness(scene(again, **PROBE), "web-new").found is Found.NOTHING


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


# the rollout ---------------------------------------------------------------------------------------------------------


def test_minimal_ready_seconds() -> None:
    found = scene(made(ready=2), workload={"minReadySeconds": 15})
    assert measured(found) == {"min-ready": 15}
    assert slowness(found, "web-new").seconds == 17
    assert wait_of(found, "min-ready").fix.endswith("""-p '{"spec":{"minReadySeconds":0}}'""")


def test_pods_that_were_started_one_after_another() -> None:
    pods = [made(f"web-new-{number}", at=4 * number, ready=4) for number in range(3)]
    found = scene(*pods)
    assert measured(found) == {"surge": 8}
    assert slowness(found, "web-new").seconds == 12
    assert """'{"spec":{"strategy":{"rollingUpdate":{"maxSurge":"100%"}}}}'""" in wait_of(found, "surge").fix


def test_a_pod_that_was_made_anew_long_after_is_no_part_of_the_rollout() -> None:
    found = scene(made(ready=4), made("web-new-2", at=3_000, ready=4))
    assert slowness(found, "web-new").seconds == 4
    assert slowness(found, "web-new").found is Found.SOME


def test_old_pods_that_end_first() -> None:
    recreate = {"strategy": {"type": "Recreate"}}
    found = scene(made(ready=2), workload=recreate, pod_spec={"terminationGracePeriodSeconds": 20})
    wait = wait_of(found, "grace-period", (killed("web-old-1", -20),))
    assert wait.seconds == 20
    assert "all of its grace period of 20 s, because its process does not end on SIGTERM" in wait.message
    wait = wait_of(found, "grace-period", (killed("web-old-1", -8),))
    assert (wait.seconds, "maxSurge" in wait.fix) == (8, True)
    assert slowness(found, "web-new", (killed("web-old-1", -8),)).seconds == 10


def test_old_pods_that_end_beside_cost_nothing() -> None:
    assert measured(scene(made(ready=2)), (killed("web-old-1", -20),)) == {}


def test_of_many_ends_the_last_one_before_counts_and_other_workloads_do_not() -> None:
    found = scene(made(ready=2), workload={"strategy": {"type": "Recreate"}})
    ends = (
        killed("web-old-1", -500),
        killed("web-old-2", -6),
        killed("api-old-1", -3),
        killed("web-new-1", 0, "uid-web-new-1"),
    )
    assert measured(found, ends) == {"grace-period": 6}


def test_a_statefulset_waits_for_each_of_its_pods() -> None:
    found = scene(made("web-0", ready=2), made("web-1", at=7, ready=2))
    assert found.deployment is not None
    sets = replace(found, deployment=replace(found.deployment, key=WorkloadKey("shop", "statefulset", "web")))
    ends = (killed("web-0", -5, "old-0"), killed("web-1", 2, "old-1"))
    assert measured(sets, ends) == {"grace-period": 10, "surge": 2}
    assert slowness(sets, "web-new", ends).seconds == 14


def test_the_waits_are_parts_of_the_whole_and_the_longest_comes_first() -> None:
    pods = [made(f"web-new-{number}", at=20 * number, ready=20) for number in range(2)]
    found = slowness(scene(*pods, readinessProbe={"exec": {}, "initialDelaySeconds": 12}), "web-new")
    assert [(str(wait.code), wait.seconds) for wait in found.waits] == [
        ("surge", 20),
        ("initial-delay", 12),
        ("probe-period", 7),
    ]
    assert found.rest == found.seconds - 39


def test_nothing_ready_is_nothing_to_measure() -> None:
    starting = pod(ready=False)
    assert slowness(scene(starting), "web-new") == Slowness(Found.NOTHING, "web-new")
    assert slowness(scene(starting), "") == Slowness(Found.NOTHING)


def test_only_ends_of_pods_are_killings() -> None:
    end, other = killed("web-old-1", 0), replace(killed("web-old-1", 0), reason="Pulled")
    assert killings((end, other, replace(end, object_kind="ReplicaSet"))) == (end,)
