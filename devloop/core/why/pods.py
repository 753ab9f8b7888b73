"""What the Pods of the newest revision run, beside what their references mean now, and why it differs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from devloop.core.events import Verdict
from devloop.core.image import digest_of, fits, same_image, short
from devloop.core.patch import BuildMark
from devloop.core.proof import verdict_of
from devloop.core.why.cause import Cause, CauseCode, Evidence
from devloop.core.why.facts import Facts, LocalImage, Reference, RegistryImage, Unread
from devloop.core.why.fixes import fix_of, rolled_out
from devloop.core.why.stale import PRESENT, Moved, Stale, Start, why_stale
from devloop.core.workload import ContainerSpec, ContainerStatus, Pod, Revision, Running, Terminated

_SHOWN = 3
"""So many Pods of a kind are evidence enough."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One container of one Pod: what it asks for, what it reports, and what that means."""

    pod: Pod
    status: ContainerStatus
    asked: ContainerSpec
    """As the workload asks for it."""
    reference: Reference
    verdict: Verdict
    pulled: str
    """The message of its last `Pulled` Event."""
    pulled_at: float

    @property
    def name(self) -> str:
        return self.status.name

    @property
    def digest(self) -> str:
        return digest_of(self.status.image_id)

    @property
    def got(self) -> ContainerSpec:
        return self.pod.spec(self.name) or self.asked

    @property
    def started(self) -> float:
        match self.status.state:
            case Running(at) | Terminated(started_at=at):
                return at
        return self.status.last.started_at if self.status.last else 0.0

    @property
    def what(self) -> str:
        return f"Pod {self.pod.name}, {'init container' if self.status.init else 'container'} {self.name}"


def newest(facts: Facts) -> Revision | None:
    """The revision of the template as it stands; None while its controller has not made it."""
    return next((r for r in facts.snapshot.revisions if r.name == facts.newest), None)


def ready_of(facts: Facts, revision: Revision | None) -> int:
    """How many Pods of a revision serve."""
    name = revision.name if revision is not None else None
    return sum(p.ready and not p.terminating for p in facts.snapshot.pods if p.revision == name)


def ready_of_wanted(facts: Facts, revision: Revision) -> str:
    """Of how many Pods: of those that are wanted, as in the midst of a rollout a revision has fewer."""
    wanted = facts.snapshot.deployment.replicas if facts.snapshot.deployment is not None else revision.desired
    return f"{ready_of(facts, revision)} of {wanted} Pods ready"


def seen_in(facts: Facts) -> tuple[Seen, ...]:
    """Every container asked about, of every Pod asked about that reports an image; init containers first in each.

    Only of the newest revision: what older Pods run says nothing, because they were asked to run something else.
    """
    deployment, revision = facts.snapshot.deployment, newest(facts)
    if deployment is None or revision is None:
        return ()
    pods = [p for p in asked_about(facts) if p.revision == revision.name]
    return tuple(
        one
        for pod in pods
        for spec in deployment.template.containers
        if spec.name in facts.containers and (one := _seen(facts, pod, spec)) is not None
    )


def asked_about(facts: Facts) -> tuple[Pod, ...]:
    """The Pods asked about that run something, or will: not those that are deleted or have ended."""
    pods = facts.snapshot.pods
    return tuple(p for p in pods if not p.terminating and not p.ended and facts.only in {"", p.name})


def _seen(facts: Facts, pod: Pod, asked: ContainerSpec) -> Seen | None:
    status, reference = pod.container(asked.name), facts.references.get(asked.image)
    if status is None or reference is None or not digest_of(status.image_id):
        return None
    path = f"spec.{'initContainers' if asked.init else 'containers'}{{{asked.name}}}"
    pulls = [e for e in facts.snapshot.events_about(pod.uid) if e.reason == "Pulled" and e.field_path == path]
    message, at = (pulls[-1].message, pulls[-1].last) if pulls else ("", 0.0)
    return Seen(pod, status, asked, reference, _verdict(facts, status, reference), message, at)


def _verdict(facts: Facts, status: ContainerStatus, reference: Reference) -> Verdict:
    if not isinstance(reference.registry, RegistryImage):
        return Verdict.UNKNOWN
    return verdict_of(digest_of(status.image_id), reference.registry.resolved, facts.known, ())


@dataclass(frozen=True, slots=True)
class _Judged:
    """One stale container, and when the tag came to mean the newest image."""

    seen: Seen
    moved: Moved


