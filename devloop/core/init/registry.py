"""Where an image goes: the registries that were found, and what each is called by Pods and from here."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from devloop.core.image import DOCKER_HUB, ImageRef
from devloop.core.init.match import Matched
from devloop.core.init.source import plain
from devloop.core.init.workload import Live, host_of, is_ours_to_push, last_part, reference

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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of registries."""

    hosting: Mapping[str, str] | None = None
    """What the cluster says of its local registry (KEP-1755)."""
    logins: tuple[str, ...] = ()
    """The registries that Docker logged in to."""
    silent: frozenset[str] = frozenset()
    """Hosts at which no registry answers from here."""
    denied: frozenset[str] = frozenset()
    """Repositories, by their canonical names, that one may not push to."""

    @classmethod
    def of(cls, hosting: Mapping[str, str] | None, logins: Iterable[str]) -> "Surroundings":
        """Without what is no host, whoever wrote it."""
        hosts = {key: value for key, value in (hosting or {}).items() if _is_host(value)}
        return cls(hosts, tuple(filter(_is_host, logins)))


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
    images = [ref for live in workloads for each in live.containers if (ref := reference(each.image))]
    used = Counter(host_of(ref) for ref in images if is_ours_to_push(ref, around.logins))
    found += [Registry(host, host, "is where images of this namespace come from") for host, _ in used.most_common()]
    found += [
        Registry(host, host, "is one that Docker is logged in to") for host in around.logins if host != DOCKER_HUB
    ]
    known: list[Registry] = []
    for registry in found:
        if not any(_same_place(registry.host, other.host) for other in known):
            known.append(registry)
    return tuple(known)


def keeps_image(matched: Matched, everything: Sequence[Matched], around: Surroundings) -> bool:
    """Whether the image that runs there is the service's own, so that devloop goes on pushing to its repository."""
    ref = _running(matched)
    if ref is None or not is_ours_to_push(ref, around.logins):
        return False
    if matched.by_image:
        return True
    bases = {base.canonical_name for each in everything for text in each.source.bases if (base := reference(text))}
    others = {o.canonical_name for each in everything if each is not matched and (o := _running(each))}
    return last_part(ref) not in _STAND_INS and ref.canonical_name not in bases | others


def choose(
    matched: Matched, service: str, everything: Sequence[Matched], around: Surroundings, registry: Registry | None,
    project: str,
) -> Chosen | None:  # fmt: skip
    """The image of the service; None where there is no registry to push it to."""
    ref = _running(matched)
    if ref is not None and keeps_image(matched, everything, around):
        kept = _kept(ref, matched, around)
        # Where one may not push, another registry is better, and that one still better than none.
        if kept.push or ref.canonical_name not in around.denied or not _is_other(registry, ref):
            return kept
    running = matched.spots[0].container.image
    for stated, file in ((r, s.file) for s in matched.source.images if (r := reference(s.image))):
        if is_ours_to_push(stated, around.logins) and not _is_shut(stated, around):
            return Chosen(stated.name, notes=(f"It runs {running} now; {file} calls its image {stated.name}.",))
    if registry is None:
        return None
    path = f"{registry.prefix or prefix(everything, registry.host, project, around)}/{plain(service)}"
    push = f"{registry.here}/{path}" if registry.here != registry.host else ""
    denied = ref is not None and ref.canonical_name in around.denied
    what = "where you may not push" if denied else "which is not its own"
    note = f"It runs {running} now, {what}; {registry.host} {registry.why}."
    return Chosen(f"{registry.host}/{path}", push, (note,), _mapped(registry.host) if push else "")


def _kept(ref: ImageRef, matched: Matched, around: Surroundings) -> Chosen:
    push, why = _from_here(ref, matched, around)
    notes: tuple[str, ...] = ()
    if not push and host_of(ref) in around.silent:
        notes = (
            f"No registry answers at {host_of(ref)} from here: if it has another name here, that is `push_image`.",
        )
    elif not push and ref.canonical_name in around.denied:
        notes = (f"You may not push there yet: `docker login {host_of(ref)}`.",)
    return Chosen(ref.name, push, notes, why)


def _is_other(registry: Registry | None, ref: ImageRef) -> bool:
    return registry is not None and registry.host != host_of(ref)


def _is_shut(ref: ImageRef, around: Surroundings) -> bool:
    return ref.registry in around.silent or ref.canonical_name in around.denied


def prefix(everything: Sequence[Matched], host: str, project: str, around: Surroundings) -> str:
    """What the project's own images begin with in that registry; the project's name where there are none."""
    own = [ref for each in everything if keeps_image(each, everything, around) and (ref := _running(each))]
    paths = Counter(ref.repository.rpartition("/")[0] for ref in own if host_of(ref) == host)
    common = next((path for path, _ in paths.most_common() if path), "")
    return common or project


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


def _is_host(text: str) -> bool:
    ref = reference(f"{text}/name")
    return ref is not None and (ref.registry, ref.repository) == (text, "name")


def _same_place(host: str, other: str) -> bool:
    """Whether both names lead a node to the same registry: `localhost` is `127.0.0.1`."""
    name, _, port = host.rpartition(":")
    other_name, _, other_port = other.rpartition(":")
    return host == other or (port == other_port and {name, other_name} <= _LOOPBACK)


def _running(matched: Matched) -> ImageRef | None:
    return reference(matched.spots[0].container.image)


def _stated(matched: Matched) -> list[ImageRef]:
    return [ref for each in matched.source.images if (ref := reference(each.image)) and ref.registry]
