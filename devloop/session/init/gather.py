"""What `devloop init` reads before it proposes anything: the project's files, the cluster, and who may push where."""

import asyncio
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from devloop.adapters import configfile
from devloop.adapters.configfile import LoadedConfig
from devloop.adapters.dockerconfig import DockerConfig
from devloop.adapters.dockerfiles import find_dockerfiles, read_dockerfile
from devloop.adapters.engine import DockerEngine
from devloop.adapters.kube import PLURALS, KubeCluster, Raw
from devloop.adapters.projectfiles import checkout_of, read_text
from devloop.adapters.registry import HttpRegistry
from devloop.adapters.statedbuilds import read_stated
from devloop.adapters.threads import in_daemon_thread
from devloop.core.config import Problem, Problems
from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.core.image import ImageRef
from devloop.core.init.evidence import Spot
from devloop.core.init.kept import NOTHING, Home, Kept, home_of, kept
from devloop.core.init.match import Matching, match
from devloop.core.init.source import Source, sources
from devloop.core.init.surroundings import Surroundings
from devloop.core.init.workload import Live, live
from devloop.core.load import images_without_registry, proven_target
from devloop.core.toml import tables_of
from devloop.core.workload import no_namespace
from devloop.session.init.request import InitRequest
from devloop.session.project import Place, Refusal, chosen_context, named_at_fault, place_of
from devloop.session.request import Request

_SYSTEM = "kube-"
"""Namespaces of the cluster itself: nobody develops there."""
_PATIENCE = 4.0
"""Seconds for one registry to say that it is there."""


class _Listed(NamedTuple):
    """Workloads, and the namespaces that they are of."""

    workloads: list[Live]
    where: str
    """In words."""
    looked: str
    """All that was looked at, in words; more than `where` says when nothing else fits."""
    more: tuple[str, ...]
    """The options that would look at more of this cluster."""

    @classmethod
    def of_one(cls, namespace: str, workloads: Sequence[Live]) -> "_Listed":
        """Of that namespace what is in it; the others count for nothing."""
        there = [live for live in workloads if live.key.namespace == namespace]
        where = f"namespace {namespace}"
        return cls(there, where, where, ("-n NAMESPACE", "--all-namespaces"))


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was read."""

    place: Place
    sources: tuple[Source, ...]
    workloads: tuple[Live, ...]
    where: str
    """The namespaces that were looked at, in words: `namespace shop`."""
    around: Surroundings
    shared: bool
    """Whether the project is in a version control checkout."""
    notes: tuple[str, ...] = ()
    """What could not be read, and what that leaves out."""
    kept: Kept = NOTHING
    """What a devloop.toml of this folder has already."""
    looked: str = ""
    """All the namespaces that were looked at, in words: also those where nothing fits."""
    more: tuple[str, ...] = ()
    """The options that would look at more of this cluster."""

    @property
    def project(self) -> str:
        return self.place.root.name

    def match(self, asked: Mapping[Source, Spot | None] | None = None) -> Matching:
        """What belongs together, with what a person said."""
        return match(
            self.sources, self.workloads, project=self.project, around=self.around, asked=asked, kept=self.kept.spots
        )

    def deciding(self, spots: Iterable[Spot]) -> list[str]:
        """Those of their namespaces in which it is clear what runs something, when they are looked at alone."""
        names = sorted({spot.live.key.namespace for spot in spots})
        return [name for name in names if self._within(name).match().matched]

    def _within(self, namespace: str) -> "Seen":
        return replace(self, workloads=tuple(live for live in self.workloads if live.key.namespace == namespace))


def _kept(
    place: Place, found: Sequence[Source], workloads: Sequence[Live], unread: Collection[str] = frozenset()
) -> Kept:
    """Of a file of this folder."""
    text = read_text(place.root / configfile.FILE) if _is_here(place) else None
    if text is None:
        return NOTHING
    overlay = tables_of(read_text(place.root / configfile.OVERLAY) or "") or {}
    services = overlay.get("services") or {}
    return kept(place.config, text, services, found, workloads, place.asked, place.pinned.namespace, unread)


def _home(place: Place, workloads: Sequence[Live]) -> Home:
    return home_of(place.config, workloads, place.asked, place.pinned.namespace) if _is_here(place) else Home()


def _is_here(place: Place) -> bool:
    """Whether there is a file, and it is this folder's own."""
    return bool(place.file) and Path(place.file).parent == Path()


