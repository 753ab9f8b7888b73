"""What is kept of a full build for later sessions to append to: a line of JSON, then the picture of its context."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from devloop.adapters import picture_store
from devloop.adapters.scope import read_ignore_file
from devloop.core.delta import Folder
from devloop.core.picture import Picture
from devloop.core.ports import BuildRequest

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a build is made by, besides its context."""

    dockerfile: str
    ignore: str
    arguments: str
    """A hash: they may hold secrets."""
    platform: str

    def differs_from(self, other: "Recipe") -> str:
        """What is another one, in words; empty where they are equal."""
        if self.dockerfile != other.dockerfile:
            return "the Dockerfile"
        if self.ignore != other.ignore:
            return "what the ignore file says"
        return "the build's arguments, platform or builder" if self != other else ""


@dataclass(frozen=True, slots=True)
class Kept:
    """One full build."""

    recipe: Recipe
    digest: str
    picture: Picture
    unsure: frozenset[str]
    folders: Mapping[str, Folder]
    images: Mapping[str, str]
    """What FROM named, with the digest that it had."""
    links: Mapping[str, str]
    linked: frozenset[str]
    same: str = ""
    """The digest of an image by a layer that was made of the same source; empty where there is none."""


def recipe_of(request: BuildRequest) -> Recipe:
    """As it is on disk now; blocks."""
    spec = request.spec
    try:
        dockerfile = spec.dockerfile.read_text("utf-8", "surrogateescape")
    except OSError as error:
        dockerfile = f"cannot be read: {error}"
    given = repr((spec.args, spec.builder, spec.cache_from, spec.target))
    arguments = hashlib.sha256(given.encode("utf-8", "surrogateescape")).hexdigest()
    ignore = read_ignore_file(spec.context, spec.dockerfile)
    return Recipe(dockerfile, repr(ignore.says), arguments, request.platform)


def encoded(kept: Kept) -> bytes:
    head = {
        "version": _VERSION,
        "recipe": asdict(kept.recipe),
        "digest": kept.digest,
        "unsure": sorted(kept.unsure),
        "folders": {path: list(asdict(folder).values()) for path, folder in kept.folders.items()},
        "images": dict(kept.images),
        "links": dict(kept.links),
        "linked": sorted(kept.linked),
        "same": kept.same,
    }
    return json.dumps(head).encode() + b"\n" + picture_store.encode(kept.picture)


def decoded(data: bytes | None) -> Kept | None:
    """None where there is nothing, or nothing that this version reads."""
    head, _, packed = (data or b"").partition(b"\n")
    try:
        read = json.loads(head)
        if read["version"] != _VERSION or (picture := picture_store.decode(packed)) is None:
            return None
        return Kept(
            Recipe(**read["recipe"]),
            read["digest"],
            picture,
            frozenset(read["unsure"]),
            {path: Folder(*values) for path, values in read["folders"].items()},
            read["images"],
            read["links"],
            frozenset(read["linked"]),
            read.get("same", ""),
        )
    except (ValueError, KeyError, TypeError):
        return None
