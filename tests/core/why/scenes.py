"""Facts made by hand for tables of cases: a Deployment on two nodes, and a registry that holds image `a`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from devloop.core.image import ImageRef, ResolvedImage
from devloop.core.why.facts import Facts, LocalImage, Reference, RegistryImage, Unread
from devloop.core.workload import ContainerSpec, Pod, Revision, Running, Snapshot, Template
from tests.core.workloads import DEV, KEY, digest, pod, resolved, revision, snapshot

NOW = 10_000.0
STARTED = 1_000.0
"""When the Pods' containers were started."""
BEFORE, AFTER = STARTED - 100, STARTED + 100
OLD: Mapping[str, ResolvedImage | None] = {digest("b"): resolved("b")}
"""The registry knows what `b` is: another image."""
IF_NOT_PRESENT = Template((ContainerSpec("web", DEV, "IfNotPresent"),))
ALWAYS = Template((ContainerSpec("web", DEV, "Always"),))


def in_registry(letter: str = "a", created: float = BEFORE, **told: Any) -> RegistryImage:
    return RegistryImage(resolved(letter), created, **told)


def local(letter: str = "a", created: float = BEFORE, tagged: float = 0.0) -> LocalImage:
    return LocalImage(
        frozenset({digest(letter), next(iter(resolved(letter).configs))}), digest(letter), created, tagged
    )


def reference(
    registry: RegistryImage | Unread | None = None, here: LocalImage | Unread | None = None, ref: str = DEV, **more: Any
) -> Reference:
    return Reference(ImageRef.parse(ref), registry or in_registry(), here, **more)


def running(name: str, image: str, *, node: str = "node1", policy: str = "IfNotPresent", at: float = STARTED) -> Pod:
    """A ready Pod of the newest revision whose container was started then."""
    return replace(pod(name, image=image, policy=policy, state=Running(at)), node=node)


def facts(
    *pods: Pod,
    template: Template = IF_NOT_PRESENT,
    reference: Reference | None = None,
    references: Mapping[str, Reference] | None = None,
    revisions: tuple[Revision, ...] = (),
    scene: Snapshot | None = None,
    **changes: Any,
) -> Facts:
    """A Deployment whose rollout is complete with these Pods, unless the arguments say otherwise."""
    own = revisions or (revision(template=template, replicas=len(pods)),)
    if scene is None:
        count = len(pods)
        scene = snapshot(*pods, revisions=own, template=template, replicas=count, updated_replicas=count)
        scene = replace(scene, deployment=replace(scene.deployment, raw=PROBED)) if scene.deployment else scene
    asked = reference or Reference(ImageRef.parse(DEV), in_registry(), None)
    fields: dict[str, Any] = {
        "newest": own[0].name,
        "containers": tuple(spec.name for spec in template.containers),
        "references": references or {DEV: asked},
        "known": OLD,
    }
    return Facts(NOW, KEY, scene, **(fields | changes))


PROBED: Mapping[str, Any] = {
    "spec": {"template": {"spec": {"containers": [{"name": "web", "readinessProbe": {"exec": {}}}]}}}
}
"""With a readiness probe, so that ready means ready."""
