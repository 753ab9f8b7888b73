"""The cluster adapter: against a real API server, and a scripted one for what that cannot be asked for."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from devloop.adapters import kubehttp
from devloop.adapters.kube import KubeCluster
from devloop.adapters.kubeauth import Login, log_in
from devloop.adapters.kubeconfig import PinnedContext
from devloop.core.failure import Failure, FailureCode
from devloop.core.ports import Access
from devloop.core.service import WorkloadKey
from tests.adapters.fakeapi import FakeApi, failure, fake_api, pinned, real_context

Kubectl = Callable[..., str]
KEY = WorkloadKey("shop", "deployment", "web")
ABSENT = FailureCode.WORKLOAD_ABSENT


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with fake_api() as api:
        yield api


@pytest.fixture
async def cluster() -> AsyncIterator[KubeCluster]:
    cluster = KubeCluster(real_context())
    yield cluster
    await cluster.close()


@pytest.fixture
async def viewer() -> AsyncIterator[KubeCluster]:
    cluster = KubeCluster(real_context("-viewer"))
    yield cluster
    await cluster.close()


def deployed(kubectl: Kubectl, namespace: str, registry: str, *command: str) -> WorkloadKey:
    image = f"--image={registry}/busybox:1"
    kubectl("-n", namespace, "create", "deployment", "web", image, "--", *(command or ("sleep", "3600")))
    return WorkloadKey(namespace, "deployment", "web")


@pytest.mark.e2e
async def test_read_and_patch(cluster: KubeCluster, kubectl: Kubectl, namespace: str, registry: str) -> None:
    key = deployed(kubectl, namespace, registry)
    before = await cluster.read(key)
    assert isinstance(before, dict)
    body = {"spec": {"template": {"spec": {"containers": [{"name": "busybox", "imagePullPolicy": "Always"}]}}}}
    after = await cluster.patch(key, body)
    assert isinstance(after, dict)
    (container,) = after["spec"]["template"]["spec"]["containers"]
    assert (container["imagePullPolicy"], container["image"]) == ("Always", f"{registry}/busybox:1")
    assert "devloop" in {m["manager"] for m in after["metadata"]["managedFields"]}
    path = "/spec/template/spec/containers/0/imagePullPolicy"
    again = await cluster.patch(key, [{"op": "replace", "path": path, "value": "IfNotPresent"}], json_patch=True)
    assert isinstance(again, dict)
    assert again["spec"]["template"] == before["spec"]["template"]
    listed = await cluster.list_deployments(namespace)
    assert [d["metadata"]["name"] for d in listed] == ["web"]  # type: ignore[union-attr]


@pytest.mark.e2e
async def test_what_is_not_there(cluster: KubeCluster, namespace: str) -> None:
    key = WorkloadKey(namespace, "deployment", "gone")
    assert await cluster.read(key) is None
    nowhere = failure(await cluster.read(WorkloadKey("no-such-namespace", "deployment", "gone")), ABSENT)
    assert nowhere.message.startswith("there is no namespace `no-such-namespace` in the cluster of context ")
    assert "deployment/gone" in failure(await cluster.patch(key, {}), FailureCode.WORKLOAD_ABSENT).message
    assert await cluster.namespace_exists(namespace) is True
    assert await cluster.namespace_exists("no-such-namespace") is False
    assert await cluster.list_deployments("no-such-namespace") == []
    assert await cluster.logs(namespace, "gone", "web") == ()


@pytest.mark.parametrize("status", [200, 403, 404])
async def test_a_namespace_is_called_absent_only_where_that_is_known(status: int, api: FakeApi, tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        wanted = status if request.path == "/api/v1/namespaces/shop" else 404
        return web.json_response({"kind": "Namespace", "message": "no"}, status=wanted)

    api.handler = answer
    cluster = KubeCluster(pinned(tmp_path, api.url, {}))
    read = await cluster.read(KEY)
    await cluster.close()
    if status == 404:
        assert failure(read, ABSENT).message == "there is no namespace `shop` in the cluster of context fake"
    else:
        assert read is None


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("body", "json_patch", "code", "words"),
    [
        ({"spec": {"replicas": -1}}, False, FailureCode.PATCH_REJECTED, "must be greater than or equal to 0"),
        ({"spec": {"replicas": "many"}}, False, FailureCode.PATCH_REJECTED, "replicas"),
        ({"metadata": {"resourceVersion": "1"}}, False, FailureCode.WORKLOAD_CHANGED, "has been modified"),
        (
            [{"op": "test", "path": "/metadata/name", "value": "x"}],
            True,
            FailureCode.PATCH_REJECTED,
            "rejected our request",
        ),
    ],
)
async def test_a_patch_that_the_api_server_does_not_want(
    cluster: KubeCluster,
    kubectl: Kubectl,
    namespace: str,
    registry: str,
    body: Any,
    json_patch: bool,
    code: FailureCode,
    words: str,
) -> None:
    key = deployed(kubectl, namespace, registry)
    rejected = await cluster.patch(key, body, json_patch=json_patch)
    assert words in failure(rejected, code).message


@pytest.mark.e2e
async def test_a_viewer_is_told_what_he_may_not(
    viewer: KubeCluster, kubectl: Kubectl, namespace: str, registry: str
) -> None:
    key = deployed(kubectl, namespace, registry)
    assert await viewer.ping() is None
    assert isinstance(await viewer.read(key), dict)
    denied = failure(await viewer.patch(key, {"metadata": {"labels": {"a": "b"}}}), FailureCode.CLUSTER_DENIED)
    assert "cannot patch resource" in denied.message
    failure(await viewer.nodes_platforms(), FailureCode.CLUSTER_DENIED)
    assert await viewer.allowed(Access("patch", "apps", "deployments", namespace)) is False
    assert await viewer.allowed(Access("get", "", "pods/log", namespace)) is True


@pytest.mark.e2e
async def test_what_the_cluster_says_of_itself(cluster: KubeCluster, registry: str) -> None:
    assert await cluster.ping() is None
    version = await cluster.version()
    assert isinstance(version, str)
    assert version.startswith("v1.")
    assert await cluster.allowed(Access("patch", "apps", "deployments", "")) is True
    platforms = await cluster.nodes_platforms()
    assert platforms
    assert not isinstance(platforms, Failure)
    assert all(platform.startswith("linux/") for platform in platforms)
    hosting = await cluster.local_registry()
    assert hosting is None or (not isinstance(hosting, Failure) and hosting["host"])


@pytest.mark.e2e
async def test_logs_of_a_container_and_of_the_one_before_it(
    cluster: KubeCluster, kubectl: Kubectl, namespace: str, registry: str
) -> None:
    script = "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i; done; [ -e /seen/x ] && sleep 3600; touch /seen/x"
    mount = {"volumeMounts": [{"name": "seen", "mountPath": "/seen"}]}
    container = {"name": "web", "image": f"{registry}/busybox:1", "command": ["sh", "-c", script], **mount}
    spec = {"containers": [container], "volumes": [{"name": "seen", "emptyDir": {}}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}
    kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(pod))
    restarted = "jsonpath={.status.containerStatuses[0].restartCount}=1"
    kubectl("-n", namespace, "wait", "pod/web", f"--for={restarted}", "--timeout=40s")
    kubectl("-n", namespace, "wait", "pod/web", "--for=condition=Ready", "--timeout=40s")
    assert await cluster.logs(namespace, "web", "web", tail=2) == ["line 29", "line 30"]
    before = await cluster.logs(namespace, "web", "web", previous=True)
    assert not isinstance(before, Failure)
    assert len(before) == 20
    assert await cluster.logs(namespace, "web", "other") == ()


async def test_the_kubelet_s_own_words_are_no_log(api: FakeApi, tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"2026-01-01T00:00:01Z panic: \xff\r\nunable to retrieve container logs for x\n")

    api.handler = handler
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "t"}))
    assert await cluster.logs("shop", "web-1", "web") == ["panic: \N{REPLACEMENT CHARACTER}"]
    await cluster.close()


async def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = f"http://user:secret@127.0.0.1:{unused.getsockname()[1]}"
        cluster = KubeCluster(pinned(tmp_path, server, {"token": "secret"}))
        found = failure(await cluster.read(KEY), FailureCode.CLUSTER_UNREACHABLE)
        await cluster.close()
    assert "does not answer" in found.message
    assert "secret" not in str(found)


@pytest.mark.parametrize("used_before", [True, False])
async def test_a_late_request_after_the_end_fails_and_does_not_connect_again(
    used_before: bool, api: FakeApi, tmp_path: Path
) -> None:
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "t"}))
    if used_before:
        failure(await cluster.read(KEY), ABSENT)
    await cluster.close()
    before = len(api.requests)
    assert "closed" in failure(await cluster.read(KEY), FailureCode.CLUSTER_UNREACHABLE).message
    assert len(api.requests) == before


async def test_credentials_that_come_after_the_end_open_no_session(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def slowly(pinned: PinnedContext) -> Login | Failure:
        asked.set()
        await ended.wait()
        return await log_in(pinned)

    monkeypatch.setattr(kubehttp, "log_in", slowly)
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "t"}))
    reading = asyncio.create_task(cluster.read(KEY))
    await asked.wait()
    await cluster.close()
    ended.set()
    assert "closed" in failure(await reading, FailureCode.CLUSTER_UNREACHABLE).message
    assert not api.requests


async def test_somebody_listens_who_says_nothing(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubehttp, "READ_TIMEOUT", 0.1)
    hanging = asyncio.Event()

    async def handler(_: web.Request) -> web.StreamResponse:
        await hanging.wait()
        return web.json_response({})

    api.handler = handler
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "t"}))
    assert "in time" in failure(await cluster.read(KEY), FailureCode.CLUSTER_UNREACHABLE).message
    hanging.set()
    await cluster.close()


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [
        (200, "<html>", FailureCode.CLUSTER_UNREACHABLE),
        (302, "", FailureCode.CLUSTER_UNREACHABLE),
        (403, '{"message": "no, says the server"}', FailureCode.CLUSTER_DENIED),
        (429, "slow down", FailureCode.CLUSTER_UNREACHABLE),
        (500, '{"message": "etcdserver: leader changed"}', FailureCode.CLUSTER_UNREACHABLE),
        (503, "", FailureCode.CLUSTER_UNREACHABLE),
    ],
)
async def test_answers_that_are_no_workload(
    api: FakeApi, tmp_path: Path, status: int, text: str, code: FailureCode
) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text)

    api.handler = handler
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "t"}))
    failure(await cluster.read(KEY), code)
    failure(await cluster.list_deployments("shop"), code)
    await cluster.close()


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (403, 'admission webhook "policy" denied the request: no', FailureCode.PATCH_REJECTED),
        (403, 'deployments.apps "web" is forbidden: User "u" cannot patch resource', FailureCode.CLUSTER_DENIED),
        (500, 'Internal error occurred: failed calling webhook "policy"', FailureCode.PATCH_REJECTED),
        (500, "etcdserver: request timed out", FailureCode.CLUSTER_UNREACHABLE),
        (403, "denied request: images cannot be pulled Always", FailureCode.PATCH_REJECTED),
        (422, "Deployment is invalid", FailureCode.PATCH_REJECTED),
        (409, "the object has been modified", FailureCode.WORKLOAD_CHANGED),
        (401, "Unauthorized", FailureCode.CLUSTER_LOGIN),
        (404, "not found", FailureCode.WORKLOAD_ABSENT),
    ],
)
async def test_a_patch_refused(api: FakeApi, tmp_path: Path, status: int, message: str, code: FailureCode) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Status", "message": message}, status=status)

    api.handler = handler
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "t"}))
    found = failure(await cluster.patch(KEY, {}), code)
    assert status in {401, 404} or message in found.message
    await cluster.close()


async def test_nothing_is_written_to_another_cluster_at_the_same_address(api: FakeApi, tmp_path: Path) -> None:
    uid = "one"

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"metadata": {"uid": uid}})

    api.handler = handler
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "t"}))
    assert await cluster.ping() is None
    assert not isinstance(await cluster.patch(KEY, {}), Failure)
    uid = "two"
    failure(await cluster.patch(KEY, {}), FailureCode.CONTEXT_REFUSED)
    assert [r.method for r in api.requests].count("PATCH") == 1
    await cluster.close()
