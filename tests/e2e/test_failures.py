"""What fails in a cycle: exit code, code, sentence and way out, against what the cluster shows."""

import json
import urllib.error

import pytest

from tests.e2e.admission import forbidden
from tests.e2e.harness import apply, deployment, registry_digest
from tests.e2e.scene import SERVE, Scene, failed, logged, warned

pytestmark = [pytest.mark.shared, pytest.mark.timeout(90)]

SHORT = ('rollout_timeout = "4s"',)
SURGE_ONLY = {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}}


# the build -----------------------------------------------------------------------------------------------------------


@pytest.mark.e2e  # BuildKit's words
def test_a_dockerfile_that_cannot_be_read_as_one(scene: Scene) -> None:
    scene.deploy()
    scene.dockerfile(f"FROM {scene.registry}/busybox:1", "RUM echo hello")
    scene.configure()
    code, devloop = scene.once()
    assert code == 4, devloop.said()
    message = failed(devloop, "build_failed")["message"]
    assert message.startswith("Dockerfile: ")
    assert "line 2" in message
    assert "RUM" in message
    with pytest.raises(urllib.error.HTTPError, match="404"):
        registry_digest(f"{scene.image}:dev")
    assert not scene.patched()


@pytest.mark.e2e  # a sandbox runs no step
def test_a_step_that_fails_is_told_with_its_last_lines(scene: Scene) -> None:
    scene.deploy()
    scene.dockerfile(
        f"FROM {scene.registry}/busybox:1",
        "RUN echo compiling; echo 'main.c:3: error: expected ;' >&2; exit 7",
    )
    scene.configure()
    code, devloop = scene.once()
    assert code == 4, devloop.said()
    failure = failed(devloop, "build_failed")
    assert "main.c:3: error: expected ; (exit code 7)" in failure["message"]
    assert {"compiling", "main.c:3: error: expected ;"} <= set(logged(devloop, "build"))
    assert not scene.patched()


def test_a_base_image_that_does_not_exist(scene: Scene) -> None:
    scene.deploy()
    scene.dockerfile(f"FROM {scene.registry}/no-such-base:1")
    scene.configure()
    code, devloop = scene.once()
    assert code == 4, devloop.said()
    failure = failed(devloop, "build_failed")
    assert failure["message"] == f"the base image {scene.registry}/no-such-base:1 cannot be read: not found"
    assert "FROM" in failure["hint"]


# containers that end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("probed", [False, True])
def test_a_crash_is_told_at_once_and_ends_the_rollout_at_its_second_exit(scene: Scene, probed: bool) -> None:
    scene.deploy()
    if probed:
        probe = {"exec": {"command": ["true"]}, "initialDelaySeconds": 2, "periodSeconds": 1}
        scene.patch({"spec": {"template": {"spec": {"containers": [{"name": "web", "readinessProbe": probe}]}}}})
    scene.program("echo start of $(cat /proc/uptime); echo 'panic: no database' >&2; exit 3")
    scene.configure()
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    (pod,) = scene.new_pods()
    failure = failed(devloop, "crash")
    assert failure["message"] == (
        f"container web of Pod {pod['metadata']['name']} ended with exit code 3, twice: panic: no database"
    )
    assert pod["metadata"]["name"] in failure["hint"]
    assert scene.namespace in failure["hint"]
    assert "exit code 3" in warned(devloop, "crash")["message"]
    lines = logged(devloop, "pod")
    starts = {line for line in lines if line.startswith("start of ")}
    assert len(starts) == 2, "the previous container's lines, and the last one's"
    (status,) = pod["status"]["containerStatuses"]
    assert status["restartCount"] <= 1, "it ended without waiting for a third start"


@pytest.mark.e2e  # programs of a sandbox have no limits
def test_a_container_that_is_killed_for_its_memory(scene: Scene) -> None:
    scene.deploy()
    limits = {"limits": {"memory": "16Mi"}}
    scene.patch({"spec": {"template": {"spec": {"containers": [{"name": "web", "resources": limits}]}}}})
    scene.program("echo growing; exec tail /dev/zero")
    scene.configure()
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "crash")
    (pod,) = scene.new_pods()
    (status,) = pod["status"]["containerStatuses"]
    end = status["state"].get("terminated") or status["lastState"]["terminated"]
    assert end["exitCode"] == 137
    if end["reason"] == "OOMKilled":
        assert "more memory" in failure["message"]
        assert "resources.limits.memory" in failure["hint"]
    else:
        assert "SIGKILL" in failure["message"]


