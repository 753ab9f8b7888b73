"""The images that a Dockerfile begins with: when one of them moves, a full build gives something else."""

from devloop.adapters.layer import NoLayerError
from devloop.adapters.registry import HttpRegistry
from devloop.core.dockerfile_target import Target
from devloop.core.dockerfile_walk import REMOTE
from devloop.core.dockerfile_words import UNKNOWN
from devloop.core.failure import Failure
from devloop.core.image import ImageRef, InvalidReferenceError


async def built_on(registry: HttpRegistry, target: Target) -> dict[str, str]:
    """Their names, with their digests now; raises `NoLayerError` where a full build may take something else each time.

    One that cannot be looked up may have ONBUILD in it.
    """
    found: dict[str, str] = {}
    steps = (step.instruction for step in (*target.image, *target.others))
    if any(step.name == "ADD" and not step.flag("checksum") and REMOTE.search(" ".join(step.args)) for step in steps):
        raise NoLayerError("what ADD fetches may be another file each time")
    for name in target.images:
        try:
            ref = ImageRef.parse(name)
        except InvalidReferenceError:
            raise NoLayerError(f"it is not known which image `{name.replace(UNKNOWN, '?')}` is") from None
        resolved = await registry.resolve(ref)
        if resolved is None or isinstance(resolved, Failure):
            raise NoLayerError(f"{name} cannot be looked up")
        for digest in resolved.configs:
            config = await registry.config(ref, digest)
            if isinstance(config, Failure) or (config.get("config") or {}).get("OnBuild"):
                raise NoLayerError(f"{name} has ONBUILD instructions, or cannot be looked into")
        found[name] = resolved.digest
    return found
