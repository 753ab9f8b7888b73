"""From the objects of a namespace to the workload that is asked about."""

from dataclasses import replace
from typing import Any

import pytest

from devloop.core.rollout import is_complete
from devloop.core.service import WorkloadKey
from devloop.core.why.routes import routes_of
from devloop.core.why.subject import NamespaceObjects, find, keys, newest_of, snapshot_of
from tests.core.workloads import digest

IMAGE = "registry:5000/shop/api:dev"


def template(image: str = IMAGE, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "api", **labels}},
        "spec": {"containers": [{"name": "api", "image": image, "imagePullPolicy": "Always"}]},
    }


def named(name: str, owner: str = "", **metadata: Any) -> dict[str, Any]:
    found = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "creationTimestamp": "2026-01-01T00:00:00Z"}
    if owner:
        found["ownerReferences"] = [{"uid": f"uid-{owner}", "name": owner, "controller": True}]  # type: ignore[assignment]
    return {**found, **metadata}


def pod(name: str, owner: str = "", image: str = "a", **labels: str) -> dict[str, Any]:
    status = {"name": "api", "imageID": f"registry:5000/shop/api@{digest(image)}", "ready": True}
    return {
        "metadata": named(name, owner, labels=labels),
        "spec": {"nodeName": "node1", **template()["spec"]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{**status, "state": {"running": {"startedAt": "2026-01-01T00:00:05Z"}}}],
        },
    }


def workload(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": named(name, generation=2),
        "spec": {"replicas": 1, "template": template(), **spec},
        "status": {"observedGeneration": 2, "updatedReplicas": 1},
    }


def replicaset(name: str, owner: str, image: str = IMAGE) -> dict[str, Any]:
    return {
        "metadata": named(name, owner),
        "spec": {"replicas": 1, "template": template(image, **{"pod-template-hash": name})},
        "status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    }


def record(name: str, owner: str, number: int, image: str = IMAGE) -> dict[str, Any]:
    return {"metadata": named(name, owner), "revision": number, "data": {"spec": {"template": template(image)}}}


DEPLOYED = NamespaceObjects(
    "shop",
    {"deployment": (workload("api"),), "statefulset": (), "daemonset": ()},
    replicasets=(replicaset("api-new", "api"), replicaset("api-old", "api", "registry:5000/shop/api:old")),
    pods=(pod("api-new-1", "api-new"), pod("solo")),
)
SETS = NamespaceObjects(
    "shop",
    {
        "deployment": (),
        "statefulset": (
            {**workload("db"), "status": {"observedGeneration": 2, "updateRevision": "db-2", "replicas": 2}},
        ),
        "daemonset": ({**workload("agent"), "status": {"observedGeneration": 2, "desiredNumberScheduled": 1}},),
    },
    revisions=(record("db-1", "db", 1, "old"), record("db-2", "db", 2), record("agent-x", "agent", 3)),
    pods=(
        pod("db-0", "db", **{"controller-revision-hash": "db-1"}),
        pod("agent-p", "agent", **{"controller-revision-hash": "x"}),
    ),
)


def key(kind: str, name: str) -> WorkloadKey:
    return WorkloadKey("shop", kind, name)


def test_all_there_is() -> None:
    assert keys(DEPLOYED) == (key("deployment", "api"), key("pod", "solo"))
    assert keys(SETS) == (key("statefulset", "db"), key("daemonset", "agent"))


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        ("deployment", "api", (key("deployment", "api"), "")),
        ("", "api", (key("deployment", "api"), "")),
        ("pod", "api-new-1", (key("deployment", "api"), "api-new-1")),
        ("", "api-new-1", (key("deployment", "api"), "api-new-1")),
        ("", "solo", (key("pod", "solo"), "")),
        ("statefulset", "api", None),
        ("", "nobody", None),
    ],
)
def test_what_a_target_means(kind: str, name: str, found: tuple[WorkloadKey, str] | None) -> None:
    assert find(DEPLOYED, kind, name) == found


