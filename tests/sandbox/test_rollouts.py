"""Deployments on the sandbox: how their Pods are replaced, and what their status says meanwhile."""

from functools import partial
from typing import Any

from tests.sandbox.client import APPS, CORE, MERGE, Api, Raw, conditions, deployment, pod, rolled_out
from tests.sandbox.scripted import ScriptedRuntime

WEB = f"{APPS}/deployments/web"
Nodes = dict[str, ScriptedRuntime]
UNREADY = {"exec": {"command": ["ready"]}, "periodSeconds": 1}


async def deployed(api: Api, body: Raw) -> Raw:
    await api.create(f"{APPS}/deployments", body)
    return dict(await api.until(WEB, rolled_out))


async def image(api: Api, name: str) -> None:
    await api.patch(WEB, {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": name}]}}}})


async def sizes(api: Api) -> dict[str, int]:
    """Image of each ReplicaSet, and how many Pods it asks for."""
    found = (await api.get(f"{APPS}/replicasets"))["items"]
    return {each["spec"]["template"]["spec"]["containers"][0]["image"]: each["spec"]["replicas"] for each in found}


def stuck(runtime: ScriptedRuntime) -> None:
    """Nothing that starts from now on becomes ready."""
    runtime.begin = lambda program: setattr(program, "answers", lambda _: (1, "not yet"))


def has_items(count: int, found: Raw) -> bool:
    return len(found["items"]) == count


async def said(api: Api, name: str) -> list[str]:
    events = (await api.get(f"{CORE}/events?fieldSelector=involvedObject.name={name}"))["items"]
    return [event["message"] for event in sorted(events, key=lambda e: int(e["metadata"]["resourceVersion"]))]


async def test_a_deployment_runs_on_both_nodes_and_says_so(api: Api, nodes: Nodes) -> None:
    found = await deployed(api, deployment(replicas=2))
    assert conditions(found) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    assert found["metadata"]["generation"] == 1
    assert found["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}
    pods = (await api.get(f"{CORE}/pods"))["items"]
    assert {each["spec"]["nodeName"] for each in pods} == {"node1", "node2"}
    assert {each["status"]["containerStatuses"][0]["imageID"] for each in pods} == {"r/app@sha256:" + "a" * 64}
    (own,) = (await api.get(f"{APPS}/replicasets"))["items"]
    assert own["metadata"]["name"].startswith("web-")
    assert own["spec"]["selector"]["matchLabels"].keys() == {"app", "pod-template-hash"}
    assert await said(api, "web") == [f"Scaled up replica set {own['metadata']['name']} from 0 to 2"]


async def test_a_new_template_replaces_the_pods_within_surge_and_unavailable(api: Api, nodes: Nodes) -> None:
    await deployed(api, deployment(replicas=4))
    await image(api, "r/app:2")
    found = await api.until(WEB, rolled_out)
    assert found["metadata"]["generation"] == 2
    assert await sizes(api) == {"r/app:1": 0, "r/app:2": 4}
    steps = await said(api, "web")
    assert steps[1].endswith("from 0 to 1"), "25 % of surge"
    assert steps[2].endswith("from 4 to 3"), "25 % may be unavailable"


async def test_a_rollout_that_does_not_become_ready_keeps_the_old_pods(api: Api, nodes: Nodes) -> None:
    await deployed(api, deployment(replicas=4, readinessProbe=UNREADY))
    for runtime in nodes.values():
        stuck(runtime)
    await image(api, "r/app:2")
    found = await api.until(WEB, lambda d: d["status"].get("updatedReplicas") == 2 and d["status"]["replicas"] == 5)
    assert found["status"]["unavailableReplicas"] == 2
    assert await sizes(api) == {"r/app:1": 3, "r/app:2": 2}
    assert conditions(found)["Available"] == ("True", "MinimumReplicasAvailable")
    assert conditions(found)["Progressing"] == ("True", "ReplicaSetUpdated")


async def test_a_deadline_that_passes_is_told(api: Api, nodes: Nodes) -> None:
    for runtime in nodes.values():
        stuck(runtime)
    body = deployment(readinessProbe=UNREADY)
    body["spec"]["progressDeadlineSeconds"] = 1
    await api.create(f"{APPS}/deployments", body)
    late = ("False", "ProgressDeadlineExceeded")
    found = await api.until(WEB, lambda d: conditions(d).get("Progressing") == late)
    told = {c["type"]: c["message"] for c in found["status"]["conditions"]}
    assert told["Progressing"].endswith("has timed out progressing.")


async def test_recreate_starts_nothing_before_the_last_old_pod_is_gone(api: Api, nodes: Nodes) -> None:
    body = deployment(replicas=2)
    body["spec"]["strategy"] = {"type": "Recreate"}
    await deployed(api, body)
    old = [program for runtime in nodes.values() for program in runtime.programs]
    old[0].stubborn = True
    await image(api, "r/app:2")
    await api.until(f"{CORE}/pods", lambda found: len(found["items"]) == 1)
    assert await sizes(api) == {"r/app:1": 0}
    old[0].exit(0)
    await api.until(WEB, rolled_out)
    assert await sizes(api) == {"r/app:1": 0, "r/app:2": 2}


async def test_a_template_that_comes_back_gets_its_old_replica_set(api: Api, nodes: Nodes) -> None:
    await deployed(api, deployment())
    before = {each["metadata"]["uid"] for each in (await api.get(f"{APPS}/replicasets"))["items"]}
    for name in ("r/app:2", "r/app:1"):
        await image(api, name)
        found = await api.until(WEB, rolled_out)
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    own = next(each for each in (await api.get(f"{APPS}/replicasets"))["items"] if each["spec"]["replicas"])
    assert own["metadata"]["uid"] in before
    assert own["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"


async def test_a_paused_deployment_scales_and_does_not_roll(api: Api, nodes: Nodes) -> None:
    await deployed(api, deployment())
    await api.patch(WEB, {"spec": {"paused": True}}, MERGE)
    await image(api, "r/app:2")
    await api.patch(f"{WEB}/scale", {"spec": {"replicas": 3}}, MERGE)
    found = await api.until(WEB, lambda d: d["status"].get("availableReplicas") == 3)
    assert conditions(found)["Progressing"] == ("Unknown", "DeploymentPaused")
    assert await sizes(api) == {"r/app:1": 3}
    await api.patch(WEB, {"spec": {"paused": None}}, MERGE)
    await api.until(WEB, rolled_out)
    assert await sizes(api) == {"r/app:1": 0, "r/app:2": 3}


async def test_old_replica_sets_go_beyond_the_limit(api: Api, nodes: Nodes) -> None:
    body = deployment()
    body["spec"]["revisionHistoryLimit"] = 0
    await deployed(api, body)
    await image(api, "r/app:2")
    await api.until(f"{APPS}/replicasets", lambda found: len(found["items"]) == 1)
    assert await sizes(api) == {"r/app:2": 1}


async def test_scaled_to_zero_and_back(api: Api, nodes: Nodes) -> None:
    await deployed(api, deployment(replicas=2))
    for count in (0, 3):
        await api.patch(f"{WEB}/scale", {"spec": {"replicas": count}}, MERGE)
        found = await api.until(WEB, rolled_out)
        await api.until(f"{CORE}/pods", partial(has_items, count))
    assert found["status"]["readyReplicas"] == 3


async def test_what_a_deleted_deployment_owns_goes_with_it(api: Api, nodes: Nodes) -> None:
    await deployed(api, deployment())
    assert (await api.send("DELETE", WEB)).body["status"] == "Success"
    await api.until(f"{CORE}/pods", lambda found: not found["items"])
    assert (await api.get(f"{APPS}/replicasets"))["items"] == []


async def test_a_pod_that_is_deleted_is_replaced(api: Api, nodes: Nodes) -> None:
    await deployed(api, deployment())
    (first,) = (await api.get(f"{CORE}/pods"))["items"]
    await api.send("DELETE", f"{CORE}/pods/{first['metadata']['name']}")

    def replaced(found: Any) -> bool:
        return [each["metadata"]["uid"] for each in found["items"]] not in ([], [first["metadata"]["uid"]]) and len(
            found["items"]
        ) == 1

    await api.until(f"{CORE}/pods", replaced)


async def test_a_namespace_is_emptied_and_goes(api: Api, nodes: Nodes) -> None:
    await api.create("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    await api.create("/apis/apps/v1/namespaces/shop/deployments", deployment())
    await api.until("/apis/apps/v1/namespaces/shop/deployments/web", rolled_out)
    (program,) = [program for runtime in nodes.values() for program in runtime.programs]
    program.stubborn = True
    answer = await api.send("DELETE", "/api/v1/namespaces/shop")
    assert answer.body["status"]["phase"] == "Terminating"
    refused = await api.send("POST", "/api/v1/namespaces/shop/configmaps", {"metadata": {"name": "late"}})
    assert refused.status == 403
    program.exit(0)
    await api.gone("/api/v1/namespaces/shop")
    assert (await api.get("/apis/apps/v1/deployments"))["items"] == []


async def test_a_service_knows_the_ready_pods_behind_it(api: Api, nodes: Nodes) -> None:
    ports = [{"containerPort": 8080, "name": "http"}]
    await deployed(api, deployment(replicas=2, ports=ports))
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}
    made = await api.create(f"{CORE}/services", {"metadata": {"name": "web"}, "spec": spec})
    assert made["spec"]["clusterIP"]
    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    found = await api.until(slices, lambda listed: bool(listed["items"]))
    (own,) = found["items"]
    assert own["ports"] == [{"name": "", "protocol": "TCP", "port": 8080}]
    assert [each["conditions"]["ready"] for each in own["endpoints"]] == [True, True]


async def test_a_pod_without_a_fitting_node_waits_and_says_why(api: Api, nodes: Nodes) -> None:
    await api.create(f"{CORE}/pods", pod(nodeSelector={"disk": "ssd"}))
    found = await api.until(f"{CORE}/pods/web", lambda p: bool(p["status"].get("conditions")))
    assert conditions(found) == {"PodScheduled": ("False", "Unschedulable")}
    expected = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
    assert await said(api, "web") == [expected]
    await api.patch("/api/v1/nodes/node2", {"metadata": {"labels": {"disk": "ssd"}}}, MERGE)
    found = await api.until(f"{CORE}/pods/web", lambda p: p["status"]["phase"] == "Running")
    assert found["spec"]["nodeName"] == "node2"
