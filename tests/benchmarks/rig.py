"""What the benchmarks share: a cluster client, an app of a given size, and asking its Pods until they answer anew."""

import asyncio
import contextlib
import json
import os
import platform
import statistics
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devloop.adapters.kubeconfig import resolve
from devloop.adapters.kubehttp import KubeConnection, Reply
from devloop.core.failure import Failure
from tests.e2e.harness import QUIET, deployment

PATIENCE = 120.0
_GIVE_UP = 0.25
ASK_EVERY = 0.005
"""Seconds between two questions to a Pod: the resolution of every figure here."""


@dataclass(frozen=True)
class Cluster:
    """The cluster and the registry that the e2e tests use too."""

    context: str
    registry: str

    @classmethod
    def of_environment(cls) -> "Cluster | None":
        context, registry = os.environ.get("DEVLOOP_E2E_CONTEXT"), os.environ.get("DEVLOOP_E2E_REGISTRY")
        return cls(context, registry) if context and registry else None

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        command = ["kubectl", "--context", self.context, *args]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout

    @contextmanager
    def namespace(self) -> Iterator[str]:
        name = f"devloop-bench-{uuid.uuid4().hex[:6]}"
        self.kubectl("create", "namespace", name)
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")


@dataclass(frozen=True)
class Source:
    """So many files of so many bytes beside the file that changes."""

    files: int
    size: int

    @classmethod
    def of(cls, megabytes: int) -> "Source":
        return cls(megabytes * 10, 100_000)

    def write(self, folder: Path) -> None:
        for index in range(self.files):
            place = folder / f"{index // 1000:03}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{index:06}.bin").write_bytes(os.urandom(self.size))


@dataclass(frozen=True)
class App:
    """One service with its source."""

    folder: Path
    name: str
    image: str
    cluster: Cluster
    namespace: str

    @classmethod
    def create(cls, root: Path, name: str, source: Source, cluster: Cluster, namespace: str) -> "App":
        folder = root / name
        folder.mkdir()
        # It is asked 200 times a second: whoever follows logs would be measured by them, and a shell line follows none.
        (folder / "server.py").write_text(QUIET)
        (folder / "message.txt").write_text("start")
        (folder / "Dockerfile").write_text(
            f'FROM {cluster.registry}/python:3\nCOPY . /app\nCMD ["python3", "/app/server.py"]\n'
        )
        source.write(folder / "assets")
        return cls(folder, name, f"{cluster.registry}/{namespace}/{name}", cluster, namespace)

    def deploy(self) -> None:
        """Bring it up as both loops need it: on the dev tag, under `Always`."""
        subprocess.run(["sh", "-c", self.build_line], cwd=self.folder, check=True, capture_output=True)
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self.name},
            "spec": {"selector": {"app": self.name}, "ports": [{"port": 8080}]},
        }
        # Without a probe: a kubelet asks once a second, which would be most of what is measured.
        for each in (deployment(self.name, f"{self.image}:dev", policy="Always", probe=False), service):
            self.cluster.kubectl("-n", self.namespace, "apply", "-f", "-", stdin=json.dumps(each))
        self.cluster.kubectl("-n", self.namespace, "rollout", "status", f"deployment/{self.name}", "--timeout=120s")

    @property
    def build_line(self) -> str:
        return f"docker buildx build --push -t {self.image}:dev ."

    @property
    def shell_line(self) -> str:
        """What a person types without devloop."""
        restart = f"kubectl --context {self.cluster.context} -n {self.namespace} rollout restart deployment/{self.name}"
        return f"{self.build_line} && {restart}"

    def say(self, message: str) -> float:
        """Save; the moment of it on the monotonic clock."""
        (self.folder / "message.txt").write_text(message)
        return time.monotonic()


class Asker:
    """Asks an app through the API server's proxy for its Service, over one kept-alive connection."""

    def __init__(self, cluster: Cluster) -> None:
        pinned = resolve(cluster.context)
        if isinstance(pinned, Failure):
            raise SystemExit(pinned.message)
        self._connection = KubeConnection(pinned)

    async def until(self, app: App, message: str) -> float:
        """The moment when a Pod first answers with `message`."""
        path = f"/api/v1/namespaces/{app.namespace}/services/{app.name}:8080/proxy/"
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            # A question to a Pod that is about to end may never be answered.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GIVE_UP):
                    reply = await self._connection.request("GET", path)
                if isinstance(reply, Reply) and reply.ok and reply.body.decode() == message:
                    return time.monotonic()
            await asyncio.sleep(ASK_EVERY)
        raise SystemExit(f"{app.name} did not answer {message!r} within {PATIENCE:g} s")

    async def set_image(self, app: App, image: str) -> None:
        """Patch the Deployment, over the same connection."""
        path = f"/apis/apps/v1/namespaces/{app.namespace}/deployments/{app.name}"
        body = {"spec": {"template": {"spec": {"containers": [{"name": app.name, "image": image}]}}}}
        reply = await self._connection.request(
            "PATCH", path, body=body, content_type="application/strategic-merge-patch+json"
        )
        assert isinstance(reply, Reply)
        assert reply.ok, reply.body

    async def close(self) -> None:
        await self._connection.close()


def spread(values: Sequence[float], unit: str = "s", digits: int = 2) -> str:
    """Median, and the smallest and largest beside it."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} {unit} ({low:.{digits}f}-{high:.{digits}f})"


def machine() -> str:
    """What it ran on."""
    system = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return f"{system}, Python {platform.python_version()}"
