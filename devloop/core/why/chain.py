"""The chain from the source to the running container: what was read at each link, and where it stops holding."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from devloop.core.events import Verdict
from devloop.core.image import short
from devloop.core.why.around import asked
from devloop.core.why.cause import LINKS, Cause, CauseCode, Link
from devloop.core.why.facts import Facts, LocalImage, NewestSave, Reference, RegistryImage, Settled, Source, Unread
from devloop.core.why.newestsave import IN_CLUSTER
from devloop.core.why.pods import Seen, asked_about, newest, ready_of_wanted, seen_in
from devloop.core.workload import Deployment, Terminated, Waiting


class Holds(StrEnum):
    """Whether a link holds."""

    YES = "holds"
    NO = "broken"
    UNREAD = "unread"
    """It could not be read here."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One link of the chain, in words. `time` is what the text ends with, 0.0 when with nothing."""

    link: Link
    holds: Holds
    text: str
    time: float = 0.0


def chain(facts: Facts, causes: Sequence[Cause]) -> tuple[Reading, ...]:
    """Every link in its order; several readings of one link where there are several images or Pods."""
    deployment = facts.snapshot.deployment
    if deployment is None:
        return ()
    seen = seen_in(facts)
    references = asked(facts)
    readings = (
        _source(facts),
        *(_local(reference) for reference in references),
        *(_registry(reference, tells_time=not _lacks_deleted(facts)) for reference in references),
        *_spec(facts, deployment),
        _revision(facts, deployment),
        *_pods(facts, causes),
        *(_container(one, "what was pushed last" if facts.saved is not None else "the newest") for one in seen),
    )
    return tuple(_judged(readings, causes))


def first_broken(readings: Iterable[Reading], causes: Iterable[Cause] = ()) -> Link | None:
    """The first link that does not hold, by what was read there or by a cause; None when all do that could be read."""
    read = {reading.link for reading in readings if reading.holds is Holds.NO}
    broken = read | {LINKS[cause.code] for cause in causes if cause.code in LINKS}
    return next((link for link in Link if link in broken), None)


def _judged(readings: Iterable[Reading], causes: Sequence[Cause]) -> Iterator[Reading]:
    """A link does not hold when a cause says so, though what was read there looks well by itself."""
    broken = {LINKS[cause.code] for cause in causes if cause.code in LINKS} - {Link.CONTAINER, Link.POD}
    for reading in readings:
        spoilt = reading.link in broken and reading.holds is Holds.YES
        yield Reading(reading.link, Holds.NO, reading.text, reading.time) if spoilt else reading


def _source(facts: Facts) -> Reading:
    saved, source = facts.session, facts.source
    if saved is not None and saved.what and not _is_newer(source, facts.settled):
        return Reading(Link.SOURCE, Holds.YES, f"{saved.what} {_became(saved)}", saved.since)
    if isinstance(source, Unread):
        return Reading(Link.SOURCE, Holds.UNREAD, source.why)
    if source.newest is None:
        return Reading(Link.SOURCE, Holds.YES, f"service {source.service} in {source.context}")
    return Reading(Link.SOURCE, Holds.YES, f"{source.newest.path} is the newest save, of", source.newest.saved)


def _became(saved: NewestSave | Settled) -> str:
    if saved.deleted:
        return f"{'was' if saved.deleted == 1 else 'were'} deleted at"
    return "is the newest save, of"


def _is_newer(source: Source | Unread, settled: Settled | None) -> bool:
    """Whether something was saved after all that the session knows of, because no build can take it."""
    last = None if isinstance(source, Unread) else source.newest
    if settled is None or last is None or last.saved <= settled.since:
        return False
    return bool(last.ignored_by) or last.carried is False


def _local(reference: Reference) -> Reading:
    local = reference.local
    if isinstance(local, Unread):
        return Reading(Link.LOCAL, Holds.UNREAD, local.why)
    if local is None:
        return Reading(Link.LOCAL, Holds.UNREAD, f"{reference.ref} is not on this machine")
    text = f"{reference.ref} is {short(_told(local, reference.registry))} here"
    return Reading(Link.LOCAL, Holds.YES, f"{text}, built" if local.created else text, local.created)


def _told(local: LocalImage, registry: RegistryImage | Unread | None) -> str:
    """One image goes by several digests: the one that the registry uses is what can be compared, also to Pods."""
    known = registry.resolved.digests if isinstance(registry, RegistryImage) else frozenset()
    if isinstance(registry, RegistryImage) and local.digests & known:
        return registry.resolved.digest
    return min(local.digests - {local.id}, default=local.id)


