"""Where a rollout stands, from recorded and from hand-made snapshots."""

from dataclasses import replace
from typing import Any

import pytest

from devloop.core.failure import FailureCode
from devloop.core.patch import BuildMark
from devloop.core.rollout import Broken, RolledOut, Rolling, RolloutStatus, ScaledToZero, rollout_status
from devloop.core.workload import Condition, Manager, Running, Snapshot, Terminated
from tests.core.test_manifest import snapshot as recorded
from tests.core.workloads import KEY, TEMPLATE, pod, revision, snapshot

OLD = replace(TEMPLATE, build="older")


def status(picture: Snapshot, *, uid: str = "uid-web", generation: int = 1, mark: str = "mark") -> RolloutStatus:
    return rollout_status(picture, uid=uid, generation=generation, mark=mark)


def status_of_recording(name: str) -> RolloutStatus:
    picture = recorded(name)
    assert picture.deployment is not None
    found = picture.deployment
    return rollout_status(picture, uid=found.uid, generation=found.generation, mark=found.template.build)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("healthy", RolledOut),
        ("terminating", RolledOut),
        ("scaled_to_zero", ScaledToZero),
        ("rolling", Rolling),
        ("not_ready", Rolling),
        ("unschedulable", Rolling),
        ("no_surge_memory", Rolling),
        ("mount_missing", Rolling),
        ("paused", Broken),
        ("crash_loop", Broken),
        ("init_crash", Broken),
        ("image_pull", Broken),
        ("back_off", Broken),
        ("quota", Broken),
        ("no_surge_quota", Broken),
        ("refused", Broken),
        ("config_missing", Broken),
        ("command_missing", Broken),
        ("deadline", Broken),
    ],
)
def test_recorded_rollouts(name: str, kind: type) -> None:
    assert isinstance(status_of_recording(name), kind)


def test_old_pods_that_terminate_are_counted_apart() -> None:
    found = status_of_recording("terminating")
    assert isinstance(found, RolledOut)
    assert found.terminating == 1


def test_a_rollout_in_words() -> None:
    assert status_of_recording("rolling") == Rolling("0 of 2 new Pods ready, 2 old Pods still to be replaced")


def test_done_is_the_revision_that_carries_the_mark() -> None:
    found = status(snapshot(revisions=(revision(), revision("web-old", number=1, replicas=0, template=OLD))))
    assert isinstance(found, RolledOut)
    assert (found.revision, found.terminating) == (revision(), 0)


@pytest.mark.parametrize(
    ("picture", "text"),
    [
        (snapshot(observed_generation=0), "waiting for the Deployment controller to see the change"),
        (
            snapshot(revisions=(revision("web-old", number=1, template=OLD),)),
            "waiting for the new ReplicaSet",
        ),
        (
            snapshot(revisions=(revision(), revision("web-old", number=1, template=OLD))),
            "1 of 1 new Pods ready, 1 old Pod still to be replaced",
        ),
        (
            snapshot(revisions=(replace(revision(), available=0),)),
            "1 of 1 new Pods ready, 0 available for long enough",
        ),
        (snapshot(pod(ready=False)), "1 of 1 new Pods ready"),
        (snapshot(replace(pod(), deleted=9.0)), "1 of 1 new Pods ready, 1 old Pod terminating"),
        (snapshot(updated_replicas=0), "1 of 1 new Pods ready"),
        (snapshot(replicas=2), "1 of 2 new Pods ready"),
    ],
)
def test_what_a_rollout_still_waits_for(picture: Snapshot, text: str) -> None:
    assert status(picture) == Rolling(text)


def test_a_snapshot_from_before_the_patch_tells_nothing() -> None:
    assert status(snapshot(paused=True), generation=2, mark="new") == Rolling(
        "waiting to see the change in the cluster"
    )


@pytest.mark.parametrize(
    ("picture", "code", "words"),
    [
        (Snapshot(KEY, None), FailureCode.WORKLOAD_DELETED, "deployment/web was deleted from namespace shop"),
        (snapshot(uid="other"), FailureCode.WORKLOAD_REPLACED, "deleted and created again"),
        (snapshot(template=OLD), FailureCode.WORKLOAD_CHANGED, "somebody changed deployment/web"),
        (
            snapshot(revisions=(revision("web-argo", number=3), revision())),
            FailureCode.WORKLOAD_CHANGED,
            "somebody changed deployment/web",
        ),
        (
            snapshot(paused=True, revisions=(revision("web-old", number=1, template=OLD),)),
            FailureCode.PAUSED,
            "deployment/web is paused",
        ),
        (
            snapshot(replicas=0, paused=True, revisions=(revision("web-old", number=1, replicas=0, template=OLD),)),
            FailureCode.PAUSED,
            "deployment/web is paused",
        ),
    ],
)
def test_rollouts_that_end_early(picture: Snapshot, code: FailureCode, words: str) -> None:
    found = status(picture)
    assert isinstance(found, Broken)
    assert found.failure.code is code
    assert words in found.failure.message
    assert found.failure.hint


