"""What a rollout waits for, from Pods made by hand; times are seconds since the first Pod was made."""

from dataclasses import replace

from devloop.core.why.slow import Found, Slowness, killings, slowness
from devloop.core.workload import Snapshot
from tests.core.why.slowscenes import killed, made, measured, of_kind, scene, told, wait_of
from tests.core.workloads import pod

RECREATE = {"strategy": {"type": "Recreate"}}


def test_minimal_ready_seconds() -> None:
    found = scene(made(ready=2), workload={"minReadySeconds": 15})
    assert measured(found) == {"min-ready": 15}
    assert told(found).seconds == 17
    assert wait_of(found, "min-ready").fix.endswith("""-p '{"spec":{"minReadySeconds":0}}'""")


def test_pods_that_were_started_one_after_another() -> None:
    pods = [made(f"web-new-{number}", at=4 * number, ready=4) for number in range(3)]
    found = scene(*pods)
    assert measured(found) == {"surge": 8}
    assert told(found).seconds == 12
    assert """'{"spec":{"strategy":{"rollingUpdate":{"maxSurge":"100%"}}}}'""" in wait_of(found, "surge").fix


def test_a_pod_that_was_made_anew_long_after_is_no_part_of_the_rollout() -> None:
    found = scene(made(ready=4), made("web-new-2", at=3_000, ready=4))
    assert told(found).seconds == 4
    assert told(found).found is Found.SOME


def test_old_pods_that_end_first() -> None:
    found = scene(made(ready=2), workload=RECREATE, grace=20)
    wait = wait_of(found, "grace-period", killed("web-old-bcdfg", -20))
    assert wait.seconds == 20
    assert "all of its grace period of 20 s, because its process does not end on SIGTERM" in wait.message
    wait = wait_of(found, "grace-period", killed("web-old-bcdfg", -8))
    assert (wait.seconds, "maxSurge" in wait.fix) == (8, True)
    assert told(found, killed("web-old-bcdfg", -8)).seconds == 10


def test_old_pods_that_end_beside_cost_nothing() -> None:
    assert measured(scene(made(ready=2)), killed("web-old-bcdfg", -20)) == {}


def test_of_many_ends_the_last_one_before_counts_and_other_workloads_do_not() -> None:
    found = scene(made(ready=2), workload=RECREATE)
    ends = (
        killed("web-old-bcdfg", -500),
        killed("web-old-bcdfh", -6),
        killed("web-api-bcdfg", -3),
        killed("web-older-bcdfg", -2),
        killed("web-new-bcdfg", -1),
    )
    assert measured(found, *ends) == {"grace-period": 6}


def test_a_statefulset_waits_for_each_of_its_pods() -> None:
    found = scene(made("web-0", ready=2), made("web-1", at=7, ready=2))
    sets = of_kind(found, "statefulset")
    ends = killed("web-0", -5), killed("web-1", 2), killed("web-1-extra", 6), killed("web-10", 5)
    assert measured(sets, *ends) == {"grace-period": 10, "surge": 2}
    assert told(sets, *ends).seconds == 14


def test_the_waits_are_parts_of_the_whole_and_the_longest_comes_first() -> None:
    pods = [made(f"web-new-{number}", at=20 * number, ready=20) for number in range(2)]
    found = told(scene(*pods, readinessProbe={"exec": {}, "initialDelaySeconds": 12}))
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


def test_the_pod_that_was_ready_last_is_measured() -> None:
    """The slowest one began first: its waits and those of the others would overlap."""
    pods = made(ready=15), made("web-new-2", at=12, ready=8)
    assert measured(scene(*pods, readinessProbe={"exec": {}})) == {"surge": 12, "probe-period": 7}
    pods = made(ready=25), made("web-new-2", at=12, ready=8)
    assert measured(scene(*pods, readinessProbe={"exec": {}, "periodSeconds": 30})) == {"probe-period": 24}


# old Pods ------------------------------------------------------------------------------------------------------------


def test_ends_that_were_waited_for_together_count_once() -> None:
    """A DaemonSet with two unavailable, whose nodes are rid of their old Pods side by side."""
    pods = made(at=0, ready=2), made("web-new-2", at=3, ready=2), made("web-new-3", at=25, ready=2)
    ends = killed("web-bcdfg", -20), killed("web-bcdfh", -20), killed("web-bcdfj", 5)
    found = of_kind(scene(*pods), "daemonset", rollingUpdate={"maxUnavailable": 2})
    assert measured(found, *ends) == {"grace-period": 43, "surge": 2}
    assert told(found, *ends).seconds == 47


def test_each_end_is_that_of_one_pod_and_waited_for_by_one() -> None:
    pods = made(at=0, ready=2), made("web-new-2", at=6, ready=2)
    ends = killed("web-bcdfg", -4), killed("web-bcdfg", -3, container="sidecar")
    assert measured(of_kind(scene(*pods), "daemonset"), *ends) == {"grace-period": 4, "surge": 6}


