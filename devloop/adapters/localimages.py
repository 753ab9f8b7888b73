"""What the Docker engine on this machine has under image references, for `devloop why`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from devloop.adapters.engine import DockerEngine
from devloop.core.failure import Failure
from devloop.core.image import DOCKER_HUB, ImageRef, InvalidReferenceError
from devloop.core.why.facts import LocalImage, LocalTag

Found = tuple[LocalImage | None, tuple[LocalTag, ...]]
"""The image of a reference, and those of other tags of its repository, newest first."""


async def local_images(engine: DockerEngine, refs: Sequence[ImageRef]) -> Mapping[ImageRef, Found] | Failure:
    """All of them in one visit."""
    return await engine.ask(lambda client: {ref: _found(client, ref) for ref in refs})


def _found(client: Any, ref: ImageRef) -> Found:
    listed = client.images(name=_familiar(ref))
    tags = [tag for image in listed for tag in _tags(image, ref)]
    own = next((image for image in listed if _is(image, ref)), None)
    others = tuple(sorted((tag for tag in tags if tag.ref.tag != ref.tag), key=lambda tag: -tag.created))
    if own is None:
        return None, others
    return _local(client.inspect_image(own["Id"]), ref), others


def _familiar(ref: ImageRef) -> str:
    """The name as the engine lists it: it finds nothing by `docker.io/me/web` (moby#47809)."""
    return ref.canonical_name.removeprefix(f"{DOCKER_HUB}/").removeprefix("library/")


def _tags(image: Mapping[str, Any], ref: ImageRef) -> Iterable[LocalTag]:
    for text in image.get("RepoTags") or ():
        parsed = _parse(text)
        if parsed is not None and parsed.same_repository(ref):
            yield LocalTag(ref.with_tag(parsed.tag), image["Id"], float(image.get("Created") or 0))


def _is(image: Mapping[str, Any], ref: ImageRef) -> bool:
    if ref.digest:
        return any(text.endswith(f"@{ref.digest}") for text in image.get("RepoDigests") or ())
    return any((parsed := _parse(text)) is not None and parsed.same_image(ref) for text in image.get("RepoTags") or ())


def _local(raw: Mapping[str, Any], ref: ImageRef) -> LocalImage:
    """With a containerd store the id is the manifest's digest, else the config's."""
    digests = {raw["Id"]}
    for text in raw.get("RepoDigests") or ():
        parsed = _parse(text)
        if parsed is not None and parsed.same_repository(ref):
            digests.add(parsed.digest)
    tagged = _time((raw.get("Metadata") or {}).get("LastTagTime"))
    return LocalImage(frozenset(digests), raw["Id"], _time(raw.get("Created")), tagged)


def _parse(text: str) -> ImageRef | None:
    try:
        return ImageRef.parse(text)
    except InvalidReferenceError:  # `<none>:<none>`
        return None


def _time(text: str | None) -> float:
    """Go writes the year 1 for a time that it does not know."""
    if not text or text.startswith("0001"):
        return 0.0
    return datetime.fromisoformat(text).timestamp()
