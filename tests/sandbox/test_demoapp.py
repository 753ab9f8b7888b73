"""The demo's app, as it is copied, built, pulled and run; without a cluster."""

import asyncio
import json
from pathlib import Path

import aiohttp

from devloop.adapters.assembling import AssemblingBuilder
from devloop.adapters.configfile import LoadedConfig, load
from devloop.adapters.registry import HttpRegistry
from devloop.core.image import ImageRef
from devloop.core.ports import BuildRequest, Built
from devloop.core.service import BuildSpec
from devloop.sandbox.baseimage import put_base_image
from devloop.sandbox.demoapp import SERVICES, copy_app, manifests
from devloop.sandbox.registry.server import Registry
from devloop.sandbox.runtime.node import Runtime
from devloop.sandbox.runtime.process import Container
from devloop.sandbox.runtimeport import ContainerSpec


async def _page(port: int, path: str = "/") -> str:
    """Once it listens."""
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                    assert answer.status == 200
                    return await answer.text()
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.02)


async def test_it_is_built_pulled_and_runs(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    async with (
        Registry(tmp_path / "registry") as registry,
        Runtime(tmp_path / "node") as node,
        HttpRegistry(env={}) as http,
    ):
        await put_base_image(registry.host)
        copy_app(folder, registry=registry.host, context="c", namespace="n", api_url="x")
        builder = AssemblingBuilder(http)

        async def run(name: str, **env: str) -> Container:
            spec = BuildSpec(folder / name, folder / name / "Dockerfile")
            request = BuildRequest(spec, ImageRef.parse(f"{registry.host}/demo/{name}:dev"), "")
            assert await builder.check(request) is None
            assert isinstance(built := await builder.build(request, lambda _: None), Built), built
            pulled = await node.pull(str(request.push), "IfNotPresent")
            return await node.start(ContainerSpec(f"n/{name}-1/u", name, pulled.image_id, (), (), env, "", 0))

        api = await run("api")
        assert json.loads(await _page(api.port))["pod"] == "api-1"
        web = await run("web", API_URL=f"http://127.0.0.1:{api.port}/")
        assert await _page(web.port, "/healthz") == "ok"
        page = await _page(web.port)
        assert "Good morning!" in page
        assert "<li>espresso</li>" in page
        assert "served by web-1" in page
        assert "{" not in page.partition("<main>")[2]
        await api.stop(5)
        assert "api does not answer" in await _page(web.port)
        assert web.logs().path.read_text().split(" ", 3)[3].startswith(f"web: Good morning! on port {web.port}")


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    given = {"registry": "127.0.0.1:1", "context": "sandbox", "namespace": "demo", "api_url": "http://api/"}
    written = copy_app(tmp_path, **given)
    assert written == [
        "api/.dockerignore", "api/Dockerfile", "api/api.py", "deploy.yaml", "devloop.toml", "web/.dockerignore",
        "web/Dockerfile", "web/page.html", "web/web.py",
    ]  # fmt: skip
    assert not any("@" in path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    (tmp_path / "web/web.py").write_text("mine")
    assert copy_app(tmp_path, **given) == []
    assert (tmp_path / "web/web.py").read_text() == "mine"


def test_its_configuration_is_one(tmp_path: Path) -> None:
    copy_app(tmp_path, registry="127.0.0.1:1", context="sandbox", namespace="demo", api_url="http://api/")
    loaded = load(None, tmp_path, {})
    assert isinstance(loaded, LoadedConfig)
    assert set(loaded.config.services) == set(SERVICES)


def test_what_it_runs_as() -> None:
    documents = manifests(registry="127.0.0.1:1", namespace="demo", api_url="http://api/")
    assert [(each["kind"], each["metadata"]["name"]) for each in documents] == [
        ("Deployment", "api"), ("Service", "api"), ("Deployment", "web"), ("Service", "web"),
    ]  # fmt: skip
    assert {each["metadata"]["namespace"] for each in documents} == {"demo"}
    pods = [each["spec"]["template"]["spec"] for each in documents if each["kind"] == "Deployment"]
    containers = [pod["containers"][0] for pod in pods]
    assert [each["image"] for each in containers] == [f"127.0.0.1:1/demo/{name}:dev" for name in SERVICES]
    assert containers[1]["env"] == [{"name": "API_URL", "value": "http://api/"}]
