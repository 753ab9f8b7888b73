"""`devloop init`, from reading to writing. Questions are asked between the two, while no event loop runs."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from devloop.adapters import configfile
from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.core.init.draft import Draft, Target, draft
from devloop.core.init.evidence import Spot
from devloop.core.init.match import Matching
from devloop.core.init.registry import Place, Registry, places, refs_to_ask
from devloop.core.init.render import local_file, project_file
from devloop.core.init.source import Source, plain
from devloop.core.problems import quoted
from devloop.core.service import BuildSpec
from devloop.session import say
from devloop.session.init import dialogue, files
from devloop.session.init.gather import Seen, answering, look, naming_namespace
from devloop.session.init.request import InitRequest, Mode, Person
from devloop.session.ownfiles import OWN, taken
from devloop.session.project import Refusal, own_name
from devloop.views import init as words


def init(request: InitRequest) -> ExitCode:
    """Propose a configuration, and write, print or compare it."""
    root = Path.cwd()
    seen = asyncio.run(look(request, root))
    if isinstance(seen, Refusal):
        return _refused(seen)
    tell = say.out if request.mode in {Mode.ASK, Mode.WRITE} else say.err
    tell(*say.fitting(words.looked_at(len(seen.sources), len(seen.workloads), seen.where, seen.place.pinned.name)))
    tell(*say.fitting(*(f"  ! {note}" for note in seen.notes)))
    proposal, matching = _proposed(request.person, seen)
    tell(*say.fitting(*words.report(proposal, matching.left, own_name())))
    tell(*say.fitting(*_in_images(proposal, root)))
    if not proposal.services:
        return _refused(_nothing(seen, proposal, matching))
    proposal = _permitted(proposal, request.person)
    if problems := files.check(proposal, root):
        if proposal.kept.text:
            message = f"{configfile.FILE} is there, and what is new cannot come below it: {problems[0]}"
            return _refused(
                Refusal(ExitCode.USAGE, (message, "→ write each of its services as a table, `[services.NAME]`"))
            )
        raise AssertionError(f"what it would write is refused: {problems}")
    if request.mode is Mode.PRINT:
        return _print(proposal)
    try:
        compared = files.compare(proposal, root)
    except OSError as error:
        name = Path(error.filename or root).name
        message = f"{name} is there and cannot be read ({error.strerror}), so nothing was written"
        return _refused(Refusal(ExitCode.USAGE, (message, f"→ move {name} away, or make it a file that you may read")))
    if refusal := _unfit(compared):
        return _refused(refusal)
    if request.mode is Mode.DIFF:
        return _diff(compared, proposal)
    return _write(compared, proposal, request)


def _in_images(proposal: Draft, root: Path) -> Iterator[str]:
    """Which images will take the files that are written."""
    of = {each.name: each.source for each in proposal.services}
    builds = {
        name: BuildSpec(root / source.context, root / source.dockerfile, source.target, source.args)
        for name, source in of.items()
    }
    for own, services in taken(builds, [root / name for name in OWN]).items():
        yield words.in_images(services, own.names, os.path.relpath(own.ignore_file, root))


def _matched(person: Person | None, seen: Seen) -> tuple[Matching, bool]:
    """What belongs together, and whether anything had to be asked for that."""
    matching = seen.match()
    if asks := person is not None and bool(dialogue.unclear(matching, seen.around)):
        say.out(*say.fitting(*words.found(matching)))
    asked: dict[Source, Spot | None] = {}
    # What is said of one may make another one unclear: `Dockerfile.dev`, where `Dockerfile` runs nowhere.
    while person and (new := dialogue.ask_about_sources(person, matching, seen.around)):
        asked |= new
        matching = seen.match(asked)
    return matching, asks


def _proposed(person: Person | None, seen: Seen) -> tuple[Draft, Matching]:
    matching, asked = _matched(person, seen)
    around = asyncio.run(answering(refs_to_ask(matching.matched, seen.around), seen.around))
    namespaces = {each.namespace for each in matching.matched}
    nearby = [live for live in seen.workloads if live.key.namespace in namespaces]
    found = places(nearby, matching.matched, around)
    place: Place | None = found[0] if found else None
    new: Mapping[str, str] = {}
    if person and isinstance(place, Registry | None):
        new = dialogue.needs_registry(matching, around, plain(seen.project), seen.kept)
        known = [each for each in found if isinstance(each, Registry)]
        say.out(*say.fitting(*words.found(matching)) if new and not asked else ())
        place = dialogue.ask_for_registry(person, new, known) if new else place
    target = _target(seen, namespaces)
    made = draft(
        matching, target, around, place, project=seen.project, shared=seen.shared, kept=seen.kept, declined=bool(new)
    )
    return made, matching


def _target(seen: Seen, namespaces: set[str]) -> Target:
    """Naming a context in the file permits writing to it, so only a local one is named without a person's word."""
    place, name = seen.place, seen.place.pinned.name
    cluster = place.config.cluster
    allowed = all(cluster.allows(name, each) for each in namespaces or {""})
    return Target(name, place.local, place.local or allowed, in_files=allowed and cluster.context in {"", name})