def _lacks_deleted(facts: Facts) -> bool:
    """Whether what was pushed last is the source without a file: the files that are in it are older than that."""
    saved = facts.session
    arrived = not isinstance(saved, NewestSave) or saved.phase in IN_CLUSTER
    return saved is not None and saved.deleted > 0 and arrived


def _registry(reference: Reference, *, tells_time: bool) -> Reading:
    """`tells_time`: whether the time of the newest file in an image says how new it is."""
    registry = reference.registry
    if isinstance(registry, Unread):
        return Reading(Link.REGISTRY, Holds.UNREAD, registry.why)
    if registry is None:
        return Reading(Link.REGISTRY, Holds.UNREAD, f"there is no {reference.ref}")
    text = f"{reference.ref} is {short(registry.resolved.digest)}"
    if registry.loaded_into:
        return Reading(Link.LOADED, Holds.YES, f"{text}, in {registry.loaded_into} and no registry")
    if not registry.created or (registry.of_files and not tells_time):
        return Reading(Link.REGISTRY, Holds.YES, text)
    return Reading(Link.REGISTRY, Holds.YES, f"{text}, {registry.made}", registry.created)


def _spec(facts: Facts, deployment: Deployment) -> Iterator[Reading]:
    for spec in facts.asked_about(deployment.template):
        kind = "init container" if spec.init else "container"
        policy = spec.pull_policy or "the default policy"
        yield Reading(Link.SPEC, Holds.YES, f"{kind} {spec.name} asks for {spec.image} under {policy}")


def _revision(facts: Facts, deployment: Deployment) -> Reading:
    revision = newest(facts)
    if revision is None:
        return Reading(Link.REVISION, Holds.NO, f"the newest template of {deployment.key} has no Pods yet")
    text = f"{revision.name} is the newest, {ready_of_wanted(facts, revision)}, made"
    return Reading(Link.REVISION, Holds.YES, text, revision.created)


def _pods(facts: Facts, causes: Sequence[Cause]) -> Iterator[Reading]:
    """Only what is not as it should be: a Pod that is fine is told by what its containers run.

    That admission changes a Pod is no fault by itself (AlwaysPullImages, a mirror): only where a cause says so.
    """
    revision = newest(facts)
    mutated = [cause for cause in causes if CauseCode.POLICY_MUTATED in {cause.code, cause.reason}]
    for pod in asked_about(facts):
        where = f"{pod.name} on {pod.node or 'no node yet'}"
        if revision is None or pod.revision != revision.name:
            yield Reading(Link.POD, Holds.NO, f"{where} is of an older revision, {_old(pod.revision, facts)}")
        elif not pod.ready:
            yield Reading(Link.POD, Holds.NO, f"{where} is not ready")
        elif any(not cause.pods or pod.name in cause.pods for cause in mutated):
            yield Reading(Link.POD, Holds.NO, f"{where} does not ask for what the workload says")


def _old(revision: str, facts: Facts) -> str:
    found = next((r for r in facts.snapshot.revisions if r.name == revision), None)
    images = ", ".join(spec.image for spec in found.template.containers) if found else ""
    return f"{revision} with {images}" if images else revision


def _container(one: Seen, newest: str) -> Reading:
    holds, word = {
        Verdict.MATCH: (Holds.YES, newest),
        Verdict.MISMATCH: (Holds.NO, "an old image"),
        Verdict.UNKNOWN: (Holds.UNREAD, "which cannot be compared"),
    }[one.verdict]
    where = f"{one.pod.name} on {one.pod.node}"
    if stopped := _stopped(one):
        return Reading(
            Link.CONTAINER, Holds.NO, f"{where}: {one.name} {stopped}; its image is {short(one.digest)}, {word}"
        )
    text = f"{where}: {one.name} runs {short(one.digest)}, {word}"
    return Reading(Link.CONTAINER, holds, f"{text}, since" if one.started else text, one.started)


def _stopped(one: Seen) -> str:
    """What it does instead, where it does not run and should; an init container that is done should not."""
    match one.status.state:
        case Waiting("CrashLoopBackOff" as reason):
            return f"ended, and waits in {reason}"
        case Waiting(reason):
            return f"waits in {reason}" if reason else "waits"
        case Terminated(code) if code or not one.status.init:
            return f"ended with exit code {code}"
    return ""
