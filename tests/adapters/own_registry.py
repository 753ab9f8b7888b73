"""A registry of the test's own, with basic authentication, on a free loopback port."""

import asyncio
import base64
import contextlib
import json
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devloop.adapters.processes import run

USER, PASSWORD = "dev", "registry-pw-1"
_HTPASSWD = f"{USER}:$2b$05$N/bfcVCwIuTxyGXK/qb3suNWCAYDnrepzfkMIFxVd74B1MqpsdgbK\n"
_CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: "{host}"}}
auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}
"""


@dataclass(frozen=True, slots=True)
class OwnRegistry:
    """Where it listens, and a place for Docker configuration files."""

    host: str
    folder: Path

    def docker_config(self, password: str | None = PASSWORD) -> Path:
        """A `DOCKER_CONFIG` folder with that password, or without credentials, and with this machine's plugins."""
        folder = self.folder / {None: "docker-none", PASSWORD: "docker-right"}.get(password, "docker-wrong")
        folder.mkdir(exist_ok=True)
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        data = {
            "auths": {self.host: {"auth": auth}} if password else {},
            "cliPluginsExtraDirs": [str(Path.home() / ".docker" / "cli-plugins")],
        }
        (folder / "config.json").write_text(json.dumps(data))
        return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answers(host: str) -> None:
    address, _, port = host.rpartition(":")
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(address, int(port))
            writer.close()
            return
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def own_registry(folder: Path) -> AsyncIterator[OwnRegistry]:
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not on PATH")
    host = f"127.0.0.1:{free_port()}"
    (folder / "htpasswd").write_text(_HTPASSWD)
    (folder / "registry.yml").write_text(_CONFIG.format(folder=folder, host=host))
    server = asyncio.ensure_future(run([program, "serve", folder / "registry.yml"]))
    try:
        async with asyncio.timeout(20):
            await _answers(host)
        yield OwnRegistry(host, folder)
    finally:
        server.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await server
