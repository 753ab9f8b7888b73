"""`devloop why` where the workload itself stands in the way: what it asks for, or that its Pods are not made."""

import json
from typing import Any

import pytest

from tests.e2e import harness
from tests.e2e.asking import (
    a_second_later,
    build,
    deploy,
    digests,
    do,
    expect,
    fine,
    mend,
    nodes,
    on,
    push,
    say,
    settle,
    until,
    why,
)
from tests.e2e.harness import apply, deployment, get
from tests.e2e.scene import SLEEP, Scene

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]


# paused --------------------------------------------------------------------------------------------------------------


def test_a_paused_deployment_with_a_new_template(scene: Scene) -> None:
    push(scene, "one", "one")
    push(scene, "two", "two")
    deploy(scene, "one")
    scene.kubectl("-n", scene.namespace, "rollout", "pause", "deployment/web")
    scene.kubectl("-n", scene.namespace, "set", "image", "deployment/web", f"web={scene.image}:two")
    told = why(scene)
    cause = expect(told, "paused", "deployment/web is paused", "still runs the old one", first_broken="revision")
    (old,) = [pod["metadata"]["name"] for pod in scene.pods()]
    assert old in cause["message"]
    assert why(scene, f"pod/{old}").codes == ["paused"]
    mend(scene, cause)


def test_a_paused_deployment_whose_tag_has_moved(scene: Scene) -> None:
    """Nothing of its template waits, and yet a restart would not be let through."""
    push(scene, "old")
    deploy(scene, policy="Always")
    scene.kubectl("-n", scene.namespace, "rollout", "pause", "deployment/web")
    a_second_later(scene)
    push(scene, "new")
    cause = expect(why(scene), harness.HERE.moved, first_broken="revision")
    assert cause["fix"].startswith("kubectl rollout resume deployment/web")
    mend(scene, cause)


def a_set(scene: Scene, kind: str, strategy: dict[str, Any], **spec: Any) -> dict[str, Any]:
    base = deployment("web", f"{scene.image}:one", probe=False, **spec)["spec"]
    own = {"selector": base["selector"], "template": base["template"], "updateStrategy": strategy}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": kind.lower()}, "spec": own}


@pytest.mark.e2e  # a sandbox runs Deployments alone
def test_sets_that_keep_their_old_pods(scene: Scene) -> None:
    push(scene, "one", "one")
    push(scene, "two", "two")
    partition = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    apply(scene.kubectl, scene.namespace, a_set(scene, "StatefulSet", partition))
    apply(scene.kubectl, scene.namespace, a_set(scene, "DaemonSet", {"type": "OnDelete"}, **on(nodes(scene)[0])))
    settle(scene, "statefulset/statefulset")
    until(lambda: "1" in ready(scene), "the Pod of the DaemonSet is ready")
    for each in ("statefulset/statefulset", "daemonset/daemonset"):
        scene.kubectl("-n", scene.namespace, "set", "image", each, f"web={scene.image}:two")
    until(lambda: observed(scene, "statefulset") and observed(scene, "daemonset"), "the new templates are seen")
    cause = expect(why(scene, "statefulset"), "paused", "leaves its first Pod as it is", "partition 1")
    assert "statefulset-0 still runs the old one" in cause["message"]
    assert why(scene, "pod/statefulset-0").codes == ["paused"], "an old Pod asks for what the old template said"
    mend(scene, cause, "statefulset/statefulset")
    told = why(scene, "daemonset/daemonset", name="on-delete")
    cause = expect(told, "paused", "only when somebody deletes it", "OnDelete", first_broken="revision")
    do(scene, cause["fix"])
    until(lambda: "1" in ready(scene) and updated(scene) == "1", "the DaemonSet has made its Pod anew")
    fine(scene, "daemonset/daemonset")


def ready(scene: Scene) -> str:
    return scene.kubectl("-n", scene.namespace, "get", "daemonset/daemonset", "-o", "jsonpath={.status.numberReady}")


def updated(scene: Scene) -> str:
    path = "jsonpath={.status.updatedNumberScheduled}"
    return scene.kubectl("-n", scene.namespace, "get", "daemonset/daemonset", "-o", path)


def observed(scene: Scene, name: str) -> bool:
    found = get(scene.kubectl, scene.namespace, name, name)
    return bool(found["status"].get("observedGeneration") == found["metadata"]["generation"])


# pinned --------------------------------------------------------------------------------------------------------------


