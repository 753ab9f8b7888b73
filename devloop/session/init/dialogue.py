"""The questions of `devloop init`: as few as there can be, and Enter is a good answer to each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from devloop.core.init.draft import service_names
from devloop.core.init.evidence import Spot
from devloop.core.init.kept import Kept
from devloop.core.init.match import Matching, Unmatched
from devloop.core.init.registry import Registry, choose, unfit
from devloop.core.init.source import Source
from devloop.core.init.surroundings import Surroundings
from devloop.core.init.workload import DEPLOYMENT, Live, reference
from devloop.core.values import InvalidValueError, check_image
from devloop.session import say
from devloop.session.init.request import Person
from devloop.views.init import MOST_ASKED, shown


def ask_about_sources(person: Person, matching: Matching, around: Surroundings) -> Mapping[Source, Spot | None]:
    """What a person says of the sources without a clear answer."""
    asked: dict[Source, Spot | None] = {}
    for each, among in unclear(matching, around):
        if choice := tuple(spot for spot in among if spot not in asked.values()):
            asked[each.source] = _which(person, each, choice)
    return asked


def unclear(matching: Matching, around: Surroundings) -> list[tuple[Unmatched, tuple[Spot, ...]]]:
    """The sources to ask about, and what may run each; first those that have few to choose from."""
    open_ = [each for each in matching.unmatched if not each.is_answered]
    lonely = [each for each in open_ if not each.candidates]
    # Also what runs an image of somebody else: a stand-in, until there is one of one's own.
    free = sorted(
        (spot for live in matching.left for spot in _spots(live)), key=lambda spot: not _may_be_ours(spot, around)
    )
    others = tuple(free if len(lonely) <= MOST_ASKED or not matching.matched else ())
    ordered = sorted(open_, key=lambda each: each in lonely)
    return [(each, among) for each in ordered if (among := tuple(each.candidates) or others)]


def _which(person: Person, unmatched: Unmatched, choice: tuple[Spot, ...]) -> Spot | None:
    say.fitted_err(f"{unmatched.source}: {unmatched.why}")
    offered = [f"{spot} ({shown(spot.container.image)})" for spot in choice]
    number = person.choose(f"What runs {unmatched.source}?", offered)
    return None if number is None else choice[number]


def _spots(live: Live) -> list[Spot]:
    return [Spot(live, container) for container in live.mains] if live.key.kind == DEPLOYMENT else []


def _may_be_ours(spot: Spot, around: Surroundings) -> bool:
    ref = reference(spot.container.image)
    return ref is not None and around.may_be_ours(ref)


def needs_registry(matching: Matching, around: Surroundings, project: str, kept: Kept) -> Mapping[str, str]:
    """The services whose image is nobody's to push, so that a new one has to be named, and why that is so."""
    names = service_names(matching, kept)
    return {
        names[each.source]: f"{each.source}: {each.spots[0]} runs {unfit(each, around)}"
        for each in matching.matched
        if each.source not in kept.stated
        and choose(each, names[each.source], matching.matched, around, None, project) is None
    }


def ask_for_registry(person: Person, services: Mapping[str, str], found: Sequence[Registry]) -> Registry | None:
    """Where new images go; Enter takes what was found, `0` leaves them out. Why it is asked is said before."""
    say.fitted_err(*services.values())
    out = f"0 to leave {'them' if len(services) > 1 else 'it'} out"
    default = found[0] if found else None
    because = f" ({default.host} {default.why})" if default else ""
    while True:
        question = f"Registry to push {', '.join(services)} to, or {out}{because}"
        text = person.text(question, str(default or 0)).strip().strip("/")
        exact = next((each for each in found if text in {str(each), each.host, each.here}), None)
        if exact or text == "0":
            return exact
        try:
            check_image(f"{text}/name")
        except InvalidValueError:
            like = "write a registry's host, like `localhost:5001` or `ghcr.io/NAME`"
            say.fitted_err(f"`{text}` is no registry: {like}, or {out}")
            continue
        host, _, prefix = text.partition("/")
        named = Registry(host, host, "is the one that you named")
        known = next((each for each in found if host in {each.host, each.here}), named)
        return replace(known, prefix=prefix)
