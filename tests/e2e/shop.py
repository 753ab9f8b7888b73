"""Several small services in one namespace, for tests of what works across services, workloads and containers."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.harness import Devloop, Kubectl, apply, deployment, get, once, pods, replica_sets, run, save, write_toml
from tests.e2e.scene import SERVE

READS = {"exec": {"command": ["cat", "/message.txt"]}, "periodSeconds": 1}
"""A readiness probe that takes no port: two such containers fit into one Pod."""


@dataclass(frozen=True)
class Shop:
    """Sources in `FOLDER/NAME`, Deployments of the same names, and the namespace they live in."""

    folder: Path
    kubectl: Kubectl
    namespace: str
    registry: str

    def image(self, name: str) -> str:
        return f"{self.registry}/{self.namespace}/{name}"

    def source(self, name: str, *lines: str, message: str = "one", says: str = "") -> Path:
        """An image of busybox that holds `message.txt`, does what these lines say, and logs what that shell line says.

        Paths in a shell line are relative: in a sandbox the root of a container is a folder of this machine.
        """
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        head = (f"FROM {self.registry}/busybox:1", "COPY . /", *lines, f'CMD ["sh", "-c", "{_program(says)}"]')
        save(folder / "Dockerfile", "\n".join(head) + "\n")
        (folder / "message.txt").write_text(message)
        return folder

    def service(self, name: str, *lines: str, build: str = "") -> str:
        """A service of that name as TOML, with more lines of its own; `build` is TOML too."""
        build = build or f'"{name}"'
        return "\n".join([f"[services.{name}]", f'image = "{self.image(name)}"', f"build = {build}", *lines, ""])

    def configure(self, *services: str, loop: Sequence[str] = ()) -> Path:
        return write_toml(self.folder, self.namespace, "\n".join(services), loop=loop)

    def container(self, name: str, image: str = "") -> dict[str, Any]:
        """A container of an image that nobody pushed yet, unless one is named."""
        image = image or f"{self.image(name)}:none"
        return {"name": name, "image": image, "imagePullPolicy": "IfNotPresent", "readinessProbe": READS}

    def deploy(self, name: str, *containers: Mapping[str, Any], replicas: int = 1, **spec: Any) -> None:
        """A Deployment; of one container of its own name unless others are given."""
        own = list(containers) or [self.container(name)]
        apply(self.kubectl, self.namespace, deployment(name, "", replicas=replicas, containers=own, **spec))

    def running(self, name: str, says: str = "", **spec: Any) -> None:
        """A Deployment with Pods that run, from an image of another repository; by a command of its own."""
        command = ["sh", "-c", _program(says)]
        busy = {"name": name, "image": f"{self.registry}/busybox:1", "command": command}
        self.deploy(name, busy, **spec)
        self.settle(name)

    def settle(self, name: str) -> None:
        self.run("rollout", "status", f"deployment/{name}", "--timeout=45s")

    def run(self, *args: str, stdin: str | None = None) -> str:
        """kubectl in the namespace."""
        return self.kubectl("-n", self.namespace, *args, stdin=stdin)

    def get(self, name: str) -> dict[str, Any]:
        """The Deployment, with its managed fields."""
        return get(self.kubectl, self.namespace, "deployment", name, "--show-managed-fields")

    def spec(self, name: str) -> dict[str, Any]:
        """What the Deployment's Pods ask for."""
        return dict(self.get(name)["spec"]["template"]["spec"])

    def pods(self, name: str) -> list[dict[str, Any]]:
        return pods(self.kubectl, self.namespace, name)

    def replica_sets(self, name: str) -> list[str]:
        return replica_sets(self.kubectl, self.namespace, name)

    def desired(self, name: str) -> dict[str, int]:
        """ReplicaSets of a Deployment, with how many Pods each asks for."""
        found = get(self.kubectl, self.namespace, "replicasets", "-l", f"app={name}")["items"]
        return {each["metadata"]["name"]: each["spec"]["replicas"] for each in found}

    def digests(self, name: str) -> set[tuple[str, str]]:
        """Container and digest of each container start, init containers included, of the Pods of a Deployment."""
        statuses = [
            status
            for pod in self.pods(name)
            for kind in ("containerStatuses", "initContainerStatuses")
            for status in pod["status"].get(kind, ())
        ]
        return {(status["name"], status["imageID"].rpartition("@")[2]) for status in statuses}

    def once(self, *args: str, env: Mapping[str, str] | None = None) -> tuple[int, Devloop]:
        return once(self.folder, *args, env=env)

    def start(self, *args: str) -> Devloop:
        return Devloop.start(self.folder, *args)

    def devloop(self, *args: str) -> tuple[int, str, str]:
        """Another command, in the test cluster whatever the current context is: exit code, stdout, stderr."""
        done = run(self.folder, *args)
        return done.returncode, done.stdout, done.stderr

    def elsewhere(self) -> tuple[str, ...]:
        """The options that say where to work when no file does."""
        return "--context", os.environ["DEVLOOP_E2E_CONTEXT"], "-n", self.namespace


def _program(says: str) -> str:
    return f"{says}; {SERVE}" if says else SERVE


def written(metadata: Mapping[str, Any]) -> list[Any]:
    """Who wrote what of an object; without the Deployment controller, which goes on by itself."""
    return [entry for entry in metadata["managedFields"] if entry["manager"] != "kube-controller-manager"]


def lines_of_json(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