async def look(request: InitRequest, root: Path) -> Seen | Refusal:
    """Read everything, side by side; nothing is written anywhere."""
    place = await _place(request, root)
    if isinstance(place, Refusal):
        return place
    reading, (stated, problems) = await asyncio.gather(
        in_daemon_thread(lambda: find_dockerfiles(root)), in_daemon_thread(lambda: read_stated(root))
    )
    known = {each.path for each in reading}
    reading += [read_dockerfile(root, path) for path in sorted({each.dockerfile for each in stated} - known)]
    found = sources(reading, stated, root.name)
    if not found:
        message = f"there is no Dockerfile in {root} or below it"
        return Refusal(ExitCode.USAGE, (message, "→ go to the folder of the source, or write a Dockerfile first"))
    cluster = KubeCluster(place.pinned)
    try:
        return await _with_cluster(request, place, found, cluster, problems)
    finally:
        await cluster.close()


async def answering(refs: Collection[ImageRef], around: Surroundings) -> Surroundings:
    """The same, with what registries say from here of these repositories."""
    async with HttpRegistry(DockerEngine().insecure_registries, connect=_PATIENCE, read=_PATIENCE) as registry:
        answers = await asyncio.gather(*(_answer(registry, ref) for ref in refs))
    of = [*zip(refs, answers, strict=True)]
    return replace(
        around,
        silent=frozenset(ref.registry for ref, code in of if code is FailureCode.REGISTRY_UNREACHABLE),
        denied=frozenset(ref.canonical_name for ref, code in of if code is FailureCode.REGISTRY_DENIED),
    )


async def _answer(registry: HttpRegistry, ref: ImageRef) -> FailureCode | None:
    try:
        async with asyncio.timeout(2 * _PATIENCE):
            failure = await registry.check(ref)
    except TimeoutError:
        return FailureCode.REGISTRY_UNREACHABLE
    return failure.code if failure else None


async def _place(request: InitRequest, root: Path) -> Place | Refusal:
    """The context and namespace: those asked for, else those of a configuration that is there already."""
    asked = Request(context=request.context, namespace=request.namespace, writes=False)
    loaded = configfile.load(None, root, os.environ)
    if problems := _mistakes(loaded, root):
        return _with_mistakes(problems)
    usable = None if isinstance(loaded, Problems) else loaded
    pinned = chosen_context(usable, asked)
    if isinstance(pinned, Failure):
        return Refusal.of(pinned)
    return replace(await place_of(usable, asked, pinned), root=root)


def _mistakes(loaded: LoadedConfig | Problems | None, root: Path) -> list[Problem]:
    """Those in the files of this folder; one further up only counts where it has none."""
    if (root / configfile.FILE).is_file():
        return [*loaded] if isinstance(loaded, Problems) else []
    try:
        text = read_text(root / configfile.OVERLAY)
    except OSError:
        return []  # told where it would be written
    found = configfile.check_texts({configfile.OVERLAY: text or ""}, root, os.environ)
    # A service of an overlay alone lacks what devloop.toml has of it.
    return [each for each in found if not each.key.startswith("services")] if isinstance(found, Problems) else []


def _with_mistakes(problems: Sequence[Problem]) -> Refusal:
    way = f"→ correct that, or move {named_at_fault(problems)} away, and run `devloop init` again"
    return Refusal(ExitCode.USAGE, (*map(str, problems), way))


