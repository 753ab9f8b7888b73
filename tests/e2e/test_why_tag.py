"""`devloop why` where the tag means another image than the one that runs: whichever way that came about."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.asking import (
    a_second_later,
    deploy,
    digests,
    do,
    expect,
    fine,
    forget,
    mend,
    nodes,
    on,
    push,
    push_elsewhere,
    restart,
    say,
    settle,
    why,
)
from tests.e2e.harness import App, apply, build_and_push, deployment, pods
from tests.e2e.scene import Scene
from tests.e2e.test_proof import mirrored, never_always, registry_of_its_own, spread_over_nodes

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]

LATER = "came after the container had started"
ELSEWHERE = "the tag was moved after the container had started (not from this machine"


def warm(scene: Scene, node: str) -> None:
    """Let the node pull what the tag means now, and keep it."""
    body = pod(scene, "warm", f"{scene.image}:dev", **on(node))
    apply(scene.kubectl, scene.namespace, body)
    scene.kubectl("-n", scene.namespace, "wait", "--for=condition=Ready", "pod/warm", "--timeout=45s")
    scene.kubectl("-n", scene.namespace, "delete", "pod/warm", "--wait=false")


def pod(scene: Scene, name: str, image: str, **spec: Any) -> dict[str, Any]:
    template = deployment(name, image, probe=False, **spec)["spec"]["template"]
    return {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {"name": name}}


def created(scene: Scene, replicas: int) -> None:
    """`kubectl create deployment`, with Pods that the scheduler puts on different nodes."""
    image = f"--image={scene.image}:dev"
    create = ("create", "deployment", "web", image, f"--replicas={replicas}", "--dry-run=client", "-o", "json")
    body = json.loads(scene.kubectl(*create))
    body["spec"]["template"]["spec"].update(spread_over_nodes(), terminationGracePeriodSeconds=1)
    apply(scene.kubectl, scene.namespace, body)
    settle(scene)


# node-cache ----------------------------------------------------------------------------------------------------------


def test_of_two_nodes_one_used_the_copy_it_had(scene: Scene) -> None:
    fresh, stale = nodes(scene)[:2]
    old = push(scene, "old")
    warm(scene, stale)
    new = push(scene, "new")
    created(scene, replicas=2)
    names = {each["spec"]["nodeName"]: each["metadata"]["name"] for each in pods(scene.kubectl, scene.namespace, "web")}
    told = why(scene, name="node-cache")
    cause = expect(told, "node-cache", f"Pod {names[stale]} on {stale} (1 of 2 Pods)", first_broken="container")
    assert f"under IfNotPresent the copy that {stale} already had was used" in cause["message"]
    assert cause["pods"] == [names[stale]]
    assert digests(cause, "registry") == {new}
    assert digests(cause, f"Pod {names[stale]}") == {old}
    assert digests(cause, f"Pod {names[fresh]}") == {new}
    assert any("the node used the copy it had" in each["text"] for each in cause["evidence"])
    of_one = expect(why(scene, f"pod/{names[stale]}"), "node-cache")
    assert of_one["pods"] == []
    fine(scene, f"pod/{names[fresh]}")
    mend(scene, cause)


def test_a_restart_uses_the_copy_of_the_node_and_that_is_known_without_events_too(scene: Scene) -> None:
    push(scene, "old")
    deploy(scene, **on(nodes(scene)[0]))
    new = push(scene, "new")
    restart(scene)
    first = expect(why(scene), "node-cache", "already had was used, without asking the registry")
    assert digests(first, "registry") == {new}
    scene.kubectl("-n", scene.namespace, "delete", "events", "--all")
    cause = expect(why(scene), "node-cache", first["message"])
    mend(scene, cause)


# template-unchanged, tag-moved ---------------------------------------------------------------------------------------


@pytest.mark.e2e  # only an engine knows what was pushed from here
@pytest.mark.parametrize("policy", ["Always", "IfNotPresent"])
def test_what_was_pushed_from_here_makes_no_new_pods(scene: Scene, policy: str) -> None:
    old = push(scene, "old")
    deploy(scene, policy=policy)
    fine(scene)
    a_second_later(scene)
    new = push(scene, "new")
    told = why(scene, name="template-unchanged" if policy == "Always" else "")
    cause = expect(told, "template-unchanged", LATER, "no reason to make new Pods", first_broken="revision")
    assert digests(cause, "registry") == {new}
    assert digests(cause, "Pod") == {old}
    assert cause["fix"].startswith("kubectl rollout restart" if policy == "Always" else "kubectl patch")
    mend(scene, cause)


@pytest.mark.e2e  # only an engine knows what was pushed from here
def test_a_tag_that_somebody_else_moved(scene: Scene) -> None:
    """The engine here has the old image under the tag, or nothing."""
    old = push(scene, "old")
    deploy(scene)
    a_second_later(scene)
    new = push_elsewhere(scene, "new")
    cause = expect(why(scene), "tag-moved", ELSEWHERE, first_broken="revision")
    assert digests(cause, "registry") == {new}
    assert digests(cause, "Pod") == {old}
    forget(f"{scene.image}:dev")
    cause = expect(why(scene), "tag-moved", ELSEWHERE)
    mend(scene, cause)


@pytest.mark.e2e  # a sandbox runs Deployments alone
def test_sets_and_single_pods_go_stale_in_the_same_ways(scene: Scene) -> None:
    push(scene, "old")
    base = deployment("web", f"{scene.image}:dev", policy="Always", probe=False)
    for kind, name in (("StatefulSet", "sts"), ("DaemonSet", "ds")):
        spec = {"selector": base["spec"]["selector"], "template": base["spec"]["template"]}
        apply(scene.kubectl, scene.namespace, {**base, "kind": kind, "metadata": {"name": name}, "spec": spec})
    apply(scene.kubectl, scene.namespace, pod(scene, "alone", f"{scene.image}:dev"))
    settle(scene, "statefulset/sts")
    settle(scene, "daemonset/ds")
    scene.kubectl("-n", scene.namespace, "wait", "--for=condition=Ready", "pod/alone", "--timeout=45s")
    a_second_later(scene)
    push(scene, "new")
    told = why(scene, "", "--all")
    assert {answer["workload"] for answer in told.answers} == {"statefulset/sts", "daemonset/ds", "pod/alone"}
    assert [answer["causes"][0]["code"] for answer in told.answers] == ["template-unchanged"] * 3
    assert "delete it, and create it again" in told.of("pod/alone")["causes"][0]["fix"]
    cause = expect(why(scene, "daemonset/ds"), "template-unchanged", f"all {len(nodes(scene))} Pods of daemonset/ds")
    mend(scene, cause, "daemonset/ds")
    cause = expect(why(scene, "sts/sts", name="statefulset"), "template-unchanged", "Pod sts-0")
    mend(scene, cause, "statefulset/sts")
    expect(why(scene, "alone"), "template-unchanged", "Pod alone")


# other-container -----------------------------------------------------------------------------------------------------


def test_a_sidecar_and_an_init_container_are_old_beside_a_new_main_one(scene: Scene) -> None:
    for tag in ("main", "side", "init"):
        push(scene, f"old {tag}", tag)
    side = {"name": "side", "image": f"{scene.image}:side", "imagePullPolicy": "IfNotPresent"}
    init = {"name": "init", "image": f"{scene.image}:init", "imagePullPolicy": "IfNotPresent", "command": ["true"]}
    body = deployment("web", f"{scene.image}:main", policy="Always", probe=False, **on(nodes(scene)[0]))
    body["spec"]["template"]["spec"]["containers"].append(side)
    body["spec"]["template"]["spec"]["initContainers"] = [init]
    apply(scene.kubectl, scene.namespace, body)
    settle(scene)
    new = {tag: push(scene, f"new {tag}", tag) for tag in ("main", "side", "init")}
    restart(scene)
    told = why(scene, name="other-container")
    expect(told, "other-container", "the main container is new, but", first_broken="container")
    assert told.codes == ["other-container", "other-container"]
    found = {
        tag: cause for tag in ("side", "init") for cause in told.answer["causes"] if f"{tag} of" in cause["message"]
    }
    assert "but container side of Pod" in found["side"]["message"]
    assert "but init container init of Pod" in found["init"]["message"]
    for tag, cause in found.items():
        assert cause["reason"] == "node-cache"
        assert digests(cause, "registry") == {new[tag]}
        do(scene, cause["fix"])
    settle(scene)
    fine(scene)


# between the Pod and the registry ------------------------------------------------------------------------------------


@pytest.mark.e2e  # a sandbox has no admission policies
def test_admission_that_changes_the_policy_of_pods(scene: Scene) -> None:
    push(scene, "old")
    deploy(scene, policy="Always", **on(nodes(scene)[0]))
    new = push(scene, "new")
    with never_always(scene):
        restart(scene)
    said = ("admission set its pull policy to IfNotPresent", "although the workload asks for Always")
    cause = expect(why(scene, name="policy-mutated"), "policy-mutated", *said)
    assert digests(cause, "registry") == {new}
    assert "kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies" in cause["fix"]
    do(scene, cause["fix"].partition(": ")[2])
    restart(scene)
    fine(scene)


def rather_on(node: str) -> dict[str, Any]:
    """Where the first Pod goes."""
    there = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    preferred = {"weight": 100, "preference": {"matchExpressions": [there]}}
    return {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [preferred]}}}


@pytest.mark.e2e  # nodes of a sandbox have no mirrors
@pytest.mark.breaks
def test_a_mirror_that_answers_with_an_old_image(scene: Scene, tmp_path: Path) -> None:
    """Under `Always` each node asks; one of them is given an old answer, after the other was given the new one."""
    if len(nodes(scene)) < 2 or not shutil.which("docker-registry"):
        pytest.skip("needs a cluster of two nodes, and docker-registry on PATH")
    with (
        registry_of_its_own(tmp_path / "fresh") as fresh,
        registry_of_its_own(tmp_path / "stale") as stale,
        mirrored(2, fresh, stale),
    ):
        app, image = App(scene.folder / "web", ""), f"{fresh}/web:dev"
        say(scene, "old")
        old = build_and_push(app, image)
        assert build_and_push(app, f"{stale}/web:dev") == old
        say(scene, "new")
        new = build_and_push(app, image)
        spread = {**spread_over_nodes(), **rather_on("node1")}
        apply(scene.kubectl, scene.namespace, deployment("web", image, policy="Always", probe=False, **spread))
        settle(scene)
        scene.kubectl("-n", scene.namespace, "scale", "deployment/web", "--replicas=2")
        settle(scene)
        said = ("on node2 (1 of 2 Pods)", "the registry was asked from node2, and a mirror or a cache in between")
        cause = expect(why(scene, name="registry-stale"), "registry-stale", *said, first_broken="container")
        assert digests(cause, "registry") == {new}
        assert digests(cause, f"Pod {cause['pods'][0]}") == {old}
        expect(why(scene, f"pod/{cause['pods'][0]}"), "registry-stale", "the registry was asked from node2")
        assert "correct the mirror or cache that node2 uses, or ask for the digest" in cause["fix"]
        do(scene, cause["fix"].rpartition(": ")[2])
        settle(scene)
        fine(scene)
