"""Services of the sandbox: reachable from this machine, and told to programs."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from devloop.sandbox.cluster import Cluster
from tests.sandbox.client import APPS, CORE, Api, deployment, pod, rolled_out
from tests.sandbox.scripted import ScriptedRuntime

Nodes = dict[str, ScriptedRuntime]
SERVICE = {
    "metadata": {"name": "web-shop"},
    "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
}


@pytest.fixture
async def page() -> AsyncIterator[int]:
    """The port of a program that answers with what it was asked for."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.method} {request.path} {await request.text()}")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def test_a_service_has_a_port_of_this_machine(api: Api, cluster: Cluster, nodes: Nodes, page: int) -> None:
    assert cluster.url("default", "web-shop") is None
    await api.create(f"{CORE}/services", SERVICE)
    url = cluster.url("default", "web-shop")
    assert url is not None
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get(url)
        for runtime in nodes.values():
            runtime.begin = lambda program: setattr(program, "port", page)
        await api.create(f"{APPS}/deployments", deployment(replicas=2))
        await api.until(f"{APPS}/deployments/web", rolled_out)
        slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        await api.until(slices, lambda found: any(e["conditions"]["ready"] for e in found["items"][0]["endpoints"]))
        async with session.post(f"{url}cart?x=1", data="two") as answer:
            assert await answer.text() == "POST /cart two"
    assert (await api.send("POST", f"{CORE}/services/web-shop:http/proxy/cart", b"three", "text/plain")).body == (
        "POST /cart three"
    )
    await api.send("DELETE", f"{CORE}/services/web-shop")
    assert cluster.url("default", "web-shop") is None


async def test_programs_are_told_of_services(api: Api, cluster: Cluster, nodes: Nodes) -> None:
    await api.create(f"{CORE}/services", SERVICE)
    await api.create(f"{CORE}/pods", pod())
    await api.until(f"{CORE}/pods/web", lambda found: found["status"]["phase"] == "Running")
    (program,) = [program for runtime in nodes.values() for program in runtime.programs]
    port = str(cluster.services.local_port("default", "web-shop", 80))
    told = {key: value for key, value in program.spec.env.items() if key.startswith("WEB_SHOP")}
    assert told == {
        "WEB_SHOP_SERVICE_HOST": "127.0.0.1", "WEB_SHOP_SERVICE_PORT": port, "WEB_SHOP_SERVICE_PORT_HTTP": port,
    }  # fmt: skip
