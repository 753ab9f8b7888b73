"""One service made of shell lines: what fails can be shown with it in a few seconds, from a few lines."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.harness import Devloop, Event, Kubectl, apply, deployment, get, once, pods, save, write_toml

SERVE = "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"
"""Runs until it is asked to end, which takes no time."""
SLEEP = ["sh", "-c", SERVE]


@dataclass(frozen=True)
class Scene:
    """The service `web`: its source in `FOLDER/web`, its Deployment, and the namespace it lives in."""

    folder: Path
    kubectl: Kubectl
    namespace: str
    registry: str

    @property
    def image(self) -> str:
        return f"{self.registry}/{self.namespace}/web"

    def dockerfile(self, *lines: str) -> None:
        source = self.folder / "web"
        source.mkdir(exist_ok=True)
        save(source / "Dockerfile", "\n".join(lines) + "\n")

    def program(self, script: str) -> None:
        """An image of busybox that runs this script."""
        self.dockerfile(f"FROM {self.registry}/busybox:1", "COPY run.sh /", 'CMD ["sh", "/run.sh"]')
        # Like no other scenario's: of one image under two names a node reports the one that it had first.
        (self.folder / "web" / "run.sh").write_text(f"{script}\n# {self.namespace}\n")

    def deploy(self, *others: Mapping[str, Any], **spec: Any) -> None:
        """A Deployment whose own image nobody has, so that no old Pod runs, and objects beside it."""
        apply(self.kubectl, self.namespace, *others, deployment("web", f"{self.image}:none", probe=False, **spec))

    def deploy_running(self, **spec: Any) -> None:
        """A Deployment with a Pod that runs, from an image of another repository."""
        body = deployment("web", f"{self.registry}/busybox:1", probe=False, **spec)
        body["spec"]["template"]["spec"]["containers"][0]["command"] = SLEEP
        apply(self.kubectl, self.namespace, body)
        self.kubectl("-n", self.namespace, "rollout", "status", "deployment/web", "--timeout=45s")

    def patch(self, body: Mapping[str, Any], what: str = "deployment/web") -> None:
        self.kubectl("-n", self.namespace, "patch", what, "-p", json.dumps(body))

    def probe(self, probe: Mapping[str, Any]) -> None:
        container = {"name": "web", "readinessProbe": probe}
        self.patch({"spec": {"template": {"spec": {"containers": [container]}}}})

    def configure(
        self, *service: str, loop: Sequence[str] = (), image: str = "", build: str = '"web"', tag: str = "dev"
    ) -> None:
        """A `devloop.toml` with more lines of the service and of `[loop]`."""
        lines = ["[services.web]", f'image = "{image or self.image}"', f'tag = "{tag}"', f"build = {build}", *service]
        write_toml(self.folder, self.namespace, "\n".join(lines), loop=loop)

    def once(self, *args: str, env: Mapping[str, str] | None = None) -> tuple[int, Devloop]:
        return once(self.folder, *args, env=env)

    def start(self, *args: str) -> Devloop:
        return Devloop.start(self.folder, *args)

    def deployment(self) -> dict[str, Any]:
        return get(self.kubectl, self.namespace, "deployment", "web")

    def pods(self) -> list[dict[str, Any]]:
        return pods(self.kubectl, self.namespace, "web")

    def new_pods(self) -> list[dict[str, Any]]:
        """The Pods that devloop's patch made."""
        return [p for p in self.pods() if "devloop/build" in p["metadata"].get("annotations", {})]

    def a_node(self) -> dict[str, str]:
        """The `nodeSelector` of the first node: what one Pod left there, the next one finds."""
        name = self.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
        return {"kubernetes.io/hostname": name}

    def patched(self) -> bool:
        return "devloop/build" in self.deployment()["spec"]["template"]["metadata"].get("annotations", {})


def failed(devloop: Devloop, code: str) -> dict[str, str]:
    """The failure of the last cycle, which has this code."""
    (*_, end) = devloop.of("cycle_finished")
    assert end["outcome"] == "failed", devloop.said()
    assert end["failure"]["code"] == code, devloop.said()
    show(end["failure"])
    return dict(end["failure"])


def warned(devloop: Devloop, code: str) -> Event:
    """The only warning of that code, told before the end of its cycle."""
    found = devloop.of("warning_raised", code=code)
    assert len(found) == 1, devloop.said()
    assert devloop.events.index(found[0]) < devloop.events.index(devloop.of("cycle_finished")[-1])
    return found[0]


def logged(devloop: Devloop, source: str) -> list[str]:
    """The lines of that source which were told before the end of the last cycle."""
    end = devloop.events.index(devloop.of("cycle_finished")[-1])
    return [e["text"] for e in devloop.events[:end] if e["event"] == "log" and e["source"] == source]


def show(failure: Mapping[str, str]) -> None:
    """Append it to the file that DEVLOOP_E2E_SHOW names: whoever changes messages can read all of them aloud."""
    if path := os.environ.get("DEVLOOP_E2E_SHOW"):
        with Path(path).open("a") as out:
            out.write(f"[{failure['code']}] {failure['message']}\n    -> {failure['hint']}\n")
