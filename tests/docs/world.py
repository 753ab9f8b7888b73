"""Where the commands of a page run: a folder, a cluster under the name that the documents give it, and a registry."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from devloop.session.demo.sandboxed import Sandbox, running
from tests.docs.blocks import ROOT
from tests.e2e.sandboxed import put_programs

CONTEXT, NAMESPACE, REGISTRY = "kind-dev", "shop", "localhost:5001"
"""What the documents call them."""


@dataclass(frozen=True)
class World:
    """All that a page needs."""

    folder: Path
    """Where its commands are typed."""
    env: Mapping[str, str]
    registry: str
    namespace: str
    nodes: tuple[str, ...]

    def here(self, text: str) -> str:
        """What the page says, with the registry that there is, which has `python:3`, too."""
        return text.replace(REGISTRY, self.registry).replace("FROM python:3", f"FROM {self.registry}/python:3")

    def as_told(self, text: str) -> str:
        """The other way round, for what a program said."""
        text = text.replace(self.registry, REGISTRY).replace(str(self.folder), "~/shop")
        for number, node in enumerate(self.nodes, 1):
            text = text.replace(node, f"node{number}")
        return text.replace(self.namespace, NAMESPACE)


@contextmanager
def in_sandbox(folder: Path) -> Iterator[World]:
    """The cluster and the registry of the demo, without its app."""
    (folder / "sandbox").mkdir()
    with running(folder / "sandbox") as sandbox:
        assert isinstance(sandbox, Sandbox), sandbox
        world = _world(folder, sandbox.registry, "default", ("node1", "node2"), Path(sandbox.kubeconfig), {
            name: ("-m", "tests.docs.standins", name) for name in ("devloop", "docker", "kubectl")
        })  # fmt: skip
        yield replace(world, env={**world.env, "DOCKER_CONFIG": sandbox.docker_config})


@contextmanager
def in_cluster(folder: Path) -> Iterator[World]:
    """The cluster of the e2e tests, with an engine and kubectl."""
    name = f"devloop-e2e-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"devloop-e2e": "true"}}}
    context = os.environ["DEVLOOP_E2E_CONTEXT"]

    def kubectl(*args: str, stdin: str | None = None) -> str:
        command = ["kubectl", "--context", context, *args]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=50, check=True).stdout

    kubectl("apply", "-f", "-", stdin=json.dumps(body))
    try:
        nodes = tuple(kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split())
        (folder / "kubeconfig-whole").write_text(kubectl("config", "view", "--raw", "--minify", "--flatten"))
        registry = os.environ["DEVLOOP_E2E_REGISTRY"]
        yield _world(folder, registry, name, nodes, folder / "kubeconfig-whole", {"devloop": ("-m", "devloop")})
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def _world(
    folder: Path, registry: str, namespace: str, nodes: tuple[str, ...], kubeconfig: Path,
    commands: Mapping[str, Sequence[str]],
) -> World:  # fmt: skip
    (folder / "kubeconfig").write_text(yaml.safe_dump(_renamed(yaml.safe_load(kubeconfig.read_text()), namespace)))
    programs = put_programs(folder / "bin", {name: (sys.executable, *more) for name, more in commands.items()})
    (own := folder / "shop").mkdir()
    env = {
        **os.environ, "KUBECONFIG": str(folder / "kubeconfig"), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT), "DEVLOOP_STATE_DIR": str(folder / "state"), "HOME": str(folder), "NO_COLOR": "1",
        "COLUMNS": "120",
        "DOCKER_CONFIG": os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker")),
    }  # fmt: skip
    if not shutil.which("docker", path=str(programs)):
        return World(own, env, registry, namespace, nodes)
    return World(own, {**env, "DOCKER_HOST": "unix:///nowhere/docker.sock"}, registry, namespace, nodes)


def _renamed(kubeconfig: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Under the name of a known local cluster, which it is."""
    (context,) = kubeconfig["contexts"]
    context["name"] = kubeconfig["current-context"] = CONTEXT
    context["context"]["namespace"] = namespace
    return kubeconfig
