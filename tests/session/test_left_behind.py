"""What `devloop doctor` says of workloads that carry changes of devloop: mine, those in use, and other people's."""

import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from devloop.adapters.kube import KubeCluster
from devloop.core.checkup import Check, Level
from devloop.core.lease import Holder, Lease, lease_body, lease_name
from devloop.core.service import WorkloadKey
from devloop.session.doctor.leftbehind import of_left_behind
from tests.adapters.fakeapi import fake_api, pinned

JO = Holder("jo", "laptop", 4711, "1b6732b5")
UNDO = "devloop restore deployment/web -n shop"


def marked(namespace: str) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": namespace, "uid": "u", "labels": {"devloop/active": "true"}}
    spec = {"selector": {}, "template": {"spec": {"containers": [{"name": "web", "image": "h:5000/web:dev"}]}}}
    return {"metadata": metadata, "spec": spec, "status": {}}


def lease(namespace: str, age: float) -> dict[str, Any]:
    now = time.time() - age
    return lease_body(WorkloadKey(namespace, "deployment", "web"), Lease(JO, now, now))


async def told(folder: Path, *namespaces: str, leases: dict[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Level, message and fix, for somebody who works in the namespace shop."""
    return [(str(check.level), check.message, check.fix) for check in await checks(folder, *namespaces, leases=leases)]


async def checks(folder: Path, *namespaces: str, leases: dict[str, dict[str, Any]]) -> list[Check]:

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/deployments"):
            return web.json_response({"items": [marked(name) for name in namespaces]})
        for name, body in leases.items():
            if request.path.endswith(f"/namespaces/{name}/leases/{lease_name(WorkloadKey(name, 'deployment', 'web'))}"):
                return web.json_response(body)
        return web.json_response({"message": "not found"}, status=404)

    async with fake_api() as api:
        api.handler = answer
        cluster = KubeCluster(pinned(folder, api.url, {}))
        try:
            return await of_left_behind(cluster, ["shop"], "")
        finally:
            await cluster.close()


async def test_what_a_session_works_on_is_not_left_behind(tmp_path: Path) -> None:
    used, left = await checks(tmp_path, "shop", leases={"shop": lease("shop", 1.0)})
    assert (used.name, used.level, used.fix) == ("in use", Level.OK, "")
    assert used.message.startswith("deployment/web in namespace shop is on ")
    assert used.message.endswith(": jo@laptop/4711 works on it")
    assert (left.name, left.level) == ("left behind", Level.OK)
    assert left.message.startswith("no Deployment that nobody works on carries changes of devloop")


@pytest.mark.parametrize("leases", [{}, {"shop": lease("shop", 3600.0)}], ids=["none", "one that ran out"])
async def test_what_nobody_works_on_is_listed_with_what_undoes_it(
    tmp_path: Path, leases: dict[str, dict[str, Any]]
) -> None:
    ((level, message, fix),) = await told(tmp_path, "shop", leases=leases)
    assert (level, fix) == ("note", UNDO)
    assert message.endswith("(looked in all namespaces)")


async def test_what_is_elsewhere_is_counted_in_one_line(tmp_path: Path) -> None:
    found = await told(tmp_path, "shop", "ann", "bob", "jo", leases={"jo": lease("jo", 1.0)})
    assert [fix for *_, fix in found] == [UNDO, "where it is yours: devloop restore --all -n NAMESPACE"]
    assert found[1][1] == (
        "2 Deployments in other namespaces (ann, bob) carry changes of devloop, and nobody works on them "
        "(looked in all namespaces)"
    )


async def test_where_all_are_in_use_elsewhere_there_is_nothing_to_undo(tmp_path: Path) -> None:
    ((level, message, _),) = await told(tmp_path, "jo", leases={"jo": lease("jo", 1.0)})
    assert level == "ok"
    assert message.startswith("no Deployment that nobody works on carries changes of devloop")
