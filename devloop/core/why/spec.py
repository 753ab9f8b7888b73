"""Causes that stand in the workload itself: what it asks for, who changed that, and what was built beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from devloop.core.events import Verdict
from devloop.core.image import ImageRef, digest_of, short
from devloop.core.managers import field_writer
from devloop.core.original import Original, Written
from devloop.core.patch import BuildMark
from devloop.core.proof import verdict_of
from devloop.core.why.cause import Cause, CauseCode, Evidence
from devloop.core.why.facts import Facts, LocalImage, LocalTag, Reference, RegistryImage, Unread
from devloop.core.why.fixes import set_image
from devloop.core.workload import ORIGINAL, ContainerSpec, Deployment, Manager

# reverted ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Undone:
    """A field that devloop wrote, and that holds something else now."""

    key: str
    live: str
    written: Written
    writer: Manager | None

    @property
    def back(self) -> str:
        return f"back to {self.live}" if self.live == (self.written.was or "") else f"to {self.live}"


def reverted(facts: Facts, deployment: Deployment) -> Iterator[Cause]:
    """Fields that devloop wrote and that somebody wrote over; devloop's own record on the workload tells."""
    original = Original.of(deployment.annotations)
    for spec in deployment.template.containers:
        by: dict[str, list[_Undone]] = {}
        for each in _undone(original, deployment, spec) if spec.name in facts.containers else ():
            by.setdefault(each.writer.name if each.writer is not None else "", []).append(each)
        for found in by.values():
            yield _reverted(facts, deployment, spec, original.since, found)


def _undone(original: Original, deployment: Deployment, spec: ContainerSpec) -> Iterator[_Undone]:
    for key, live in (("image", spec.image), ("imagePullPolicy", spec.pull_policy)):
        written = original.written(spec.name, key)
        if written is not None and live != (written.wrote or ""):
            yield _Undone(key, live, written, field_writer(deployment, spec.name, spec.init, key))


def _reverted(
    facts: Facts, deployment: Deployment, spec: ContainerSpec, since: float, found: Sequence[_Undone]
) -> Cause:
    """What one of the others wrote in one container."""
    first, writer = found[0], found[0].writer
    wrote = " and ".join(str(each.written.wrote) for each in found)
    undone = f"{_word(first.key)} of container {spec.name} {first.back}"
    undone += "".join(f" and {_word(each.key)} {each.back}" for each in found[1:])
    message = f"{_who(deployment, writer)} set {undone}; devloop had set {wrote}"
    evidence = [Evidence(f"annotation {ORIGINAL} of {deployment.key}", f"devloop wrote {wrote}, first at", since)]
    if writer is not None:
        fields = " and ".join(each.key for each in found)
        told = Evidence(f"managedFields of {deployment.key}", f"{writer.name} wrote {fields}, at", writer.time)
        evidence.append(told)
    return Cause(CauseCode.REVERTED, message, tuple(evidence), _keep_off(deployment, facts))


def _word(key: str) -> str:
    return "the image" if key == "image" else "the pull policy"


def _who(deployment: Deployment, writer: Manager | None) -> str:
    tool = _tool(deployment)
    name = writer.name if writer is not None and writer.name else "somebody"
    return f"{name} ({tool[0]})" if tool else name


def _tool(deployment: Deployment) -> tuple[str, str] | None:
    """What manages the workload, by its labels and annotations: for people, and the command that makes it stop."""
    labels, notes, namespace = deployment.labels, deployment.annotations, deployment.key.namespace
    app = notes.get("argocd.argoproj.io/tracking-id", "").partition(":")[0] or labels.get("argocd.argoproj.io/instance")
    if app:
        return f"Argo CD application {app}", f"argocd app set {app} --sync-policy none"
    for kind in ("kustomization", "helmrelease"):
        group = "kustomize" if kind == "kustomization" else "helm"
        name = labels.get(f"{group}.toolkit.fluxcd.io/name")
        if name:
            where = labels.get(f"{group}.toolkit.fluxcd.io/namespace", namespace)
            return f"Flux {kind} {name}", f"flux suspend {kind} {name} -n {where}"
    release = notes.get("meta.helm.sh/release-name")
    if release or labels.get("app.kubernetes.io/managed-by") == "Helm":
        return f"Helm release {release or 'of this chart'}", f"helm upgrade {release or 'RELEASE'}"
    return None


