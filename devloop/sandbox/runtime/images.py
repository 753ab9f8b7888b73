"""The images of one node: what its tags were at when they were last pulled, their layers, and what they unpack to.

That a tag has moved meanwhile is nothing that a node finds out by itself: it asks when the pull policy says so.
"""

import asyncio
import platform
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devloop.core.image import ImageRef, InvalidReferenceError
from devloop.sandbox.runtime.fetching import Fetched, Fetching, failed
from devloop.sandbox.runtime.unpacking import BadLayerError, unpack
from devloop.sandbox.runtimeport import Pulled, PullFailed

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def own_platform() -> str:
    """What a node on this machine reports; containers are Linux ones, whatever the machine."""
    machine = platform.machine().lower()
    return f"linux/{_MACHINES.get(machine, machine)}"


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the node has."""

    image_id: str
    config: Mapping[str, Any]
    """Of its document, what a container starts by: `Cmd`, `Env`, `WorkingDir` and so on."""
    root: Path
    """Unpacked; a container gets a copy."""
    size: int


class Images:
    """The image cache of one node."""

    def __init__(self, folder: Path, fetching: Fetching) -> None:
        self._folder, self._fetching = folder, fetching
        self._named: dict[str, Image] = {}
        """By the names that were pulled (`HOST/REPO:TAG`, `HOST/REPO@DIGEST`)."""
        self._one_at_a_time = asyncio.Lock()
        """As kubelets pull where nobody changed `serializeImagePulls`."""

    def names(self) -> Mapping[str, Image]:
        """What was pulled, by name."""
        return dict(self._named)

    def find(self, image_id: str) -> Image | None:
        return self._named.get(image_id)

    async def pull(self, image: str, policy: str) -> Pulled:
        """Raises `PullFailed`."""
        began, ref = time.monotonic(), _parsed(image)
        if policy != "Always" and (known := self._named.get(str(ref))):
            return Pulled(known.image_id, True, time.monotonic() - began, known.size)
        if policy == "Never":
            raise PullFailed(f'Container image "{image}" is not present with pull policy of Never')
        async with self._one_at_a_time:
            found = await self._brought(ref)
        return Pulled(found.image_id, False, time.monotonic() - began, found.size)

    async def _brought(self, ref: ImageRef) -> Image:
        digest = await self._fetching.resolve(ref)
        image_id = f"{ref.name}@{digest}"
        found = self._named.get(image_id)
        if found is None:
            fetched = await self._fetching.describe(ref, digest)
            root = self._folder / "images" / digest.replace(":", "-")
            if not root.exists():
                await self._unpacked(ref, fetched, root)
            found = Image(image_id, fetched.config.get("config") or {}, root, fetched.size)
        self._named[image_id] = self._named[str(ref)] = found
        return found

    async def _unpacked(self, ref: ImageRef, fetched: Fetched, root: Path) -> None:
        """All or nothing: an image that could not be unpacked to its end is not there."""
        half = _beside(root)
        half.mkdir(parents=True)
        for digest in fetched.layers:
            layer = await self._layer(ref, digest)
            try:
                await asyncio.to_thread(unpack, layer, half)
            except BadLayerError as error:
                raise failed(ref, "Unknown", f"failed to extract layer {digest}: {error}") from error
        half.rename(root)

    async def _layer(self, ref: ImageRef, digest: str) -> Path:
        """From this node's cache, or from the registry."""
        file = self._folder / "layers" / digest.replace(":", "-")
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            half = _beside(file)
            await self._fetching.download(ref, digest, half)
            half.rename(file)
        return file


def _parsed(image: str) -> ImageRef:
    try:
        ref = ImageRef.parse(image)
    except InvalidReferenceError:
        raise PullFailed(f'couldn\'t parse image name "{image}": invalid reference format') from None
    # With both, the digest counts.
    return replace(ref, tag="" if ref.digest else ref.effective_tag)


def _beside(path: Path) -> Path:
    """A new name: whoever was cancelled may still be writing under the one before."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}")
