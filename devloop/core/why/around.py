"""Causes beside the image itself: the source, what else a Service sends requests to, what lies over the code."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from devloop.core.checkup import counted
from devloop.core.events import Verdict
from devloop.core.image import digest_of, short
from devloop.core.why.cause import Cause, CauseCode, Evidence
from devloop.core.why.facts import Facts, LocalImage, Reference, RegistryImage, SavedFile, Source, Unread
from devloop.core.why.pods import Seen
from devloop.core.workload import Deployment

_HOLDS_CODE = ("emptyDir", "hostPath", "persistentVolumeClaim", "nfs", "csi", "ephemeral")
"""Volumes that people put where code is; ConfigMaps and Secrets are meant to lie over what the image has."""
_SCRATCH = frozenset({"/tmp", "/var/tmp", "/run", "/var/run", "/dev/shm"})  # noqa: S108  (nothing is written there)
"""Folders for what a process writes while it runs: a build leaves `requirements.txt` there, and nobody misses it."""


# the source ----------------------------------------------------------------------------------------------------------


LEFT_OUT = "left-out"
"""The `reason` of a save that no build can bring into the image: it explains that file alone."""


def not_built(facts: Facts) -> Cause | None:
    """What was saved last is in no image."""
    source = facts.source
    if isinstance(source, Unread):
        return None
    # A session that watches this very source has built what changed in it: the rest was saved as it was before.
    newer = [file for file in source.newer if file.carried is not False] if facts.settled is None else []
    if newer:
        more = f" and {counted(len(newer) - 1, 'more file')}" if len(newer) > 1 else ""
        message = (
            f"{newer[0].path}{more} in {source.context} {'were' if more else 'was'} saved after the image was built"
        )
        evidence = (*map(_saved, newer[:3]), *_built(facts))
        return Cause(CauseCode.NOT_BUILT, message, evidence, facts.up)
    last = source.newest
    return _left_out(source, last) if last is not None and last.saved > source.built > 0.0 else None


def _left_out(source: Source, last: SavedFile) -> Cause | None:
    if last.ignored_by:
        why = f"{source.ignore_file} leaves it out ({last.ignored_by})"
        message = f"{last.path}, the newest save, can be in no image: {why}"
        fix = f"take the pattern `{last.ignored_by}` out of {source.ignore_file}, or add `!{last.path}` below it"
        return Cause(CauseCode.NOT_BUILT, message, (_saved(last), _pattern(source, last)), fix, reason=LEFT_OUT)
    if last.carried is not False:
        return None
    message = f"{last.path}, the newest save, is in no image: no instruction of the Dockerfile takes it"
    fix = f"if it belongs there, add a COPY for {last.path} to the Dockerfile of service {source.service}"
    return Cause(CauseCode.NOT_BUILT, message, (_saved(last),), fix, reason=LEFT_OUT)


def _saved(file: SavedFile) -> Evidence:
    return Evidence(f"file {file.path}", "saved", file.saved)


def _pattern(source: Source, file: SavedFile) -> Evidence:
    return Evidence(source.ignore_file, f"the pattern `{file.ignored_by}` decides about {file.path}")


def _built(facts: Facts) -> Iterator[Evidence]:
    for reference in asked(facts):
        registry, local = reference.registry, reference.local
        if isinstance(registry, RegistryImage) and registry.created:
            text = f"{reference.ref} was {registry.made}"
            yield Evidence("registry", text, registry.created, registry.resolved.digest)
        if isinstance(local, LocalImage) and local.created:
            yield Evidence("local engine", f"{reference.ref} was built", local.created, local.id)


def asked(facts: Facts) -> list[Reference]:
    """What the template's containers ask for, of those that the question is about; each image once."""
    deployment = facts.snapshot.deployment
    specs = facts.asked_about(deployment.template) if deployment is not None else ()
    images = dict.fromkeys(spec.image for spec in specs)
    return [facts.references[image] for image in images if image in facts.references]


# the same content ----------------------------------------------------------------------------------------------------


