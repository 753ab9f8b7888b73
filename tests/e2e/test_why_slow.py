"""`devloop why --slow`: what rollouts waited for, and that the change to make makes them faster."""

import json
import time
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.asking import do, settle, until
from tests.e2e.harness import deployment, run
from tests.e2e.scene import SLEEP, Scene

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]

DEAF = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
"""Does not end when it is asked to."""


def app(scene: Scene, command: list[str], probe: dict[str, Any] | None = None, **workload: Any) -> dict[str, Any]:
    body = deployment("web", f"{scene.registry}/busybox:1", probe=False, terminationGracePeriodSeconds=4)
    (container,) = body["spec"]["template"]["spec"]["containers"]
    container["command"] = command
    if probe:
        container["readinessProbe"] = probe
    body["spec"].update(workload)
    return dict(body)


def roll_out(scene: Scene, body: dict[str, Any]) -> None:
    scene.kubectl("-n", scene.namespace, "apply", "-f", "-", stdin=json.dumps(body))
    settle(scene)


def slow(scene: Scene, target: str = "deployment/web") -> dict[str, Any]:
    done = run(scene.folder, "why", "--slow", target, "-n", scene.namespace, "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def waits(answer: dict[str, Any]) -> dict[str, float]:
    return {each["code"]: each["seconds"] for each in answer["waits"]}


def test_what_is_configured_is_measured_and_its_fixes_end_it(scene: Scene) -> None:
    probe = {"exec": {"command": ["true"]}, "initialDelaySeconds": 4, "periodSeconds": 3}
    roll_out(scene, app(scene, SLEEP, probe, minReadySeconds=3, replicas=2, strategy=_in_turn()))
    scene.kubectl("-n", scene.namespace, "rollout", "restart", "deployment/web")
    settle(scene)
    before = slow(scene)
    found = waits(before)
    assert found["min-ready"] == 3
    assert found["initial-delay"] == 4
    assert found["surge"] >= 7, "the second Pod began when the first one had been ready for three seconds"
    assert before["seconds"] >= sum(found.values())
    for code in ("initial-delay", "min-ready", "surge"):
        (wait,) = [each for each in before["waits"] if each["code"] == code]
        do(scene, wait["fix"])
    scene.kubectl("-n", scene.namespace, "rollout", "restart", "deployment/web")  # the strategy makes no new Pods
    settle(scene)
    after = slow(scene)
    assert not {"min-ready", "initial-delay", "surge"} & waits(after).keys(), after
    assert after["seconds"] < before["seconds"]


def test_a_program_that_does_not_end_is_told_from_its_end(scene: Scene) -> None:
    roll_out(scene, app(scene, DEAF, strategy={"type": "Recreate"}))
    scene.kubectl("-n", scene.namespace, "rollout", "restart", "deployment/web")
    settle(scene)
    (wait,) = [each for each in slow(scene)["waits"] if each["code"] == "grace-period"]
    assert 3 <= wait["seconds"] <= 15
    assert "does not end on SIGTERM" in wait["message"]


def test_a_program_that_starts_slowly_is_told_from_its_failing_probe(scene: Scene) -> None:
    ready = {"exec": {"command": ["test", "-e", "ready"]}, "periodSeconds": 2}
    roll_out(scene, app(scene, ["sh", "-c", "sleep 6; touch ready; exec sleep 3600"], ready))
    found = waits(slow(scene))
    assert found["slow-start"] >= 3
    done = run(scene.folder, "why", "--slow", "web", "-n", scene.namespace)
    assert "slow-start: container web answered its probes with failures" in " ".join(done.stdout.split())
    assert done.returncode == 0


@pytest.mark.e2e  # a sandbox has no exec
def test_readiness_that_comes_and_goes_later_is_no_part_of_the_rollout(scene: Scene) -> None:
    ready = {"exec": {"command": ["test", "-e", "/ready"]}, "periodSeconds": 1, "failureThreshold": 1}
    roll_out(scene, app(scene, ["sh", "-c", f"touch /ready; {SLEEP[-1]}"], ready))
    before = slow(scene)
    within = ("-n", scene.namespace, "exec", "deployment/web", "--")
    condition = ("-n", scene.namespace, "wait", "pod", "-l", "app=web", "--timeout=30s")
    scene.kubectl(*within, "rm", "/ready")
    scene.kubectl(*condition, "--for=condition=Ready=false")
    lost = time.time()
    until(lambda: time.time() >= lost + 4, "more than clocks are apart, after the rollout")
    scene.kubectl(*within, "touch", "/ready")
    scene.kubectl(*condition, "--for=condition=Ready")
    after = slow(scene)
    assert after["measured"] == "all"
    (pod,) = scene.pods()
    (again,) = [each for each in pod["status"]["conditions"] if each["type"] == "Ready"]
    made = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    took = (datetime.fromisoformat(again["lastTransitionTime"]) - made).total_seconds()
    assert after["seconds"] < took - 3, (before, after)


@pytest.mark.e2e  # a sandbox runs Deployments alone
def test_the_fixes_of_a_daemon_set_are_ones_that_the_api_server_takes(scene: Scene) -> None:
    body = app(scene, SLEEP, {"exec": {"command": ["true"]}, "initialDelaySeconds": 3, "periodSeconds": 1})
    body["kind"] = "DaemonSet"
    del body["spec"]["replicas"]
    body["spec"].pop("strategy", None)
    for field, other in (("maxSurge", "maxUnavailable"), ("maxUnavailable", "maxSurge")):
        body["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {field: 1, other: 0}}
        scene.kubectl("-n", scene.namespace, "apply", "-f", "-", stdin=json.dumps(body))
        settle(scene, "daemonset/web")
        scene.kubectl("-n", scene.namespace, "rollout", "restart", "daemonset/web")
        settle(scene, "daemonset/web")
        (wait,) = [each for each in slow(scene, "daemonset/web")["waits"] if each["code"] == "surge"]
        assert f'"{field}":"100%"' in wait["fix"]
        do(scene, wait["fix"])


@pytest.mark.e2e  # a sandbox runs Deployments alone
def test_each_pod_of_a_stateful_set_waits_for_the_one_of_its_name(scene: Scene) -> None:
    body = app(scene, DEAF, replicas=2)
    body["kind"] = "StatefulSet"
    body["spec"].pop("strategy", None)
    body["spec"]["serviceName"] = "web"
    scene.kubectl("-n", scene.namespace, "apply", "-f", "-", stdin=json.dumps(body))
    settle(scene, "statefulset/web")
    template = {"terminationGracePeriodSeconds": 1}
    scene.patch({"spec": {"template": {"spec": template}}}, "statefulset/web")
    settle(scene, "statefulset/web")
    answer = slow(scene, "statefulset/web")
    (wait,) = [each for each in answer["waits"] if each["code"] == "grace-period"]
    assert answer["pods"] == 2
    assert wait["seconds"] >= 7, "both Pods took all of four seconds, as clocks of whole seconds tell it"
    assert "all of its grace period of 4 s" in wait["message"], "that of the Pods that ended"
    assert wait["fix"].endswith("the newest template allows only 1 s already")
    assert sum(waits(answer).values()) <= answer["seconds"]


def test_what_cannot_be_measured_says_what_to_ask(scene: Scene) -> None:
    scene.deploy()
    done = run(scene.folder, "why", "--slow", "deployment/web", "-n", scene.namespace)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"→ devloop why deployment/web -n {scene.namespace}" in done.stdout
    done = run(scene.folder, "why", "--slow", "deployment/none", "-n", scene.namespace)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("there is no deployment/none")


def _in_turn() -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
