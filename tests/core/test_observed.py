"""What is shown of a workload, from recordings of real ones."""

import pytest

from devloop.core.drift import drifts, is_healed, observed
from devloop.core.events import PodRow, WorkloadObserved
from devloop.core.image import digest_of
from devloop.core.workload import Snapshot
from tests.core.test_manifest import RECORDINGS
from tests.core.test_manifest import snapshot as recorded
from tests.core.workloads import snapshot

NAMES = [path.stem for path in RECORDINGS]


def containers(picture: Snapshot) -> tuple[str, ...]:
    assert picture.deployment is not None
    return tuple(spec.name for spec in picture.deployment.template.containers)


def digests(picture: Snapshot) -> frozenset[str]:
    """All that its Pods report."""
    return frozenset(digest_of(status.image_id) for pod in picture.pods for status in pod.containers)


def shown(name: str) -> WorkloadObserved:
    picture = recorded(name)
    return observed("web", picture, containers(picture))


@pytest.mark.parametrize(
    ("name", "desired", "updated", "ready", "terminating"),
    [
        ("healthy", 2, 2, 2, 0),
        ("rolling", 2, 1, 0, 0),
        ("terminating", 1, 1, 1, 1),
        ("scaled_to_zero", 0, 0, 0, 0),
        ("quota", 2, 1, 1, 0),
        ("no_surge_quota", 1, 0, 0, 0),
        ("refused", 1, 0, 0, 0),
        ("crash_loop", 1, 1, 0, 0),
    ],
)
def test_pods_are_counted_by_what_they_are_for(
    name: str, desired: int, updated: int, ready: int, terminating: int
) -> None:
    found = shown(name)
    assert found.exists
    assert (found.desired, found.updated, found.ready, found.terminating) == (desired, updated, ready, terminating)


@pytest.mark.parametrize(
    ("name", "phase", "reason", "restarts"),
    [
        ("healthy", "Running", "", 0),
        ("crash_loop", "Running", "CrashLoopBackOff", 5),
        ("crash_exited", "Running", "Error", 3),
        ("init_crash", "Pending", "CrashLoopBackOff", 1),
        ("image_pull", "Pending", "ErrImagePull", 0),
        ("back_off", "Pending", "ImagePullBackOff", 0),
        ("command_missing", "Running", "RunContainerError", 0),
        ("config_missing", "Pending", "CreateContainerConfigError", 0),
        ("mount_missing", "Pending", "ContainerCreating", 0),
        ("unschedulable", "Pending", "Unschedulable", 0),
        ("first_exit", "Running", "", 1),
        ("not_ready", "Running", "", 0),
    ],
)
def test_a_pod_is_shown_with_kubernetes_own_word_for_why_it_is_not_ready(
    name: str, phase: str, reason: str, restarts: int
) -> None:
    row = shown(name).pods[-1]
    assert (row.phase, row.reason, row.restarts) == (phase, reason, restarts)
    assert row.ready == (name in {"healthy", "first_exit"})


def test_old_pods_are_told_from_new_ones_and_from_those_that_end() -> None:
    assert [(row.current, row.ready) for row in shown("rolling").pods] == [(False, True), (False, True), (True, False)]
    ending, running = shown("terminating").pods
    assert (ending.phase, ending.ready, ending.current) == ("Terminating", False, False)
    assert (running.phase, running.ready, running.current) == ("Running", True, True)


def test_a_pod_without_a_node_or_an_image_has_neither() -> None:
    row = shown("unschedulable").pods[-1]
    assert (row.node, row.image_id) == ("", "")
    assert shown("healthy").pods[0].image_id.startswith("sha256:")


def test_a_workload_that_is_not_there() -> None:
    gone = observed("web", Snapshot(snapshot().key, None), ())
    assert gone == WorkloadObserved("web", "deployment/web", False, 0, 0, 0, 0, ())


@pytest.mark.parametrize("name", NAMES)
def test_a_look_that_changed_nothing_is_the_same_event(name: str) -> None:
    assert shown(name) == shown(name)
    assert all(isinstance(row, PodRow) for row in shown(name).pods)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_as_it_was_proved_has_not_drifted(name: str) -> None:
    picture = recorded(name)
    assert drifts(picture, picture, containers(picture), digests(picture)) == []
    assert drifts(picture, picture, containers(picture), frozenset()) == [], "the proof knew of these digests"


def test_restarts_since_the_proof_are_drift() -> None:
    before, after = recorded("crash_exited"), recorded("crash_loop")
    (drift,) = drifts(after, before, ("web",), digests(after))
    pod = after.pods[0].name
    assert drift.what == f"container web of {pod} ended with exit code 3 and was restarted"
    assert drift.who == ""


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_rolled_out_and_ready_is_healed(name: str) -> None:
    picture = recorded(name)
    rolled_out = {"healthy", "terminating", "first_exit", "liveness", "oom"}
    assert is_healed(picture, containers(picture), digests(picture)) == (name in rolled_out)
    assert not is_healed(picture, containers(picture), frozenset({"sha256:" + "0" * 64}))
