"""Whether a digest that a node reports means the image that was pushed.

One image goes by many digests (index, platform manifest, config), and a node may report a manifest that this registry
knows under another name: the config decides, because it names the content.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from devloop.core.events import Verdict
from devloop.core.image import ImageRef, InvalidReferenceError, ResolvedImage, digest_of

Known = Mapping[str, ResolvedImage | None]
"""What the registry said about digests that it was asked for; None where it has nothing."""


def is_ours(digest: str, sets: Iterable[ResolvedImage]) -> bool:
    """Whether one of the images goes by that digest."""
    return any(digest in image.digests for image in sets)


def where_known(image_id: str, pushed: ImageRef, pulled: ImageRef) -> tuple[ImageRef, ...]:
    """Where the registry may tell what an `imageID` of a Pod means: in the repository that was pushed to, then in the
    one that the node names. `pulled` is how Pods call what is `pushed` here.

    A node that has one image under several names reports one of them, of which Pods it may be another's. Only the
    registry that the Pods pull from is asked: nobody else gets to see credentials because a Pod's status names him.
    """
    digest = digest_of(image_id)
    places = [pushed.with_tag("").with_digest(digest)]
    with suppress(InvalidReferenceError):
        named = ImageRef.parse(image_id.rpartition("//")[2])
        if named.digest and named.registry == pulled.registry and not named.same_repository(pulled):
            places.append(replace(named, registry=pushed.registry))
    return tuple(places)


def where_each_is_known(asked: Iterable[tuple[str, ImageRef, ImageRef]]) -> dict[str, tuple[ImageRef, ...]]:
    """The same for each digest: nodes may name it differently, and any of the names may be the one that tells."""
    found: dict[str, dict[ImageRef, None]] = {}
    for image_id, pushed, pulled in asked:
        found.setdefault(digest_of(image_id), {}).update(dict.fromkeys(where_known(image_id, pushed, pulled)))
    return {digest: tuple(refs) for digest, refs in found.items()}


def verdict_of(digest: str, image: ResolvedImage, known: Known, earlier: Sequence[ResolvedImage]) -> Verdict:
    """In the set is a match; outside, the config behind the digest decides; what cannot be resolved is unknown."""
    if digest and digest in image.digests:
        return Verdict.MATCH
    reported = known.get(digest) or next((e for e in earlier if digest in e.digests), None)
    if not digest or reported is None:
        return Verdict.UNKNOWN
    theirs, ours = _comparable(_configs(digest, reported), _configs(image.digest, image))
    if not theirs or not ours:
        return Verdict.UNKNOWN
    if theirs <= ours:
        return Verdict.MATCH
    return Verdict.UNKNOWN if theirs & ours else Verdict.MISMATCH


def _configs(digest: str, image: ResolvedImage) -> frozenset[tuple[str, str]]:
    """Platform and config of what that digest of the image may run."""
    exact = [m for m in image.manifests if digest in {m.digest, m.config}]
    return frozenset((m.platform, m.config) for m in exact or image.manifests if m.config)


def _comparable(
    theirs: frozenset[tuple[str, str]], ours: frozenset[tuple[str, str]]
) -> tuple[frozenset[str], frozenset[str]]:
    """The configs of the platforms that both have; all of them when they have none in common, or none is known."""
    common = {platform for platform, _ in theirs} & {platform for platform, _ in ours} - {""}

    def pick(pairs: frozenset[tuple[str, str]]) -> frozenset[str]:
        return frozenset(config for platform, config in pairs if not common or platform in common)

    return pick(theirs), pick(ours)