def stale_causes(facts: Facts, seen: Sequence[Seen]) -> Iterator[Cause]:
    """One cause for each way in which Pods went stale, with all Pods that it explains."""
    groups: dict[tuple[CauseCode, CauseCode, str], list[_Judged]] = {}
    everyone = seen_in(replace(facts, only="")) if facts.only else seen
    for one in seen:
        if one.verdict is Verdict.MISMATCH:
            judged = _Judged(one, _moved(facts, one, everyone))
            below = _stale([judged]).code
            code = CauseCode.OTHER_CONTAINER if _main_is_new(one, seen) else below
            groups.setdefault((code, below, one.name), []).append(judged)
    for (code, _, _), found in groups.items():
        yield _cause(facts, code, found, seen)


def _stale(found: Sequence[_Judged]) -> Stale:
    """Why they all went stale; they went the same way."""
    one = found[0].seen
    start = Start(_nodes(found), one.asked, one.got, one.pulled)
    if _is_loaded(one) and same_image(one.got.image, one.asked.image):
        return Stale(CauseCode.NODE_CACHE, f"{start.node} has another image under that name than devloop has loaded")
    return why_stale(start, found[0].moved, from_here=_from_here(one.reference))


def _is_loaded(one: Seen) -> bool:
    registry = one.reference.registry
    return isinstance(registry, RegistryImage) and bool(registry.loaded_into)


def _nodes(found: Sequence[_Judged]) -> str:
    names = sorted({each.seen.pod.node or "its node" for each in found})
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _from_here(reference: Reference) -> bool | None:
    local, registry = reference.local, reference.registry
    if isinstance(local, Unread):
        return None
    if not isinstance(local, LocalImage) or not isinstance(registry, RegistryImage):
        return False
    return bool(local.digests & registry.resolved.digests)


def _moved(facts: Facts, one: Seen, seen: Iterable[Seen]) -> Moved:
    """When the tag came to mean what it means now. Nobody records that: it is narrowed down from both sides.

    Not before the image was built or tagged here; not after devloop pushed it, nor after another Pod started with it.
    """
    registry = one.reference.registry
    assert isinstance(registry, RegistryImage)
    mark = BuildMark.decode(facts.snapshot.deployment.template.build) if facts.snapshot.deployment else None
    pushed = mark.pushed_at if mark and mark.digest in registry.resolved.digests else 0.0
    local = one.reference.local
    tagged = local.tagged if isinstance(local, LocalImage) and _from_here(one.reference) else 0.0
    # The kubelet tells whole seconds: a start in the same second may have been later.
    if one.started and int(max(registry.created, tagged, pushed)) > one.started:
        return Moved.AFTER
    if pushed and one.started:
        return Moved.BEFORE
    peers = (o for o in seen if o.verdict is Verdict.MATCH and o.asked.image == one.asked.image and o.started)
    # What runs is newer: the tag may have meant it at that start, and have been moved back since.
    back = facts.created.get(one.digest, 0.0) > registry.created > 0.0
    return Moved.BEFORE if not back and any(peer.started <= one.started for peer in peers) else Moved.OPEN


def _main_is_new(one: Seen, seen: Iterable[Seen]) -> bool:
    """Whether the stale container is beside the Pod's main one, and that one runs the newest image."""
    beside = [o for o in seen if o.pod.uid == one.pod.uid and not o.status.init]
    return bool(beside) and beside[0].name != one.name and beside[0].verdict is Verdict.MATCH


def _cause(facts: Facts, code: CauseCode, found: Sequence[_Judged], seen: Sequence[Seen]) -> Cause:
    first, stale = found[0].seen, _stale(found)
    pods = tuple(each.seen.pod.name for each in found)
    everywhere = len(pods) == len({o.pod.uid for o in seen})
    message = f"{_subject(facts, code, found, seen)} an old image of {first.asked.image}: {stale.why}"
    evidence = (*_of_registry(first.reference), *_of_pods(first.name, seen, [each.seen for each in found]))
    fix = _fix(facts, stale.code, first)
    reason = stale.code if code is not stale.code else ""
    return Cause(code, message, evidence, fix, () if everywhere else pods, reason)


def _fix(facts: Facts, code: CauseCode, one: Seen) -> str:
    if _is_loaded(one) and code is not CauseCode.POLICY_MUTATED:
        return f"{facts.up}, which loads what is built"
    fix = fix_of(code, facts.key, one.asked, one.reference, one.pod.node, facts.controller)
    pods = [pod.name for pod in asked_about(replace(facts, only=""))]
    return rolled_out(facts.snapshot.deployment, fix, pods) if facts.snapshot.deployment is not None else fix