async def _with_cluster(
    request: InitRequest, place: Place, found: tuple[Source, ...], cluster: KubeCluster, problems: Sequence[str]
) -> Seen | Refusal:
    hosting, nodes, docker, first = await asyncio.gather(
        cluster.local_registry(),
        cluster.nodes(),
        _docker_logins(),
        _everywhere(cluster, place.namespace) if request.all_namespaces else _within(cluster, place.namespace),
    )
    is_gone = not request.all_namespaces and await _is_gone(place.namespace, cluster, first)
    if is_gone and (missing := _no_namespace(request, place)):
        return Refusal.of(missing)
    around = _around(place, hosting, nodes, docker)
    listed = await _wider(request, place, found, around, cluster, first)
    if isinstance(listed, Failure):
        return Refusal.of(listed)
    workloads = listed.workloads
    shared = checkout_of(place.root) is not None
    notes = [*problems, *_above(place)]
    notes += [f"there is no namespace {place.namespace}, which context {place.pinned.name} names"] if is_gone else []
    elsewhere, unread = await _elsewhere(place, cluster, workloads)
    notes += [failure.message for failure in unread.values()]
    own = _kept(place, found, [*workloads, *elsewhere], frozenset(unread))
    notes += _found_elsewhere(place, own)
    return Seen(
        place, found, tuple(workloads), listed.where, around, shared, tuple(notes), own, listed.looked, listed.more
    )


async def _elsewhere(
    place: Place, cluster: KubeCluster, workloads: Sequence[Live]
) -> tuple[list[Live], Mapping[str, Failure]]:
    """Workloads of the other namespaces that the configuration names, and those that cannot be listed."""
    known = {"", *(live.key.namespace for live in workloads)}
    named = {place.config.cluster.namespace, *(service.namespace for service in place.config.services.values())}
    names = sorted(named - known)
    lists = await asyncio.gather(*(_within(cluster, name) for name in names))
    unread = {name: listed for name, listed in zip(names, lists, strict=True) if isinstance(listed, Failure)}
    return [live for listed in lists if not isinstance(listed, Failure) for live in listed.workloads], unread


def _found_elsewhere(place: Place, own: Kept) -> list[str]:
    """Why it is not the namespace that the context would have it be."""
    home, there = own.home.namespace, place.namespace
    if not place.is_guessed or home in {"", there}:
        return []
    where = f"the workloads of devloop.toml are in {home}, and not in {there}, the context's"
    return [f"no file names the namespace: {where}"]


async def _is_gone(namespace: str, cluster: KubeCluster, first: _Listed | Failure) -> bool:
    """Whether what was looked at first is empty because there is no such namespace."""
    is_empty = not isinstance(first, Failure) and not first.workloads
    return is_empty and await cluster.namespace_exists(namespace) is False


def _no_namespace(request: InitRequest, place: Place) -> Failure | None:
    """One that a person or a file names has to be there; the context's own is only where to begin."""
    named = request.namespace or place.config.cluster.namespace
    if not named:
        return None
    hint = "correct -n, or look at all that you may list: --all-namespaces"
    if not request.namespace:
        hint = f"correct `namespace` in {naming_namespace(place)}, or look elsewhere: -n NAMESPACE, --all-namespaces"
    return replace(no_namespace(named, place.pinned.name), hint=hint)


def naming_namespace(place: Place) -> str:
    """The file that has the last word on it."""
    tables = tables_of(read_text(Path.cwd() / place.overlay) or "") or {}
    return place.overlay if "namespace" in tables.get("cluster", {}) else place.file


async def _wider(
    request: InitRequest, place: Place, found: Sequence[Source], around: Surroundings, cluster: KubeCluster,
    first: _Listed | Failure,
) -> _Listed | Failure:  # fmt: skip
    """What was listed first; where nothing of it fits and no namespace was asked for, all that one may list: the
    context's namespace is often `default`, and the workloads are elsewhere."""
    denied = isinstance(first, Failure) and first.code is FailureCode.CLUSTER_DENIED
    if isinstance(first, Failure) and not denied:
        return first
    if not (request.all_namespaces or request.namespace):
        fits = not isinstance(first, Failure) and _fits(found, first.workloads, place, around)
        is_lost = not isinstance(first, Failure) and _home(place, first.workloads).is_lost
        wider = first if fits and not (is_lost and place.is_guessed) else await _everywhere(cluster, place.namespace)
        if not isinstance(wider, Failure):
            home = _home(place, wider.workloads)
            if place.is_guessed and home.is_news:  # once a file says it, it is looked at alone, too
                return _Listed.of_one(home.namespace, wider.workloads)
            if isinstance(first, Failure) or home.elsewhere:
                return wider
            if fits:
                return first
            if _fits(found, wider.workloads, place, around):
                return wider
            return first._replace(looked=wider.looked, more=wider.more)
    if isinstance(first, Failure):
        return replace(first, hint="name a namespace whose Deployments you may list: -n NAMESPACE")
    return first