def test_a_digest_whose_tag_has_moved_on(scene: Scene) -> None:
    old = push(scene, "old")
    deploy(scene, f"dev@{old}")
    fine(scene)
    new = push(scene, "new")
    cause = expect(
        why(scene, name="pinned"), "pinned", f"asks for the digest {old[7:19]}", first_broken="workload spec"
    )
    assert f"{scene.image}:dev means another image by now" in cause["message"]
    assert digests(cause, "registry") == {new}
    mend(scene, cause)


def test_a_service_whose_workload_asks_for_another_tag(scene: Scene) -> None:
    push(scene, "old", "release")
    deploy(scene, "release")
    scene.configure('workload = "deployment/web"', 'container = "web"')
    cause = expect(why(scene, "web"), "never-run", f"the registry has no {scene.image}:dev", first_broken="source")
    assert cause["fix"] == "devloop up web --once", "nothing is there to ask for yet"
    push(scene, "new")
    cause = expect(why(scene, "web"), "pinned", f"asks for {scene.image}:release", f"pushes to {scene.image}:dev")
    mend(scene, cause, "deployment/web")


def test_a_service_for_which_devloop_never_ran_whose_image_nobody_has(scene: Scene) -> None:
    """As `init` leaves it: the first thing to do is `up`, and nothing is proposed that the registry does not have."""
    say(scene, "new")
    scene.deploy()
    scene.configure('workload = "deployment/web"', 'container = "web"')
    until(lambda: "rollout-stuck" in why(scene, "web").codes, "its image cannot be pulled")
    told = why(scene, "web")
    expect(told, "never-run", f"the registry has no {scene.image}:dev")
    assert told.codes == ["never-run", "rollout-stuck"]
    mend(scene, told.first)


@pytest.mark.e2e  # only an engine knows what was built here
@pytest.mark.parametrize("pushed", [True, False])
def test_what_was_built_last_has_another_tag(scene: Scene, pushed: bool) -> None:
    push(scene, "old", "v1")
    deploy(scene, "v1")
    a_second_later(scene)
    push(scene, "new", "v2") if pushed else build(scene, "new", "v2")
    fine(scene)  # of an image that is nobody's service another tag is another thing
    scene.configure('workload = "deployment/web"', 'container = "web"', tag="v1")
    told = why(scene)
    (cause,) = [each for each in told.answer["causes"] if each["code"] == "pinned"]
    assert f"what was built last on this machine is {scene.image}:v2, under another tag" in cause["message"]
    assert cause["fix"] == "devloop up web --once"


def test_tags_of_one_repository_that_other_pods_ask_for_are_no_newer_versions(scene: Scene) -> None:
    push(scene, "one", "api")
    deploy(scene, "api")
    a_second_later(scene)
    push(scene, "two", "worker")
    apply(scene.kubectl, scene.namespace, deployment("worker", f"{scene.image}:worker", probe=False))
    settle(scene, "deployment/worker")
    told = why(scene, "", "--all")
    assert (told.code, [answer["causes"] for answer in told.answers]) == (0, [[], []])


# rollout-stuck -------------------------------------------------------------------------------------------------------


def test_rollouts_that_do_not_get_on(scene: Scene) -> None:
    """Each beside an old Pod that serves, and all of them in one table."""
    image = f"{scene.registry}/busybox:1"
    names = ("crash", "pull", "room", "probe")
    for name in names:
        body = deployment(name, image, probe=False)
        body["spec"]["template"]["spec"]["containers"][0]["command"] = SLEEP
        apply(scene.kubectl, scene.namespace, body)
    for name in names:
        settle(scene, f"deployment/{name}")
    crash = ["sh", "-c", "echo starting; echo 'panic: no database' >&2; exit 3"]
    never = {"exec": {"command": ["false"]}}
    probe = {"exec": {"command": ["sh", "-c", "echo warming up; exit 1"]}, "periodSeconds": 1}
    change(scene, "crash", {"command": crash, "readinessProbe": never})
    change(scene, "pull", {"image": f"{scene.image}:none"})
    change(scene, "probe", {"readinessProbe": probe})
    scene.patch({"spec": {"template": {"spec": {"nodeSelector": {"disk": "quantum"}}}}}, "deployment/room")
    until(lambda: all(is_stuck(scene, name) for name in names), "all are stuck")
    told = why(scene, "", "--all")
    assert told.code == 6
    said = {
        "crash": ("crash", "ended with exit code 3, twice: panic: no database"),
        "pull": ("image_pull", f"cannot pull {scene.image}:none for container pull: not found"),
        "room": ("unschedulable", "node affinity/selector"),
        "probe": ("not_ready", "Readiness probe failed: warming up"),
    }
    for name, (reason, words) in said.items():
        (cause,) = told.of(f"deployment/{name}")["causes"]
        assert (cause["code"], cause["reason"]) == ("rollout-stuck", reason)
        assert f"the newest Pods of deployment/{name} are not ready, so the old Pods still serve" in cause["message"]
        assert words in cause["message"]
    why(scene, "deployment/crash", name="rollout-stuck")