def _subject(facts: Facts, code: CauseCode, found: Sequence[_Judged], seen: Sequence[Seen]) -> str:
    first = found[0].seen
    total = len({o.pod.uid for o in seen})
    if code is CauseCode.OTHER_CONTAINER:
        kind = "init container" if first.status.init else "container"
        where = f"of Pod {first.pod.name} runs" if len(found) == 1 else f"of {len(found)} Pods runs"
        return f"the main container is new, but {kind} {first.name} {where}"
    if len(found) == 1:
        of = f" (1 of {total} Pods)" if total > 1 else ""
        return f"Pod {first.pod.name} on {first.pod.node or 'no node'}{of} runs"
    nodes = ", ".join(sorted({each.seen.pod.node for each in found}))
    return f"{'all' if len(found) == total else f'{len(found)} of'} {total} Pods of {facts.key} ({nodes}) run"


def _of_registry(reference: Reference) -> Iterator[Evidence]:
    registry = reference.registry
    if isinstance(registry, RegistryImage):
        digest = registry.resolved.digest
        if registry.loaded_into:
            text = f"{reference.ref} was loaded into {registry.loaded_into} as {short(digest)}"
            yield Evidence("annotation devloop/build", text, digest=digest)
            return
        text = f"{reference.ref} is {short(digest)} now, and was {registry.made}"
        at = registry.created
        yield Evidence("registry", text if at else text.partition(",")[0], at, digest)


def _of_pods(container: str, seen: Sequence[Seen], stale: Sequence[Seen]) -> Iterator[Evidence]:
    """The stale ones with what the kubelet said, and one that runs the newest image, if there is one."""
    for one in stale[:_SHOWN]:
        yield Evidence(
            f"{one.what} on {one.pod.node}", f"reports {short(one.digest)}, started", one.started, one.digest
        )
        if one.pulled:
            said = "the node used the copy it had" if PRESENT in one.pulled else "the node pulled it"
            yield Evidence(f"Event of Pod {one.pod.name}", f"{said}, at", one.pulled_at)
    for one in [o for o in seen if o.name == container and o.verdict is Verdict.MATCH][:_SHOWN]:
        text = f"reports {short(one.digest)}, the newest, started"
        yield Evidence(f"{one.what} on {one.pod.node}", text, one.started, one.digest)


def other_architecture(facts: Facts, seen: Iterable[Seen]) -> Iterator[Cause]:
    """A Pod that reports another platform's manifest of the same index: right by name, wrong for its node."""
    nodes = {} if isinstance(facts.nodes, Unread) else facts.nodes
    for one in seen:
        registry, node = one.reference.registry, nodes.get(one.pod.node, "")
        if not node or not isinstance(registry, RegistryImage):
            continue
        runs = next((m for m in registry.resolved.manifests if one.digest in {m.digest, m.config}), None)
        fitting = next((m for m in registry.resolved.manifests if fits(m.platform, node)), None)
        if runs is None or fitting is None or fits(runs.platform, node):
            continue
        message = (
            f"Pod {one.pod.name} on {one.pod.node}, a {node} node, runs the {runs.platform} image of "
            f"{one.asked.image}, although there is one for {node}"
        )
        evidence = (
            Evidence(
                "registry", f"{one.reference.ref} has {', '.join(registry.resolved.platforms)}", 0.0, fitting.digest
            ),
            Evidence(f"{one.what} on {one.pod.node}", f"reports {short(one.digest)}, started", one.started, one.digest),
        )
        # Whoever asks the registry is given the image for its own platform, whatever copy it has.
        fix = _fix(facts, CauseCode.NODE_CACHE, one)
        yield Cause(CauseCode.OTHER_ARCHITECTURE, message, evidence, fix, (one.pod.name,))


def undecided(facts: Facts, seen: Iterable[Seen]) -> Iterator[Cause]:
    """What cannot be told, once for each image."""
    told: set[tuple[str, str]] = set()
    for one in seen:
        why = _undecided(one)
        if one.verdict is Verdict.UNKNOWN and (one.name, why) not in told:
            told.add((one.name, why))
            evidence = Evidence(one.what, f"reports {short(one.digest)}, started", one.started, one.digest)
            message = f"whether container {one.name} runs the newest {one.asked.image} cannot be told: {why}"
            yield Cause(CauseCode.UNKNOWN, message, (evidence,), _make_known(facts, one), (one.pod.name,))


def _undecided(one: Seen) -> str:
    registry = one.reference.registry
    if registry is None:
        return f"the registry has no {one.reference.ref} (any more)"
    if not isinstance(registry, RegistryImage):
        return registry.why
    if registry.loaded_into:
        return f"the Pods report {short(one.digest)}, which is none of the digests of what was loaded"
    return (
        f"the Pods report {short(one.digest)}, which is none of the digests that {one.reference.ref} goes by, "
        "and the registry does not tell what it is"
    )


def _make_known(facts: Facts, one: Seen) -> str:
    registry = one.reference.registry
    if registry is None:
        return f"push it again: docker push {one.reference.ref}"
    if not isinstance(registry, RegistryImage):
        return registry.fix
    return _fix(facts, CauseCode.NODE_CACHE, one)
