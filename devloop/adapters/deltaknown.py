"""What is known of a service's last full build, to which layers are appended, and of the newest of these."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from devloop.adapters.appending import Appendable
from devloop.adapters.basefile import Kept, Recipe
from devloop.adapters.scope import Context
from devloop.core.delta import Base, Delta
from devloop.core.dockerfile import parse
from devloop.core.dockerfile_target import Target, target_of
from devloop.core.picture import EntryType, Picture
from devloop.core.ports import BuildRequest


@dataclass(slots=True)
class Known:
    """What is known of the last full build of a recipe."""

    kept: Kept
    base: Base
    image: Appendable
    target: Target
    looked: float = -math.inf
    moved: str = ""
    """The image that moved since, on which it is built."""


@dataclass(slots=True)
class Memory:
    """Of one service: what is known, or why there is nothing."""

    known: Known | None = None
    nothing: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """A delta that can be appended."""

    delta: Delta
    known: Known
    context: Context


@dataclass(frozen=True, slots=True)
class Layered:
    """The newest image of a service, which is a layer on a full build."""

    request: BuildRequest
    digest: str
    picture: Picture
    """What it was made of."""
    images: Mapping[str, str]
    """What its full build was built on; a full build on something else is not to be compared with it."""

    def made_of(self, picture: Picture, images: Mapping[str, str]) -> bool:
        """Whether a full build of this source on these images gives the same."""
        return images == self.images and not picture.changed_since(self.picture, quiet=True)


def target_of_request(request: BuildRequest, recipe: Recipe) -> Target:
    return target_of(parse(recipe.dockerfile), request.spec.target, args=dict(request.spec.args))


def known_of(kept: Kept, image: Appendable, target: Target) -> Known:
    base = Base(kept.picture, kept.unsure, kept.folders, image.volumes, kept.links, kept.linked)
    return Known(kept, base, image, target)


def links_of(picture: Picture) -> dict[str, str]:
    """The links of a context, and where they lead."""
    return {name: entry.content for name, entry in picture.entries.items() if entry.type is EntryType.LINK}
