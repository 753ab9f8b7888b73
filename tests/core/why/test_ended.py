"""Pods that have ended, and Pods that something else than the known kinds controls."""

from dataclasses import replace
from typing import Any

import pytest

from devloop.core.failure import ExitCode
from devloop.core.service import WorkloadKey
from devloop.core.why.cause import CauseCode
from devloop.core.why.chain import Holds, chain
from devloop.core.why.diagnosis import diagnose, exit_code
from devloop.core.why.facts import Facts
from devloop.core.why.subject import NamespaceObjects, controller_of, denied_owner, keys, newest_of, snapshot_of
from tests.core.why.scenes import ALWAYS, IF_NOT_PRESENT, facts, running
from tests.core.why.scenes import reference as made
from tests.core.why.test_subject import DEPLOYED, IMAGE, key, pod, replicaset
from tests.core.workloads import revision


def green(found: Facts) -> bool:
    """No cause, exit code 0, and nothing of the chain is told as broken."""
    causes = diagnose(found)
    readings = chain(found, causes)
    return (causes, exit_code(causes)) == ((), ExitCode.DONE) and all(r.holds is not Holds.NO for r in readings)


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_an_evicted_pod_beside_one_that_runs_is_no_cause(phase: str) -> None:
    evicted = replace(running("evicted", "b"), phase=phase, ready=False)
    found = of_one_replica(facts(running("one", "a"), evicted, revisions=(revision(template=IF_NOT_PRESENT),)))
    assert green(found)
    (cause,) = diagnose(replace(found, only="evicted"))
    assert cause.message == "Pod evicted has ended: it runs no image"


def of_one_replica(found: Facts) -> Facts:
    assert found.snapshot.deployment is not None
    counted = replace(found.snapshot.deployment, replicas=1, updated_replicas=1)
    return replace(found, snapshot=replace(found.snapshot, deployment=counted))


def ended(name: str, owner: str = "", phase: str = "Succeeded") -> dict[str, Any]:
    found = pod(name, owner)
    return {**found, "status": {**found["status"], "phase": phase, "conditions": []}}


def of_pod(objects: NamespaceObjects, name: str) -> Facts:
    own = WorkloadKey("shop", "pod", name)
    found = facts(running("one", "a"), scene=snapshot_of(objects, own), references={IMAGE: made(ref=IMAGE)})
    parts = {"key": own, "newest": newest_of(objects, own), "controller": controller_of(objects, own)}
    return replace(found, containers=("api",), **parts)  # type: ignore[arg-type]


def test_a_bare_pod_that_has_ended_runs_no_image() -> None:
    objects = NamespaceObjects("shop", {}, pods=(ended("done"), pod("solo")))
    assert keys(objects) == (key("pod", "solo"),)
    assert green(of_pod(objects, "solo"))
    causes = diagnose(of_pod(objects, "done"))
    assert [cause.message for cause in causes] == ["Pod done has ended: it runs no image"]
    assert exit_code(causes) is ExitCode.UNREACHABLE


def controlled(by: str, policy: str = "IfNotPresent") -> NamespaceObjects:
    """A Pod of a stale image that something controls."""
    kind, _, name = by.partition("/")
    found = pod("solo", name, "b")
    found["spec"]["containers"] = [{**found["spec"]["containers"][0], "imagePullPolicy": policy}]
    if name:
        found["metadata"]["ownerReferences"][0]["kind"] = kind
    return NamespaceObjects("shop", {}, pods=(found,))


@pytest.mark.parametrize(
    ("objects", "fix"),
    [
        (controlled("Job/load", "Always"), "its controller Job/load makes it anew: kubectl delete pod solo -n shop"),
        (
            controlled("Rollout/web"),
            "set `imagePullPolicy: Always` in the template of Rollout/web; its controller Rollout/web makes it anew: "
            "kubectl delete pod solo -n shop",
        ),
        (controlled("Node/node1"), "it is a static Pod: set `imagePullPolicy: Always` in its file on node node1"),
        (controlled(""), "nothing makes this Pod anew: delete it, and create it again with `imagePullPolicy: Always`"),
    ],
)
def test_who_makes_a_pod_anew(objects: NamespaceObjects, fix: str) -> None:
    (cause,) = diagnose(of_pod(objects, "solo"))
    assert fix in cause.fix


def test_the_controller_of_its_replica_set_is_named() -> None:
    owned = replicaset("roll-1", "roll")
    owned["metadata"]["ownerReferences"][0]["kind"] = "Rollout"
    objects = NamespaceObjects("shop", {}, (owned,), pods=(pod("solo", "roll-1"), pod("other")))
    assert controller_of(objects, key("pod", "solo")) == "Rollout/roll"
    assert controller_of(objects, key("pod", "other")) == ""


def test_a_pod_of_a_kind_that_may_not_be_listed() -> None:
    owned = replicaset("api-new", "api")
    owned["metadata"]["ownerReferences"][0]["kind"] = "Deployment"
    objects = NamespaceObjects("shop", {}, (owned,), pods=DEPLOYED.pods, denied=frozenset({"deployment"}))
    assert denied_owner(objects, key("pod", "api-new-1")) == "deployment"
    assert denied_owner(objects, key("pod", "solo")) == ""


def test_a_policy_that_admission_changed_is_no_fault_by_itself() -> None:
    always_pull_images = facts(running("one", "a", policy="Always"))
    assert green(always_pull_images)
    mutated = facts(running("one", "b"), running("two", "a", policy="Always"), template=ALWAYS)
    causes = diagnose(mutated)
    assert [cause.code for cause in causes] == [CauseCode.POLICY_MUTATED]
    told = [reading.text for reading in chain(mutated, causes) if reading.text.endswith("what the workload says")]
    assert told == ["one on node1 does not ask for what the workload says"]