def test_a_program_for_another_processor(scene: Scene) -> None:
    scene.deploy()
    scene.dockerfile("FROM scratch", "COPY app /app", 'ENTRYPOINT ["/app"]')
    # The ELF header of an AArch64 program, which is as far as an amd64 kernel reads; and the other way round.
    foreign = {"arm64": 183, "amd64": 62}
    node = scene.kubectl("get", "nodes", "-o", "jsonpath={.items[0].status.nodeInfo.architecture}")
    other = next(name for name in foreign if name != node)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + foreign[other].to_bytes(2, "little")
    app = scene.folder / "web" / "app"
    app.write_bytes(header + bytes(300))
    app.chmod(0o755)
    scene.configure(build=f'{{ context = "web", platform = "linux/{other}" }}')
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "wrong_architecture")
    assert f"linux/{other}" in failure["message"]
    assert f"linux/{node}" in failure["message"]
    assert "platform" in failure["hint"]


# Pods that cannot be made or started ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["containers", "initContainers"])
def test_an_image_of_another_container_that_cannot_be_pulled(scene: Scene, kind: str) -> None:
    scene.deploy()
    missing = f"{scene.registry}/{scene.namespace}/side:1"
    scene.patch({"spec": {"template": {"spec": {kind: [{"name": "side", "image": missing}]}}}})
    scene.program(SERVE)
    scene.configure('container = "web"')
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "image_pull")
    (pod,) = scene.new_pods()
    assert f"{pod['spec']['nodeName']} cannot pull {missing} for container side: not found" in failure["message"]


@pytest.mark.e2e  # nodes of a sandbox ask nobody but its registry
def test_an_image_name_that_nodes_cannot_resolve(scene: Scene) -> None:
    scene.deploy()
    scene.program(SERVE)
    name = "registry.nowhere.invalid:5000/web"
    scene.configure('container = "web"', f'push_image = "{scene.image}"', image=name)
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "image_pull")
    assert f"cannot pull {name}:dev" in failure["message"]
    assert "push_image" in failure["hint"]
    registry_digest(f"{scene.image}:dev")


def test_a_config_map_that_is_not_there(scene: Scene) -> None:
    scene.deploy()
    env = [{"configMapRef": {"name": "settings"}}]
    scene.patch({"spec": {"template": {"spec": {"containers": [{"name": "web", "envFrom": env}]}}}})
    scene.program(SERVE)
    scene.configure()
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "container_config")
    assert 'configmap "settings" not found' in failure["message"]
    assert "ConfigMap" in failure["hint"]


def test_a_node_selector_that_fits_no_node_is_told_at_once(scene: Scene) -> None:
    scene.deploy(nodeSelector={"disk": "quantum"})
    scene.program(SERVE)
    scene.configure(loop=SHORT)
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "unschedulable")
    assert "still so after 4s" in failure["message"]
    assert "node affinity/selector" in failure["message"]
    assert "nodeSelector" in failure["hint"]
    assert failure["message"].startswith(warned(devloop, "unschedulable")["message"])


@pytest.mark.e2e  # nodes of a sandbox do not add up what Pods request
def test_no_room_for_a_second_pod(scene: Scene) -> None:
    """The only node that may run it gives the old Pod more than half of what it has."""
    node = scene.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    allocatable = scene.kubectl("get", "node", node, "-o", "jsonpath={.status.allocatable.ephemeral-storage}")
    number = allocatable.removesuffix("Ki")
    most = f"{int(number) * 6 // 10}{allocatable.removeprefix(number)}"
    scene.deploy_running()
    container = {"name": "web", "resources": {"requests": {"ephemeral-storage": most}}}
    selector = {"kubernetes.io/hostname": node}
    scene.patch({"spec": {"template": {"spec": {"containers": [container], "nodeSelector": selector}}}})
    scene.kubectl("-n", scene.namespace, "rollout", "status", "deployment/web", "--timeout=45s")
    scene.program(SERVE)
    scene.configure('container = "web"', loop=SHORT)
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "no_surge_room")
    assert "Insufficient ephemeral-storage" in failure["message"]
    assert "maxSurge" in failure["hint"]
    warned(devloop, "no_surge_room")
    command = failure["hint"].partition(": kubectl ")[2]
    patch = json.loads(command.partition("-p '")[2].removesuffix("'"))
    scene.patch(patch)
    scene.configure('container = "web"')
    code, devloop = scene.once()
    assert code == 0, f"the way out of the hint leads out: {devloop.said()}"
    assert len(scene.new_pods()) == 1