def _permitted(proposal: Draft, person: Person | None) -> Draft:
    """The same, with a person's word for the context where it needs that."""
    target, name = proposal.target, proposal.target.context
    if target.permitted or person is None:
        return proposal
    message = f"context {name} is no known local cluster; without your word devloop will not write there"
    failure = Failure(FailureCode.CONTEXT_REFUSED, message)
    return replace(proposal, target=replace(target, permitted=person.permit(name, failure)))


def _nothing(seen: Seen, proposal: Draft, matching: Matching) -> Refusal:
    if any(each.is_declined for each in proposal.unmatched):
        message = "without a registry to push images to there is nothing to write"
        way = "→ run `devloop init` again and name one that the nodes pull from, after `docker login HOST`"
        return Refusal(ExitCode.USAGE, (message, way))
    candidates = [spot for each in matching.unmatched for spot in each.candidates]
    return Refusal.of(_not_clear(seen, candidates) if candidates else _not_found(seen, proposal))


def _not_clear(seen: Seen, candidates: Sequence[Spot]) -> Failure:
    namespaces = [f"-n {name}" for name in seen.deciding(candidates)[: words.MOST_NAMED]]
    asks = "on a terminal `devloop init` asks"
    hint = f"say which it is: {quoted(namespaces, 'or')}; {asks}" if namespaces else f"{asks}; or {_elsewhere(seen)}"
    message = "it is not clear what runs any of it, so nothing is written"
    return Failure(FailureCode.WORKLOAD_ABSENT, message, hint)


def _elsewhere(seen: Seen) -> str:
    return f"look elsewhere: {', '.join((*seen.more, '--context CONTEXT'))}"


def _not_found(seen: Seen, proposal: Draft) -> Failure:
    if any(each.lacks_registry for each in proposal.unmatched):
        message = "no registry was found to push images to, so there is nothing to write"
        hint = "`docker login HOST` to one that the nodes pull from, or name it: `devloop init` asks on a terminal"
        return Failure(FailureCode.WORKLOAD_ABSENT, message, hint)
    if seen.kept.home.elsewhere and seen.kept.absent:
        return _lost(seen)
    first = words.to_correct(proposal.kept) if proposal.kept.absent else "deploy it first"
    hint = f"{first}, or {_elsewhere(seen)}{words.or_named(proposal, seen.place.namespace)}"
    message = f"none of the workloads in {seen.looked} runs what is built here, so there is nothing to write"
    return Failure(FailureCode.WORKLOAD_ABSENT, message, hint)


def _lost(seen: Seen) -> Failure:
    """There is no guessing whose it is where a file says another one, or several would do, or run other images."""
    place, elsewhere = seen.place, seen.kept.home.elsewhere
    said = place.config.cluster.namespace
    why = f"which {naming_namespace(place)} names" if said else "the context's own"
    message = f"the workloads of devloop.toml are not in namespace {said or place.namespace}, {why}"
    message += f"; there are such in {' and '.join(elsewhere[: words.MOST_NAMED])}"
    return Failure(FailureCode.WORKLOAD_ABSENT, message, words.to_correct(seen.kept))


