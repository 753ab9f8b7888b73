"""What `devloop doctor` says of workloads that carry changes of devloop: mine, those in use, and other people's."""

import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from devloop.adapters.kube import KubeCluster
from devloop.core.checkup import Check, Level
from devloop.core.lease import Holder, Lease, lease_body, lease_name
from devloop.core.manifest import deployment
from devloop.core.original import Original, Written
from devloop.core.service import WorkloadKey
from devloop.session.doctor.leftbehind import of_left_behind
from devloop.session.undo import undo_line
from tests.adapters.fakeapi import fake_api, pinned

JO = Holder("jo", "laptop", 4711, "1b6732b5")
UNDO = "devloop restore deployment/web -n shop"


RECORD = Original(1.0).with_field("web", "image", Written("h:5000/web:1", "h:5000/web:dev"))


def marked(namespace: str, record: Original = RECORD) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "web", "namespace": namespace, "uid": "u", "labels": {"devloop/active": "true"}}
    metadata["annotations"] = {"devloop/original": record.encode()}
    web = {"name": "web", "image": "h:5000/web:dev", "imagePullPolicy": "Always"}
    spec = {"selector": {}, "template": {"spec": {"containers": [web]}}}
    return {"metadata": metadata, "spec": spec, "status": {}}


def lease(namespace: str, age: float) -> dict[str, Any]:
    now = time.time() - age
    return lease_body(WorkloadKey(namespace, "deployment", "web"), Lease(JO, now, now))


async def told(folder: Path, *namespaces: str, **more: Any) -> list[tuple[str, str, str]]:
    """Level, message and fix of each of `checks`."""
    return [(str(each.level), each.message, each.fix) for each in await checks(folder, *namespaces, **more)]


async def checks(
    folder: Path, *namespaces: str, leases: dict[str, dict[str, Any]], record: Original = RECORD,
    going_on: tuple[WorkloadKey, ...] = (),
) -> list[Check]:  # fmt: skip
    """For somebody who works in the namespace shop."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/deployments"):
            return web.json_response({"items": [marked(name, record) for name in namespaces]})
        for name, body in leases.items():
            if request.path.endswith(f"/namespaces/{name}/leases/{lease_name(WorkloadKey(name, 'deployment', 'web'))}"):
                return web.json_response(body)
        return web.json_response({"message": "not found"}, status=404)

    async with fake_api() as api:
        api.handler = answer
        cluster = KubeCluster(pinned(folder, api.url, {}))
        try:
            return await of_left_behind(cluster, ["shop"], "", going_on)
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
    stands = "deployment/web in namespace shop is on h:5000/web:dev under Always"
    assert message == f"{stands} (looked in all namespaces)"


async def test_what_a_session_is_about_to_go_on_with_is_not_to_be_undone(tmp_path: Path) -> None:
    """After `init`, which asks whether to start one."""
    own = WorkloadKey("shop", "deployment", "web")
    ((level, message, fix),) = await told(tmp_path, "shop", leases={}, going_on=(own,))
    assert (level, fix) == ("ok", "")
    stands = "deployment/web in namespace shop is on h:5000/web:dev under Always"
    assert message == f"{stands} from an earlier session; `devloop up` goes on with it"
    other = WorkloadKey("shop", "deployment", "api")
    ((level, _, fix),) = await told(tmp_path, "shop", leases={}, going_on=(other,))
    assert (level, fix) == ("note", UNDO)


NO_NEWS = "devloop's marks (its image and pull policy were so before)"


async def test_what_was_so_before_devloop_is_told_as_that(tmp_path: Path) -> None:
    ((level, message, fix),) = await told(tmp_path, "shop", leases={}, record=Original(1.0))
    assert (level, fix) == ("note", UNDO)
    assert message == f"deployment/web in namespace shop carries {NO_NEWS} (looked in all namespaces)"


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (RECORD, "on h:5000/web:dev under Always"),
        (Original(1.0), f"with {NO_NEWS}"),
        (Original(), "with devloop's marks"),
    ],
)
def test_the_last_words_say_what_is_left(record: Original, words: str) -> None:
    assert undo_line(deployment(marked("shop", record))) == f"left deployment/web {words}; undo: {UNDO}"


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
