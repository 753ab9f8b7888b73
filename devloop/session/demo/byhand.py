"""What one does without devloop: build, push to the same tag, apply, restart, and look at the page."""

import ast
import asyncio
import html
import re
import shutil
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from devloop.adapters.assembling import AssemblingBuilder
from devloop.adapters.kube import STRATEGIC_MERGE, KubeCluster, workload_path
from devloop.adapters.kubehttp import Reply
from devloop.adapters.observer import KubeObserver
from devloop.adapters.registry import HttpRegistry
from devloop.core.diagnose import at_deadline, explain_crash
from devloop.core.failure import Failure
from devloop.core.image import short
from devloop.core.manifest import deployment as parse_deployment
from devloop.core.ports import BuildRequest
from devloop.core.rollout import rollout_status
from devloop.core.service import Service, WorkloadKey
from devloop.core.status import Broken, Rolling
from devloop.core.workload import Deployment
from devloop.engine.crashlogs import CrashLogs
from devloop.engine.observations import Observations
from devloop.sandbox.demoapp import manifests
from devloop.sandbox.runtime.images import own_platform
from devloop.session.demo.place import DemoFolder
from devloop.session.demo.sandboxed import Sandbox
from devloop.session.project import Project
from devloop.session.restoring import Restored, restore, rolled_out

YESTERDAY = "Yesterday's page"
_GREETING = re.compile(r"^GREETING *= *(.*)$", re.MULTILINE)
PATIENCE = 30.0
"""Seconds for a rollout, or for a page to change."""


class NotAsToldError(Exception):
    """The demo has claimed something that is not so; the text is a sentence."""

    def __init__(self, message: str, file: Path | None = None) -> None:
        """`file`: the one at fault, where it is known."""
        super().__init__(message)
        self.file = file


