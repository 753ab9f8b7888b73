"""The services that `devloop init` proposes, made of what was matched; `render.py` writes them down."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from devloop.core.containers import choose as containers_of
from devloop.core.image import ImageRef
from devloop.core.init.kept import NOTHING, Kept, Stated
from devloop.core.init.match import Matched, Matching, Unmatched
from devloop.core.init.registry import Chosen, Place, choose, unfit
from devloop.core.init.source import Source, plain
from devloop.core.init.surroundings import Surroundings
from devloop.core.init.workload import DEPLOYMENT, Live, full_name, reference
from devloop.core.order import cycles
from devloop.core.resolve import LOCAL_TAG, SHARED_TAG
from devloop.core.service import BuildSpec, Pin, Service, WorkloadKey
from devloop.core.workload import Template

_COMMIT = re.compile(r"(?:sha-|git-|g)?[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One `[services.NAME]`."""

    name: str
    source: Source
    matched: Matched
    image: Chosen
    tag: str = ""
    """Empty: devloop's default."""
    tag_note: str = ""
    containers: tuple[str, ...] = ()
    """Empty: those that devloop takes by itself."""
    depends_on: tuple[str, ...] = ()
    is_kept: bool = False
    """Whether devloop.toml has it already."""

    @property
    def workloads(self) -> tuple[str, ...]:
        return tuple(str(live.key) for live in self.matched.workloads)


