"""Whether a digest that a node reports means the image that was pushed.

One image goes by many digests (index, platform manifest, config), and a node may report a manifest that this registry
knows under another name: the config decides, because it names the content.
"""

from collections.abc import Iterable, Mapping, Sequence

from devloop.core.events import Verdict
from devloop.core.image import ResolvedImage

Known = Mapping[str, ResolvedImage | None]
"""What the registry said about digests that it was asked for; None where it has nothing."""


def is_ours(digest: str, sets: Iterable[ResolvedImage]) -> bool:
    """Whether one of the images goes by that digest."""
    return any(digest in image.digests for image in sets)


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
