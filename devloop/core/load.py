"""Images that are loaded into the nodes of a local cluster: which cluster it is, and which tags are over."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef, InvalidReferenceError, digest_of, same_image
from devloop.core.service import Load

_PREFIXES = {"kind-": Load.KIND, "k3d-": Load.K3D}
_WHOLE = {"minikube": Load.MINIKUBE, "docker-desktop": Load.DOCKER_DESKTOP}
_K3D_NODE = re.compile(r"k3d-(.+)-(?:server|agent)-\d+")
_MINIKUBE_PROFILE = "minikube.k8s.io/name"
_SHOWN = {
    Load.KIND: "the kind cluster `{}`",
    Load.K3D: "the k3d cluster `{}`",
    Load.MINIKUBE: "the minikube profile `{}`",
    Load.DOCKER_DESKTOP: "Docker Desktop",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A local cluster, as the command that loads images into it calls it."""

    tool: Load
    name: str
    nodes: tuple[str, ...] = ()
    """Empty where they may not be read."""

    def __str__(self) -> str:
        return _SHOWN[self.tool].format(self.name)


def find_target(load: Load, context: str, entry: str, nodes: Sequence[Mapping[str, Any]]) -> Target | Failure:
    """The cluster that a context leads to; `entry` is its cluster's name in the kubeconfig.

    Names come first: the tools give them. Nodes tell the same where somebody has renamed the context, and they alone
    tell that Docker Desktop's cluster is one of kind's.
    """
    found = [*_of_name(context), *_of_name(entry), *_of_nodes(nodes)]
    names = tuple(str((node.get("metadata") or {}).get("name", "")) for node in nodes)
    if load in {Load.AUTO, Load.DOCKER_DESKTOP} and found[:1] and found[0][0] is Load.DOCKER_DESKTOP:
        found = [*(each for each in found if each[0] is Load.KIND), *found]
    elif load is not Load.AUTO:
        found = [each for each in found if each[0] is load]
    if found:
        return Target(*found[0], names)
    if load is Load.MINIKUBE:  # a context has the name of its profile
        return Target(load, context, names)
    if load is Load.DOCKER_DESKTOP:
        return Target(load, "docker-desktop", names)
    return _unknown(load, context)


def proven_target(context: str, entry: str, local: bool, nodes: Sequence[Mapping[str, Any]]) -> Target | None:
    """The cluster that images can be loaded into, for who has not said so: its name counts only where it is known to be
    a local one, since anybody may call a context `kind-prod`."""
    names = (context, entry) if local else ("", "")
    found = find_target(Load.AUTO, *names, nodes)
    return found if isinstance(found, Target) else None


def _of_name(text: str) -> Iterator[tuple[Load, str]]:
    if text in _WHOLE:
        yield _WHOLE[text], text
    yield from ((tool, text.removeprefix(prefix)) for prefix, tool in _PREFIXES.items() if text.startswith(prefix))


def _of_nodes(nodes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Load, str]]:
    for node in nodes:
        metadata = node.get("metadata") or {}
        name, labels = str(metadata.get("name", "")), metadata.get("labels") or {}
        scheme, _, path = str((node.get("spec") or {}).get("providerID", "")).partition("://")
        if scheme == "kind" and path.count("/") == 2:  # kind://docker/CLUSTER/NODE
            yield Load.KIND, path.split("/")[1]
        if k3d := _K3D_NODE.fullmatch(name):
            yield Load.K3D, k3d[1]
        if _MINIKUBE_PROFILE in labels:
            yield Load.MINIKUBE, str(labels[_MINIKUBE_PROFILE])
        if name == "docker-desktop":
            yield Load.DOCKER_DESKTOP, name


def _unknown(load: Load, context: str) -> Failure:
    if load is Load.AUTO:
        return Failure(
            FailureCode.CONFIG_INVALID,
            f'`load = "auto"`: neither the name of context {context} nor its nodes tell which local cluster it is',
            "name the tool (`kind`, `k3d`, `minikube` or `docker-desktop`), or leave `load` out and push to a registry",
        )
    return Failure(
        FailureCode.CONFIG_INVALID,
        f'`load = "{load}"`: neither the name of context {context} nor its nodes tell which {load} cluster it is',
        f"{load} calls its contexts `{load}-NAME`: choose that one, or give this one its name with "
        f"`kubectl config rename-context {context} {load}-NAME`",
    )


def load_command(target: Target, archive: str) -> tuple[str, ...]:
    """What loads an archive into every node; empty for Docker Desktop, whose nodes have the engine's own images."""
    match target.tool:
        case Load.KIND:
            return ("kind", "load", "image-archive", archive, "--name", target.name)
        case Load.K3D:
            return ("k3d", "image", "import", archive, "-c", target.name)
        case Load.MINIKUBE:
            return ("minikube", "-p", target.name, "image", "load", archive)
    return ()


def build_tag(tag: str, image_id: str) -> str:
    """The tag of one build: the same content has the same one, and nothing else ever has it."""
    return f"{tag[:115]}-{image_id.rpartition(':')[2][:12]}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """An image that was loaded, as devloop remembers it."""

    ref: str
    digests: tuple[str, ...]
    """All that it goes by on nodes."""


def unused(old: Sequence[Loaded], users: Sequence[Mapping[str, Any]]) -> tuple[Loaded, ...]:
    """Those that no Pod or template asks for, and no Pod runs; a Pod that has ended counts, as it is still there."""
    asked = {str(image) for user in users for image in _asked(user)}
    runs = {digest_of(str(image_id)) for user in users for image_id in _runs(user)}
    return tuple(
        each for each in old if not runs & {*each.digests} and not any(same_image(each.ref, image) for image in asked)
    )


def _asked(pod: Mapping[str, Any]) -> Iterator[Any]:
    spec = pod.get("spec") or {}
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        yield from (container.get("image", "") for container in spec.get(kind) or ())


def _runs(pod: Mapping[str, Any]) -> Iterator[Any]:
    status = pod.get("status") or {}
    for kind in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        yield from (each.get("imageID", "") for each in status.get(kind) or ())


def images_without_registry(nodes: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Repositories, by their canonical names, that nodes have an image of and no registry's digest for.

    The kubelet names what was pulled by its digest as well, `NAME@sha256:...`; an import names no repository by one.
    """
    refs = [[*_refs(image)] for node in nodes for image in (node.get("status") or {}).get("images") or ()]
    pulled = {ref.canonical_name for of_one in refs for ref in of_one if ref.digest}
    return frozenset(ref.canonical_name for of_one in refs for ref in of_one) - pulled


def _refs(image: Mapping[str, Any]) -> Iterator[ImageRef]:
    for name in image.get("names") or ():
        with suppress(InvalidReferenceError):
            yield ImageRef.parse(str(name))


def records_to_remove(listed: str, image: Loaded) -> tuple[str, ...]:
    """Of what `ctr images ls` lists: the image's own name, and what only stands for its content.

    The runtime keeps a record under the config's digest, and an import may leave one under a digest: while they are
    there, the content is. They go too, unless somebody else's name means the same content.
    """
    rows = [(row[0], row[2]) for line in listed.splitlines()[1:] if len(row := line.split()) > 2]
    own = [(name, target) for name, target in rows if same_image(name, image.ref)]
    targets = {target for _, target in own} | {*image.digests}
    same = [name for name, target in rows if target in targets]
    nameless = [name for name in same if name in image.digests or name.rpartition("@")[2] in targets]
    names = [name for name, _ in own]
    others = set(same) - {*nameless, *names}
    return tuple(names) if others else tuple(dict.fromkeys([*names, *nameless]))
