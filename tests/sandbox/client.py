"""Plain HTTP requests to an API server: the sandbox's, or a real one's."""

import asyncio
import base64
import json
import socket
import ssl
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import aiohttp
import yaml

APPS = "/apis/apps/v1/namespaces/default"
CORE = "/api/v1/namespaces/default"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
Raw = dict[str, Any]


def page_at(url: str) -> str:
    """What somebody on this machine sees; a proxy that the environment may name knows nothing of it."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        return str(answer.read().decode())


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any

    @property
    def message(self) -> str:
        return str(self.body["message"])


class Api:
    """Requests with the credentials of a kubeconfig."""

    def __init__(self, server: str, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    @classmethod
    @asynccontextmanager
    async def of(cls, kubeconfig: Path, context: str = "") -> AsyncIterator["Api"]:
        config = yaml.safe_load(kubeconfig.read_text())
        chosen = _entry(config["contexts"], context or config["current-context"], "context")
        cluster = _entry(config["clusters"], chosen["cluster"], "cluster")
        user = _entry(config["users"], chosen["user"], "user")
        tls = ssl.create_default_context(cadata=_text(cluster, "certificate-authority"))
        if {"client-certificate-data", "client-certificate"} & user.keys():
            with NamedTemporaryFile("w") as pair:
                pair.write(_text(user, "client-certificate") + "\n" + _text(user, "client-key"))
                pair.flush()
                tls.load_cert_chain(pair.name)
        headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        sockets: list[socket.socket] = []

        def made(address: Any) -> socket.socket:
            sockets.append(socket.socket(*address[:3]))
            return sockets[-1]

        connector = aiohttp.TCPConnector(ssl=tls, limit=0, force_close=True, socket_factory=made)
        async with aiohttp.ClientSession(connector=connector, headers=headers, read_bufsize=2**21) as session:
            yield cls(cluster["server"], session)
        async with asyncio.timeout(5):  # TLS says good-bye after a request is over, and the loop may end next
            while any(each.fileno() != -1 for each in sockets):
                await asyncio.sleep(0.005)

    async def send(
        self, method: str, path: str, body: Any = None, type_: str = "application/json", **headers: str
    ) -> Answer:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {"Accept": "application/json", **({"Content-Type": type_} if data is not None else {}), **headers}
        async with self.session.request(method, self.server + path, data=data, headers=sent) as reply:
            text = await reply.text()
            return Answer(reply.status, json.loads(text) if "json" in reply.content_type else text)

    async def get(self, path: str) -> Any:
        answer = await self.send("GET", path)
        assert answer.status == 200, answer
        return answer.body

    async def create(self, path: str, body: Raw) -> Raw:
        answer = await self.send("POST", path, body)
        assert answer.status == 201, answer
        return dict(answer.body)

    async def patch(self, path: str, body: Any, type_: str = STRATEGIC, manager: str = "tester") -> Raw:
        answer = await self.send("PATCH", f"{path}?fieldManager={manager}", body, type_)
        assert answer.status in {200, 201}, answer
        return dict(answer.body)

    async def watch(self, path: str) -> AsyncGenerator[Raw]:
        """The events of a watch until it ends; who leaves earlier closes it, or its connection outlives the loop."""
        sign = "&" if "?" in path else "?"
        async with self.session.get(f"{self.server}{path}{sign}watch=true") as reply:
            assert reply.status == 200, await reply.text()
            async for line in reply.content:
                yield json.loads(line)

    async def until(self, path: str, is_so: Callable[[Any], bool]) -> Any:
        """The object or list at a path, as soon as it is so; it is looked at whenever anything changes there."""
        folder, _, name = path.rpartition("/")
        found = await self.get(path)
        watched = path if "items" in found else f"{folder}?fieldSelector=metadata.name={name}"
        sign = "&" if "?" in watched else "?"
        version = found["metadata"]["resourceVersion"]
        if not is_so(found):
            async with aclosing(self.watch(f"{watched}{sign}resourceVersion={version}")) as events:
                async for _ in events:
                    found = await self.get(path)
                    if is_so(found):
                        break
        return found

    async def gone(self, path: str) -> None:
        """Wait until there is no such object."""
        folder, _, name = path.rpartition("/")
        listed = await self.get(f"{folder}?fieldSelector=metadata.name={name}")
        if listed["items"]:
            version = listed["metadata"]["resourceVersion"]
            watched = f"{folder}?fieldSelector=metadata.name={name}&resourceVersion={version}"
            async with aclosing(self.watch(watched)) as events:
                async for event in events:
                    if event["type"] == "DELETED":
                        return


def deployment(name: str = "web", image: str = "r/app:1", replicas: int = 1, **container: Any) -> Raw:
    labels = {"app": name}
    spec = {"containers": [{"name": name, "image": image, **container}], "terminationGracePeriodSeconds": 3}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def pod(name: str = "web", image: str = "r/app:1", **spec: Any) -> Raw:
    containers = spec.pop("containers", [{"name": name, "image": image}])
    body = {"containers": containers, "terminationGracePeriodSeconds": 3, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": body}


def rolled_out(found: Raw) -> bool:
    """Whether a Deployment is where it is asked to be."""
    status, wanted = found.get("status", {}), found["spec"]["replicas"]
    counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")}
    return status.get("observedGeneration") == found["metadata"]["generation"] and counts == {wanted}


def conditions(found: Raw) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c.get("reason", "")) for c in found["status"].get("conditions", [])}


async def collect(events: AsyncGenerator[Raw], count: int) -> list[Raw]:
    """The first so many events of a watch, which ends with them."""
    found: list[Raw] = []
    async with asyncio.timeout(20), aclosing(events):
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found


def _entry(entries: list[Mapping[str, Any]], name: str, key: str) -> Any:
    return next(entry[key] for entry in entries if entry["name"] == name)


def _text(entry: Mapping[str, Any], key: str) -> str:
    if f"{key}-data" in entry:
        return base64.b64decode(entry[f"{key}-data"]).decode()
    return Path(entry[key]).read_text()
