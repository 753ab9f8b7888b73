"""Where an image goes: a registry, which Pods and this machine may call by different names, or the nodes themselves."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from devloop.core.image import DOCKER_HUB, ImageRef
from devloop.core.init.match import Matched
from devloop.core.init.source import plain
from devloop.core.init.surroundings import NOT_LOGGED_IN, Surroundings
from devloop.core.init.workload import Live, full_name, host_of, is_ours_to_push, last_part, reference

CONFIG_MAP = "ConfigMap kube-public/local-registry-hosting"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_STAND_INS = frozenset(
    (
        *("busybox", "alpine", "nginx", "httpd", "pause", "hello-world", "echo", "http-echo", "whoami", "agnhost"),
        *("python", "node", "golang", "openjdk", "debian", "ubuntu"),
    )
)
"""Images that people deploy until there is one of their own, mirrored or not."""


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry to push to."""

    host: str
    """As Pods pull from it."""
    here: str
    """As it is pushed to from here."""
    why: str
    """Where it was found; read after its name: `is the cluster's own`."""
    prefix: str = ""
    """The path under which images go; empty: one is chosen."""
    user: str = ""
    """Whose repositories they are, where that is what their paths begin with."""

    def __str__(self) -> str:
        return f"{self.host}/{self.user}" if self.user else self.host


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes of a local cluster, which images are loaded into instead of being pushed."""

    cluster: str
    """In words: `the kind cluster dev`."""


Place = Registry | Nodes


@dataclass(frozen=True, slots=True)
class Chosen:
    """The image of a service."""

    image: str
    """As Pods pull it, without a tag."""
    push: str = ""
    """As it is pushed from here; empty where that is the same."""
    notes: tuple[str, ...] = ()
    """Why, where the image is not simply what runs there, and what to know of it."""
    push_note: str = ""
    load_why: str = ""
    """Why it is loaded into the nodes instead of being pushed; empty where it is pushed."""

    @property
    def loads_here(self) -> bool:
        """Whether only this checkout loads it, because others can push an image of that name."""
        ref = reference(self.image)
        return bool(self.load_why and ref and ref.registry)


def refs_to_ask(matched: Sequence[Matched], around: Surroundings) -> tuple[ImageRef, ...]:
    """What registries have to be asked about: whether they answer from here, and whether one may push there."""
    refs = [ref for each in matched if (ref := _running(each)) and is_ours_to_push(ref, around.logins)]
    refs += [ref for each in matched for ref in _stated(each)]
    refs += [ImageRef(around.hosting["host"], "devloop")] if around.hosting and around.hosting.get("host") else []
    return tuple({ref.canonical_name: ref for ref in refs if host_of(ref) != DOCKER_HUB}.values())


def registries(workloads: Iterable[Live], around: Surroundings) -> tuple[Registry, ...]:
    """Where images of one's own can go, the best first."""
    found: list[Registry] = []
    if (hosting := around.hosting) and (here := hosting.get("host")):
        found.append(
            Registry(hosting.get("hostFromContainerRuntime") or here, here, f"is the cluster's own, says {CONFIG_MAP}")
        )
    ours = (each for live in workloads for each in live.containers if around.is_ours(each))
    images = (ref for each in ours if (ref := reference(each.image)))
    used = Counter(host_of(ref) for ref in images if is_ours_to_push(ref, around.logins))
    found += [_known(host, "is where images of this namespace come from", around) for host, _ in used.most_common()]
    found += [_known(host, "is one that Docker is logged in to", around) for host in around.logins]
    found = [each for each in found if each.host != DOCKER_HUB or each.user]
    known: list[Registry] = []
    for registry in found:
        if not any(_same_place(registry.host, other.host) for other in known):
            known.append(registry)
    return tuple(known)


def _known(host: str, why: str, around: Surroundings) -> Registry:
    return Registry(host, host, why, user=around.users.get(host, ""))


