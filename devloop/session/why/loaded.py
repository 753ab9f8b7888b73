"""What is known of an image that was loaded into a local cluster: no registry is asked for it."""

from collections.abc import Sequence

from devloop.core.image import ImageRef, InvalidReferenceError, PlatformManifest, ResolvedImage
from devloop.core.patch import BuildMark, loaded_into
from devloop.core.service import Service
from devloop.core.why.facts import Push, RegistryImage, Unread
from devloop.core.workload import Deployment


def in_no_registry(
    image: str, deployment: Deployment, service: Service | None, pushes: Sequence[Push]
) -> RegistryImage | Unread | None:
    """What the workload's mark says of one that was loaded; None for one that a registry may have."""
    build = deployment.template.build
    mark, cluster = BuildMark.decode(build), loaded_into(build, image)
    if mark is not None and cluster:
        names = next((push.digests for push in pushes if push.digest == mark.digest), frozenset[str]())
        manifests = tuple(PlatformManifest("", each, mark.digest) for each in sorted(names | {mark.digest}))
        return RegistryImage(ResolvedImage(mark.digest, manifests), loaded_into=cluster)
    if service is not None and service.load and _parsed(image).same_repository(service.image):
        why = f"{image} is no build that was loaded, and devloop.toml pushes none to a registry"
        return Unread(why, f"devloop up {service.name} --once")
    return None


def expected(service: Service | None, deployment: Deployment) -> ImageRef | None:
    """What the containers should ask for, by devloop.toml; what is loaded has another tag with every build."""
    if service is None or service.load is None:
        return service.image if service is not None else None
    asked = [_parsed(spec.image) for spec in deployment.template.containers]
    prefix = f"{service.image.effective_tag}-"
    return next((r for r in asked if r.same_repository(service.image) and r.tag.startswith(prefix)), None)


def _parsed(image: str) -> ImageRef:
    try:
        return ImageRef.parse(image)
    except InvalidReferenceError:
        return ImageRef("", image)
