"""Why a container of a live workload may be what a Dockerfile builds: by image, by name, by label."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from devloop.core.image import ImageRef
from devloop.core.init.source import Name, Source, plain
from devloop.core.init.surroundings import NOT_LOGGED_IN, Surroundings
from devloop.core.init.workload import Live, last_part, reference
from devloop.core.workload import ContainerSpec

_AFFIXES = ("-service", "-svc", "-app", "-server")
"""What people add to a name without meaning anything else."""

SAME_IMAGE, SAME_PATH, BY_IMAGE, BY_WORKLOAD, BY_CONTAINER, BY_LABEL, ALONE, ASKED = range(8)
"""Kinds of evidence, the strongest first."""
_STEP = 10
"""Between the kinds and how exactly a name fits: an exact label counts for more than a vague workload's name."""
VAGUE = 3 * _STEP
"""From this rank on a reason only makes a question: `payments-api` may be somebody else's, though it ends in `api`."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One container of a workload."""

    live: Live
    container: ContainerSpec

    @property
    def claim(self) -> tuple[object, ...]:
        return self.live.key, self.container.name

    def __str__(self) -> str:
        many = len(self.live.mains) > 1 or self.container.init
        return f"{self.live}, container {self.container.name}" if many else str(self.live)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason; the lower the rank the stronger."""

    rank: int
    why: str
    """Read after the workload's name."""
    by_image: bool = False
    """Whether the image itself says it: then every container of that repository belongs to it."""


def evidence(source: Source, spot: Spot, project: str, around: Surroundings) -> list[Evidence]:
    """All that speaks for this container, the strongest first."""
    prefixes = {plain(text) for text in (project, spot.live.key.namespace, spot.live.instance)} - {""}
    found = [*_of_image(source, spot.container, prefixes, around), *_of_names(source, spot, prefixes)]
    return sorted(found, key=lambda each: each.rank)


def unproven(source: Source, spot: Spot, around: Surroundings) -> str:
    """The name in an image that counts as no reason, as it may be somebody else's: of containers that are equal
    otherwise it tells which to offer first. Empty where there is none."""
    ref = reference(spot.container.image)
    if ref is None or not around.is_unproven(ref) or around.may_be_ours(ref):
        return ""
    name = next((name for name, distance in _related(source.names, last_part(ref), ()) if distance == 0), None)
    return f"the image {ref.name} of the first ends in {_told(name)}, but {NOT_LOGGED_IN}" if name else ""


def _of_image(
    source: Source, container: ContainerSpec, prefixes: Collection[str], around: Surroundings
) -> Iterator[Evidence]:
    ref = reference(container.image)
    if ref is None:
        return
    for stated in source.images:
        other = reference(stated.image)
        if other is not None and (kind := _stated(other, ref)) is not None:
            exact = "" if kind == SAME_IMAGE else f", {other.name}"
            yield Evidence(kind, f"the image {ref.name} is what {stated.file} builds from it{exact}", by_image=True)
    if not around.may_be_ours(ref):
        return
    for name, distance in _related(source.names, last_part(ref), prefixes):
        verb = "ends in" if distance == 0 else "is named after"
        # What may as well be an image that everybody uses is asked about.
        rank = BY_IMAGE + (distance if around.is_ours(container) else max(distance, VAGUE))
        yield Evidence(rank, f"the image {ref.name} {verb} {_told(name)}", by_image=True)


def _stated(stated: ImageRef, running: ImageRef) -> int | None:
    if stated.same_repository(running):
        return SAME_IMAGE
    return SAME_PATH if stated.repository == running.repository and "/" in stated.repository else None


def _of_names(source: Source, spot: Spot, prefixes: Collection[str]) -> Iterator[Evidence]:
    """What the workload, the container and labels are called; a container of a Pod with several speaks for itself."""
    live, container = spot.live, spot.container
    if container.init:
        return
    for name, distance in _related(source.names, live.key.name, prefixes):
        held = f"it is called {name.text}, {name.origin}" if distance == 0 else f"its name holds {_told(name)}"
        yield Evidence(BY_WORKLOAD + distance, held)
    if len(live.mains) > 1:
        for name, distance in _related(source.names, container.name, prefixes):
            yield Evidence(BY_CONTAINER + distance, f"its container {container.name} is called like {_told(name)}")
    for label, value in live.name_labels:
        for name, distance in _related(source.names, value, ()):
            if distance == 0:
                yield Evidence(BY_LABEL, f"its label {label} is {_told(name)}")


def _told(name: Name) -> str:
    return f"{name.origin}, {name.text}"


def _related(names: Iterable[Name], text: str, prefixes: Collection[str]) -> Iterator[tuple[Name, int]]:
    """The names that the text may stand for, and how far it is from each."""
    for name in names:
        distance = _distance(plain(name.text), plain(text), prefixes)
        if distance is not None:
            yield name, distance * _STEP


def _distance(name: str, text: str, prefixes: Collection[str]) -> int | None:
    if not name or not text:
        return None
    if name == text:
        return 0
    name, text = _stem(name), _stem(text)
    if name == text:
        return 1
    if any(text == f"{prefix}-{name}" or name == f"{prefix}-{text}" for prefix in prefixes):
        return 2
    return VAGUE // _STEP if text.endswith(f"-{name}") else None


def _stem(text: str) -> str:
    return next((text.removesuffix(affix) for affix in _AFFIXES if text.endswith(affix)), text)