def places(workloads: Iterable[Live], matched: Sequence[Matched], around: Surroundings) -> tuple[Place, ...]:
    """The registries, and the nodes of a local cluster: they come before each registry that nothing proves to be meant
    for this project."""
    found = registries(workloads, around)
    if not around.loads_into:
        return found
    kept = {host_of(ref) for each in matched if keeps_image(each, matched, around) and (ref := _running(each))
            and not _is_shut(ref, around)}  # fmt: skip
    meant = [each for each in found if each.here == around.announced or each.host in kept]
    return (*meant, Nodes(around.loads_into), *(each for each in found if each not in meant))


def keeps_image(matched: Matched, everything: Sequence[Matched], around: Surroundings) -> bool:
    """Whether the image that runs there is the service's own, so that devloop goes on pushing to its repository."""
    ref = _running(matched)
    return ref is not None and is_ours_to_push(ref, around.logins) and _is_its_own(matched, ref, everything)


def _is_its_own(matched: Matched, ref: ImageRef, everything: Sequence[Matched]) -> bool:
    """Whether the image that runs there is of this service, and not what stands in for it."""
    if matched.by_image:
        return True
    others = {o.canonical_name for each in everything if each is not matched and (o := _running(each))}
    return last_part(ref) not in _STAND_INS and ref.canonical_name not in _bases(everything) | others


def _bases(everything: Iterable[Matched]) -> set[str]:
    """What their Dockerfiles begin with."""
    return {base.canonical_name for each in everything for text in each.source.bases if (base := reference(text))}


def choose(
    matched: Matched, service: str, everything: Sequence[Matched], around: Surroundings, place: Place | None,
    project: str,
) -> Chosen | None:  # fmt: skip
    """The image of the service; None where there is no place for it."""
    ref = _running(matched)
    if not around.announced and around.is_loaded(matched.spots[0].container):
        return _loaded(matched, service, everything, around, project)
    if ref is not None and keeps_image(matched, everything, around):
        kept = _kept(ref, matched, around)
        pushed = reference(kept.push) or ref
        if isinstance(place, Nodes) and _is_shut(pushed, around):
            return Chosen(full_name(ref), load_why=_shut(pushed, around))
        # Where one may not push, another registry is better, and that one still better than none.
        if kept.push or ref.canonical_name not in around.denied or not _is_other(place, ref):
            return kept
    running = matched.spots[0].container.image
    for stated, file in ((r, s.file) for s in matched.source.images if (r := reference(s.image))):
        meant = stated.registry or around.is_own(stated)  # else it may be no more than a name
        if meant and is_ours_to_push(stated, around.logins) and not _is_shut(stated, around):
            name = full_name(stated)
            return Chosen(name, notes=(f"It runs {running} now; {file} calls its image {name}.",))
    if isinstance(place, Nodes):
        return _loaded(matched, service, everything, around, project)
    return _in_registry(matched, service, everything, around, place, project) if place else None


def _in_registry(
    matched: Matched, service: str, everything: Sequence[Matched], around: Surroundings, registry: Registry,
    project: str,
) -> Chosen:  # fmt: skip
    """A new image there, beside the project's others."""
    path = f"{registry.prefix or prefix(everything, registry, project, around)}/{plain(service)}"
    push = f"{registry.here}/{path}" if registry.here != registry.host else ""
    note = f"It runs {unfit(matched, around)}; {registry.host} {registry.why}."
    return Chosen(f"{registry.host}/{path}", push, (note,), _mapped(registry.host) if push else "")


def unfit(matched: Matched, around: Surroundings) -> str:
    """The image that runs there, and why another one is needed: `python:3 now, which is not its own`."""
    ref = _running(matched)
    denied = ref is not None and ref.canonical_name in around.denied
    what = "where you may not push" if denied else f"which {_whose(matched, around)}"
    return f"{matched.spots[0].container.image} now, {what}"


def _whose(matched: Matched, around: Surroundings) -> str:
    """Why the image that runs there is not taken; read after `which`."""
    ref = _running(matched)
    told = ref is None or last_part(ref) in _STAND_INS or ref.canonical_name in _bases((matched,))
    return "is not its own" if ref is None or told or not around.is_unproven(ref) else NOT_LOGGED_IN


