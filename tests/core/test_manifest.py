"""Recorded objects of a real cluster, read into snapshots."""

import json
from pathlib import Path
from typing import Any

import pytest

from devloop.core import manifest
from devloop.core.service import WorkloadKey
from devloop.core.workload import Running, Snapshot, Terminated, Waiting

DATA = Path(__file__).parents[1] / "data" / "kube"
RECORDINGS = sorted(DATA.glob("*.json"))


def recorded(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return data


def snapshot(name: str) -> Snapshot:
    data = recorded(name)
    metadata = data["deployment"]["metadata"]
    key = WorkloadKey(metadata["namespace"], "deployment", metadata["name"])
    return manifest.snapshot(key, data["deployment"], data["replicasets"], data["pods"], data["events"])


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda p: p.stem)
def test_every_recorded_object_of_a_workload_is_in_its_snapshot(path: Path) -> None:
    data, picture = recorded(path.stem), snapshot(path.stem)
    assert picture.deployment is not None
    assert picture.deployment.key == picture.key
    assert {r.uid for r in picture.revisions} == {r["metadata"]["uid"] for r in data["replicasets"]}
    assert {p.uid for p in picture.pods} == {p["metadata"]["uid"] for p in data["pods"]}
    assert {e.uid for e in picture.events} == {e["metadata"]["uid"] for e in data["events"]}
    assert {p.revision for p in picture.pods} <= {r.name for r in picture.revisions}


def test_a_healthy_deployment() -> None:
    picture = snapshot("healthy")
    found = picture.deployment
    assert found is not None
    assert (found.replicas, found.updated_replicas, found.ready_replicas, found.available_replicas) == (2, 2, 2, 2)
    assert (found.strategy, found.max_surge, found.max_unavailable) == ("RollingUpdate", "25%", "25%")
    assert found.progress_deadline == 600
    assert found.observed_generation == found.generation
    assert [c.name for c in found.template.containers] == ["migrate", "web"]
    assert [(c.init, c.pull_policy) for c in found.template.containers] == [(True, "Always"), (False, "IfNotPresent")]
    assert [r.number for r in picture.revisions] == [2, 1]
    assert all(picture.pods_of(picture.revisions[0]))
    available = found.condition("Available")
    assert available is not None
    assert available.status == "True"
    assert available.since > 1.7e9
    assert {m.name for m in found.managers} == {
        "kubectl-client-side-apply",
        "kubectl-rollout",
        "kube-controller-manager",
    }


def test_a_running_pod_reports_its_containers() -> None:
    pod = snapshot("healthy").pods[0]
    assert (pod.ready, pod.phase, pod.terminating) == (True, "Running", False)
    assert pod.node.startswith("node")
    init, web = pod.containers
    assert init.init
    assert isinstance(init.state, Terminated)
    assert init.state.exit_code == 0
    assert isinstance(web.state, Running)
    assert web.state.started_at >= init.state.finished_at > 0
    assert "@sha256:" in web.image_id
    assert pod.spec("migrate") == pod.specs[0]


def test_order() -> None:
    picture = snapshot("healthy")
    shuffled = recorded("healthy")
    again = manifest.snapshot(
        picture.key,
        shuffled["deployment"],
        shuffled["replicasets"][::-1],
        shuffled["pods"][::-1],
        shuffled["events"][::-1],
    )
    assert again == picture
    assert [p.created for p in picture.pods] == sorted(p.created for p in picture.pods)
    assert [e.last for e in picture.events] == sorted(e.last for e in picture.events)


def test_a_crash_loop() -> None:
    (pod,) = snapshot("crash_loop").pods
    (web,) = pod.containers
    assert isinstance(web.state, Waiting)
    assert web.state.reason == "CrashLoopBackOff"
    assert web.restarts >= 1
    assert web.last is not None
    assert web.last.exit_code == 3
    assert web.last.finished_at >= web.last.started_at > 0


def test_an_image_that_cannot_be_pulled() -> None:
    picture = snapshot("image_pull")
    (web,) = picture.pods[0].containers
    assert isinstance(web.state, Waiting)
    assert web.state.reason in {"ErrImagePull", "ImagePullBackOff"}
    assert "nothing-here" in web.state.message
    failed = [e for e in picture.events_about(picture.pods[0].uid) if e.reason == "Failed"]
    assert failed
    assert failed[0].field_path == "spec.containers{web}"


def test_an_event_of_the_scheduler_has_only_an_event_time() -> None:
    data = recorded("unschedulable")
    raw = next(e for e in data["events"] if e["reason"] == "FailedScheduling")
    assert not raw.get("firstTimestamp")
    event = manifest.cluster_event(raw)
    assert event.first == manifest.timestamp(raw["eventTime"]) > 0
    assert event.last >= event.first
    assert "Insufficient cpu" in event.message


def test_a_series_counts_and_tells_when_it_was_last_seen() -> None:
    event = manifest.cluster_event(
        {
            "eventTime": "2026-01-02T03:04:05.123456Z",
            "series": {"count": 7, "lastObservedTime": "2026-01-02T03:05:05.000000Z"},
            "regarding": {"uid": "u", "kind": "Pod", "name": "p"},
            "note": "said",
        }
    )
    assert (event.count, event.object_uid, event.message) == (7, "u", "said")
    assert event.last - event.first == pytest.approx(59.876544)


def test_quota_shows_on_the_replica_set() -> None:
    picture = snapshot("quota")
    failure = picture.revisions[0].condition("ReplicaFailure")
    assert failure is not None
    assert "exceeded quota" in failure.message
    assert any(e.reason == "FailedCreate" for e in picture.events_about(picture.revisions[0].uid))


def test_terminating_paused_and_scaled_to_zero() -> None:
    assert [p.terminating for p in snapshot("terminating").pods] == [True, False]
    paused, zero = snapshot("paused").deployment, snapshot("scaled_to_zero").deployment
    assert paused is not None
    assert paused.paused
    assert zero is not None
    assert zero.replicas == 0


def test_foreign_objects_are_left_out() -> None:
    healthy, other = recorded("healthy"), recorded("rolling")
    picture = manifest.snapshot(
        snapshot("healthy").key,
        healthy["deployment"],
        healthy["replicasets"] + other["replicasets"],
        healthy["pods"] + other["pods"],
        healthy["events"] + other["events"],
    )
    assert picture == snapshot("healthy")


def test_a_workload_that_does_not_exist() -> None:
    key = WorkloadKey("shop", "deployment", "web")
    data = recorded("healthy")
    picture = manifest.snapshot(key, None, data["replicasets"], data["pods"], data["events"], False)
    assert picture == Snapshot(key, None, events_readable=False)


def test_what_the_api_leaves_out_has_the_api_s_default() -> None:
    bare = manifest.deployment({"metadata": {"name": "web", "namespace": "shop"}})
    assert (bare.replicas, bare.progress_deadline, bare.strategy, bare.paused) == (1, 600, "RollingUpdate", False)
    pod = manifest.pod({"metadata": {"name": "p"}, "status": {"containerStatuses": [{"name": "web", "state": {}}]}})
    assert pod.containers[0].state == Waiting("")
    assert pod.ready is False