@dataclass(frozen=True, slots=True)
class Target:
    """The cluster that it is for."""

    context: str
    local: bool
    permitted: bool
    """Whether naming the context in the file is right: it is a local cluster, or a person has confirmed it."""
    in_files: bool = False
    """Whether the files permit it already, so that an overlay that is there need not name it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """All that will be written."""

    target: Target
    namespace: str
    services: tuple[Proposal, ...]
    unmatched: tuple[Unmatched, ...]
    shared: bool = False
    """Whether others have the project too: it is in a version control system."""
    names: Mapping[Source, str] = field(default_factory=dict)
    """What the services would be called, also those that were not matched."""
    loads_into: str = ""
    """The local cluster that takes images without a registry, in words; empty where there is none."""
    kept: Kept = NOTHING
    if_right: Mapping[Source, Chosen] = field(default_factory=dict)
    """The image of what is not clear, if its first candidate is right."""
    unclaimed: tuple[Live, ...] = ()
    """Deployments of images that can have been built here, though nothing here builds them by any name."""

    @property
    def new(self) -> tuple[Proposal, ...]:
        """The services that the file has not yet."""
        return tuple(each for each in self.services if not each.is_kept)


def draft(
    matching: Matching, target: Target, around: Surroundings, place: Place | None, *, project: str, shared: bool,
    kept: Kept = NOTHING, declined: bool = False,
) -> Draft:  # fmt: skip
    """The proposal; what has no place to go to counts as not matched. `declined`: a person was asked for a place."""
    names = service_names(matching, kept)
    by_call = {call: names[each.source] for each in matching.matched for call in each.source.called}
    services: list[Proposal] = []
    homeless: list[Unmatched] = []
    if_right: dict[Source, Chosen] = {}

    def image_of(one: Matched, everything: Sequence[Matched]) -> Chosen | None:
        return choose(one, names[one.source], everything, around, place, plain(project) or "app")

    for each in matching.matched:
        chosen = image_of(each, matching.matched)
        if each.source in kept.stated:
            services.append(_kept(kept.stated[each.source], each, chosen))
            continue
        if chosen is None:
            homeless.append(_declined(each, around) if declined else _without_registry(each))
        elif maker := _maker(chosen, kept, services):
            why = f"its image would be {chosen.image}, which {maker}"
            homeless.append(Unmatched(each.source, why, (each.spots[0],)))
            if_right[each.source] = chosen
        else:
            one, others = _told_apart(each, chosen)
            services.append(_proposal(names[each.source], one, chosen, target, by_call))
            homeless += others
    ordered = _in_order(services)
    unmatched = (*matching.unmatched, *homeless)
    namespace = kept.home.namespace or kept.namespace or _namespace(ordered)
    if kept.home.is_news:
        shared = True  # the overlay says it, whatever devloop.toml says
    elif kept.text and not shared and not kept.namespace:
        namespace = ""  # the file names none, and none is put into it: each new service names its own
    if_right |= {each.source: chosen for each in matching.unmatched
                 if (meant := _first(each)) and (chosen := image_of(meant, (*matching.matched, meant)))}  # fmt: skip
    unclaimed = tuple(_unclaimed(matching, around, kept))
    return Draft(target, namespace, ordered, unmatched, shared, names, around.loads_into, kept, if_right, unclaimed)


def _unclaimed(matching: Matching, around: Surroundings, kept: Kept) -> Iterator[Live]:
    asked = {spot.live.key for each in matching.unmatched for spot in each.candidates}
    for live in matching.left:
        refs = (reference(each.image) for each in live.mains)
        ours = live.key.kind == DEPLOYMENT and any(ref is not None and around.may_be_ours(ref) for ref in refs)
        if ours and live.key not in asked and not kept.makes(live):
            yield live


def _first(unmatched: Unmatched) -> Matched | None:
    """What a person who is asked would make of it with the first answer."""
    return Matched(unmatched.source, unmatched.candidates[:1], "", by_image=False) if unmatched.candidates else None


def _namespace(services: Sequence[Proposal]) -> str:
    """That of most of them."""
    namespaces = Counter(service.matched.namespace for service in services)
    return namespaces.most_common(1)[0][0] if namespaces else ""


def _kept(stated: Stated, matched: Matched, chosen: Chosen | None) -> Proposal:
    """As the file has it; what holds on this machine alone is added where it is not said."""
    fits = chosen is not None and chosen.image == stated.image and not stated.push
    image = chosen if chosen is not None and fits else Chosen(stated.image)
    return Proposal(stated.name, matched.source, matched, image, is_kept=True)


def service_names(matching: Matching, kept: Kept = NOTHING) -> dict[Source, str]:
    """A name for each, no two alike: what it is called, with what tells it from another of that name."""
    matched = {each.source: each for each in matching.matched}
    names: dict[Source, str] = {}
    names |= {source: stated.name for source, stated in kept.stated.items()}
    taken = {*kept.names, *names.values()}
    for source in [*matched, *(each.source for each in matching.unmatched)]:
        if source in names:
            continue
        wanted = [_as_key(source.names[0].text), _as_key(source.dockerfile.replace("/", "-"))]
        if source.names[0].origin.endswith("project's folder") and source in matched:
            wanted.insert(0, _as_key(matched[source].workloads[0].key.name))
        wanted += [f"{wanted[0]}-{number}" for number in range(2, len(taken) + 3)]
        names[source] = next(name for name in wanted if name and name not in taken)
        taken.add(names[source])
    return names


def _as_key(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-_").lower()


def _without_registry(matched: Matched) -> Unmatched:
    image = matched.spots[0].container.image
    why = f"{matched.spots[0]} runs {image}, which cannot be pushed to, and no other registry was found"
    return Unmatched(matched.source, why, (matched.spots[0],), lacks_registry=True)


def _declined(matched: Matched, around: Surroundings) -> Unmatched:
    why = f"{matched.spots[0]} runs {unfit(matched, around)}"
    return Unmatched(matched.source, why, is_answered=True, is_declined=True)


def _maker(chosen: Chosen, kept: Kept, services: Sequence[Proposal]) -> str:
    """What moves the same tag already; empty where nothing does. Read after `which`."""
    if not kept.images.isdisjoint(_moved(chosen)):
        return "a service of devloop.toml makes"
    taken = next((each for each in services if not _moved(each.image).isdisjoint(_moved(chosen))), None)
    return f"is what `{taken.name}` makes" if taken is not None else ""


def _moved(image: Chosen) -> set[str]:
    """Under which names a build moves its tag."""
    return {image.image, image.push or image.image}


def _proposal(name: str, matched: Matched, chosen: Chosen, target: Target, by_call: Mapping[str, str]) -> Proposal:
    tag, note = _tag(matched, chosen, target)
    own = [by_call[call] for call in matched.source.depends_on if call in by_call]
    after = tuple(dict.fromkeys(service for service in own if service != name))
    return Proposal(name, matched.source, matched, chosen, tag, note, _containers(matched, chosen), after)


def _in_order(services: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """Each depends only on what is there; what would wait for itself waits for nothing."""
    there = {service.name for service in services}
    edges = {each.name: [name for name in each.depends_on if name in there] for each in services}
    circular = {name for cycle in cycles(edges) for name in cycle}
    return tuple(
        replace(each, depends_on=() if each.name in circular else tuple(edges[each.name])) for each in services
    )


def _tag(matched: Matched, chosen: Chosen, target: Target) -> tuple[str, str]:
    """A tag of devloop's own where the present one says what it must not become."""
    ref = reference(matched.spots[0].container.image)
    if (
        ref is None or full_name(ref) != chosen.image or chosen.load_why
    ):  # each build that is loaded has a tag of its own
        return "", ""
    if ref.digest:
        what = "a digest"
    elif ref.effective_tag == "latest":
        what = "`latest`"
    elif _COMMIT.fullmatch(ref.tag) and not ref.tag.isdecimal():
        what = f"the commit {ref.tag}"
    else:
        return "", ""
    return (LOCAL_TAG if target.local else SHARED_TAG), f"It runs {what} now; devloop moves a tag of its own."


