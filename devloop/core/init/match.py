"""Which workload runs what a Dockerfile builds: the strongest reason decides, and two equal ones decide nothing."""

import posixpath
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from devloop.core.init.evidence import ALONE, ASKED, VAGUE, Evidence, Spot, evidence, unproven
from devloop.core.init.kept import IN_FILE
from devloop.core.init.source import Source
from devloop.core.init.surroundings import Surroundings
from devloop.core.init.workload import DEPLOYMENT, Live, reference
from devloop.core.problems import quoted

_MOST_NAMED = 4
_AS_YOU_SAID = "as you said"
_Key = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Matched:
    """A source and the containers that run it."""

    source: Source
    spots: tuple[Spot, ...]
    why: str
    by_image: bool
    """Whether the image that runs there is the source's own, by its name."""

    @property
    def workloads(self) -> tuple[Live, ...]:
        return tuple({spot.live.key: spot.live for spot in self.spots}.values())

    @property
    def namespace(self) -> str:
        return self.spots[0].live.key.namespace


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A source for which it is not clear what runs it."""

    source: Source
    why: str
    candidates: tuple[Spot, ...] = ()
    """What it may be; empty where there is nothing."""
    is_answered: bool = False
    """Whether there is nothing to ask: it is known why nothing runs it."""
    lacks_registry: bool = False
    """Whether it is clear what runs it, and all that is missing is a place to push to."""
    is_declined: bool = False
    """Whether a person was asked for such a place, and named none."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Everything that was found out."""

    matched: tuple[Matched, ...]
    unmatched: tuple[Unmatched, ...]
    left: tuple[Live, ...]
    """Workloads that nothing here builds."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Containers that belong together, and how strong the reasons for them are."""

    key: _Key
    spots: tuple[Spot, ...]
    best: Evidence

    @property
    def is_vague(self) -> bool:
        return self.best.rank >= VAGUE

    def without(self, claimed: Collection[object]) -> "_Candidate | None":
        spots = tuple(spot for spot in self.spots if spot.claim not in claimed)
        return _Candidate(self.key, spots, self.best) if spots else None


def match(
    sources: Sequence[Source],
    workloads: Sequence[Live],
    *,
    project: str,
    around: Surroundings,
    asked: Mapping[Source, Spot | None] | None = None,
    kept: Mapping[Source, tuple[Spot, ...]] | None = None,
) -> Matching:
    """Match them; `asked` holds what a person decided, None for a source that is left out, and `kept` what runs those
    that the configuration has already."""
    deployments = [live for live in workloads if live.key.kind == DEPLOYMENT]
    matcher = _Matcher(project, around, deployments)
    matcher.keep(kept or {})
    matcher.decide(sources, asked or {})
    others = [live for live in workloads if live.key.kind != DEPLOYMENT]
    unmatched = [matcher.explained(source, why, others) for source, why in matcher.open.items()]
    keys = {spot.live.key for each in matcher.matched for spot in each.spots}
    left = tuple(live for live in workloads if live.key not in keys)
    order = {source: place for place, source in enumerate(sources)}
    matched = sorted(matcher.matched, key=lambda each: order[each.source])
    return Matching(tuple(matched), tuple(sorted(unmatched, key=lambda each: order[each.source])), left)