def _keep_off(deployment: Deployment, facts: Facts) -> str:
    key = deployment.key
    what = f"{key} -n {key.namespace}" if isinstance(facts.source, Unread) else facts.source.service
    again = facts.up if facts.session is not None else f"devloop up {what} --once"
    tool = _tool(deployment)
    if tool is None:
        return f"agree with who did it, then: {again}"
    if tool[0].startswith("Helm"):
        return f"change it in the values of the chart, or the next `{tool[1]}` sets it back again; then: {again}"
    return f"let it pause: {tool[1]}; then: {again}"


# pinned --------------------------------------------------------------------------------------------------------------


def pinned(facts: Facts, deployment: Deployment) -> Iterator[Cause]:
    """Containers whose reference cannot come to mean the newest image."""
    for spec in facts.asked_about(deployment.template):
        reference = facts.references.get(spec.image)
        if reference is not None:
            found = _other_than_expected(facts, spec, reference) or _newer(facts, spec.name, reference)
            if found is not None:
                message, fix, evidence = found
                said = Evidence(f"{deployment.key}, container {spec.name}", f"asks for {spec.image}")
                yield Cause(CauseCode.PINNED, f"container {spec.name} {message}", (said, evidence), fix)


_Found = tuple[str, str, Evidence]
"""What is said of the container, the fix, and what it rests on."""


def _other_than_expected(facts: Facts, spec: ContainerSpec, reference: Reference) -> _Found | None:
    expected = facts.expected
    if expected is None or reference.ref.with_digest("").same_image(expected):
        return None
    message = f"asks for {spec.image}, but devloop.toml pushes to {expected}, so it never sees what is pushed"
    # devloop puts it there with a record of what was before, which `devloop restore` undoes.
    return message, facts.up, Evidence("devloop.toml", f"the image is {expected}")


def _newer(facts: Facts, container: str, reference: Reference) -> _Found | None:
    ref, registry, tag = reference.ref, reference.registry, reference.tag
    if ref.digest and isinstance(registry, RegistryImage) and isinstance(tag, RegistryImage):
        return _moved_on(facts, container, ref, registry, tag)
    return _under_another_tag(facts, container, reference) if _is_own(facts, reference) else None


def _is_own(facts: Facts, reference: Reference) -> bool:
    """Whether the image is one that is built with devloop. Of others (nginx) another tag is another thing, which
    somebody pulled for something else."""
    if facts.expected is not None and reference.ref.same_repository(facts.expected):
        return True
    registry, local = reference.registry, reference.local
    digests = registry.resolved.digests if isinstance(registry, RegistryImage) else frozenset[str]()
    digests |= local.digests if isinstance(local, LocalImage) else frozenset()
    return any(push.digest in digests for push in facts.pushes)


def _moved_on(
    facts: Facts, container: str, ref: ImageRef, registry: RegistryImage, tag: RegistryImage
) -> _Found | None:
    """A digest beside a tag that means another image by now."""
    known = {registry.resolved.digest: registry.resolved}
    if verdict_of(registry.resolved.digest, tag.resolved, known, ()) is not Verdict.MISMATCH:
        return None
    message = f"asks for the digest {short(ref.digest)}, and {ref.with_digest('')} means another image by now"
    text = f"{ref.with_digest('')} is {short(tag.resolved.digest)} now, and was {tag.made}"
    evidence = Evidence("registry", text if tag.created else text.partition(",")[0], tag.created, tag.resolved.digest)
    by_digest = set_image(facts.key, container, str(ref.with_digest(tag.resolved.digest)))
    return message, by_digest if facts.expected is None else facts.up, evidence


def _under_another_tag(facts: Facts, container: str, reference: Reference) -> _Found | None:
    other = newer_here(reference)
    if other is None:
        return None
    there = reference.ref.with_tag(other.ref.tag)
    message = f"asks for {reference.ref}, and what was built last on this machine is {there}, under another tag"
    evidence = Evidence("local engine", f"{other.ref} was built", other.created, other.id)
    return message, _give(facts, container, there, other), evidence