def same_content(facts: Facts, seen: Iterable[Seen]) -> Cause | None:
    """The last build gave what runs already: nothing is stale."""
    if not facts.pushes:
        return None
    last, before = facts.pushes[-1], facts.pushes[-2] if len(facts.pushes) > 1 else None
    matching = [one for one in seen if one.verdict is Verdict.MATCH]
    registries = [one.reference.registry for one in matching]
    runs = any(isinstance(r, RegistryImage) and last.digest in r.resolved.digests for r in registries)
    same = last.outcome == "unchanged" or (before is not None and before.digest == last.digest)
    if not runs or not same:
        return None
    evidence = [Evidence("recorded session", f"pushed {short(last.digest)} at", last.time, last.digest)]
    if before is not None:
        evidence.insert(
            0, Evidence("recorded session", f"pushed {short(before.digest)} at", before.time, before.digest)
        )
    message = "nothing is stale: the last build gave the same image as the one before it, and that is what runs"
    return Cause(CauseCode.SAME_CONTENT, message, tuple(evidence), "save a change that gets into the image")


# other Pods behind the Service ---------------------------------------------------------------------------------------


def other_pods(facts: Facts, seen: Iterable[Seen]) -> Iterator[Cause]:
    """A Service that also sends requests to another workload's Pods, which run other images."""
    if isinstance(facts.routes, Unread):
        return
    own = _own_digests(seen)
    for route in facts.routes:
        others = {pod: owner for pod, owner in route.others.items() if not route.images.get(pod, frozenset()) <= own}
        if not others:
            continue
        owners = ", ".join(dict.fromkeys(others.values()))
        message = (
            f"Service {route.service} sends requests to {counted(len(others), 'Pod')} of {owners} too, "
            f"beside those of {facts.key}, and they run another image"
        )
        evidence = tuple(
            Evidence(f"EndpointSlices of Service {route.service}", f"Pod {pod} of {owner} is ready behind it")
            for pod, owner in others.items()
        )
        fix = f"give the Service a selector that only {facts.key} matches: kubectl edit service {route.service} -n "
        yield Cause(CauseCode.OTHER_PODS, message, evidence, fix + facts.key.namespace)


def _own_digests(seen: Iterable[Seen]) -> frozenset[str]:
    """All that the workload's Pods run, by every digest that it goes by: one image is reported as its index by one
    node and as its config by another. What admission put beside (a mesh's sidecar) is in the other Pods too."""
    own: set[str] = set()
    for one in seen:
        own |= {digest_of(status.image_id) for status in one.pod.containers}
        registry = one.reference.registry
        if one.verdict is Verdict.MATCH and isinstance(registry, RegistryImage):
            own |= registry.resolved.digests
    return frozenset(own)


# volumes over the code -----------------------------------------------------------------------------------------------


def shadowed(facts: Facts, deployment: Deployment, seen: Sequence[Seen]) -> Iterator[Cause]:
    """Containers with the right image whose code lies under a mount."""
    spec = deployment.raw.get("spec", {}).get("template", {}).get("spec", {})
    kinds = {volume.get("name"): _kind(volume) for volume in spec.get("volumes") or ()}
    for raw in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        one = next((s for s in seen if s.name == raw["name"] and s.verdict is Verdict.MATCH), None)
        registry = one.reference.registry if one is not None else None
        if not isinstance(registry, RegistryImage):
            continue
        for mount in raw.get("volumeMounts") or ():
            covered = _covered(str(mount.get("mountPath")), registry, facts.source)
            kind = kinds.get(mount.get("name"), "")
            if covered and kind:
                yield _under(facts, raw["name"], mount, kind, covered)


def _kind(volume: Mapping[str, Any]) -> str:
    return next((kind for kind in _HOLDS_CODE if kind in volume), "")


def _covered(path: str, image: RegistryImage, source: Source | Unread) -> str:
    """What of the image's code the mount covers; a path that the image itself declares as a volume is meant for one."""
    path = path.rstrip("/")
    if path in image.volumes or path in _SCRATCH:
        return ""
    copies = (*image.copies, *(() if isinstance(source, Unread) else source.copies))
    return next((copy for copy in copies if copy.rstrip("/") == path or copy.startswith(path + "/")), "")


def _under(facts: Facts, container: str, mount: Mapping[str, Any], kind: str, covered: str) -> Cause:
    path = mount.get("mountPath")
    message = (
        f"the image of container {container} is the newest, but volume {mount.get('name')} is mounted over {path}, "
        f"and hides what the image has there"
    )
    evidence = (
        Evidence(f"{facts.key}, container {container}", f"mounts {mount.get('name')} ({kind}) at {path}"),
        Evidence("image", f"COPY or ADD wrote {covered}"),
    )
    fix = f"mount the volume elsewhere, or leave it out: kubectl edit {facts.key} -n {facts.key.namespace}"
    return Cause(CauseCode.SHADOWED, message, evidence, fix)