def change(scene: Scene, name: str, fields: dict[str, Any]) -> None:
    scene.patch({"spec": {"template": {"spec": {"containers": [{"name": name, **fields}]}}}}, f"deployment/{name}")


def is_stuck(scene: Scene, name: str) -> bool:
    """Whether the cluster shows why, and will for a while."""
    found = get(scene.kubectl, scene.namespace, "pods", "-l", f"app={name}")["items"]
    statuses = [status for pod in found for status in pod["status"].get("containerStatuses", ())]
    if name == "crash":
        return any(s["restartCount"] and s["state"].get("waiting") for s in statuses)
    if name == "pull":
        return any("ImagePull" in s["state"].get("waiting", {}).get("reason", "") for s in statuses)
    if name == "probe":
        events = get(scene.kubectl, scene.namespace, "events", "--field-selector", "reason=Unhealthy")["items"]
        return any(each["involvedObject"]["name"].startswith("probe-") for each in events)
    return any(c.get("reason") == "Unschedulable" for pod in found for c in pod["status"].get("conditions", ()))


# reverted ------------------------------------------------------------------------------------------------------------

HELM = {"annotations": {"meta.helm.sh/release-name": "shop"}}
ARGO = {"annotations": {"argocd.argoproj.io/tracking-id": "store:apps/Deployment:shop/web"}}
FLUX = {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}}
NOT_ARGO = {"annotations": dict.fromkeys(ARGO["annotations"])}
NOBODY = {"annotations": dict.fromkeys(HELM["annotations"]), "labels": dict.fromkeys(FLUX["labels"])}


def test_who_set_back_what_devloop_wrote(scene: Scene) -> None:
    """Helm, Argo CD, Flux and a person in turn, each to another tag and with its own marks."""
    push(scene, "two", "two")
    push(scene, "released", "release")
    deploy(scene, "release")
    say(scene, "changed")
    scene.configure('workload = "deployment/web"', 'container = "web"')
    code, devloop = scene.once()
    assert code == 0, devloop.said()
    cause = reverted(scene, "helm", "release", HELM, name="reverted")
    image = f"set the image of container web back to {scene.image}:release"
    assert cause["message"].startswith(f"helm (Helm release shop) {image} and the pull policy back to IfNotPresent; ")
    assert cause["message"].endswith(f"; devloop had set {scene.image}:dev and Always")
    assert "helm upgrade shop" in cause["fix"]
    cause = reverted(scene, "argocd-controller", "two", ARGO)
    assert cause["message"].startswith(
        "argocd-controller (Argo CD application store) set the image of container web to "
    )
    assert "argocd app set store --sync-policy none" in cause["fix"]
    cause = reverted(scene, "kustomize-controller", "release", {**NOT_ARGO, **FLUX})

    assert cause["message"].startswith(f"kustomize-controller (Flux kustomization apps) {image}")
    assert "flux suspend kustomization apps -n flux-system" in cause["fix"]
    cause = reverted(scene, "kubectl-edit", "two", NOBODY)
    assert cause["message"].startswith("kubectl-edit set the image of container web to ")
    assert cause["fix"] == "agree with who did it, then: devloop up web --once"
    do(scene, cause["fix"].rpartition(": ")[2])
    fine(scene, "web")


def reverted(scene: Scene, manager: str, tag: str, metadata: dict[str, Any], name: str = "") -> dict[str, Any]:
    """Somebody sets the image; what is told of that."""
    back = {"name": "web", "image": f"{scene.image}:{tag}", "imagePullPolicy": "IfNotPresent"}
    body = {"metadata": metadata, "spec": {"template": {"spec": {"containers": [back]}}}}
    by = f"--field-manager={manager}"
    scene.kubectl("-n", scene.namespace, "patch", "deployment/web", by, "-p", json.dumps(body))
    settle(scene)
    said = f"devloop had set {scene.image}:dev"
    cause = expect(why(scene, "web", name=name), "reverted", said, first_broken="workload spec")
    assert any(each["source"].startswith("managedFields") and each["time"] for each in cause["evidence"])
    return cause