def _kept(ref: ImageRef, matched: Matched, around: Surroundings) -> Chosen:
    push, why = _from_here(ref, matched, around)
    notes: tuple[str, ...] = ()
    if not push and host_of(ref) in around.silent:
        notes = (
            f"No registry answers at {host_of(ref)} from here: if it has another name here, that is `push_image`.",
        )
    elif not push and ref.canonical_name in around.denied:
        notes = (f"You may not push there yet: `docker login {host_of(ref)}`.",)
    return Chosen(full_name(ref), push, notes, why)


def _loaded(
    matched: Matched, service: str, everything: Sequence[Matched], around: Surroundings, project: str
) -> Chosen:
    """An image for the nodes: the one that runs there where it was loaded as well, else one of a new name."""
    silent = (around.hosting or {}).get("host", "")
    why = (
        f"the cluster announces a registry at {silent}, where none answers"
        if silent
        else "the cluster announces no registry"
    )
    ref, running = _running(matched), matched.spots[0].container
    known = around.is_loaded(running) or matched.by_image or not around.loaded
    if ref is not None and around.may_be_loaded(ref) and known and _is_its_own(matched, ref, everything):
        return Chosen(ref.name, load_why=why)
    stated = ((r, s.file) for s in matched.source.images if (r := reference(s.image)) and around.may_be_loaded(r))
    name, file = next(((ref.name, file) for ref, file in stated), (f"{project}/{plain(service)}", ""))
    whose = f"; {file} calls its image {name}." if file else f", which {_whose(matched, around)}."
    note = f"It runs {running.image} now{whose}"
    return Chosen(name, notes=(note,), load_why=why)


def _shut(ref: ImageRef, around: Surroundings) -> str:
    if ref.registry in around.silent:
        return f"no registry answers at {ref.registry} from here"
    return f"you may not push to {ref.name} yet"


def _is_other(place: Place | None, ref: ImageRef) -> bool:
    return isinstance(place, Registry) and place.host != host_of(ref)


def _is_shut(ref: ImageRef, around: Surroundings) -> bool:
    return ref.registry in around.silent or ref.canonical_name in around.denied


def prefix(everything: Sequence[Matched], registry: Registry, project: str, around: Surroundings) -> str:
    """What the project's own images begin with there; where there are none, a user's or the project's name."""
    own = [ref for each in everything if keeps_image(each, everything, around) and (ref := _running(each))]
    paths = Counter(ref.repository.rpartition("/")[0] for ref in own if host_of(ref) == registry.host)
    common = next((path for path, _ in paths.most_common() if path), "")
    return common or registry.user or project


def _from_here(ref: ImageRef, matched: Matched, around: Surroundings) -> tuple[str, str]:
    """The name to push to where it is another one, and why that is so."""
    hosting, host = around.hosting or {}, ref.registry
    here = hosting.get("host", "")
    inside = {hosting.get(key) or here for key in ("hostFromContainerRuntime", "hostFromClusterNetwork")}
    if here and host != here and any(_same_place(host, name) for name in inside):
        if here in around.silent and host not in around.silent:
            return "", ""
        return f"{here}/{ref.repository}", _mapped(host)
    for stated in _stated(matched):
        if host in around.silent and stated.repository == ref.repository and not _is_shut(stated, around):
            file = next(each.file for each in matched.source.images if reference(each.image) == stated)
            return stated.name, f"From here nothing answers at {host}; {file} pushes to {stated.registry}."
    return "", ""


def _mapped(host: str) -> str:
    return f"What Pods pull from {host} goes here, says {CONFIG_MAP}."


def _same_place(host: str, other: str) -> bool:
    """Whether both names lead a node to the same registry: `localhost` is `127.0.0.1`."""
    name, _, port = host.rpartition(":")
    other_name, _, other_port = other.rpartition(":")
    return host == other or (port == other_port and {name, other_name} <= _LOOPBACK)


def _running(matched: Matched) -> ImageRef | None:
    return reference(matched.spots[0].container.image)


def _stated(matched: Matched) -> list[ImageRef]:
    return [ref for each in matched.source.images if (ref := reference(each.image)) and ref.registry]