def _told_apart(matched: Matched, chosen: Chosen) -> tuple[Matched, list[Unmatched]]:
    """The workloads that one service can update, and the others: where neither one name of a container nor the image
    tells what is meant in each, as with a new image in containers of different names."""
    wanted = _wanted(matched)
    if len(set(wanted.values())) == 1:
        return matched, []
    # Of those in which devloop takes the right ones by itself there is mostly one that is not like the others.
    kept = {live.key for live in matched.workloads if _by_itself(live, chosen, wanted)}
    if not kept:
        most, _ = Counter(wanted.values()).most_common(1)[0]
        kept = {key for key, names in wanted.items() if names == most}
    one = tuple(spot for spot in matched.spots if spot.live.key in kept)
    why = f"runs it in other containers ({{}}) than {one[0].live}; write a service of its own for that"
    others = [Unmatched(matched.source, f"{live} {why.format(', '.join(wanted[live.key]))}", is_answered=True)
              for live in matched.workloads if live.key not in kept]  # fmt: skip
    return replace(matched, spots=one), others


def _wanted(matched: Matched) -> dict[WorkloadKey, tuple[str, ...]]:
    """The containers that are meant in each workload."""
    return {live.key: tuple(s.container.name for s in matched.spots if s.live.key == live.key)
            for live in matched.workloads}  # fmt: skip


def _by_itself(live: Live, chosen: Chosen, wanted: Mapping[WorkloadKey, tuple[str, ...]]) -> bool:
    """Whether devloop takes just these when the file names none."""
    return containers_of(_bare(live.key, chosen.image), Template(live.containers)) == wanted[live.key]


def _containers(matched: Matched, chosen: Chosen) -> tuple[str, ...]:
    """The names to write: where a Pod has several containers, or devloop would take others by itself."""
    wanted = _wanted(matched)
    alike = len(set(wanted.values())) == 1
    several = any(len(live.mains) > 1 for live in matched.workloads)
    by_itself = all(_by_itself(live, chosen, wanted) for live in matched.workloads)
    # Several workloads whose containers have different names can only be told by their image.
    return next(iter(wanted.values())) if alike and (several or not by_itself) else ()


def _bare(key: object, image: str) -> Service:
    nothing = BuildSpec(Path(), Path())
    ref = ImageRef.parse(image)
    return Service("", ref, ref, Pin.TAG, (), (), nothing, ())
