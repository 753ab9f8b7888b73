"""A registry of the test's own, with basic authentication, on a free loopback port."""

import asyncio
import base64
import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

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
    """With basic authentication, in plain HTTP."""
    async with _serving(folder, _CONFIG) as own:
        yield own


@contextlib.asynccontextmanager
async def _serving(folder: Path, config: str) -> AsyncIterator[OwnRegistry]:
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not on PATH")
    host = f"127.0.0.1:{free_port()}"
    (folder / "htpasswd").write_text(_HTPASSWD)
    (folder / "registry.yml").write_text(config.format(folder=folder, host=host))
    server = asyncio.ensure_future(run([program, "serve", folder / "registry.yml"]))
    try:
        async with asyncio.timeout(20):
            await _answers(host)
        yield OwnRegistry(host, folder)
    finally:
        server.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await server


@contextlib.asynccontextmanager
async def tls_registry(folder: Path) -> AsyncIterator[OwnRegistry]:
    """The same with basic authentication over TLS, with a certificate of its own."""
    _certificate(folder)
    async with _serving(
        folder, _CONFIG.replace('"}}', '", tls: {{certificate: {folder}/ca.crt, key: {folder}/ca.key}}}}')
    ) as own:
        yield own


@contextlib.asynccontextmanager
async def token_registry(folder: Path) -> AsyncIterator[tuple[OwnRegistry, list[str]]]:
    """One that wants tokens of a token server, which signs them for whoever has the password; what was asked for."""
    _certificate(folder)
    asked: list[str] = []

    async def token(request: web.Request) -> web.Response:
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {wanted}":
            return web.Response(status=401)
        asked.append(request.query.get("scope", ""))
        return web.json_response({"token": _token(folder, asked[-1]), "expires_in": 60})

    app = web.Application()
    app.router.add_get("/token", token)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", free_port())
    await site.start()
    given = f"realm: '{site.name}/token', service: test, issuer: test, rootcertbundle: {{folder}}/ca.crt"
    auth = f"auth: {{{{token: {{{{{given}}}}}}}}}"
    try:
        async with _serving(folder, re.sub(r"auth: .*", lambda _: auth, _CONFIG)) as own:
            yield own, asked
    finally:
        await runner.cleanup()


def _certificate(folder: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on PATH")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.crt")]
    subprocess.run([*command, *more], check=True, capture_output=True)


def _token(folder: Path, scope: str) -> str:
    """A signed token (RFC 7519) that allows what is asked for, as the distribution project's registry reads it."""
    pem = (folder / "ca.crt").read_text().split("-----")[2]
    header = {"typ": "JWT", "alg": "RS256", "x5c": ["".join(pem.split())]}
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    now = int(time.time())
    claims = {
        "iss": "test", "aud": "test", "sub": USER, "iat": now, "nbf": now - 60, "exp": now + 60, "jti": str(now),
        "access": [{"type": kind, "name": name, "actions": actions.split(",")}],
    }  # fmt: skip
    signed = ".".join(_url64(json.dumps(part).encode()) for part in (header, claims))
    sign = ["openssl", "dgst", "-sha256", "-sign", str(folder / "ca.key")]
    signature = subprocess.run(sign, input=signed.encode(), check=True, capture_output=True).stdout
    return f"{signed}.{_url64(signature)}"


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
