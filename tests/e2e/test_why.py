"""`devloop why`: what can be asked about, by whom, and in which form the answer comes; what each cause is like is in
`test_why_tag.py`, `test_why_workload.py`, `test_why_source.py` and `test_why_around.py`."""

import json
import os
import signal
import subprocess
from datetime import datetime
from itertools import pairwise

import pytest

from tests.e2e import harness
from tests.e2e.asking import a_second_later, deploy, expect, mend, push, settle, why
from tests.e2e.harness import PATIENCE, apply, deployment, get, run
from tests.e2e.scene import Scene

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]

VIEWER = "kind-e2e-viewer"
KINDS = (
    "deployments,replicasets,statefulsets,daemonsets,controllerrevisions,pods,events,configmaps,secrets,services,"
    "endpointslices,endpoints,serviceaccounts,leases"
)


@pytest.fixture
def stale(scene: Scene) -> Scene:
    """The Deployment `web`, whose one Pod runs an old image since a push from here."""
    push(scene, "old")
    deploy(scene, policy="Always")
    a_second_later(scene)
    push(scene, "new")
    return scene


def versions(scene: Scene) -> dict[str, str]:
    """The resourceVersion of everything in the namespace."""
    found = get(scene.kubectl, scene.namespace, KINDS)["items"]
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["resourceVersion"] for each in found}


# by whom -------------------------------------------------------------------------------------------------------------


@pytest.mark.e2e  # everybody may do everything in a sandbox
def test_whoever_may_only_view_is_answered_and_nothing_is_written(stale: Scene) -> None:
    if VIEWER not in stale.kubectl("config", "get-contexts", "-o", "name").split():
        pytest.skip(f"this kubeconfig has no context {VIEWER}")
    before = versions(stale)
    told = why(stale, "deployment/web", "--context", VIEWER)
    cause = expect(told, harness.HERE.moved, first_broken="revision")
    assert told.answer["context"] == VIEWER
    assert told.errors == ""
    assert versions(stale) == before
    assert cause["fix"].startswith(f"kubectl --context {VIEWER} "), "not to where a shell goes by itself"
    mend(stale, {"fix": cause["fix"].replace(VIEWER, os.environ["DEVLOOP_E2E_CONTEXT"])})


def test_without_an_engine_the_local_link_is_unread_and_the_rest_is_answered(stale: Scene) -> None:
    told = why(stale, DOCKER_HOST="unix:///nowhere/docker.sock")
    cause = expect(told, "tag-moved", "the tag was moved after the container had started, and", first_broken="revision")
    assert cause["fix"].startswith("kubectl rollout restart")
    (local,) = [each for each in told.answer["chain"] if each["link"] == "local image"]
    assert local["holds"] == "unread"
    assert "/nowhere/docker.sock" in local["text"]


# in which form -------------------------------------------------------------------------------------------------------


def test_the_document(stale: Scene) -> None:
    told = why(stale)
    answer = told.answer
    first = ["workload", "namespace", "context", "service", "pod"]
    assert list(answer) == [*first, "exit_code", "chain", "first_broken", "causes"]
    about = {"workload": "deployment/web", "namespace": stale.namespace, "context": os.environ["DEVLOOP_E2E_CONTEXT"]}
    assert answer.items() >= {**about, "pod": None, "exit_code": 6, "first_broken": "revision"}.items()
    links = [each["link"] for each in answer["chain"]]
    assert links == ["source", "local image", "registry tag", "workload spec", "revision", "container"]
    for each in answer["chain"]:
        assert list(each) == ["link", "holds", "text", "time"]
        assert each["holds"] in {"holds", "broken", "unread"}
    (cause,) = answer["causes"]
    assert list(cause) == ["code", "message", "evidence", "fix", "pods", "reason"]
    assert (cause["pods"], cause["reason"]) == ([], None)
    for each in cause["evidence"]:
        assert list(each) == ["source", "text", "time", "digest"]
        assert datetime.fromisoformat(each["time"]).year >= 2026


