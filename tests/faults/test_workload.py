"""What other people do to a workload, and what the cluster refuses, under a session."""

import pytest

from tests.e2e.admission import forbidden, rewritten
from tests.e2e.harness import apply, deployment
from tests.faults.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.faults, pytest.mark.timeout(300)]
short = pytest.mark.short


def change(stage: Stage, *args: str) -> None:
    """What somebody else does with kubectl in the namespace."""
    stage.scene.kubectl("-n", stage.scene.namespace, *args)


@short
def test_deleted_and_created_again(stage: Stage) -> None:
    """devloop tells that it is gone, writes to nothing that is not there, and brings the last save to the new one."""
    with stage.session() as session:
        change(stage, "delete", "deployment/web", "--wait=true")
        session.until("workload_observed", exists=False)
        session.save("two")
        session.told("workload_absent", "deployment/web does not exist")
        stage.scene.deploy()
        session.ends_with("two")


def test_created_again_while_nobody_saves(stage: Stage) -> None:
    """What was verified is not any more; devloop says so, fights nobody, and one command brings it back."""
    with stage.session() as session:
        change(stage, "delete", "deployment/web", "--wait=true")
        session.until("workload_observed", exists=False)
        stage.scene.deploy()
        session.until("workload_drifted")
        session.trigger()
        session.ends_with("one")


@short
def test_scaled_to_0_and_up_again(stage: Stage) -> None:
    with stage.session() as session:
        change(stage, "scale", "deployment/web", "--replicas=0")
        session.until("workload_observed", desired=0)
        session.save("two")
        end = session.until("cycle_finished", cycle=2)
        assert end["outcome"] == "applied", "there is nothing to prove"
        change(stage, "scale", "deployment/web", "--replicas=1")
        session.until("workload_observed", desired=1, ready=1)
        session.trigger()
        session.ends_with("two")


def test_scaled_to_20_in_the_middle_of_a_rollout(stage: Stage) -> None:
    with stage.session() as session:
        session.save("two")
        session.until("workload_patched", cycle=2)
        change(stage, "scale", "deployment/web", "--replicas=20")
        session.ends_with("two", count=20)
        assert len(session.devloop.of("pod_verified", cycle=2)) >= 20
        change(stage, "scale", "deployment/web", "--replicas=1")
        session.until("workload_observed", desired=1, ready=1)
        session.save("three")
        session.ends_with("three")


@short
def test_a_container_that_is_renamed(stage: Stage) -> None:
    stage.lines = ['container = "web"']
    with stage.session() as session:
        rename = '[{"op": "replace", "path": "/spec/template/spec/containers/0/name", "value": "app"}]'
        change(stage, "patch", "deployment/web", "--type=json", "-p", rename)
        session.save("two")
        session.told("container_absent", "web", "app")
        change(stage, "patch", "deployment/web", "--type=json", "-p", rename.replace("app", "web"))
        session.trigger()
        session.ends_with("two")


@short
def test_a_quota_that_is_raised(stage: Stage) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}
    with stage.session() as session:
        surge = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        stage.scene.patch({"spec": {"strategy": surge}})
        apply(stage.scene.kubectl, stage.scene.namespace, quota)
        change(stage, "wait", "--for=jsonpath={.status.used.pods}=1", "resourcequota/few", "--timeout=40s")
        session.save("two")
        session.told("no_surge_room", "exceeded quota: few", "maxSurge")
        change(stage, "delete", "resourcequota/few")
        session.ends_with("two")


@short
def test_admission_that_denies_pods_for_a_while(stage: Stage) -> None:
    container = {"name": "x", "image": "x:1", "imagePullPolicy": "Always"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container]}}
    rule = "object.spec.containers.all(c, c.imagePullPolicy != 'Always')"
    with stage.session() as session:
        with forbidden(stage.scene.kubectl, stage.scene.namespace, "pods", rule, "no Always here", pod):
            session.save("two")
            session.told("replicas_refused", "no Always here")
        session.ends_with("two")


def test_admission_that_denies_the_patch_for_a_while(stage: Stage) -> None:
    rule = "!('devloop/build' in object.spec.template.metadata.?annotations.orValue({}))"
    example = deployment("x", "x:1")
    example["spec"]["template"]["metadata"]["annotations"] = {"devloop/build": "x"}
    with stage.session() as session:
        with forbidden(stage.scene.kubectl, stage.scene.namespace, "deployments", rule, "no devloop here", example):
            session.save("two")
            session.told("patch_rejected", "no devloop here")
        session.trigger()
        session.ends_with("two")


def test_admission_that_changes_the_pull_policy_of_the_workload(stage: Stage) -> None:
    """The node keeps the image it has: that is found out, and is nobody's `verified`."""
    path, node = "/spec/template/spec/containers/0/imagePullPolicy", stage.scene.a_node()
    patch = f'JSONPatch{{op: "add", path: "{path}", value: "Never"}}'
    with stage.session(nodeSelector=node) as session:
        with rewritten(stage.scene.kubectl, stage.scene.namespace, patch):
            session.save("two")
            session.told("mismatch", "Never")
        session.trigger()
        session.ends_with("two")


@short
def test_a_pod_that_ends_slowly(stage: Stage) -> None:
    """It is verified once the new Pod runs, and the old one is counted by nobody."""
    with stage.session(terminationGracePeriodSeconds=12) as session:
        stage.scene.program("echo stubborn; trap '' TERM; while :; do sleep 1; done")
        session.verified()
        session.save("two")
        session.ends_with("two")
        session.until("workload_observed", ready=1)