def _print(proposal: Draft) -> ExitCode:
    """stdout is a valid devloop.toml; what goes to the overlay comes at its end as comments."""
    say.out(project_file(proposal), f"# In {configfile.OVERLAY}:", "#")
    say.out(*(f"# {line}".rstrip() for line in local_file(proposal).splitlines()))
    return ExitCode.DONE


def _diff(compared: files.Files, proposal: Draft) -> ExitCode:
    for change in (*compared.changes, compared.ignoring):
        if change.needed:
            say.out(change.diff())
    for change in (compared.project, compared.local):
        if not change.needed:
            say.err(f"{change.name} stays as it is")
    say.err(*say.fitting(*_to_do(proposal)))
    return ExitCode.DONE


def _to_do(proposal: Draft) -> Iterator[str]:
    """For what was left out, or is in the file and nowhere else."""
    yield from words.to_deploy(proposal)
    if proposal.kept.absent:
        yield f"→ {words.to_correct(proposal.kept)}; `devloop doctor` checks it"


def _write(compared: files.Files, proposal: Draft, request: InitRequest) -> ExitCode:
    person = request.person
    if compared.replaced and not person:
        return _refused(_in_the_way(compared))
    if person and compared.changes and not _agreed(person, compared):
        say.err("nothing was written")
        return ExitCode.USAGE
    try:
        say.out("", *files.save(compared))
    except OSError as error:
        message = f"{error.filename} cannot be written ({error.strerror})"
        return _refused(Refusal(ExitCode.USAGE, (message, "→ make this folder writable, or use --print")))
    if not proposal.target.permitted:
        say.out("", *say.fitting(*words.unpermitted(proposal.target.context)))
    if to_do := [*_to_do(proposal)]:
        say.out("", *say.fitting(*to_do))
    if not (proposal.kept.absent or person):  # who can be asked is offered them
        say.out("", *words.next_steps(request.context))
    return ExitCode.DONE


def _unfit(compared: files.Files) -> Refusal | None:
    """Where a person's overlay would be in the way of what is written beside it."""
    again = f"or move {configfile.OVERLAY} away, and run `devloop init` again"
    if compared.by_hand:
        message = (
            f"{configfile.OVERLAY} does not say {' and '.join(compared.by_hand)}, and that cannot be added line by line"
        )
        return Refusal(ExitCode.USAGE, (f"{message}: nothing was written", f"→ add that yourself, {again}"))
    problems = files.check_whole(compared)
    return Refusal(ExitCode.USAGE, (*map(str, problems), f"→ correct that, {again}")) if problems else None


def _in_the_way(compared: files.Files) -> Refusal:
    if all(change.adds for change in compared.replaced):
        message = f"{compared.replaced[0].name} is there and does not have all of it: nothing was written"
        way = "→ `devloop init --diff` shows what is new; to add it, run `devloop init` on a terminal"
        return Refusal(ExitCode.USAGE, (message, way))
    names = " and ".join(change.name for change in compared.replaced)
    many = len(compared.replaced) > 1
    message = (
        f"{names} {'are' if many else 'is'} there and {'say' if many else 'says'} something else: nothing was written"
    )
    way = (
        f"→ `devloop init --diff` shows the difference; to change {'them' if many else 'it'}, run `devloop init` on a "
    )
    return Refusal(ExitCode.USAGE, (message, f"{way}terminal, or move {'them' if many else 'it'} away first"))


def _agreed(person: Person, compared: files.Files) -> bool:
    """Enter writes what is not there yet, and never changes anything that is."""
    for change in compared.replaced:
        say.out("", change.diff(), "")
        differs = "does not have that yet. Add it" if change.adds else "says something else. Change it as shown"
        if not person.yes(f"{change.name} is there and {differs}?", change.adds):
            return False
    new = [change.name for change in compared.changes if not change.replaces]
    if not new:
        return True
    line = f", and a line in .gitignore for {configfile.OVERLAY}" if compared.ignoring.needed else ""
    return person.yes(f"Write {' and '.join(new)}{line}?", True)


def _refused(refusal: Refusal) -> ExitCode:
    say.fitted_err(*refusal.lines)
    return refusal.exit_code