@dataclass
class ByHand:
    """Use as an async context manager."""

    folder: DemoFolder
    sandbox: Sandbox
    project: Project

    async def __aenter__(self) -> "ByHand":
        self._stack = AsyncExitStack()
        self._http = await self._stack.enter_async_context(aiohttp.ClientSession())
        self._registry = await self._stack.enter_async_context(HttpRegistry())
        self._cluster = KubeCluster(self.project.place.pinned)
        self._stack.push_async_callback(self._cluster.close)
        self._observations = Observations()
        observer = KubeObserver(self._cluster, self._observations.observe, lambda ok, text: None)
        self._stack.push_async_callback(observer.close)
        for service in self.project.services:
            observer.follow(key_of(service))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def service(self, name: str) -> Service:
        return next(each for each in self.project.services if each.name == name)

    async def deploy_yesterday(self) -> None:
        """What is there when somebody comes to work: both services, web from a source that is no longer."""
        await self.push(self.service("api"))
        with_old = self.folder.own / "yesterday"
        web = self.service("web")
        try:
            shutil.copytree(web.build.context, with_old)
            set_greeting(with_old / "web.py", YESTERDAY)
            spec = replace(web.build, context=with_old, dockerfile=with_old / web.build.dockerfile.name)
            await self.push(replace(web, build=spec))
        finally:
            shutil.rmtree(with_old, ignore_errors=True)
        made = [await self._create(each) for each in self._deployments()]
        await asyncio.gather(*(self._rolled_out(each) for each in made))

    async def push(self, service: Service) -> str:
        """Build it and push it to its tag; the short digest."""
        request = BuildRequest(service.build, service.push, own_platform())
        built = await AssemblingBuilder(self._registry).build(request, lambda _: None)
        if isinstance(built, Failure):
            raise NotAsToldError(f"{service.name} cannot be built: {built.message}")
        return short(built.digest)

    async def restart(self, service: Service) -> None:
        """`kubectl rollout restart`, and until that is over."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        template = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": now}}}
        path, query = workload_path(key_of(service)), {"fieldManager": "kubectl-rollout"}
        body = {"spec": {"template": template}}
        await self._rolled_out(self._made(await self._request("PATCH", path, query, body, STRATEGIC_MERGE)))

    async def put_back(self, service: Service) -> None:
        """`devloop restore`, and until its rollout is over."""
        restored: Restored = _so(await restore(self._cluster, key_of(service)))
        _so(await rolled_out(self._observations, restored, PATIENCE))

    async def policy_and_marks(self, service: Service) -> tuple[str, bool]:
        """Its pull policy, and whether anything of it names devloop."""
        raw = _so(await self._cluster.read(key_of(service)))
        (container,) = raw["spec"]["template"]["spec"]["containers"] if raw else ({},)
        metadata = raw["metadata"] if raw else {}
        annotations = {**(metadata.get("annotations") or {}), **(metadata.get("labels") or {})}
        annotations |= raw["spec"]["template"]["metadata"].get("annotations") or {} if raw else {}
        return container.get("imagePullPolicy", ""), any(key.startswith("devloop/") for key in annotations)

    # the page ----------------------------------------------------------------------------------------------------

    async def greetings(self) -> set[str]:
        """What the page says, asked often enough to come to every Pod."""
        return {await self._greeting() for _ in range(6)}

    async def until_page_says(self, greeting: str, began: float) -> float:
        """Wait for the first answer of the new page; the seconds since `began`."""
        while await self._greeting() != greeting:
            if time.monotonic() - began > PATIENCE:
                raise NotAsToldError(f"after {PATIENCE:g} s the page does not say {greeting!r}")
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def pods_and_nodes(self, service: Service) -> tuple[int, int]:
        found = self._observations.latest(key_of(service))
        pods = [pod for pod in found.pods if pod.ready] if found else []
        return len(pods), len({pod.node for pod in pods})

    async def _greeting(self) -> str:
        """Empty while nothing answers."""
        try:
            async with self._http.get(self.sandbox.urls["web"]) as answer:
                found = re.search(r"<h1>(.*?)</h1>", await answer.text())
        except aiohttp.ClientError:
            return ""
        return html.unescape(found[1]) if found else ""

    # requests ----------------------------------------------------------------------------------------------------

    def _deployments(self) -> list[dict[str, Any]]:
        """The Services are there already."""
        at = self.sandbox
        made = manifests(registry=at.registry, namespace=at.namespace, api_url=at.urls["api"])
        return [each for each in made if each["kind"] == "Deployment"]

    async def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        path = f"/apis/apps/v1/namespaces/{body['metadata']['namespace']}/deployments"
        return self._made(await self._request("POST", path, {"fieldManager": "kubectl-client-side-apply"}, body))

    async def _request(self, *words: Any) -> Reply | Failure:
        return await self._cluster.connection.request(*words)

    def _made(self, reply: Reply | Failure) -> dict[str, Any]:
        return dict(_so(self._cluster.object_of(reply)))

    async def _rolled_out(self, raw: dict[str, Any]) -> None:
        made = parse_deployment(raw)
        # What the watches saw before it was there would look as if it had been deleted.
        await self._observations.until(made.key, lambda seen: True if seen.deployment is not None else None)
        waited = Restored(made.key, made.uid, made.generation, ("made",))
        failure = await rolled_out(self._observations, waited, PATIENCE)
        if failure is not None:
            raise NotAsToldError(f"{made.key.name} does not start: {await self._explained(made, failure.message)}")

    async def _explained(self, made: Deployment, otherwise: str) -> str:
        """Why its rollout does not end, with what a program that crashed said: its Pods go with the demo."""
        snapshot = self._observations.latest(made.key)
        if snapshot is None:
            return otherwise
        status = rollout_status(snapshot, uid=made.uid, generation=made.generation, mark="", fresh=True)
        match status:
            case Rolling():
                return at_deadline(snapshot, status, PATIENCE).message
            case Broken():
                logs = CrashLogs(self._cluster, made.key.namespace, lambda ref, line: None)
                return explain_crash(status, await logs.explain(status.logs), None, "").message
        return otherwise


def key_of(service: Service) -> WorkloadKey:
    return service.workloads[0]


def greeting_of(file: Path) -> str:
    """What the program will say, in whichever quotes somebody wrote it."""
    found = _GREETING.search(file.read_text("utf-8"))
    with suppress(ValueError, SyntaxError):
        greeting = ast.literal_eval(found[1]) if found is not None else None
        if isinstance(greeting, str):
            return greeting
    raise NotAsToldError(f'{file} has no line GREETING = "..." any more', file)


def set_greeting(file: Path, greeting: str) -> None:
    greeting_of(file)
    file.write_text(_GREETING.sub(lambda _: f'GREETING = "{greeting}"', file.read_text("utf-8")), "utf-8")


def _so(found: Any) -> Any:
    """What was asked for; a failure ends the demo."""
    if isinstance(found, Failure):
        raise NotAsToldError(found.message)
    return found
