"""A registry, and nodes that pull from it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devloop.sandbox.registry.server import Registry
from devloop.sandbox.runtime.node import Runtime
from devloop.sandbox.runtime.process import Container
from devloop.sandbox.runtimeport import ContainerSpec
from tests.sandbox.images import Files, layer, push


@dataclass
class Site:
    """A registry with what it was asked, and two nodes."""

    registry: Registry
    nodes: tuple[Runtime, Runtime]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def name(self, tag: str = "dev") -> str:
        return f"{self.registry.host}/app:{tag}"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    asked: list[tuple[str, str]] = []
    async with (
        Registry(tmp_path / "registry", heard=lambda method, path: asked.append((method, path))) as registry,
        Runtime(tmp_path / "node1", platform="linux/amd64") as one,
        Runtime(tmp_path / "node2", platform="linux/amd64") as two,
    ):
        yield Site(registry, (one, two), asked)


Run = Callable[..., Awaitable[Container]]


@pytest.fixture
def run(site: Site) -> Run:
    """Starts a container of an image with these files on the first node."""
    starts = 0

    async def start(
        command: tuple[str, ...] = (), files: Files | None = None, args: tuple[str, ...] = (), **config: object
    ) -> Container:
        nonlocal starts
        starts += 1
        env = config.pop("env", {})
        folder = str(config.pop("folder", ""))
        await push(site.registry, "app", "dev", [layer(files or {})], **config)
        pulled = await site.nodes[0].pull(site.name(), "Always")
        spec = ContainerSpec("default/app-1/u1", "app", pulled.image_id, command, args, env, folder, starts)  # type: ignore[arg-type]
        return await site.nodes[0].start(spec)

    return start


def lines(container: Container) -> list[tuple[str, str, str]]:
    """Stream, tag and text of what it wrote."""
    split = (line.split(" ", 3) for line in container.logs().path.read_text().splitlines())
    return [(stream, tag, text) for _, stream, tag, text in split]
