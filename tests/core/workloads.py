"""Workloads made by hand, for tables of cases: one Deployment, its ReplicaSets, Pods and Events."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from devloop.core import manifest
from devloop.core.image import ImageRef, PlatformManifest, PushedImage, ResolvedImage
from devloop.core.service import BuildSpec, Pin, Service, WorkloadKey
from devloop.core.workload import (
    ClusterEvent,
    ContainerSpec,
    ContainerStatus,
    Deployment,
    Pod,
    Revision,
    Running,
    Snapshot,
    Template,
)

KEY = WorkloadKey("shop", "deployment", "web")
REPOSITORY = "localhost:5001/shop/web"
DEV = f"{REPOSITORY}:dev"


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def resolved(letter: str, config: str = "", platform: str = "linux/amd64") -> ResolvedImage:
    """A single manifest; the config is named after the letter in upper case unless it is given."""
    return ResolvedImage(
        digest(letter), (PlatformManifest(platform, digest(letter), config or "sha256:" + letter * 32 + "0" * 32),)
    )


def pushed(letter: str = "a", ref: str = DEV) -> PushedImage:
    return PushedImage(ImageRef.parse(ref), ImageRef.parse(ref), resolved(letter))


def service(image: str = DEV, *containers: str, pin: Pin = Pin.TAG) -> Service:
    ref = ImageRef.parse(image)
    build = BuildSpec(Path("/src"), Path("/src/Dockerfile"))
    return Service("web", ref, ref, pin, (KEY,), containers, build, ())


def raw(containers: list[dict[str, Any]], init: list[dict[str, Any]] | None = None, **metadata: Any) -> dict[str, Any]:
    """A Deployment as the API server sends it."""
    spec: dict[str, Any] = {"containers": containers}
    if init:
        spec["initContainers"] = init
    return {
        "metadata": {"namespace": "shop", "name": "web", "uid": "uid-web", "generation": 1, **metadata},
        "spec": {"replicas": 1, "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec}},
        "status": {},
    }


def container(name: str = "web", image: str = DEV, policy: str = "IfNotPresent") -> dict[str, Any]:
    return {"name": name, "image": image, "imagePullPolicy": policy}


def deployment(*containers: dict[str, Any], **metadata: Any) -> Deployment:
    return manifest.deployment(raw(list(containers) or [container()], **metadata))


TEMPLATE = Template((ContainerSpec("web", DEV, "Always"),), build="mark")


def pod(
    name: str = "web-new-1",
    revision: str = "web-new",
    *,
    image: str = "a",
    ready: bool = True,
    policy: str = "Always",
    **status: Any,
) -> Pod:
    """A Pod with one container `web`; `image` names the digest that it reports, empty for none."""
    reported = f"{REPOSITORY}@{digest(image)}" if image else ""
    found = ContainerStatus("web", False, reported, ready, 0, Running(100.0))
    return Pod(
        name,
        f"uid-{name}",
        "node1",
        revision,
        "Running",
        50.0,
        0.0,
        ready,
        (replace(found, **status),),
        (ContainerSpec("web", DEV, policy),),
    )


def revision(name: str = "web-new", *, number: int = 2, replicas: int = 1, template: Template = TEMPLATE) -> Revision:
    return Revision(name, f"uid-{name}", number, 40.0, replicas, replicas, replicas, replicas, template)


def snapshot(
    *pods: Pod, revisions: tuple[Revision, ...] = (), events: tuple[ClusterEvent, ...] = (), **changes: Any
) -> Snapshot:
    """A Deployment of one replica whose rollout is complete, unless the arguments say otherwise."""
    found = replace(
        deployment(container(policy="Always")),
        template=TEMPLATE,
        observed_generation=1,
        updated_replicas=1,
        max_surge="25%",
        max_unavailable="25%",
    )
    return Snapshot(KEY, replace(found, **changes), revisions or (revision(),), pods or (pod(),), events)


def event(about: Pod, reason: str, message: str, container: str = "web", last: float = 1.0) -> ClusterEvent:
    path = f"spec.containers{{{container}}}" if container else ""
    return ClusterEvent(about.uid, "Pod", about.name, path, "Normal", reason, message, 1, last, last)
