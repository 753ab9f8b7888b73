"""Leases: against a real API server, and a scripted one for what that cannot be asked for."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from devloop.adapters.kube import KubeCluster
from devloop.adapters.kubelease import KubeLeases
from devloop.core.failure import Failure, FailureCode
from devloop.core.lease import Holder, Lease, lease_body
from devloop.core.service import WorkloadKey
from tests.adapters.fakeapi import FakeApi, failure, fake_api, pinned, real_context
from tests.conftest import Kubectl

ANN = Holder("ann", "desk", 12, "s1", "machine1", "boot-100")
JO = Holder("jo", "laptop", 4711, "s2", "machine2", "boot-200")
NOW = 1_700_000_000.25


@pytest.fixture
async def leases() -> AsyncIterator[KubeLeases]:
    cluster = KubeCluster(real_context())
    yield KubeLeases(cluster)
    await cluster.close()


def written(found: Lease | Failure | None) -> Lease:
    assert isinstance(found, Lease)
    return found


@pytest.mark.e2e
async def test_made_renewed_taken_and_removed(leases: KubeLeases, kubectl: Kubectl, namespace: str) -> None:
    key = WorkloadKey(namespace, "deployment", "web")
    assert await leases.read(key) is None
    made = written(await leases.write(key, Lease(ANN, NOW, NOW)))
    assert replace(made, version="") == Lease(ANN, NOW, NOW)
    assert await leases.read(key) == made
    kubectl("-n", namespace, "label", "lease", "devloop-web", "team=shop")
    assert await leases.write(key, replace(made, renewed=NOW + 1)) is None, "somebody was faster"
    labelled = written(await leases.read(key))
    renewed = written(await leases.write(key, replace(labelled, renewed=NOW + 1)))
    assert renewed.renewed == NOW + 1
    taken = written(await leases.write(key, Lease(JO, NOW + 2, NOW + 2, 30.0, 1, renewed.version)))
    assert taken.holder == JO
    found = json.loads(kubectl("-n", namespace, "get", "lease", "devloop-web", "-o", "json"))
    assert found["spec"]["holderIdentity"] == "jo@laptop/4711"
    assert found["spec"]["leaseTransitions"] == 1
    assert found["metadata"]["labels"] == {"team": "shop"}, "what others wrote stays"
    assert await leases.write(key, Lease(ANN, NOW, NOW)) is None, "there is one already"
    assert isinstance(await leases.remove(key, renewed), Failure), "it is no longer of that version"
    assert await leases.read(key) == taken
    assert await leases.remove(key, taken) is None
    assert await leases.remove(key, taken) is None, "it is gone"
    assert await leases.write(key, taken) is None
    assert await leases.read(key) is None


@pytest.mark.e2e
async def test_a_user_who_may_only_look(kubectl: Kubectl, namespace: str) -> None:
    cluster = KubeCluster(real_context("-viewer"))
    key = WorkloadKey(namespace, "deployment", "web")
    failure(await KubeLeases(cluster).write(key, Lease(ANN, NOW, NOW)), FailureCode.CLUSTER_DENIED)
    await cluster.close()


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with fake_api() as api:
        yield api


async def test_nothing_is_written_to_another_cluster_at_the_same_address(api: FakeApi, tmp_path: Path) -> None:
    uid, key = "one", WorkloadKey("shop", "deployment", "web")

    async def handler(request: web.Request) -> web.StreamResponse:
        if "leases" in request.path:
            return web.json_response(lease_body(key, Lease(ANN, NOW, NOW, version="7")))
        return web.json_response({"metadata": {"uid": uid}})

    api.handler = handler
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "t"}))
    leases = KubeLeases(cluster)
    lease = written(await leases.write(key, Lease(ANN, NOW, NOW)))
    uid = "two"
    for refused in (
        await leases.write(key, Lease(ANN, NOW, NOW)),
        await leases.write(key, lease),
        await leases.remove(key, lease),
    ):
        failure(refused, FailureCode.CONTEXT_REFUSED)
    assert [r.method for r in api.requests if "leases" in r.path] == ["POST"]
    await cluster.close()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (422, FailureCode.CLUSTER_DENIED),
        (400, FailureCode.CLUSTER_DENIED),
        (403, FailureCode.CLUSTER_DENIED),
        (404, FailureCode.WORKLOAD_ABSENT),
        (429, FailureCode.CLUSTER_UNREACHABLE),
        (503, FailureCode.CLUSTER_UNREACHABLE),
        (200, FailureCode.CLUSTER_UNREACHABLE),
    ],
)
async def test_what_is_refused_for_good_and_what_is_trouble(
    api: FakeApi, tmp_path: Path, status: int, code: FailureCode
) -> None:
    """Only trouble keeps a session from writing; a cluster that takes no Leases does not."""

    async def handler(request: web.Request) -> web.StreamResponse:
        refused = request.method == "POST"
        return web.Response(text="no", status=status) if refused else web.json_response({"metadata": {"uid": "one"}})

    api.handler = handler
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "t"}))
    lease = Lease(ANN, NOW, NOW)
    failure(await KubeLeases(cluster).write(WorkloadKey("shop", "deployment", "web"), lease), code)
    await cluster.close()


async def test_an_api_server_that_is_away(tmp_path: Path) -> None:
    cluster = KubeCluster(pinned(tmp_path, "http://127.0.0.1:9", {"token": "t"}))
    leases, key = KubeLeases(cluster), WorkloadKey("shop", "deployment", "web")
    failure(await leases.read(key), FailureCode.CLUSTER_UNREACHABLE)
    failure(await leases.write(key, Lease(ANN, NOW, NOW)), FailureCode.CLUSTER_UNREACHABLE)
    failure(await leases.remove(key, Lease(ANN, NOW, NOW)), FailureCode.CLUSTER_UNREACHABLE)
    await cluster.close()
