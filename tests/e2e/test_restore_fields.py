"""The patch and its undoing on a real API server, with the bodies that the core plans and kubectl to send them."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from devloop.core import manifest
from devloop.core.image import ImageRef, PlatformManifest, PushedImage, ResolvedImage
from devloop.core.patch import BuildMark, plan_patch
from devloop.core.restore import plan_restore, strip_managed_fields
from devloop.core.service import Pin
from devloop.core.workload import Deployment

pytestmark = pytest.mark.shared

Kubectl = Callable[..., str]
DIGEST = "sha256:" + "a" * 64
CONTAINERS = ("migrate", "web")


class Workload:
    """One Deployment, written as helm writes it and patched as devloop does."""

    def __init__(self, kubectl: Kubectl, namespace: str, registry: str) -> None:
        self._kubectl = kubectl
        self._namespace = namespace
        self.registry = registry

    def apply(self, image: str) -> None:
        """Server-side apply of helm's manifest."""
        body = json.dumps(self._manifest(f"{self.registry}/{image}"))
        self._run("apply", "--server-side", "--field-manager=helm", "-f", "-", stdin=body)

    def patch(self, body: Any, kind: str = "strategic", manager: str = "devloop") -> None:
        self._run("patch", "deployment/web", f"--type={kind}", f"--field-manager={manager}", "-p", json.dumps(body))

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._run("get", "deployment/web", "-o", "json", "--show-managed-fields"))
        return found

    def deployment(self) -> Deployment:
        return manifest.deployment(self.read())

    def replica_sets(self) -> dict[str, int]:
        """Names of the ReplicaSets, with how many Pods each asks for."""
        items = json.loads(self._run("get", "replicasets", "-o", "json"))["items"]
        return {item["metadata"]["name"]: item["spec"]["replicas"] for item in items}

    def settle(self) -> None:
        """Until the rollout of the last change is over."""
        self._run("rollout", "status", "deployment/web", "--timeout=40s")

    def devloop(self, image: str, pin: Pin) -> None:
        """What one cycle sends."""
        ref = ImageRef.parse(f"{self.registry}/{image}")
        pushed = PushedImage(ref, ref, ResolvedImage(DIGEST, (PlatformManifest("linux/amd64", DIGEST, ""),)))
        patch = plan_patch(self.deployment(), CONTAINERS, pushed, pin, BuildMark(DIGEST, time.time(), "s"), time.time())
        self.patch(patch.body)

    def restore(self) -> tuple[str, ...]:
        """Both steps of a restore; returns what was kept."""
        plan = plan_restore(self.deployment())
        if plan.body is not None:
            self.patch(plan.body)
        strip = strip_managed_fields(self.read())
        if strip is not None:
            self.patch(strip, "json")
        return plan.kept

    def _run(self, *args: str, stdin: str | None = None) -> str:
        return self._kubectl("-n", self._namespace, *args, stdin=stdin)

    def _manifest(self, image: str) -> Mapping[str, Any]:
        sleep = ["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "initContainers": [{"name": "migrate", "image": image, "command": ["true"]}],
                        "containers": [
                            {"name": "side", "image": f"{self.registry}/busybox:1", "command": sleep},
                            {"name": "web", "image": image, "command": sleep, "env": [{"name": "A", "value": "1"}]},
                        ],
                    },
                },
            },
        }


@pytest.fixture
def workload(kubectl: Kubectl, namespace: str, registry: str) -> Workload:
    found = Workload(kubectl, namespace, registry)
    found.apply("busybox:1")
    found.settle()
    return found


def managers(raw: Mapping[str, Any]) -> set[str]:
    return {entry["manager"] for entry in raw["metadata"]["managedFields"]}


@pytest.mark.parametrize("pin", list(Pin))
def test_restore_gives_back_the_spec_its_replica_set_and_its_owner(workload: Workload, pin: Pin) -> None:
    before = workload.read()
    (old,) = workload.replica_sets()

    workload.devloop("busybox:1", Pin.TAG)
    workload.settle()
    changed = workload.read()
    web = next(c for c in changed["spec"]["template"]["spec"]["containers"] if c["name"] == "web")
    assert web["imagePullPolicy"] == "Always"
    assert changed["metadata"]["labels"]["devloop/active"] == "true"
    assert len(workload.replica_sets()) == 2
    if pin is Pin.DIGEST:
        # Nobody can pull that digest; the old ReplicaSet keeps its Pod, which is all the same for what is tested.
        workload.devloop("busybox:1", pin)
        assert f"busybox:1@{DIGEST}" in json.dumps(workload.read()["spec"])

    assert workload.restore() == ()
    workload.settle()
    after = workload.read()
    assert json.dumps(after["spec"]) == json.dumps(before["spec"])
    assert "annotations" not in after["spec"]["template"]["metadata"]
    assert "labels" not in after["metadata"]
    assert not any(key.startswith("devloop/") for key in after["metadata"]["annotations"])
    assert "devloop" not in managers(after)
    assert {name for name, wanted in workload.replica_sets().items() if wanted} == {old}

    workload.apply("python:3")
    images = {c["name"]: c["image"] for c in workload.read()["spec"]["template"]["spec"]["containers"]}
    assert images["web"] == f"{workload.registry}/python:3"


def test_what_somebody_else_changed_meanwhile_is_kept(workload: Workload) -> None:
    workload.devloop("python:3", Pin.TAG)
    mine = {"name": "web", "image": f"{workload.registry}/busybox:1.36"}
    workload.patch({"spec": {"template": {"spec": {"containers": [mine]}}}}, manager="argocd")
    (kept,) = workload.restore()
    assert kept.startswith(f"kept {mine['image']} in container web, set by argocd at ")
    spec = workload.read()["spec"]["template"]["spec"]
    web = next(c for c in spec["containers"] if c["name"] == "web")
    assert (web["image"], web["imagePullPolicy"]) == (mine["image"], "IfNotPresent")
    assert spec["initContainers"][0]["image"] == f"{workload.registry}/busybox:1"


def test_a_patch_for_a_workload_that_was_created_again_is_refused(workload: Workload, kubectl: Kubectl) -> None:
    stale = workload.deployment()
    body = {"metadata": {"uid": "00000000-0000-0000-0000-000000000000", "labels": {"x": "y"}}}
    with pytest.raises(AssertionError, match="uid"):
        workload.patch(body)
    assert workload.deployment().generation == stale.generation


def test_stripping_fails_safely_when_the_entry_has_changed(workload: Workload) -> None:
    workload.devloop("busybox:1", Pin.TAG)
    strip = strip_managed_fields(workload.read())
    workload.patch({"metadata": {"labels": {"another": "label"}}})
    assert strip is not None
    with pytest.raises(AssertionError, match="the server rejected our request due to an error in our request"):
        workload.patch(strip, "json")
    assert "devloop" in managers(workload.read())
