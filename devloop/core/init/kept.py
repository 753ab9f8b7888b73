"""The services of a devloop.toml that is there already: they are answers, so nothing of them is asked or changed."""

import posixpath
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from devloop.core.config import Config, ServiceConfig
from devloop.core.init.evidence import Spot
from devloop.core.init.source import Source
from devloop.core.init.workload import DEPLOYMENT, Live, reference
from devloop.core.values import parse_workload

IN_FILE = "devloop.toml has it already"


@dataclass(frozen=True, slots=True)
class Stated:
    """One `[services.NAME]` of the file."""

    name: str
    image: str
    """Without a tag."""
    push: str
    spots: tuple[Spot, ...]
    """What runs it, as far as that is there."""
    absent: tuple[str, ...] = ()
    """Its workloads that were not found."""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Home:
    """The namespace of the services that name none: a fresh checkout has no file that says it."""

    namespace: str = ""
    """Where they are; empty where that is not known, and where all name their own."""
    is_news: bool = False
    """Whether neither a file nor the context would send a command there."""
    is_lost: bool = False
    """Whether none of them is where it was looked for."""
    elsewhere: tuple[str, ...] = ()
    """Other namespaces with workloads of their names: a person has to say which is meant."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the files say."""

    text: str = ""
    """Of devloop.toml; empty where there is none."""
    namespace: str = ""
    names: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    """All that its services build or push, also those that nothing here builds."""
    stated: Mapping[Source, Stated] = field(default_factory=dict)
    overlay: Mapping[str, Any] = field(default_factory=dict)
    """The services' tables of devloop.local.toml."""
    home: Home = field(default_factory=Home)

    @property
    def spots(self) -> Mapping[Source, tuple[Spot, ...]]:
        return {source: stated.spots for source, stated in self.stated.items()}

    @property
    def absent(self) -> tuple[str, ...]:
        """The services of which something was not found in the cluster."""
        return tuple(stated.name for stated in self.stated.values() if stated.absent)

    def makes(self, live: Live) -> bool:
        """Whether it runs what a service of the file builds, wherever that is."""
        return any(_name(each.image) in self.images for each in live.containers)


NOTHING = Kept()


def kept(
    config: Config, text: str, overlay: Mapping[str, Any], sources: Sequence[Source], workloads: Sequence[Live],
    asked: str, current: str, unread: Collection[str] = frozenset(),
) -> Kept:  # fmt: skip
    """`asked` is the namespace of the command line, empty where it names none, and `current` the context's own; of
    `unread` namespaces nobody knows what is in them."""
    home = home_of(config, workloads, asked, current)
    otherwise = home.namespace or config.cluster.namespace or asked or current
    stated: dict[Source, Stated] = {}
    for name, service in config.services.items():
        source = next((each for each in _built_by(service, sources) if each not in stated), None)
        if source is not None:
            each = _stated(name, service, workloads, otherwise)
            stated[source] = replace(each, absent=()) if each.namespace in unread else each
    services = config.services.values()
    images = {_name(image) for each in services for image in (each.image, each.push_image or each.image)}
    return Kept(text, config.cluster.namespace, frozenset(config.services), frozenset(images), stated, overlay, home)


def home_of(config: Config, workloads: Sequence[Live], asked: str, current: str) -> Home:
    """What is named counts where any of them is there, and where nothing is, the one place that runs their images."""
    loose = {name: service for name, service in config.services.items() if not service.namespace}
    named: Counter[str] = Counter()
    own: Counter[str] = Counter()
    for live in workloads:
        of = [each for name, each in loose.items() if str(live.key) in _wanted(name, each)]
        named[live.key.namespace] += bool(of)
        own[live.key.namespace] += any(_name(c.image) == _name(each.image) for each in of for c in live.containers)
    said = config.cluster.namespace
    first = max([each for each in (asked, said) if each] or [current], key=lambda each: named[each])
    if named[first]:
        return Home(first, is_news=first != (said or current))
    best = max(((own[each], named[each]) for each in named), default=(0, 0))
    others = tuple(sorted(each for each in named if named[each] and (own[each], named[each]) == best))
    if len(others) == 1 and own[others[0]] and not (asked or said):
        return Home(others[0], is_news=True)
    return Home(is_lost=bool(loose), elsewhere=others)


def _name(image: str) -> str:
    ref = reference(image)
    return ref.name if ref is not None else image


def _built_by(service: ServiceConfig, sources: Sequence[Source]) -> Iterator[Source]:
    """The sources of its Dockerfile; of several, the one with its target."""
    build = service.build
    path = posixpath.normpath(build.dockerfile or posixpath.join(build.context, "Dockerfile"))
    of_file = [each for each in sources if posixpath.normpath(each.dockerfile) == path]
    exact = [each for each in of_file if each.target == build.target]
    yield from exact or of_file


def _stated(name: str, service: ServiceConfig, workloads: Sequence[Live], otherwise: str) -> Stated:
    wanted = _wanted(name, service)
    namespace = service.namespace or otherwise
    found = [live for live in workloads if str(live.key) in wanted and live.key.namespace == namespace]
    spots = tuple(spot for live in found for spot in _spots(service, live))
    absent = tuple(each for each in wanted if each not in {str(live.key) for live in found})
    return Stated(name, _name(service.image), service.push_image, spots, absent, namespace)


def _wanted(name: str, service: ServiceConfig) -> list[str]:
    return ["/".join(parse_workload(each)) for each in service.workload] or [f"{DEPLOYMENT}/{name}"]


def _spots(service: ServiceConfig, live: Live) -> Iterator[Spot]:
    named = [each for each in live.containers if each.name in service.container]
    own = [each for each in live.containers if _name(each.image) == _name(service.image)]
    yield from (Spot(live, each) for each in named or own or live.mains)
