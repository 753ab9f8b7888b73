"""What `why` reads of a namespace, and what it does not make up where a list may not be read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from devloop.adapters import kubehttp
from devloop.adapters.kube import KubeCluster
from devloop.adapters.kubeobjects import read_namespace
from devloop.core.failure import Failure, FailureCode
from devloop.core.why.subject import NamespaceObjects
from tests.adapters.fakeapi import fake_api, pinned

WEB = {"metadata": {"name": "web", "uid": "1"}}
OWNED = {"metadata": {"name": "web-1-x", "ownerReferences": [{"kind": "ReplicaSet", "name": "x", "controller": True}]}}


async def read(
    folder: Path, lists: Mapping[str, list[Any]], refused: Mapping[str, int], name: str = ""
) -> NamespaceObjects | Failure:
    """A namespace with these lists, of which some are refused with a status."""

    async def answer(request: web.Request) -> web.StreamResponse:
        plural = request.path.rpartition("/")[2]
        if plural in refused:
            return web.json_response({"message": f"{plural} is forbidden"}, status=refused[plural])
        return web.json_response({"items": lists.get(plural, [])})

    async with fake_api() as api:
        api.handler = answer
        cluster = KubeCluster(pinned(folder, api.url, {"token": "t"}))
        try:
            return await read_namespace(cluster, "shop", name)
        finally:
            await cluster.close()


@pytest.mark.parametrize(
    ("lists", "refused", "name", "code"),
    [
        ({}, {"pods": 403}, "", FailureCode.CLUSTER_DENIED),
        ({"deployments": [WEB]}, {"replicasets": 403}, "web", FailureCode.CLUSTER_DENIED),
        ({"pods": [OWNED]}, {"replicasets": 403}, "", FailureCode.CLUSTER_DENIED),
        ({"statefulsets": [WEB]}, {"controllerrevisions": 403}, "web", FailureCode.CLUSTER_DENIED),
        ({"daemonsets": [WEB]}, {"controllerrevisions": 403}, "", FailureCode.CLUSTER_DENIED),
        ({"deployments": [WEB]}, {"daemonsets": 500}, "web", FailureCode.CLUSTER_UNREACHABLE),
        ({}, {"deployments": 403, "statefulsets": 403, "daemonsets": 403}, "", FailureCode.CLUSTER_DENIED),
    ],
)
async def test_a_list_that_the_answer_needs(
    tmp_path: Path, lists: Mapping[str, list[Any]], refused: Mapping[str, int], name: str, code: FailureCode
) -> None:
    found = await read(tmp_path, lists, refused, name)
    assert isinstance(found, Failure)
    assert (found.code, f"{next(iter(refused))} is forbidden" in found.message) == (code, True)


@pytest.mark.parametrize(
    ("lists", "refused", "name", "denied"),
    [
        ({"statefulsets": [WEB]}, {"replicasets": 403}, "web", set()),
        ({"statefulsets": [WEB], "pods": [OWNED]}, {"replicasets": 403}, "web", set()),
        ({"deployments": [WEB]}, {"controllerrevisions": 403}, "web", set()),
        ({"deployments": [WEB]}, {"statefulsets": 403}, "web", {"statefulset"}),
        ({"deployments": [WEB]}, {"events": 403, "endpointslices": 403, "nodes": 403}, "", set()),
    ],
)
async def test_a_list_that_only_costs_what_it_would_have_told(
    tmp_path: Path, lists: Mapping[str, list[Any]], refused: Mapping[str, int], name: str, denied: set[str]
) -> None:
    found = await read(tmp_path, lists, refused, name)
    assert isinstance(found, NamespaceObjects)
    assert found.denied == denied
    assert (found.events is None, found.slices is None, found.nodes is None) == ("events" in refused,) * 3


async def test_an_api_server_that_is_too_busy_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubehttp, "_OVERLOADED", frozenset())
    found = await read(tmp_path, {"deployments": [WEB]}, {"replicasets": 429})
    assert isinstance(found, Failure)
    assert found.code is FailureCode.CLUSTER_UNREACHABLE