@pytest.mark.e2e  # a sandbox has no quotas
def test_a_quota_without_room_for_a_second_pod(scene: Scene) -> None:
    scene.deploy_running()
    scene.patch(SURGE_ONLY)
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}
    scene.kubectl("-n", scene.namespace, "apply", "-f", "-", stdin=json.dumps(quota))
    used = "--for=jsonpath={.status.used.pods}=1"
    scene.kubectl("-n", scene.namespace, "wait", used, "resourcequota/few", "--timeout=40s")
    scene.program(SERVE)
    scene.configure('container = "web"')
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "no_surge_room")
    assert "exceeded quota: few" in failure["message"]
    assert "maxSurge" in failure["hint"]
    assert len(scene.pods()) == 1
    assert not scene.new_pods()


@pytest.mark.e2e  # a sandbox has no limit ranges
def test_a_limit_range_that_refuses_the_pods(scene: Scene) -> None:
    scene.deploy_running()
    container = {"name": "web", "resources": {"limits": {"memory": "64Mi"}}}
    scene.patch({"spec": {"template": {"spec": {"containers": [container]}}}})
    limits = {"limits": [{"type": "Container", "max": {"memory": "32Mi"}}]}
    apply(
        scene.kubectl,
        scene.namespace,
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": limits},
    )
    scene.program(SERVE)
    scene.configure('container = "web"')
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "replicas_refused")
    assert "maximum memory usage per Container is 32Mi, but limit is 64Mi" in failure["message"]
    assert "kubectl describe limitrange" in failure["hint"]
    assert scene.new_pods() == []


@pytest.mark.e2e  # a sandbox has no admission policies
def test_admission_that_denies_the_pods(scene: Scene) -> None:
    scene.deploy_running()
    rule = "object.spec.containers.all(c, c.imagePullPolicy != 'Always')"
    container = {"name": "x", "image": "x:1", "imagePullPolicy": "Always"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container]}}
    with forbidden(scene.kubectl, scene.namespace, "pods", rule, "no Always here", pod):
        scene.program(SERVE)
        scene.configure('container = "web"')
        code, devloop = scene.once()
        assert len(scene.pods()) == 1, "as long as it is forbidden"
    assert code == 5, devloop.said()
    failure = failed(devloop, "replicas_refused")
    assert "no Always here" in failure["message"]
    assert scene.patched()


@pytest.mark.e2e  # a sandbox has no admission policies
def test_admission_that_denies_the_patch(scene: Scene) -> None:
    scene.deploy_running()
    rule = "object.spec.template.spec.containers.all(c, c.imagePullPolicy != 'Always')"
    example = deployment("x", "x:1", policy="Always")
    with forbidden(scene.kubectl, scene.namespace, "deployments", rule, "no Always here", example):
        scene.program(SERVE)
        scene.configure('container = "web"')
        code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "patch_rejected")
    assert "no Always here" in failure["message"]
    assert not scene.patched()


# rollouts that do not end well ---------------------------------------------------------------------------------------


def test_a_readiness_probe_that_fails_is_told_at_once_and_ends_at_the_timeout(scene: Scene) -> None:
    scene.deploy()
    scene.probe({"exec": {"command": ["sh", "-c", "echo warming up; exit 1"]}, "periodSeconds": 1})
    scene.program(f"echo listening\n{SERVE}")
    scene.configure(loop=('rollout_timeout = "8s"',))
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "not_ready")
    assert "Readiness probe failed: warming up" in failure["message"]
    assert "still so after 8s" in failure["message"]
    assert failure["message"].startswith(warned(devloop, "not_ready")["message"])
    (pod,) = scene.new_pods()
    assert pod["metadata"]["name"] in failure["message"]
    told = [(line["text"], line["running"]) for line in devloop.of("log", source="pod")]
    assert told == [("listening", True)], "of a container that has not ended, once, for the cycle that failed"