def test_the_newest_revision_has_the_same_template() -> None:
    assert newest_of(DEPLOYED, key("deployment", "api")) == "api-new"
    changed = workload("api", template=template("registry:5000/shop/api:next"))
    waiting = NamespaceObjects("shop", {"deployment": (changed,)}, replicasets=DEPLOYED.replicasets)
    assert newest_of(waiting, key("deployment", "api")) == "", "its controller has not made it"


def test_a_pod_that_nothing_controls_is_its_own_workload() -> None:
    found = snapshot_of(DEPLOYED, key("pod", "solo"))
    assert found.deployment is not None
    assert [spec.image for spec in found.deployment.template.containers] == [IMAGE]
    assert is_complete(found, found.deployment, found.revisions[0])


def test_a_set_in_the_middle_of_its_rollout() -> None:
    found = snapshot_of(SETS, key("statefulset", "db"))
    assert found.deployment is not None
    assert [(r.name, r.template.containers[0].image) for r in found.revisions] == [("db-2", IMAGE), ("db-1", "old")]
    assert newest_of(SETS, key("statefulset", "db")) == "db-2"
    assert [p.revision for p in found.pods] == ["db-1"]
    assert not is_complete(found, found.deployment, found.revisions[0])


def test_a_daemon_set_that_is_rolled_out() -> None:
    found = snapshot_of(SETS, key("daemonset", "agent"))
    assert found.deployment is not None
    assert [(r.name, r.number) for r in found.revisions] == [("agent-x", 3)]
    assert is_complete(found, found.deployment, found.revisions[0])


def test_a_set_keeps_what_ran_before_with_its_grace_period() -> None:
    old = record("agent-w", "agent", 2, "old")
    old["data"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 7
    objects = replace(SETS, revisions=(old, *SETS.revisions))
    found = snapshot_of(objects, key("daemonset", "agent"))
    assert [(r.name, r.replicas, r.template.grace) for r in found.revisions] == [("agent-x", 1, 30), ("agent-w", 0, 7)]
    assert newest_of(objects, key("daemonset", "agent")) == "agent-x"
    assert found.deployment is not None
    assert is_complete(found, found.deployment, found.revisions[0])


def test_events_that_may_not_be_read() -> None:
    denied = NamespaceObjects("shop", SETS.workloads, pods=SETS.pods, events=None)
    assert not snapshot_of(denied, key("daemonset", "agent")).events_readable
    assert snapshot_of(SETS, key("daemonset", "agent")).events_readable


def slice_of(service: str, *pods: str, ready: bool = True) -> dict[str, Any]:
    endpoints = [{"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": name}} for name in pods]
    return {"metadata": {"labels": {"kubernetes.io/service-name": service}}, "endpoints": endpoints}


def test_whose_pods_are_behind_the_same_service() -> None:
    slices = (slice_of("web", "api-new-1", "solo"), slice_of("other", "solo"), slice_of("gone", "solo", ready=False))
    objects = NamespaceObjects("shop", DEPLOYED.workloads, DEPLOYED.replicasets, pods=DEPLOYED.pods, slices=slices)
    (route,) = routes_of(objects, snapshot_of(objects, key("deployment", "api")))
    assert (route.service, dict(route.others)) == ("web", {"solo": "pod/solo"})
    assert route.images == {"solo": frozenset({digest("a")})}


def test_an_owner_that_was_not_read_is_called_as_its_pods_call_it() -> None:
    owned, again = pod("job-1", "job"), pod("canary-1", "canary-5")
    owned["metadata"]["ownerReferences"][0]["kind"] = "Job"
    made = replicaset("canary-5", "canary")
    made["metadata"]["ownerReferences"][0]["kind"] = "Rollout"
    slices = (slice_of("web", "api-new-1", "job-1", "canary-1"),)
    objects = replace(
        DEPLOYED, replicasets=(*DEPLOYED.replicasets, made), pods=(*DEPLOYED.pods, owned, again), slices=slices
    )
    (route,) = routes_of(objects, snapshot_of(objects, key("deployment", "api")))
    assert dict(route.others) == {"job-1": "job/job", "canary-1": "rollout/canary"}