def test_whoever_changed_the_template_is_named() -> None:
    fields: dict[str, Any] = {"f:spec": {"f:template": {}}}
    helm, scaler = Manager("helm", "Apply", 9.0, "", fields), Manager("hpa", "Update", 99.0, "", {"f:spec": {}})
    devloop, kubelet = Manager("devloop", "Update", 99.0, "", fields), Manager("x", "Update", 99.0, "status", fields)
    found = status(snapshot(template=OLD, managers=(devloop, helm, scaler, kubelet)))
    assert isinstance(found, Broken)
    assert found.failure.message.startswith("helm changed deployment/web")


def test_a_second_devloop_is_named() -> None:
    ours, theirs = BuildMark("sha256:a", 1.0, "s1").encode(), BuildMark("sha256:b", 2.0, "s2").encode()
    found = status(snapshot(template=replace(TEMPLATE, build=theirs)), mark=ours)
    assert isinstance(found, Broken)
    assert found.failure.message.startswith("another devloop session changed deployment/web")


def test_paused_after_the_rollout_is_no_trouble() -> None:
    assert isinstance(status(snapshot(paused=True)), RolledOut)


def test_scaled_to_zero_takes_the_change() -> None:
    gone = replace(pod(), deleted=9.0)
    picture = snapshot(gone, replicas=0, updated_replicas=0, revisions=(revision(replicas=0),))
    assert status(picture) == ScaledToZero()


def test_without_a_mark_it_is_the_revision_of_the_template_as_it_stands() -> None:
    """After a restore the old ReplicaSet is in use again, and the newest one is still the one that was undone."""
    undone = revision("web-dev", number=3)
    old = revision("web-old", number=1, replicas=0, template=OLD)
    picture = snapshot(pod(revision="web-dev"), template=OLD, revisions=(undone, old))
    assert isinstance(status(picture, mark=""), Rolling)
    back = snapshot(
        pod(revision="web-old"),
        template=OLD,
        revisions=(replace(old, number=4, desired=1, replicas=1, available=1), replace(undone, replicas=0)),
    )
    found = status(back, mark="")
    assert isinstance(found, RolledOut)
    assert found.revision.name == "web-old"


UNPROBED = {"spec": {"template": {"spec": {"containers": [{"name": "web"}]}}}}
PROBED = {"spec": {"template": {"spec": {"containers": [{"name": "web", "readinessProbe": {"exec": {}}}]}}}}
PATIENT = {"spec": {"minReadySeconds": 5, "template": UNPROBED["spec"]["template"]}}
CRASH = Terminated(1, reason="Error")


def test_two_crashes_of_a_container_that_is_ready_for_a_moment_end_the_rollout() -> None:
    crashed = pod(restarts=2, state=Running(9.0), last=CRASH)
    found = status(snapshot(crashed, raw=UNPROBED))
    assert isinstance(found, Broken)
    assert found.failure.code is FailureCode.CRASH
    assert isinstance(status(snapshot(crashed, raw=PROBED)), RolledOut)
    assert isinstance(status(snapshot(crashed, raw=PATIENT)), RolledOut)
    assert isinstance(status(snapshot(crashed, raw=UNPROBED), mark=""), RolledOut)


def test_one_crash_of_a_container_without_a_probe_is_worth_a_second_look() -> None:
    found = status(snapshot(pod(restarts=1, state=Running(9.0), last=CRASH), raw=UNPROBED))
    assert isinstance(found, RolledOut)
    assert not found.probed
    assert [t.failure.code for t in found.shaky] == [FailureCode.CRASH]
    steady = status(snapshot(raw=UNPROBED))
    assert isinstance(steady, RolledOut)
    assert (steady.shaky, steady.probed) == ((), False)
    proved = status(snapshot(raw=PROBED))
    assert isinstance(proved, RolledOut)
    assert found.settle > steady.settle > proved.settle == 0.0


def test_recreate_is_done_when_the_new_pods_are_available() -> None:
    old = revision("web-old", number=1, replicas=0, template=OLD)
    empty = replace(revision(), replicas=0, ready=0, available=0)
    waits = snapshot(replace(pod(revision="web-old"), deleted=9.0), strategy="Recreate", revisions=(empty, old))
    assert status(waits) == Rolling("0 of 1 new Pods ready, 1 old Pod terminating")
    assert isinstance(status(snapshot(strategy="Recreate", revisions=(revision(), old))), RolledOut)


def test_the_progress_deadline_of_an_earlier_revision_is_not_this_ones() -> None:
    late = Condition("Progressing", "False", "ProgressDeadlineExceeded", since=30.0)
    picture = snapshot(pod(ready=False), conditions=(late,), progress_deadline=600)
    assert isinstance(status(picture), Rolling)
    found = status(replace(picture, revisions=(replace(revision(), created=10.0),)))
    assert isinstance(found, Broken)
    assert found.failure.message == "deployment/web made no progress for 10m"