def test_the_progress_deadline_of_the_workload(scene: Scene) -> None:
    scene.deploy()
    scene.probe({"exec": {"command": ["sh", "-c", "echo warming up; exit 1"]}, "periodSeconds": 1})
    scene.patch({"spec": {"progressDeadlineSeconds": 10}})
    scene.program(SERVE)
    scene.configure()
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "progress_deadline")
    assert "made no progress for 10s" in failure["message"]
    assert "warming up" in failure["message"]


def test_a_paused_workload(scene: Scene) -> None:
    scene.deploy()
    scene.kubectl("-n", scene.namespace, "rollout", "pause", "deployment/web")
    scene.program(SERVE)
    scene.configure()
    code, devloop = scene.once()
    assert code == 5, devloop.said()
    failure = failed(devloop, "paused")
    assert f"kubectl rollout resume deployment/web -n {scene.namespace}" in failure["hint"]
    assert scene.new_pods() == []


def test_a_paused_workload_is_proved_as_soon_as_it_is_resumed(scene: Scene) -> None:
    scene.deploy()
    scene.kubectl("-n", scene.namespace, "rollout", "pause", "deployment/web")
    scene.program(SERVE)
    scene.configure()
    with scene.start() as devloop:
        assert devloop.wait_for("cycle_finished")["failure"]["code"] == "paused"
        scene.kubectl("-n", scene.namespace, "rollout", "resume", "deployment/web")
        devloop.wait_for("cycle_started", trigger="drift")
        end = devloop.wait_for("cycle_finished")
        assert end["outcome"] == "verified", devloop.said()
        (pod,) = scene.new_pods()
        assert pod["status"]["containerStatuses"][0]["imageID"].endswith(end["digest"])
        assert devloop.stop() == 130
    assert len(devloop.of("workload_patched")) == 1
    assert len(devloop.of("image_pushed")) == 1, "nothing was built again"


@pytest.mark.parametrize("again", [False, True])
def test_a_workload_that_goes_while_it_rolls_out(scene: Scene, again: bool) -> None:
    scene.deploy(nodeSelector={"disk": "quantum"})
    scene.program(SERVE)
    scene.configure()
    with scene.start("--once") as devloop:
        devloop.wait_for("workload_patched")
        scene.kubectl("-n", scene.namespace, "delete", "deployment/web", "--wait=false")
        if again:
            scene.deploy(nodeSelector={"disk": "quantum"})
        code = devloop.finish()
        assert code == 5, devloop.said()
        # When the watch shows both at once there was no moment without the workload.
        gone = devloop.of("workload_observed", exists=False)
        failure = failed(devloop, "workload_deleted" if gone else "workload_replaced")
        assert again or gone
    assert "deployment/web was deleted" in failure["message"]


# mended in the same session ------------------------------------------------------------------------------------------


def test_a_save_mends_a_build_and_a_crash_loop(scene: Scene) -> None:
    scene.deploy()
    scene.program(SERVE)
    right = (scene.folder / "web" / "Dockerfile").read_text()
    scene.dockerfile(*right.splitlines(), "COPY absent /")
    scene.configure()
    with scene.start() as devloop:
        end = devloop.wait_for("cycle_finished", outcome="failed")
        assert end["failure"]["code"] == "build_failed"
        scene.program("echo 'panic: no database' >&2; exit 3")
        end = devloop.wait_for("cycle_finished", outcome="failed")
        assert end["failure"]["code"] == "crash"
        scene.program(SERVE)
        end = devloop.wait_for("cycle_finished", outcome="verified")
        assert registry_digest(f"{scene.image}:dev") == end["digest"]
        (pod,) = scene.new_pods()
        assert pod["status"]["containerStatuses"][0]["imageID"].endswith(end["digest"])
        assert devloop.stop() == 130
