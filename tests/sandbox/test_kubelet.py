"""What the sandbox's kubelets do with Pods, and say of them; its words are those of a real kubelet."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from devloop.sandbox.cluster import Cluster
from tests.sandbox.client import CORE, Api, conditions, pod
from tests.sandbox.conftest import QUICK
from tests.sandbox.pods import WEB, is_ready, run, runs, status, waits
from tests.sandbox.scripted import ScriptedProgram, ScriptedRuntime

Nodes = dict[str, ScriptedRuntime]


async def events(api: Api, reason: str = "") -> list[tuple[str, str, str]]:
    """Type, reason and message of all that was said of the Pod, in order."""
    found = (await api.get(f"{CORE}/events?fieldSelector=involvedObject.name=web"))["items"]
    listed = sorted(found, key=lambda e: e["metadata"]["name"])
    return [(e["type"], e["reason"], e["message"]) for e in listed if reason in {"", e["reason"]}]


async def test_a_pod_that_runs_is_described_as_a_kubelet_does(api: Api, node: ScriptedRuntime) -> None:
    found = await run(api, is_ready)
    assert found["status"]["phase"] == "Running"
    assert [c["type"] for c in found["status"]["conditions"]] == [
        "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled",
    ]  # fmt: skip
    own = status(found)
    assert own["imageID"] == "r/app@sha256:" + "a" * 64
    assert own["containerID"].startswith("sandbox://")
    assert (own["ready"], own["started"], own["restartCount"], own["lastState"]) == (True, True, 0, {})
    assert await events(api) == [
        ("Normal", "Scheduled", "Successfully assigned default/web to node1"),
        ("Normal", "Pulling", 'Pulling image "r/app:1"'),
        ("Normal", "Pulled", 'Successfully pulled image "r/app:1" in 105ms (105ms including waiting). '
         "Image size: 100 bytes."),
        ("Normal", "Created", "Container created"),
        ("Normal", "Started", "Container started"),
    ]  # fmt: skip


async def test_what_is_on_the_node_is_not_pulled_unless_always(api: Api, node: ScriptedRuntime) -> None:
    node.cache["r/app:1"] = "r/app@sha256:" + "0" * 64
    found = await run(api, runs)
    assert status(found)["imageID"].endswith("0" * 64), "the old image of a tag that moved"
    (said,) = await events(api, "Pulled")
    assert said[2] == 'Container image "r/app:1" already present on machine and can be accessed by the pod'
    await api.send("DELETE", f"{WEB}?gracePeriodSeconds=0")
    await api.gone(WEB)
    container = {"name": "web", "image": "r/app:1", "imagePullPolicy": "Always"}
    found = await run(api, runs, containers=[container])
    assert status(found)["imageID"].endswith("a" * 64)


async def test_an_image_that_nobody_has(api: Api, node: ScriptedRuntime) -> None:
    found = await run(api, waits("ImagePullBackOff"), image="r/none:1")
    why = "rpc error: code = NotFound desc = failed to resolve image: r/none:1: not found"
    assert status(found)["state"]["waiting"]["message"] == f'Back-off pulling image "r/none:1": ErrImagePull: {why}'
    assert found["status"]["phase"] == "Pending"
    assert conditions(found)["Ready"] == ("False", "ContainersNotReady")
    assert (await events(api))[1:] == [
        ("Normal", "Pulling", 'Pulling image "r/none:1"'),
        ("Warning", "Failed", f'Failed to pull image "r/none:1": {why}'),
        ("Warning", "Failed", "Error: ErrImagePull"),
        ("Normal", "BackOff", 'Back-off pulling image "r/none:1"'),
        ("Warning", "Failed", "Error: ImagePullBackOff"),
    ]
    node.images["r/none:1"] = "r/none@sha256:" + "c" * 64
    await api.until(WEB, is_ready)


async def test_an_image_that_is_never_pulled(api: Api, node: ScriptedRuntime) -> None:
    container = {"name": "web", "image": "r/app:1", "imagePullPolicy": "Never"}
    found = await run(api, waits("ErrImageNeverPull"), containers=[container])
    text = 'Container image "r/app:1" is not present with pull policy of Never'
    assert status(found)["state"]["waiting"]["message"] == text
    assert ("Warning", "ErrImageNeverPull", text) in await events(api)


async def test_a_program_that_ends_is_started_again_with_a_growing_back_off(api: Api, node: ScriptedRuntime) -> None:
    node.begin = lambda program: program.exit(3)
    found = await run(api, lambda p: status(p).get("restartCount", 0) >= 2 and waits("CrashLoopBackOff")(p))
    own = status(found)
    assert own["lastState"]["terminated"]["exitCode"] == 3
    assert own["lastState"]["terminated"]["reason"] == "Error"
    uid = found["metadata"]["uid"]
    shown = f"restarting failed container=web pod=web_default({uid})"
    assert own["state"]["waiting"]["message"].startswith("back-off ")
    assert own["state"]["waiting"]["message"].endswith(shown)
    told = ("Warning", "BackOff", f"Back-off restarting failed container web in pod web_default({uid})")
    assert told in await events(api)
    assert [program.spec.attempt for program in node.programs][:3] == [0, 1, 2]
    node.begin = lambda _: None
    await api.until(WEB, is_ready)


async def test_a_first_end_is_seen_before_the_next_start(api: Api, node: ScriptedRuntime) -> None:
    """As on a real node, whose kubelet looks once a second: whoever watches can read the log of that start."""
    node.begin = lambda program: program.exit(3)
    made = await api.create(f"{CORE}/pods", pod(nodeSelector={"kubernetes.io/hostname": "node1"}))
    ends = []
    async with aclosing(api.watch(f"{CORE}/pods?resourceVersion={made['metadata']['resourceVersion']}")) as events:
        async for event in events:
            own = status(event["object"])
            if "terminated" in own["state"]:
                ends.append((own["restartCount"], own["lastState"]))
            if waits("CrashLoopBackOff")(event["object"]):
                break
    assert ends[0] == (0, {})


async def test_a_command_that_is_not_there(api: Api, node: ScriptedRuntime) -> None:
    node.refuse = 'exec: "/nope": stat /nope: no such file or directory'
    found = await run(api, waits("RunContainerError"))
    assert status(found)["state"]["waiting"]["message"] == node.refuse
    assert ("Warning", "Failed", f"Error: {node.refuse}") in await events(api)
    found = await api.until(WEB, lambda p: bool(status(p)["lastState"]))
    ended = status(found)["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")


@pytest.mark.parametrize(("policy", "code", "phase"), [("Never", 0, "Succeeded"), ("Never", 1, "Failed"),
                                                       ("OnFailure", 0, "Succeeded")])  # fmt: skip
async def test_a_pod_that_is_over(api: Api, node: ScriptedRuntime, policy: str, code: int, phase: str) -> None:
    node.begin = lambda program: program.exit(code)
    found = await run(api, lambda p: p["status"]["phase"] == phase, restartPolicy=policy)
    assert len(node.programs) == 1
    assert conditions(found)["Ready"] == ("False", f"Pod{'Completed' if code == 0 else 'Failed'}")
    assert (await api.send("DELETE", WEB)).status == 200
    await api.gone(WEB)


async def test_init_containers_run_one_after_the_other_before_the_rest(api: Api, node: ScriptedRuntime) -> None:
    init = [{"name": name, "image": "r/app:1"} for name in ("first", "second")]
    found = await run(api, lambda p: "running" in status(p, "initContainerStatuses")["state"], initContainers=init)
    assert status(found)["state"]["waiting"]["reason"] == "PodInitializing"
    assert conditions(found)["Initialized"] == ("False", "ContainersNotInitialized")
    assert [program.spec.name for program in node.programs] == ["first"]
    node.begin = lambda program: program.exit(0) if program.spec.name == "second" else None
    node.programs[0].exit(0)
    found = await api.until(WEB, is_ready)
    assert [program.spec.name for program in node.programs] == ["first", "second", "web"]
    assert found["status"]["initContainerStatuses"][1]["state"]["terminated"]["reason"] == "Completed"


async def test_a_readiness_probe_decides_who_is_ready(api: Api, node: ScriptedRuntime) -> None:
    good: list[bool] = []
    node.begin = lambda program: setattr(program, "answers", lambda _: (0, "") if good else (1, "not yet\n"))
    probe = {"exec": {"command": ["ready"]}, "periodSeconds": 1, "failureThreshold": 1}
    container = {"name": "web", "image": "r/app:1", "readinessProbe": probe}
    found = await run(api, runs, containers=[container])
    assert not status(found)["ready"]
    listed = f"{CORE}/events"
    await api.until(listed, lambda all_: any(e["reason"] == "Unhealthy" for e in all_["items"]))
    assert ("Warning", "Unhealthy", "Readiness probe failed: not yet\n") in await events(api)
    good.append(True)
    await api.until(WEB, is_ready)
    good.clear()
    await api.until(WEB, lambda p: not is_ready(p))


async def test_a_liveness_probe_that_fails_restarts(api: Api, node: ScriptedRuntime) -> None:
    node.begin = lambda program: setattr(program, "answers", lambda _: (1, "no"))
    probe = {"exec": {"command": ["alive"]}, "periodSeconds": 1, "failureThreshold": 1}
    await run(
        api,
        lambda p: status(p).get("restartCount", 0) > 0,
        containers=[{"name": "web", "image": "r/app:1", "livenessProbe": probe}],
    )
    told = await events(api)
    assert ("Warning", "Unhealthy", "Liveness probe failed: no") in told
    assert ("Normal", "Killing", "Container web failed liveness probe, will be restarted") in told
    assert node.programs[0].graces == [3.0]


async def test_a_startup_probe_comes_before_the_others(api: Api, node: ScriptedRuntime) -> None:
    asked: list[str] = []
    up: list[bool] = []

    def answers(command: Any) -> tuple[int, str]:
        asked.append(command[0])
        return (0, "") if up or command[0] != "up" else (1, "")

    node.begin = lambda program: setattr(program, "answers", answers)
    probes = {
        f"{kind}Probe": {"exec": {"command": [word]}, "periodSeconds": 1, "failureThreshold": 30}
        for kind, word in (("startup", "up"), ("readiness", "ready"))
    }
    found = await run(api, runs, containers=[{"name": "web", "image": "r/app:1", **probes}])
    assert not status(found)["started"]
    up.append(True)
    found = await api.until(WEB, is_ready)
    assert status(found)["started"]
    assert asked.index("ready") > asked.index("up")


async def test_http_probes_ask_the_program_where_it_listens(api: Api, node: ScriptedRuntime) -> None:
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=503 if len(paths) == 1 else 200)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    node.begin = lambda program: setattr(program, "port", runner.addresses[0][1])
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}
    ports = [{"containerPort": 8080, "name": "http"}]
    await run(api, is_ready, containers=[{"name": "web", "image": "r/app:1", "ports": ports, "readinessProbe": probe}])
    assert ("Warning", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503") in await events(
        api
    )
    answered = await api.send("GET", f"{WEB}:8080/proxy/hello/there?a=b")
    assert answered.status == 200
    assert paths[-1] == "/hello/there"
    await runner.cleanup()


async def test_a_port_that_nobody_listens_on(api: Api, node: ScriptedRuntime) -> None:
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    found = await run(api, runs, containers=[{"name": "web", "image": "r/app:1", "readinessProbe": probe}])
    await api.until(f"{CORE}/events", lambda all_: any(e["reason"] == "Unhealthy" for e in all_["items"]))
    at = f"{found['status']['podIP']}:8080"
    why = f'Readiness probe failed: Get "http://{at}/": dial tcp {at}: connect: connection refused'
    assert ("Warning", "Unhealthy", why) in await events(api)
    assert (await api.send("GET", f"{WEB}:8080/proxy/")).status == 503


async def test_a_deletion_gives_a_program_its_grace(api: Api, node: ScriptedRuntime) -> None:
    found = await run(api, runs)
    node.programs[0].stubborn = True
    answer = await api.send("DELETE", WEB)
    assert answer.body["metadata"]["deletionGracePeriodSeconds"] == 3
    await api.until(f"{CORE}/events", lambda all_: any(e["reason"] == "Killing" for e in all_["items"]))
    assert ("Normal", "Killing", "Stopping container web") in await events(api)
    assert (await api.get(WEB))["metadata"]["deletionTimestamp"]
    node.programs[0].exit(0)
    await api.gone(WEB)
    assert node.programs[0].graces == [3.0]
    assert found["metadata"]["uid"] in node.removed[0]


async def test_a_forced_deletion_takes_the_pod_at_once(api: Api, node: ScriptedRuntime) -> None:
    await run(api, runs)
    node.programs[0].stubborn = True
    await api.send("DELETE", WEB, {"gracePeriodSeconds": 0})
    assert (await api.send("GET", WEB)).status == 404
    assert await node.programs[0].wait() == 137


async def test_environment_and_arguments(api: Api, node: ScriptedRuntime) -> None:
    await api.create(f"{CORE}/configmaps", {"metadata": {"name": "settings"}, "data": {"COLOUR": "red", "SIZE": "1"}})
    env = [
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "PAINT", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "COLOUR"}}},
        {"name": "BOTH", "value": "$(NODE)-$(PAINT)-$$(X)"},
    ]
    container = {
        "name": "web", "image": "r/app:1", "command": ["serve"], "args": ["--name=$(NAME)"], "workingDir": "/app",
        "env": env, "envFrom": [{"prefix": "SET_", "configMapRef": {"name": "settings"}}],
    }  # fmt: skip
    await run(api, runs, containers=[container])
    spec = node.programs[0].spec
    assert (spec.command, spec.args, spec.working_dir) == (("serve",), ("--name=web",), "/app")
    assert spec.env["BOTH"] == "node1-red-$(X)"
    assert spec.env["SET_SIZE"] == "1"


async def test_a_config_map_that_is_missing(api: Api, node: ScriptedRuntime) -> None:
    source = {"valueFrom": {"configMapKeyRef": {"name": "settings", "key": "COLOUR"}}}
    container = {"name": "web", "image": "r/app:1", "env": [{"name": "PAINT", **source}]}
    found = await run(api, waits("CreateContainerConfigError"), containers=[container])
    assert status(found)["state"]["waiting"]["message"] == 'configmap "settings" not found'
    await api.create(f"{CORE}/configmaps", {"metadata": {"name": "settings"}, "data": {"COLOUR": "red"}})
    await api.until(WEB, is_ready)


async def test_programs_end_with_the_cluster(nodes: Nodes, tmp_path: Path) -> None:
    async with Cluster.start(tmp_path, nodes) as cluster, Api.of(cluster.kubeconfig) as api:
        await run(api, runs)
        program: ScriptedProgram = nodes["node1"].programs[0]
        program.stubborn = True
        kubeconfig = cluster.kubeconfig
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
    assert program.graces == [0.0]
    assert not kubeconfig.exists()


async def test_a_mistake_of_the_runtime_is_logged_and_no_pod_that_waits(
    api: Api, nodes: Nodes, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: ScriptedProgram) -> None:
        raise KeyError("nothing of the kind")

    for node in nodes.values():
        node.begin = fail
    await api.create(f"{CORE}/pods", pod())
    await api.until(f"{CORE}/events", lambda all_: any(e["reason"] == "Created" for e in all_["items"]))
    while "nothing of the kind" not in caplog.text:
        await asyncio.sleep(0.01)
    await api.send("DELETE", f"{WEB}?gracePeriodSeconds=0")
    await api.gone(WEB)


@pytest.mark.timeout(20)
async def test_the_end_of_the_cluster_is_heard_while_a_probe_comes_to_its_own(tmp_path: Path, nodes: Nodes) -> None:
    probing, leaving, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(command: Sequence[str], timeout: float) -> tuple[int, str]:
        probing.set()
        try:
            await asyncio.Event().wait()
        finally:
            leaving.set()
            await left.wait()
        return 0, ""

    node = nodes["node1"]
    node.begin = lambda program: setattr(program, "execute", slow)
    container = {"name": "web", "image": "r/app:1", "readinessProbe": {"exec": {"command": ["ready"]}}}
    async with Cluster.start(tmp_path, nodes, timing=QUICK) as cluster, Api.of(cluster.kubeconfig) as api:
        await run(api, runs, containers=[container])
        await probing.wait()
        node.programs[0].exit(1)
        await leaving.wait()
    assert len(node.programs) == 1, "nothing is started any more"
    left.set()