class _Matcher:
    """The strongest claims are met first; what they take is no candidate for others any more."""

    def __init__(self, project: str, around: Surroundings, deployments: Sequence[Live]) -> None:
        self._project, self._around = project, around
        self._spots = [Spot(live, container) for live in deployments for container in live.containers]
        self._candidates: dict[Source, list[_Candidate]] = {}
        self._owners: dict[object, Source] = {}
        self.matched: list[Matched] = []
        self.open: dict[Source, tuple[str, tuple[Spot, ...]]] = {}

    def keep(self, kept: Mapping[Source, tuple[Spot, ...]]) -> None:
        """What the configuration says comes before every other reason."""
        for source, spots in kept.items():
            if spots:
                self._claim(source, _Candidate((), spots, Evidence(ASKED, IN_FILE)))
            else:
                self.open[source] = (IN_FILE, ())

    def decide(self, sources: Sequence[Source], asked: Mapping[Source, Spot | None]) -> None:
        self._candidates = {source: self._of(source, self._spots) for source in sources}
        waiting = []
        done = {*self.open, *(each.source for each in self.matched)}
        for source in sources:
            if source in done:
                continue
            if source not in asked:
                waiting.append(source)
            elif (spot := asked[source]) is not None:
                self._claim(source, _Candidate((), (spot,), Evidence(ASKED, "so you said")))
            else:
                self.open[source] = (_AS_YOU_SAID, ())
        while waiting:
            waiting = self._round(waiting)
        self._the_only_one(sources)

    def explained(self, source: Source, found: tuple[str, tuple[Spot, ...]], others: Sequence[Live]) -> Unmatched:
        why, spots = found
        if why:
            return Unmatched(source, why, spots, is_answered=why in {_AS_YOU_SAID, IN_FILE})
        if plain := self._plain_one(source):
            return Unmatched(source, f"{plain} is the plain one beside it", is_answered=True)
        if taken := self._taken(source):
            spot, owner = taken[0]
            return Unmatched(source, f"{spot} is built from {owner}", is_answered=True)
        elsewhere = self._of(source, [Spot(live, container) for live in others for container in live.containers])
        if elsewhere and not elsewhere[0].is_vague:
            live = elsewhere[0].spots[0].live
            return Unmatched(source, f"{live} runs it, and devloop rolls out Deployments alone", is_answered=True)
        names = quoted([name.text for name in source.names][:_MOST_NAMED], "or")
        return Unmatched(source, f"no Deployment has a name, an image or a label like {names}")

    def _of(self, source: Source, spots: Iterable[Spot]) -> list[_Candidate]:
        """The candidates of a source, the best first."""
        groups: dict[object, tuple[list[Spot], list[Evidence]]] = {}
        for spot in spots:
            if reasons := evidence(source, spot, self._project, self._around):
                ref = reference(spot.container.image)
                by_image = reasons[0].by_image and ref is not None
                key = (spot.live.key.namespace, ref.canonical_name) if by_image and ref else spot.claim
                groups.setdefault(key, ([], []))[0].append(spot)
                groups[key][1].extend(reasons)
        found = [_candidate(source, spots, reasons) for spots, reasons in groups.values()]
        return sorted(found, key=lambda each: each.key)

    def _round(self, waiting: list[Source]) -> list[Source]:
        """Meet the strongest claims; what is left to decide."""
        options = {source: found for source in waiting if (found := self._free(source))}
        self.open |= {source: ("", ()) for source in waiting if source not in options}
        if not options:
            return []
        best = min(found[0].key for found in options.values())
        first = {s: [c for c in found if c.key == best] for s, found in options.items() if found[0].key == best}
        clear = [
            source
            for source, tied in first.items()
            if len(tied) == 1 and not tied[0].is_vague and not _rivals(source, first)
        ]
        for source in clear:
            self._claim(source, first[source][0])
        if not clear:
            for source, tied in first.items():
                hints = [unproven(source, each.spots[0], self._around) for each in tied]
                offered = [each for _, each in sorted(zip(hints, tied, strict=True), key=lambda pair: not pair[0])]
                hint = next(filter(None, hints), "") if "" in hints else ""
                why = _undecided(offered, _rivals(source, first), hint)
                self.open[source] = (why, tuple(each.spots[0] for each in offered))
        return [source for source in options if source not in (clear or first)]

    def _plain_one(self, source: Source) -> Source | None:
        """The Dockerfile that this one is a variant of, where that one runs somewhere or may do so."""
        if not source.is_variant:
            return None
        known = [each.source for each in self.matched] + [each for each, (_, spots) in self.open.items() if spots]
        return next((each for each in known if not each.is_variant and _beside(each, source)), None)

    def _taken(self, source: Source) -> list[tuple[Spot, Source]]:
        """What it could be for, and is built from others."""
        spots = [spot for each in self._candidates[source] for spot in each.spots]
        return [(spot, self._owners[spot.claim]) for spot in spots if spot.claim in self._owners]

    def _free(self, source: Source) -> list[_Candidate]:
        # Variants beside each other are of the same thing, so where one is built, another is not for something weaker.
        is_built = source.is_variant and any(_beside(owner, source) for _, owner in self._taken(source))
        if is_built or self._plain_one(source):
            return []
        return [free for each in self._candidates[source] if (free := each.without(self._owners))]

    def _claim(self, source: Source, candidate: _Candidate) -> None:
        self._owners |= dict.fromkeys((spot.claim for spot in candidate.spots), source)
        self.matched.append(Matched(source, candidate.spots, candidate.best.why, candidate.best.by_image))

    def _the_only_one(self, sources: Sequence[Source]) -> None:
        """One Dockerfile and one workload belong together, unless the workload runs what nobody here can have built."""
        if len(sources) != 1 or self.matched or self.open.get(sources[0]) != ("", ()):
            return
        running = [spot for spot in self._spots if not spot.container.init]
        ours = [spot for spot in running if self._around.is_ours(spot.container)]
        if len(running) == len(ours) == 1:
            del self.open[sources[0]]
            why = "it is the only Deployment, and this the only Dockerfile"
            self._claim(sources[0], _Candidate((), tuple(ours), Evidence(ALONE, why)))


def _beside(one: Source, other: Source) -> bool:
    return posixpath.dirname(one.dockerfile) == posixpath.dirname(other.dockerfile)


def _candidate(source: Source, spots: list[Spot], reasons: list[Evidence]) -> _Candidate:
    ordered = sorted(reasons, key=lambda each: each.rank)
    ranks = [rank for rank, _ in groupby(each.rank for each in ordered)]
    # More reasons are better than fewer, so what is missing counts as the weakest.
    key = (*ranks, *[99] * (12 - len(ranks)))[:12]
    return _Candidate((*key, int(source.is_variant)), tuple(spots), ordered[0])


def _rivals(source: Source, first: Mapping[Source, Sequence[_Candidate]]) -> list[Source]:
    """Other sources that want one of the same containers for an equally good reason."""
    wanted = {spot.claim for each in first[source] for spot in each.spots}
    return [
        other
        for other, tied in first.items()
        if other is not source and any(spot.claim in wanted for each in tied for spot in each.spots)
    ]


def _undecided(tied: Sequence[_Candidate], rivals: Sequence[Source], hint: str) -> str:
    if len(tied) == 1 and not rivals:
        return f"it may be `{tied[0].spots[0]}` ({tied[0].best.why}), which is not certain"
    if len(tied) == 1:
        return f"{tied[0].spots[0]} could as well be built from {quoted(map(str, rivals), 'or')}"
    spots = [str(each.spots[0]) for each in tied]
    more = f" and {len(spots) - _MOST_NAMED} more" if len(spots) > _MOST_NAMED else ""
    return f"it may be {quoted(spots[:_MOST_NAMED], 'or')}{more}{f': {hint}' if hint else ', for equally good reasons'}"