def test_the_same_in_words(stale: Scene) -> None:
    done = run(stale.folder, "why", "deployment/web", "-n", stale.namespace)
    assert done.returncode == 6, done.stdout + done.stderr
    (cause,) = why(stale).answer["causes"]
    said = " ".join(done.stdout.split())
    assert f"{harness.HERE.moved}: {cause['message']}" in said
    assert f"→ {cause['fix']}" in said
    assert done.stdout.startswith(f"deployment/web in namespace {stale.namespace}, context ")


def test_everything_in_a_namespace_worst_first(stale: Scene) -> None:
    image = f"{stale.image}:dev"
    apply(stale.kubectl, stale.namespace, deployment("fresh", image, policy="Always", probe=False))
    apply(stale.kubectl, stale.namespace, deployment("none", image, probe=False, replicas=0))
    settle(stale, "deployment/fresh")
    done = run(stale.folder, "why", "--all", "-n", stale.namespace)
    assert done.returncode == 6, done.stdout + done.stderr
    rows = [line.split()[:2] for line in done.stdout.splitlines()]
    assert rows == [
        ["deployment/web", harness.HERE.moved],
        ["deployment/none", "unknown"],
        ["deployment/fresh", "ok"],
    ]
    assert why(stale, "fresh").code == 0
    stale.configure()
    done = run(stale.folder, "why", "--all")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["deployment/web"], "the services of the file"


# what can be asked about ---------------------------------------------------------------------------------------------


def test_a_pod_by_any_name_is_judged_as_part_of_its_workload(stale: Scene) -> None:
    (pod,) = [each["metadata"]["name"] for each in stale.pods()]
    for target in (f"pod/{pod}", f"po/{pod}", pod):
        told = why(stale, target)
        expect(told, harness.HERE.moved, f"Pod {pod}")
        assert (told.answer["workload"], told.answer["pod"]) == ("deployment/web", pod)
        assert "rollout restart deployment/web" in told.first["fix"]


def test_targets_that_are_none(scene: Scene) -> None:
    told = why(scene, "deployment/nothing")
    assert (told.code, told.answers) == (3, [])
    assert f"there is no deployment/nothing in namespace {scene.namespace}" in told.errors
    assert "→ see what there is: kubectl get deployments,statefulsets,daemonsets,pods" in told.errors
    told = why(scene, "nothing")
    assert (told.code, told.answers) == (3, [])
    assert "no Deployment, StatefulSet, DaemonSet or Pod nothing" in told.errors
    told = why(scene, "service/web")
    assert (told.code, told.answers) == (2, [])
    assert "`service/web` is none of deployment/NAME, statefulset/NAME, daemonset/NAME, pod/NAME" in told.errors


def test_a_broken_file_does_not_stand_in_the_way_of_a_workload(stale: Scene) -> None:
    (stale.folder / "devloop.toml").write_text("[services.web]\nimage = 3\nbild = true\n")
    told = why(stale)
    expect(told, harness.HERE.moved)
    assert "devloop.toml has mistakes (`devloop validate` tells them)" in told.answer["chain"][0]["text"]
    told = why(stale, "web")
    assert (told.code, told.answers) == (2, [])
    assert "bild" in told.errors


# again and again -----------------------------------------------------------------------------------------------------


def test_watch_tells_when_the_answer_changes_and_ends_when_it_is_interrupted(stale: Scene) -> None:
    command = [*harness.HERE.devloop, "why", "deployment/web", "-n", stale.namespace, "-o", "json", "--watch"]
    with subprocess.Popen(
        command, cwd=stale.folder, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout
            told = [first := json.loads(process.stdout.readline())]
            assert first["causes"][0]["code"] == harness.HERE.moved
            stale.kubectl("-n", stale.namespace, "rollout", "restart", "deployment/web")
            while told[-1]["exit_code"]:
                told.append(json.loads(process.stdout.readline()))
            assert told[-1]["causes"] == []
            assert all(one != other for one, other in pairwise(told)), "only what has changed"
            stale.kubectl("-n", stale.namespace, "delete", "deployment/web", "--wait=false")
            assert process.stderr
            assert process.stderr.readline().startswith("there is no deployment/web in namespace")
            assert process.stderr.readline().startswith("→ ")
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=PATIENCE) == ("", ""), "told once"
            assert process.returncode == 130
        finally:
            process.kill()
