"""Checks of the images that builds begin with: whether their registries give them to this user."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from devloop.adapters.registry import HttpRegistry
from devloop.core.checkup import Check, Topic
from devloop.core.dockerfile import parse
from devloop.core.failure import Failure
from devloop.core.image import ImageRef, InvalidReferenceError
from devloop.core.service import Service


async def of_bases(services: Sequence[Service], registry: HttpRegistry) -> list[Check]:
    """Every image that a FROM names in full; nothing of those that build arguments choose."""
    dockerfiles = {service.build.dockerfile for service in services} or {Path.cwd() / "Dockerfile"}
    refs = dict.fromkeys(ref for file in sorted(dockerfiles) for ref in _named_bases(file))
    return await asyncio.gather(*(_of_base(ref, registry) for ref in refs))


def _named_bases(dockerfile: Path) -> Iterator[ImageRef]:
    try:
        stages = parse(dockerfile.read_text(errors="replace")).stages
    except OSError:
        return
    earlier = {"scratch", *(stage.name for stage in stages), *(str(stage.index) for stage in stages)}
    for base in (stage.base for stage in stages if stage.base.lower() not in earlier):
        try:
            yield ImageRef.parse(base)
        except InvalidReferenceError:
            continue


async def _of_base(ref: ImageRef, registry: HttpRegistry) -> Check:
    """Never a failure: the engine may have the image, and then nobody asks its registry."""
    found = await registry.resolve(ref, configs=False)
    if isinstance(found, Failure):
        message = f"the base image {ref} cannot be read: {found.message}; builds need it, unless the builder has it"
        return Topic.BASE.note(message, found.hint)
    if found is None:
        message = f"the registry has no base image {ref}; builds need it, unless the builder has it"
        return Topic.BASE.note(message, "correct the FROM, or push it")
    return Topic.BASE.ok(f"{ref} can be read")
