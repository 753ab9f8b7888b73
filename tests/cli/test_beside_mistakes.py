"""Where `doctor` and `why` look beside files with mistakes: where they would send it, as far as they can be read."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from tests.adapters.fakeapi import FakeApi, fake_api
from tests.cli.test_doctor import doctor

pytestmark = pytest.mark.programs

MISSPELT = '[services.web]\nimago = "x"\n'
SYNTAX = "[services.web\n"
NAMED = '[cluster]\ncontext = "prod"\nnamespace = "mine"\n'
MENDED = ", or correct the mistakes in {}: what that allows does not count before"


@dataclass(frozen=True)
class World:
    """A folder, and two clusters: the current context `colima`, and `prod`, whose own namespace is `theirs`."""

    folder: Path
    env: dict[str, str]
    colima: FakeApi
    prod: FakeApi

    def write(self, below: str, own: str = "") -> None:
        (self.folder / "devloop.toml").write_text(below)
        if own:
            (self.folder / "devloop.local.toml").write_text(own)

    async def doctor(self, *args: str, folder: Path | None = None) -> dict[tuple[str, str], list[dict[str, str]]]:
        code, found = await asyncio.to_thread(doctor, folder or self.folder, self.env, *args)
        assert code == 3
        assert [each["level"] for each in found["project", "configuration"]] == ["failed"]
        return found

    async def context(self, *args: str) -> tuple[str, str, str]:
        """Level, message and fix of what is said of the context."""
        (check,) = (await self.doctor(*args))["cluster", "kube context"]
        return check["level"], check["message"], check["fix"]

    @property
    def asked(self) -> tuple[set[str], set[str]]:
        """The namespaces that each of the two was asked for; `kube-system` tells clusters apart."""
        return _namespaces(self.colima), _namespaces(self.prod)


def _namespaces(api: FakeApi) -> set[str]:
    paths = (request.path.split("/") for request in api.requests)
    return {path[4] for path in paths if path[1:4] == ["api", "v1", "namespaces"] and len(path) == 5} - {"kube-system"}


def _kubeconfig(**servers: str) -> str:
    clusters = [{"name": name, "cluster": {"server": server}} for name, server in servers.items()]
    contexts = [{"name": name, "context": {"cluster": name, "namespace": "theirs"}} for name in servers]
    return yaml.safe_dump({"current-context": "colima", "clusters": clusters, "contexts": contexts})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    (folder := tmp_path / "here").mkdir()
    (tmp_path / "docker").mkdir()
    away = {"DOCKER_HOST": "unix:///none/docker.sock", "DOCKER_CONFIG": str(tmp_path / "docker")}
    async with fake_api() as colima, fake_api() as prod:
        (tmp_path / "kubeconfig").write_text(_kubeconfig(colima=colima.url, prod=prod.url))
        env = {**os.environ, **away, "KUBECONFIG": str(tmp_path / "kubeconfig"), "PATH": "/usr/bin:/bin"}
        yield World(folder, env, colima, prod)


@pytest.mark.parametrize("below", [MISSPELT, SYNTAX])
async def test_an_intact_overlay_says_where_and_allows_it(below: str, world: World) -> None:
    world.write(below, NAMED)
    assert await world.context() == ("ok", "context prod is allowed in the configuration", "")
    assert world.asked == (set(), {"mine"})


async def test_what_devloop_toml_says_is_looked_at_and_allows_nothing(world: World) -> None:
    world.write(NAMED + MISSPELT)
    level, message, fix = await world.context()
    assert (level, message) == (
        "note",
        f"context prod ({world.prod.url}) is no known local cluster, and nothing allows devloop to write to it",
    )
    assert fix.endswith(MENDED.format("devloop.toml"))
    assert world.asked == (set(), {"mine"})


@pytest.mark.parametrize(
    ("below", "own", "at_fault"),
    [
        ("", NAMED + "allow = 3\n", "devloop.local.toml"),
        (MISSPELT, NAMED + "allow = 3\n", "devloop.toml and devloop.local.toml"),
        (MISSPELT, NAMED + '[services.web]\ntagg = "x"\n', "devloop.toml and devloop.local.toml"),
        (NAMED, SYNTAX, "devloop.local.toml"),
        (
            '[cluster]\ncontext = "prod"\n' + MISSPELT,
            '[cluster]\nnamespace = "mine"\nallow = 3\n',
            "devloop.toml and devloop.local.toml",
        ),
    ],
)
async def test_beside_a_faulty_overlay_what_can_be_read_counts_and_nothing_is_allowed(
    below: str, own: str, at_fault: str, world: World
) -> None:
    world.write(below, own)
    level, _, fix = await world.context()
    assert level == "note"
    assert fix.endswith(MENDED.format(at_fault))
    assert world.asked == (set(), {"mine"})


@pytest.mark.parametrize("own", [NAMED, SYNTAX])
async def test_the_command_line_wins(own: str, world: World) -> None:
    world.write(NAMED + MISSPELT, own)
    assert (await world.context("--context", "colima"))[0] == "ok", "a local cluster, whatever the files allow"
    assert world.asked == ({"mine"}, set())
    await world.context("-n", "other")
    assert world.asked == ({"mine"}, {"other"})


async def test_an_overlay_allows_only_what_it_says(world: World) -> None:
    world.write(MISSPELT, NAMED.replace("namespace", 'allow = [{ context = "colima", namespace = "x" }]\nnamespace'))
    assert (await world.context("-n", "other"))[0] == "ok", "to name a context allows all of it"
    world.write(MISSPELT, '[cluster]\nallow = [{ context = "prod", namespace = "mine" }]\n')
    assert (await world.context("--context", "prod", "-n", "mine"))[0] == "ok"
    level, _, fix = await world.context("--context", "prod")
    assert (level, fix.endswith(MENDED.format("devloop.toml"))) == ("note", True)


async def test_a_file_that_is_named_has_its_overlay_beside_it(world: World, tmp_path: Path) -> None:
    world.write(MISSPELT, NAMED)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "devloop.toml").write_text('[cluster]\ncontext = "colima"\nnamespace = "wrong"\n')
    await world.doctor("-f", "../here/devloop.toml", folder=elsewhere)
    assert world.asked == (set(), {"mine"})


async def test_a_context_that_is_not_there_is_told_and_no_other_is_asked(world: World) -> None:
    world.write(MISSPELT, NAMED.replace("prod", "gone"))
    level, message, _ = await world.context()
    assert (level, message) == ("failed", "the kubeconfig has no context `gone`")
    assert (world.colima.requests, world.prod.requests) == ([], [])


async def test_what_was_left_behind_there_is_undone_without_a_context(world: World) -> None:
    """`devloop restore` goes where the files say, too."""
    metadata = {"name": "web", "namespace": "mine", "uid": "u", "labels": {"devloop/active": "true"}}
    spec = {"selector": {}, "template": {"spec": {"containers": [{"name": "web", "image": "h:5000/web:dev"}]}}}
    found: dict[str, Any] = {"metadata": metadata, "spec": spec, "status": {}}

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/deployments"):
            return web.json_response({"items": [found]})
        return web.json_response({"message": "not found"}, status=404)

    world.write(MISSPELT, NAMED)
    world.prod.handler = answer
    (check,) = (await world.doctor())["cluster", "left behind"]
    assert (check["level"], check["fix"]) == ("note", "devloop restore deployment/web -n mine")


@pytest.mark.parametrize(
    ("args", "asked"), [((), "mine"), (("-n", "other"), "other"), (("--context", "colima"), "mine")]
)
async def test_why_looks_there_too(args: tuple[str, ...], asked: str, world: World) -> None:
    world.write(MISSPELT, NAMED)
    command = (sys.executable, "-m", "devloop", "why", "deployment/web", *args)
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=world.folder, env=world.env, capture_output=True, timeout=50, check=False
    )
    assert b"Traceback" not in done.stderr
    there, elsewhere = (world.colima, world.prod) if "colima" in args else (world.prod, world.colima)
    assert any(f"/namespaces/{asked}/" in request.path for request in there.requests)
    assert elsewhere.requests == []


@pytest.mark.parametrize("command", ["why", "restore"])
def test_a_service_of_a_file_with_mistakes_can_be_named_as_a_workload(command: str, tmp_path: Path) -> None:
    (tmp_path / "devloop.toml").write_text(MISSPELT)
    line = (sys.executable, "-m", "devloop", command, "web")
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 2
    *_, way = done.stderr.splitlines()
    needs = f"name its workload, which needs no file: devloop {command} deployment/NAME -n NAMESPACE"
    assert way == f"→ correct that, or {needs}"
