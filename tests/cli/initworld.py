"""A project with Dockerfiles, and an API server that only lists: what `devloop init` is tried with."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.onterminal import OnTerminal

DEVLOOP = [sys.executable, "-m", "devloop"]
HELPERS = "registry.k8s.io/pause:3"


class Cluster:
    """Answers lists of workloads, the local registry's ConfigMap, and nothing else."""

    def __init__(self) -> None:
        self.workloads: list[tuple[str, str, str, list[str]]] = []
        """Kind, namespace, name, images."""
        self.hosting: Mapping[str, str] | None = None
        self.forbidden: set[str] = set()
        """Paths that are denied."""
        self.images: list[list[str]] = []
        """What its only node has: the names of each image."""
        self.written: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = outer.answer(self.path.partition("?")[0])
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_PATCH(self) -> None:
                outer.written.append(self.path)
                self.send_error(405)

            do_POST = do_PUT = do_DELETE = do_PATCH  # noqa: N815 - the names that the server calls

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def deploy(self, name: str, *images: str, namespace: str = "shop", kind: str = "deployments") -> None:
        self.workloads.append((kind, namespace, name, list(images)))

    def answer(self, path: str) -> tuple[int, Any]:
        if path in self.forbidden:
            return 403, {"message": f"may not list {path}"}
        parts = path.strip("/").split("/")
        if path.endswith("/configmaps/local-registry-hosting") and self.hosting is not None:
            return 200, {"data": {"localRegistryHosting.v1": yaml.safe_dump(dict(self.hosting))}}
        if path == "/api/v1/nodes":
            return 200, {
                "items": [{"metadata": {"name": "n"}, "status": {"images": [{"names": i} for i in self.images]}}]
            }
        if path == "/api/v1/namespaces":
            names = sorted({namespace for _, namespace, _, _ in self.workloads})
            return 200, {"items": [{"metadata": {"name": name}} for name in names]}
        if parts[-1] in {"pods", "events"}:
            return 200, {"items": []}
        if path.startswith("/api/v1/namespaces/"):
            return (200, {}) if any(parts[-1] == namespace for _, namespace, _, _ in self.workloads) else (404, {})
        if path.startswith("/apis/apps/v1/namespaces/") and len(parts) == 7:
            named = [w for w in self.workloads if [w[1], w[0], w[2]] == parts[4:]]
            return (200, _workload(*named[0])) if named else (404, {"message": "not found"})
        if path.startswith("/apis/apps/v1/"):
            within = parts[4] if "namespaces" in parts else None
            found = [w for w in self.workloads if w[0] == parts[-1] and within in {None, w[1]}]
            return 200, {"items": [_workload(*each) for each in found]}
        return 404, {"message": "not found"}


def _workload(kind: str, namespace: str, name: str, images: list[str]) -> dict[str, Any]:
    containers = [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"metadata": {}, "spec": {"containers": containers}}},
    }


class Project:
    """A folder with Dockerfiles, beside a kubeconfig of that cluster."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.root = folder / "shop"
        self.root.mkdir()
        self.env = {
            **os.environ, "KUBECONFIG": str(folder / "kubeconfig"), "DOCKER_HOST": "unix:///none/docker.sock",
            "DOCKER_CONFIG": str(folder / "docker"), "NO_COLOR": "1",
        }  # fmt: skip
        (folder / "docker").mkdir()
        (folder / "docker" / "config.json").write_text('{"auths": {"127.0.0.1:1": {}}}')
        self._folder, self._url = folder, cluster.url
        self.context("colima")

    def context(self, name: str, current: str = "") -> None:
        content = {
            "current-context": current or name,
            "clusters": [{"name": "c", "cluster": {"server": self._url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": name, "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        }
        (self._folder / "kubeconfig").write_text(yaml.safe_dump(content))

    def source(self, *folders: str) -> None:
        for folder in folders:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            (self.root / folder / "Dockerfile").write_text("FROM scratch\n")

    def run(self, *args: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*DEVLOOP, *args], cwd=self.root, env=self.env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    def terminal(self, *args: str, size: tuple[int, int] = (110, 30)) -> OnTerminal:
        return OnTerminal([*DEVLOOP, *args], self.root, env=self.env, size=size)

    def read(self, name: str = "devloop.toml") -> dict[str, Any]:
        return tomllib.loads((self.root / name).read_text())

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.root.iterdir() if path.is_file()}


WRITTEN = {"devloop.toml", "devloop.local.toml", ".gitignore"}
"""What it writes."""
