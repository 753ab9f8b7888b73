"""kubectl against the sandbox: what people type first. Skipped without kubectl."""

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from devloop.sandbox.cluster import Cluster
from tests.sandbox.client import CORE, Api, deployment
from tests.sandbox.scripted import ScriptedRuntime

pytestmark = pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
Nodes = dict[str, ScriptedRuntime]
Kubectl = Callable[..., Awaitable[str]]


@pytest.fixture
def kubectl(cluster: Cluster, tmp_path: Path) -> Kubectl:
    """Its output; what it says when it fails is the assertion's."""
    env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(tmp_path)}

    async def run(*args: str, stdin: str | None = None) -> str:
        process = await asyncio.create_subprocess_exec(
            "kubectl", *args, env=env, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate((stdin or "").encode())
        assert process.returncode == 0, f"kubectl {' '.join(args)}: {err.decode()}"
        return out.decode()

    return run


async def deploy(kubectl: Kubectl, replicas: int = 2) -> None:
    body = json.dumps(deployment(replicas=replicas, ports=[{"containerPort": 8080, "name": "http"}]))
    assert await kubectl("apply", "-f", "-", stdin=body) == "deployment.apps/web created\n"
    assert await kubectl("apply", "-f", "-", stdin=body) == "deployment.apps/web unchanged\n"
    assert "successfully rolled out" in await kubectl("rollout", "status", "deployment/web", "--timeout=20s")


async def test_get(kubectl: Kubectl) -> None:
    await deploy(kubectl)
    lines = (await kubectl("get", "deployments")).splitlines()
    assert lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1].split()[:4] == ["web", "2/2", "2", "2"]
    pods = (await kubectl("get", "pods", "-o", "wide", "--no-headers")).splitlines()
    assert {line.split()[6] for line in pods} == {"node1", "node2"}
    everything = await kubectl("get", "all")
    assert "deployment.apps/web" in everything
    assert "replicaset.apps/web-" in everything
    assert "Ready" in await kubectl("get", "nodes")
    assert "Scaled up replica set" in await kubectl("get", "events")
    path = "jsonpath={.items[*].status.phase}"
    assert await kubectl("get", "pods", "-l", "app=web", "-o", path) == "Running Running"


async def test_describe(kubectl: Kubectl) -> None:
    await deploy(kubectl)
    told = await kubectl("describe", "deployment", "web")
    assert "2 desired | 2 updated | 2 total | 2 available" in told
    assert "NewReplicaSetAvailable" in told
    assert "Scaled up replica set" in told
    told = await kubectl("describe", "pods")
    assert "Successfully pulled image" in told
    assert "Image ID:       r/app@sha256:" in told
    assert "KubeletReady" in await kubectl("describe", "node", "node1")


async def test_logs(kubectl: Kubectl, nodes: Nodes) -> None:
    await deploy(kubectl, 1)
    (program,) = [program for node in nodes.values() for program in node.programs]
    program.log.write("hello", 1)
    assert await kubectl("logs", "deployment/web", "--tail=1") == "hello\n"
    stamped = await kubectl("logs", "-l", "app=web", "--timestamps")
    assert stamped.splitlines()[-1] == "2026-01-01T00:00:01.000000000Z hello"


async def test_rollouts(kubectl: Kubectl) -> None:
    await deploy(kubectl)
    await kubectl("set", "image", "deployment/web", "web=r/app:2")
    await kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert await kubectl("get", "deployment", "web", "-o", image) == "r/app:2"
    assert [line.split()[0] for line in (await kubectl("rollout", "history", "deployment/web")).splitlines()[2:-1]] == [
        "1", "2",
    ]  # fmt: skip
    await kubectl("rollout", "undo", "deployment/web")
    await kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert await kubectl("get", "deployment", "web", "-o", image) == "r/app:1"
    await kubectl("rollout", "pause", "deployment/web")
    await kubectl("rollout", "resume", "deployment/web")
    assert "restarted" in await kubectl("rollout", "restart", "deployment/web")
    await kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert len((await kubectl("get", "replicasets", "-o", "name")).splitlines()) == 3


async def test_scale_wait_and_delete(kubectl: Kubectl) -> None:
    await deploy(kubectl, 1)
    await kubectl("scale", "deployment/web", "--replicas=3")
    await kubectl("wait", "--for=jsonpath={.status.availableReplicas}=3", "deployment/web", "--timeout=20s")
    await kubectl("wait", "--for=condition=Ready", "pod", "-l", "app=web", "--timeout=20s")
    await kubectl("delete", "deployment", "web")
    await kubectl("wait", "--for=delete", "pod", "-l", "app=web", "--timeout=20s")
    assert await kubectl("get", "pods", "-o", "name") == ""


async def test_labels_annotations_and_patches(kubectl: Kubectl) -> None:
    await deploy(kubectl, 0)
    await kubectl("label", "deployment", "web", "team=shop")
    await kubectl("annotate", "deployment", "web", "note=this")
    await kubectl("patch", "deployment/web", "-p", '{"spec": {"minReadySeconds": 1}}')
    await kubectl("patch", "deployment/web", "--type=json", "-p", '[{"op": "remove", "path": "/spec/minReadySeconds"}]')
    found = json.loads(await kubectl("get", "deployment", "web", "-o", "json", "--show-managed-fields"))
    assert found["metadata"]["labels"] == {"team": "shop"}
    managers = {entry["manager"] for entry in found["metadata"]["managedFields"]}
    assert {"kubectl-label", "kubectl-annotate", "kubectl-client-side-apply"} <= managers
    assert (await kubectl("auth", "can-i", "patch", "deployments")).strip() == "yes"


async def test_server_side_apply(kubectl: Kubectl) -> None:
    body = json.dumps(deployment(replicas=0))
    done = await kubectl("apply", "--server-side", "--field-manager=helm", "-f", "-", stdin=body)
    assert done == "deployment.apps/web serverside-applied\n"
    assert await kubectl("apply", "--server-side", "--field-manager=helm", "-f", "-", stdin=body) == done


async def test_create(kubectl: Kubectl, api: Api) -> None:
    await kubectl("create", "namespace", "shop")
    await kubectl("create", "deployment", "web", "--image=r/app:1", "--replicas=0", "-n", "shop")
    await kubectl("create", "configmap", "settings", "--from-literal=colour=red")
    assert (await api.get(f"{CORE}/configmaps/settings"))["data"] == {"colour": "red"}
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert await kubectl("get", "deployment", "web", "-n", "shop", "-o", image) == "r/app:1"
    raw = json.loads(await kubectl("get", "--raw", "/version"))
    assert raw["gitVersion"].endswith("devloop-sandbox")


async def test_a_followed_log_ends_with_its_pod(kubectl: Kubectl, cluster: Cluster, nodes: Nodes) -> None:
    await deploy(kubectl, 1)
    (program,) = [program for node in nodes.values() for program in node.programs]
    command = ("kubectl", "--kubeconfig", str(cluster.kubeconfig), "logs", "-f", "deployment/web")
    following = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert following.stdout is not None
    assert await following.stdout.readline() == b"started\n"
    program.log.write("more", 1)
    await kubectl("scale", "deployment/web", "--replicas=0")
    assert await following.stdout.read() == b"more\n"
    assert await following.wait() == 0