def _give(facts: Facts, container: str, there: ImageRef, other: LocalTag) -> str:
    """devloop.toml says which tag its service runs under: there the newest has to go, not the workload elsewhere."""
    if facts.expected is not None:
        return facts.up
    fix = set_image(facts.key, container, str(there))
    return fix if other.pushed else f"docker push {other.ref} && {fix}"


def newer_here(reference: Reference) -> LocalTag | None:
    """An image of that repository that was built after the one asked for, under another tag only."""
    known = reference.registry.created if isinstance(reference.registry, RegistryImage) else 0.0
    own = reference.local
    local = own.created if isinstance(own, LocalImage) else 0.0
    latest = max(known, local)
    newer = [o for o in reference.others if latest and o.created > latest and not _is(own, o)]
    return newer[0] if newer else None


def _is(own: LocalImage | Unread | None, other: LocalTag) -> bool:
    return isinstance(own, LocalImage) and other.id == own.id


# not pushed ----------------------------------------------------------------------------------------------------------


def not_pushed(facts: Facts, deployment: Deployment) -> Iterator[Cause]:
    """The engine here has something newer under the very reference than the registry has."""
    told = set[str]()
    for spec in deployment.template.containers:
        reference = facts.references.get(spec.image)
        if spec.name not in facts.containers or reference is None or spec.image in told:
            continue
        local, registry = reference.local, reference.registry
        if isinstance(local, LocalImage) and _ahead(facts, local, registry):
            told.add(spec.image)
            yield Cause(
                CauseCode.NOT_PUSHED,
                f"{reference.ref} was built on this machine, but not pushed: {_holds(registry)}",
                (
                    Evidence("local engine", f"{reference.ref} is {short(local.id)}, built", local.created, local.id),
                    *_registry_evidence(reference),
                ),
                f"docker push {reference.ref}",
            )


def never_run(facts: Facts, deployment: Deployment) -> Cause | None:
    """Nothing is there yet of what devloop.toml pushes to, nothing of it runs, and no session is known that pushed."""
    own = facts.references.get(str(facts.expected)) if facts.expected is not None else None
    if (
        own is None
        or own.registry is not None
        or facts.pushes
        or BuildMark.decode(deployment.template.build) is not None
    ):
        return None
    asks = ", ".join(f"container {s.name} asks for {s.image}" for s in facts.asked_about(deployment.template))
    message = f"devloop has not run yet for this service: the registry has no {facts.expected}, to which it will push"
    evidence = (Evidence("registry", f"has no {facts.expected}"), Evidence(str(facts.key), asks))
    return Cause(CauseCode.NEVER_RUN, message, evidence, facts.up)


def _ahead(facts: Facts, local: LocalImage, registry: RegistryImage | Unread | None) -> bool:
    if isinstance(registry, Unread):
        return False
    if registry is None:
        return True
    newer = not local.digests & registry.resolved.digests and local.created > registry.created > 0.0
    return newer and not _was_pushed(facts, local)


def _was_pushed(facts: Facts, local: LocalImage) -> bool:
    """The registry has it by its digest, or a Pod runs it: it was pushed, or pulled, and the tag moved back since."""
    runs = {digest_of(status.image_id) for pod in facts.snapshot.pods for status in pod.containers}
    return bool(local.digests & runs) or any(facts.known.get(digest) is not None for digest in local.digests)


def _holds(registry: RegistryImage | Unread | None) -> str:
    return "the registry has an older image under that tag" if registry else "the registry has nothing under that tag"


def _registry_evidence(reference: Reference) -> Iterator[Evidence]:
    registry = reference.registry
    if isinstance(registry, RegistryImage):
        digest = registry.resolved.digest
        text = f"{reference.ref} is {short(digest)}, {registry.made}"
        yield Evidence("registry", text, registry.created, digest)
    elif registry is None:
        yield Evidence("registry", f"has no {reference.ref}")
