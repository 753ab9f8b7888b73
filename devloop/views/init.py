"""What `devloop init` says: what belongs together and why, what does not, and what to do next."""

import shlex
from collections.abc import Iterable, Iterator, Sequence

from devloop.core.config import ClusterConfig
from devloop.core.guard import Written, remedy
from devloop.core.image import short
from devloop.core.init.draft import Draft, Proposal
from devloop.core.init.kept import Kept, Stated
from devloop.core.init.match import Matched, Matching, Unmatched
from devloop.core.init.workload import Live, full_name, reference
from devloop.core.problems import quoted
from devloop.core.resolve import LOCAL_TAG, SHARED_TAG
from devloop.core.values import fill

_MOST_LISTED = 6
MOST_NAMED = 4
"""Namespaces, or files, in one sentence."""
MOST_ASKED = 3
"""Dockerfiles without any candidate that are asked about: with more of them, most are of something else."""


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def looked_at(dockerfiles: int, workloads: int, where: str, context: str) -> str:
    """The first line: what there is to match."""
    return f"{counted(dockerfiles, 'Dockerfile')}, {counted(workloads, 'workload')} in {where} of context {context}"


def report(draft: Draft, left: Sequence[Live], user: str = "") -> Iterator[str]:
    """Everything that was found out, one line each; `user` is what `{user}` stands for."""
    for service in draft.services:
        yield f"  ✔ {pairing(service.matched)}"
        stated = draft.kept.stated.get(service.source)
        about = _absent(stated) if stated else _about(service, draft.loads_into)
        yield from (f"      {line}" for line in about)
    yield from _default_tag(draft, user)
    for each in draft.unmatched:
        yield _of_unmatched(each, draft)
    asked = {spot.live.key for each in draft.unmatched for spot in each.candidates}
    if others := [live for live in left if live.key not in asked and not draft.kept.makes(live)]:
        yield f"  · nothing here builds {_listed(others)}"


def _of_unmatched(unmatched: Unmatched, draft: Draft) -> str:
    if stated := draft.kept.stated.get(unmatched.source):
        return f"  ! {unmatched.source}: {'; '.join((unmatched.why, *_absent(stated)))}"
    mark = "!" if unmatched.candidates else "✘"
    return f"  {mark} {unmatched.source}: {unmatched.why}{_fate(unmatched, draft)}"


def _absent(stated: Stated) -> Iterator[str]:
    if stated.absent:
        was = "was" if len(stated.absent) == 1 else "were"
        yield f"its {' and '.join(stated.absent)} {was} not found in namespace {stated.namespace}"


def in_images(services: Sequence[str], names: Sequence[str], ignore_file: str) -> str:
    """That images will take what is written."""
    image = f"the image{'' if len(services) == 1 else 's'} of {' and '.join(services)}"
    verb = "becomes" if len(names) == 1 else "become"
    lines = f"the line{'' if len(names) == 1 else 's'} {quoted(names)}"
    return (
        f"  ! {' and '.join(names)} {verb} part of {image}, so each edit builds anew: to leave that out, write {lines} "
        f"into {ignore_file}"
    )


def to_correct(kept: Kept) -> str:
    """What ends that workloads of services of devloop.toml are not found."""
    if kept.home.elsewhere:
        commands = [f"devloop init -n {name}" for name in kept.home.elsewhere[:MOST_NAMED]]
        return f"say in which namespace they are: {quoted(commands, 'or')}"
    deploy = f"deploy {'it' if len(kept.absent) == 1 else 'them'}"
    return f"correct `workload` of {quoted(kept.absent)} in devloop.toml, or {deploy}"


def to_deploy(draft: Draft) -> Iterator[str]:
    """What gets those into the file that nothing runs."""
    if idle := _idle(draft):
        names = _first([str(each.source) for each in idle], MOST_NAMED)
        yield f"→ to have {names} too: deploy what runs it, then `devloop init` again{or_named(draft, draft.namespace)}"


def _idle(draft: Draft) -> list[Unmatched]:
    return [each for each in draft.unmatched if not (each.is_answered or each.candidates or each.lacks_registry)]