def test_other_workloads_whose_names_begin_alike() -> None:
    found = of_kind(scene(made(ready=2)), "daemonset")
    assert measured(found, killed("web-api-bcdfg", -4), killed("web-api-0", -3), killed("web-proxy", -2)) == {}


def test_a_daemon_set_with_a_surge_waits_for_no_end() -> None:
    found = of_kind(scene(made(ready=2)), "daemonset", rollingUpdate={"maxSurge": 1, "maxUnavailable": 0})
    assert measured(found, killed("web-bcdfg", -4)) == {}


def test_the_old_pods_grace_period_is_what_they_took() -> None:
    found = scene(made(ready=2), workload=RECREATE, grace=20)
    assert found.deployment is not None
    template = replace(found.deployment.template, grace=5)
    shorter = replace(found, deployment=replace(found.deployment, template=template))
    wait = wait_of(shorter, "grace-period", killed("web-old-bcdfg", -8))
    assert "does not end on SIGTERM" not in wait.message, "eight seconds are not all of twenty"
    wait = wait_of(shorter, "grace-period", killed("web-old-bcdfg", -21))
    assert "all of its grace period of 20 s" in wait.message
    assert wait.fix.endswith("the newest template allows only 5 s already")
    assert measured(shorter, killed("web-old-bcdfg", -60)) == {}, "it was gone long before"


# what came later -----------------------------------------------------------------------------------------------------


def test_readiness_that_was_lost_and_came_back_later_is_no_part_of_the_rollout() -> None:
    flapped = made(ready=500)
    found = told(scene(flapped, completed=6, readinessProbe={"exec": {}}))
    assert (found.seconds, found.found) == (6, Found.ALL)
    beside = told(scene(flapped, made("web-new-2", ready=4), completed=6))
    assert (beside.seconds, beside.found, beside.pods, beside.later) == (4, Found.SOME, 1, 1)
    waited = told(scene(made(ready=500), completed=20, workload={"minReadySeconds": 15}))
    assert waited.seconds == 20


def test_pods_that_a_scaling_added_are_no_part_of_the_rollout() -> None:
    found = told(scene(made(ready=4), made("web-new-2", at=7, ready=3), completed=5))
    assert (found.seconds, found.pods, found.later, found.unready) == (4, 1, 1, 0)


def test_pods_that_are_not_ready_yet() -> None:
    starting = pod("web-new-2", ready=False)
    found = told(scene(made(ready=4), starting))
    assert (found.found, found.later, found.unready) == (Found.SOME, 0, 1)


# fixes ---------------------------------------------------------------------------------------------------------------


def one_after_another(**workload: object) -> Snapshot:
    pods = made(ready=6), made("web-new-2", at=6, ready=6)
    return scene(*pods, workload=workload, readinessProbe={"exec": {}, "periodSeconds": 5})


def test_a_daemon_set_has_a_surge_or_unavailable_pods() -> None:
    found = one_after_another()
    surge = of_kind(found, "daemonset", rollingUpdate={"maxSurge": 1, "maxUnavailable": 0})
    wait = wait_of(surge, "surge")
    assert wait.message.endswith("(maxSurge 1)")
    assert """'{"spec":{"updateStrategy":{"rollingUpdate":{"maxSurge":"100%"}}}}'""" in wait.fix
    wait = wait_of(of_kind(found, "daemonset", rollingUpdate={"maxSurge": 0, "maxUnavailable": 1}), "surge")
    assert wait.message.endswith("(maxUnavailable 1)")
    assert """'{"spec":{"updateStrategy":{"rollingUpdate":{"maxUnavailable":"100%"}}}}'""" in wait.fix


def test_a_deployment_that_is_paused_is_resumed_first() -> None:
    found = one_after_another()
    assert found.deployment is not None
    paused = replace(found, deployment=replace(found.deployment, paused=True))
    for code in ("surge", "probe-period"):
        assert wait_of(paused, code).fix.startswith(
            "kubectl rollout resume deployment/web -n shop && kubectl patch deployment/web -n shop "
        )
    recreate = scene(made(ready=2), workload=RECREATE, grace=20)
    assert recreate.deployment is not None
    paused = replace(recreate, deployment=replace(recreate.deployment, paused=True))
    fix = wait_of(paused, "grace-period", killed("web-old-bcdfg", -20)).fix
    assert "do not wait so long: kubectl rollout resume deployment/web -n shop && kubectl patch " in fix


def test_under_on_delete_a_change_of_the_template_needs_new_pods() -> None:
    found = of_kind(one_after_another(minReadySeconds=5), "statefulset", type="OnDelete")
    assert wait_of(found, "probe-period").fix.endswith("}' && kubectl delete pod web-new-1 web-new-2 -n shop")
    assert "delete" not in wait_of(found, "min-ready").fix, "no Pod is made anew for it"
    assert wait_of(found, "surge").fix == "delete the old Pods together"