def _around(
    place: Place,
    hosting: Mapping[str, str] | Failure | None,
    nodes: Sequence[Raw] | Failure,
    docker: tuple[tuple[str, ...], Mapping[str, str]],
) -> Surroundings:
    """What is known of registries and nodes; who may not read one of them goes without it."""
    listed = () if isinstance(nodes, Failure) else nodes
    target = proven_target(place.pinned.name, place.pinned.cluster, place.local, listed)
    announced = None if isinstance(hosting, Failure) else hosting
    loads_into = str(target) if target else ""
    logins, users = docker
    return Surroundings.of(announced, logins, loads_into, images_without_registry(listed), users)


async def _docker_logins() -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The registries that Docker logged in to, and as whom; a credential helper that takes long is not waited for."""
    config = await in_daemon_thread(DockerConfig.load)
    try:
        async with asyncio.timeout(_PATIENCE):
            return config.logins(), await in_daemon_thread(config.users)
    except TimeoutError:
        return config.logins(), {}


def _above(place: Place) -> list[str]:
    """A configuration further up, which the new one would hide."""
    if not place.file or _is_here(place):
        return []
    return [f"{place.file} is there as well; from this folder on down the new devloop.toml counts instead"]


def _fits(found: Sequence[Source], workloads: Sequence[Live], place: Place, around: Surroundings) -> bool:
    own = _kept(place, found, workloads).spots
    matching = match(found, workloads, project=place.root.name, around=around, kept=own)
    return bool(matching.matched) or any(each.candidates for each in matching.unmatched)


async def _within(cluster: KubeCluster, namespace: str) -> _Listed | Failure:
    lists = await asyncio.gather(*(cluster.list_workloads(kind, namespace) for kind in PLURALS))
    found: list[Live] = []
    for kind, listed in zip(PLURALS, lists, strict=True):
        if not isinstance(listed, Failure):
            found += [live(kind, raw) for raw in listed]
        elif kind == "deployment":  # the others only help to explain
            return listed
    return _Listed.of_one(namespace, found)


async def _everywhere(cluster: KubeCluster, own: str) -> _Listed | Failure:
    """All namespaces that one may list: at once, else one by one."""
    lists = await asyncio.gather(*(cluster.list_workloads(kind) for kind in PLURALS))
    if not isinstance(lists[0], Failure):
        pairs = ((k, raw) for k, listed in zip(PLURALS, lists, strict=True) if not isinstance(listed, Failure)
                 for raw in listed)  # fmt: skip
        everything = [live(kind, raw) for kind, raw in pairs]
        return _all([each for each in everything if not each.key.namespace.startswith(_SYSTEM)], "all namespaces")
    names = await cluster.namespaces()
    if isinstance(names, Failure):
        return await _own_alone(cluster, own)
    results = await asyncio.gather(*(_within(cluster, each) for each in names if not each.startswith(_SYSTEM)))
    readable = [result for result in results if not isinstance(result, Failure)]
    if not readable:
        return await _own_alone(cluster, own)
    every = [each for listed in readable for each in listed.workloads]
    if len(readable) == 1:
        return _all(every, f"{readable[0].where}, the only one that you may list,")
    return _all(every, f"the {len(readable)} namespaces that you may list")


def _all(workloads: list[Live], where: str) -> _Listed:
    return _Listed(workloads, where, where, ())


async def _own_alone(cluster: KubeCluster, own: str) -> _Listed | Failure:
    """Where nobody tells what other namespaces there are, they can only be named."""
    listed = await _within(cluster, own)
    return listed if isinstance(listed, Failure) else listed._replace(more=("-n NAMESPACE",))