def or_named(draft: Draft, namespace: str) -> str:
    """The way for what runs them already, under a name that tells nothing; empty where nothing can be that.

    `namespace`: where the workload of a service is that names none.
    """
    idle, known = _idle(draft), [str(live.key) for live in draft.unclaimed]
    if not (idle and known):
        return ""
    which = quoted(known[:MOST_NAMED], "or") if len(known) <= MOST_NAMED else "one of the others there"
    away = [live.key.namespace for live in draft.unclaimed if live.key.namespace != namespace]
    key = f'`workload = "{known[0]}"`' if len(known) == 1 else "its `workload`"
    if away:
        key += f' and `namespace = "{away[0]}"`' if len(known) == 1 else " and `namespace`"
    asks = "`devloop init` asks on a terminal, or " if len(idle) <= MOST_ASKED or not draft.services else ""
    return f"; if {which} runs {'it' if len(idle) == 1 else 'one of them'}, {asks}write `[services.NAME]` with {key}"


def found(matching: Matching) -> Iterator[str]:
    """What is clear, before anything else is asked."""
    return (f"  ✔ {pairing(matched)}" for matched in matching.matched)


def pairing(matched: Matched) -> str:
    """`web/Dockerfile -> deployment/web in shop: the image ... ends in the folder's name, web`"""
    return f"{matched.source} -> {', '.join(map(str, matched.workloads))}: {matched.why}"


def _about(service: Proposal, cluster: str) -> Iterator[str]:
    image = service.image
    if image.push:
        yield f"pushed as {image.push}: {_inner(image.push_note)}"
    if image.notes:
        yield f"image {image.image}: {' '.join(map(_inner, image.notes))}"
    if image.load_why:
        yield f"loaded into {cluster}: {image.load_why}"
    if service.tag:
        yield f"tag {service.tag}: {_inner(service.tag_note)}"
    if service.containers:
        yield f"container {', '.join(service.containers)}"


def _default_tag(draft: Draft, user: str) -> Iterator[str]:
    """The tag of the services that name none, as it will be."""
    services = [service for service in draft.new if not service.tag]
    if not services:
        return
    tag = LOCAL_TAG if draft.target.local else fill(SHARED_TAG, {"user": user}) if user else SHARED_TAG
    why = "one for each person, as this is no known local cluster"
    why = "the usual one on a local cluster" if draft.target.local else why
    word = "tags that begin with" if all(service.image.load_why for service in services) else "tag"
    yield f"  · {word} {tag} for {', '.join(service.name for service in services)}: {why}; the key `tag` names another"
    if moved := [service.name for service in services if _runs(service, tag)]:
        runs = f"{', '.join(moved)} {'runs' if len(moved) == 1 else 'run'}"
        yield f"  ! {runs} tag {tag} now: a build moves it, and `devloop restore` does not move it back"


def _runs(service: Proposal, tag: str) -> bool:
    """Whether a workload runs now what a build is going to replace in the registry, and nobody can put back."""
    own = (spot for spot in service.matched.spots if spot.container.name not in spot.live.put_there)
    refs = (reference(spot.container.image) for spot in own)
    moved = (service.image.image, tag)
    return not service.image.load_why and any(ref and (full_name(ref), ref.effective_tag) == moved for ref in refs)


def _inner(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _fate(unmatched: Unmatched, draft: Draft) -> str:
    if unmatched.is_declined:
        return "; left out, as you answered"
    is_commented = unmatched.candidates and draft.services and not draft.kept.text
    return "; in devloop.toml as a comment" if is_commented else "; left out"


def _listed(left: Sequence[Live]) -> str:
    named = [f"{live} ({', '.join(dict.fromkeys(shown(c.image) for c in live.mains))})" for live in left]
    return _first(named, _MOST_LISTED)


def _first(names: Sequence[str], most: int) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def shown(image: str) -> str:
    """An image for people: no more of a digest than tells it from others."""
    name, at, digest = image.partition("@")
    return f"{name}@{short(digest)}" if at else image


def commands(context: str) -> tuple[str, str]:
    """The two that come next; a context that was chosen on the command line need not be in the file."""
    chosen = f" --context {shlex.quote(context)}" if context else ""
    return f"devloop doctor{chosen}", f"devloop up{chosen}"


def next_steps(context: str) -> Iterable[str]:
    """What they do."""
    doctor, up = commands(context)
    return (
        f"→ {doctor}   checks everything between here and the Pods",
        f"→ {up:{len(doctor)}}   builds, pushes and proves",
    )


def unpermitted(context: str) -> tuple[str, str]:
    """For a context that is no known local cluster."""
    return (
        f"context {context} is no known local cluster, so nothing permits devloop to write there yet",
        f"→ if that is meant, {remedy(context, (), Written(ClusterConfig(), 'devloop.local.toml'))}",
    )
