"""The words of both renderers: phrases and figures for events and state. Nothing here prints.

A `tone` says what a phrase means; the renderer chooses a colour for it, and never says anything by colour alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from devloop.core import events as ev
from devloop.core.failure import BUILDS_AGAIN, ExitCode, Failure
from devloop.core.image import ImageRef, InvalidReferenceError, digest_of, short
from devloop.core.state import ServiceState, SessionState
from devloop.views.meanwhile import still_runs as still_runs
from devloop.views.times import moment

_CONTAINER_FIELD = re.compile(r"spec\.template\.spec\.\w+\[([^]]+)\]\.(\w+)")


class Tone(StrEnum):
    """What a phrase means to its reader."""

    PLAIN = "plain"
    QUIET = "quiet"
    BUSY = "busy"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Phrase:
    """One line's words."""

    text: str
    tone: Tone = Tone.PLAIN


def seconds(value: float) -> str:
    """`0.03s`, `0.4s`, `12.3s`, `2m 05s`."""
    if value < 0.095:
        return f"{value:.2f}s"
    if value < 59.95:
        return f"{value:.1f}s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes}m {rest:02d}s"


def files(names: tuple[str, ...], count: int) -> str:
    """`server.py`, `server.py +2`, or nothing."""
    if not names:
        return f"{count} files" if count else ""
    first = names[0].rpartition("/")[2] or names[0]
    return first if count <= 1 else f"{first} +{count - 1}"


def phrases(event: ev.Event, state: SessionState) -> list[Phrase]:
    """What a line-by-line reader is told of an event; empty for what does not matter to them.

    `state` is the state after the event.
    """
    words = _WORDS.get(type(event))
    return words(event, state) if words else []


AUDITED = "audit: the newest layer is what a full build gives"


def audit_words(differing: tuple[str, ...]) -> tuple[str, str]:
    """A layer that was not what a full build gave, and what to do."""
    more = f" and {len(differing) - 3:,} more" if len(differing) > 3 else ""
    message = f"the newest layer is not what a full build gives: {', '.join(differing[:3])}{more} differ"
    return message, "this session makes no more layers for it; please report it with the Dockerfile and those paths"


def with_hint(message: str, hint: str) -> list[str]:
    """The sentence, and the next step below it."""
    return [message, *([f"→ {hint}"] if hint else [])]


def failed_checks(state: SessionState) -> list[Phrase]:
    """Why a session did not begin, and what to do about it."""
    return [phrase for check in state.checks for phrase in _check(check, state)]


def summary(state: SessionState) -> list[Phrase]:
    """One line for each service: how the session leaves it."""
    return [_left(service) for service in state.services.values()]


def took_over(event: ev.Event, state: SessionState) -> bool:
    """Whether from this event on new Pods serve; `state` is the state after it."""
    if not isinstance(event, ev.CycleFinished) or event.outcome is not ev.Outcome.VERIFIED:
        return False
    service = state.services.get(event.service)
    # What healed was not patched: those are the same Pods.
    return service is not None and service.last is not None and service.last.want.trigger is not ev.Trigger.DRIFT


def exit_code(state: SessionState) -> ExitCode:
    """The highest exit code of the services' last cycles, for `--once`."""
    codes = [service.failure.exit_code for service in state.services.values() if service.failure]
    return max(codes, default=ExitCode.DONE)


def _left(service: ServiceState) -> Phrase:
    last, unproved = service.last, service.unproved
    if service.restored:
        before = f"; before that it had failed: {last.failure.message}" if last and last.failure else ""
        return Phrase(f"{service.name}: {service.restored.what}{before}")
    given = f"{short(unproved.digest)} was rolled out but not proved" if unproved else ""
    if given and (last is None or last.failure is None):
        return Phrase(f"{service.name}: {given}", Tone.WARN)
    if last is None:
        return Phrase(f"{service.name}: nothing was rolled out", Tone.QUIET)
    if last.failure is None:
        pods = f" in {_count(len({v.pod for v in last.verdicts}), 'Pod')}" if last.verdicts else ""
        drift = f", but since then: {service.drift.what}" if service.drift else ""
        tone = Tone.WARN if drift else Tone.GOOD
        return Phrase(f"{service.name}: {last.outcome} {short(last.digest)}{pods}{drift}", tone)
    still = given or still_runs(service)
    return Phrase(f"{service.name}: failed: {last.failure.message}{f'; {still}' if still else ''}", Tone.BAD)


def _session(event: ev.SessionStarted, _: SessionState) -> list[Phrase]:
    where = f"{event.context}, namespace {event.namespace}"
    return [Phrase(f"devloop {event.version} on {where}: {', '.join(event.services)}", Tone.QUIET)]


def _check(event: ev.CheckFinished, _: SessionState) -> list[Phrase]:
    if event.ok:
        return []  # nothing that is fine takes room
    return [Phrase(line, Tone.BAD) for line in with_hint(f"FAILED check: {event.message}", event.hint)]


def _watch(event: ev.WatchStarted, _: SessionState) -> list[Phrase]:
    how = f", {event.text}" if event.text else ""
    return [Phrase(f"watching {_count(event.files, 'file')}{how}", Tone.WARN if event.text else Tone.QUIET)]


def _change(event: ev.ChangeDetected, state: SessionState) -> list[Phrase]:
    service = state.services.get(event.service)
    if service and service.running is None and service.hold is None:
        return []  # the cycle that starts now, or the hold that it meets, names the files
    return [Phrase(f"changed: {files(event.files, event.count)}")]


def _held(event: ev.CycleHeld, state: SessionState) -> list[Phrase]:
    hold, service = event.hold, state.services.get(event.service)
    if hold is None or hold.code in {ev.HoldCode.SUPERSEDING, ev.HoldCode.LEASE}:
        return []  # who works on the workload was told when it changed
    want = service.want if service and hold.code is not ev.HoldCode.LOOP else None
    what = files(want.files, want.count) if want else ""
    return [Phrase(f"{hold.text} ({what})" if what else hold.text, Tone.BUSY)]


def _started(event: ev.CycleStarted, _: SessionState) -> list[Phrase]:
    return [Phrase(f"cycle {event.cycle}: {_trigger(event)}", Tone.BUSY)]


def _how(event: ev.BuildStep, _: SessionState) -> list[Phrase]:
    """By a layer or fully, and why; of the steps that BuildKit makes nothing is told here."""
    return [Phrase(event.name, Tone.QUIET)] if event.tells_how and event.state is ev.StepState.DONE else []


def _pushed(event: ev.ImagePushed, _: SessionState) -> list[Phrase]:
    if event.loaded_into:
        return [Phrase(f"loaded {event.pod_ref} into {event.loaded_into}")]
    return [Phrase(f"pushed {event.push_ref} as {short(event.digest)}")]


def _patched(event: ev.WorkloadPatched, _: SessionState) -> list[Phrase]:
    """devloop's own marks go without saying; what is the user's is told, container by container."""
    told: dict[str, list[str]] = {}
    for change in event.changes:
        found = _CONTAINER_FIELD.fullmatch(change.path)
        if found:
            told.setdefault(found[1], []).append(_field(found[2], change))
    if not told:
        return [Phrase(f"restarted {event.workload}")]
    return [
        Phrase(f"patched {event.workload}{_container(name, event)}: {', '.join(fields)}")
        for name, fields in told.items()
    ]


def _field(key: str, change: ev.Change) -> str:
    """One field, with what it was; the reason stands in the plan, in the change's own text."""
    if key == "image":
        old, new = _reference(change.old), _reference(change.new)
        name, colon, tag = old.rpartition(":")  # the same repository need not be written twice
        return f"image {new} (was {colon + tag if name and new.startswith(f'{name}:') else old})"
    if key == "imagePullPolicy":
        return f"pull policy {change.new or 'unset'} (was {change.old or 'unset'})"
    return change.text


def _reference(text: str) -> str:
    """An image reference with its digest cut short for people."""
    try:
        ref = ImageRef.parse(text)
    except InvalidReferenceError:
        return text
    return f"{ref.with_digest('')}@{short(ref.digest)}" if ref.digest else text


def _container(name: str, event: ev.WorkloadPatched | ev.PodVerified) -> str:
    """Which container, where that does not go without saying: many are called like their service or workload."""
    return "" if name in {event.service, event.workload.partition("/")[2]} else f" (container {name})"


def _warned(event: ev.WarningRaised, _: SessionState) -> list[Phrase]:
    return [Phrase(line, Tone.WARN) for line in with_hint(f"warning: {event.message}", event.hint)]


def takes_over(service: ServiceState | None) -> str:
    """What becomes of a workload that was restored while a session watches it; a save that waits is built first."""
    sooner = "the next save"
    if service is not None and service.paused:
        sooner = "resuming it" if service.want is not None and service.want.is_save else "a save after resuming it"
    return f"{sooner}, or a build that is asked for, lets devloop take over again"


def hint_now(failure: Failure, service: ServiceState) -> str:
    """The failure's hint as it is true for the service: while it is paused a save is only gathered."""
    paused = "resuming it builds what is saved until then"
    return failure.hint.replace(BUILDS_AGAIN, paused) if service.paused else failure.hint


def what_is_back(event: ev.WorkloadDrifted) -> str:
    """Which workload was restored, and to what; stands after that word."""
    return f"{event.workload} {event.what.removeprefix('restored ')}"


def _drifted(event: ev.WorkloadDrifted, state: SessionState) -> list[Phrase]:
    if event.restored:
        hint = takes_over(state.services.get(event.service))
        return [Phrase(f"RESTORED {what_is_back(event)}"), Phrase(f"→ {hint}", Tone.QUIET)]
    by = f", by {event.who}" if event.who else ""
    return [Phrase(f"{event.workload} is no longer as it was proved: {event.what}{by}", Tone.WARN)]


def _connection(event: ev.ConnectionChanged, _: SessionState) -> list[Phrase]:
    return [Phrase(event.text, Tone.GOOD) if event.ok else Phrase(f"LOST {event.to}: {event.text}", Tone.BAD)]


def _lease(event: ev.LeaseChanged, state: SessionState) -> list[Phrase]:
    who, what = event.holder, event.workload
    match event.change:
        case ev.LeaseChange.HELD:
            since = f" since {moment(event.since, state.started)}" if event.since else ""
            told = f"{who} works on {what}{since}: read-only until that session ends"
            command = f"{state.command or 'devloop up'} --take-over"
            return [Phrase(told, Tone.WARN), Phrase(f"→ to take it over: {command}", Tone.WARN)]
        case ev.LeaseChange.LOST:
            return [Phrase(f"LOST {what}: {who} took it over, and nothing is written to it any more", Tone.BAD)]
        case ev.LeaseChange.TAKEN_OVER:
            return [Phrase(f"{what} is taken over from {event.before}", Tone.GOOD)]
        case ev.LeaseChange.ACQUIRED if event.before:
            return [Phrase(f"{what} is this session's now: {event.before} has left it", Tone.GOOD)]
    return []  # what is as usual takes no room, and what is missing was warned of


def _changed(event: ev.ServiceChanged, _: SessionState) -> list[Phrase]:
    return [Phrase(f"configured anew: {', '.join(event.keys)}"), *_stays(event)]


def _stays(event: ev.ServiceChanged | ev.ServiceRemoved) -> list[Phrase]:
    """What devloop changed, and looks after no more."""
    return [
        Phrase(f"{workload} stays as it is; undo: devloop restore {workload} -n {event.namespace}", Tone.QUIET)
        for workload in event.left
    ]


def _accepted(event: ev.ConfigAccepted, _: SessionState) -> list[Phrase]:
    also = f": {', '.join(event.settings)}" if event.settings else ""
    told = [Phrase(f"{event.file} is in force{also}", Tone.GOOD)]
    if event.restart:
        what = "that of " + " and ".join(event.restart)
        told.append(Phrase(f"what was in force stays until devloop is started again: {what}", Tone.WARN))
    return told


def _refused(event: ev.ConfigRefused, _: SessionState) -> list[Phrase]:
    first = Phrase(f"{event.file} cannot be used as it is now; what was in force stays:", Tone.BAD)
    return [first, *(Phrase(str(problem), Tone.BAD) for problem in event.problems)]


def _paused(event: ev.ServicePaused, _: SessionState) -> list[Phrase]:
    return [Phrase("paused: saves wait" if event.paused else "resumed")]


def _trigger(event: ev.CycleStarted) -> str:
    what = files(event.files, event.count)
    words = {
        ev.Trigger.START: "start",
        ev.Trigger.FILES: what or "files",
        ev.Trigger.KEY: "asked for by key",
        ev.Trigger.COMMAND: "asked for by command",
        ev.Trigger.DRIFT: "verifying again",
        ev.Trigger.CONFIG: "the configuration changed",
        ev.Trigger.BACKGROUND: "full build in the background",
    }[event.trigger]
    also = f" ({what})" if what and event.trigger is not ev.Trigger.FILES else ""
    return words + also + (f": {event.text}" if event.text else "")


def _verdict(event: ev.PodVerified, _: SessionState) -> list[Phrase]:
    where = f"{event.pod}{_container(event.container, event)} on {event.node}"
    if event.verdict is ev.Verdict.MATCH:
        why = f", {event.text}" if event.text else ""
        pull = f", pulled in {seconds(event.pull_seconds)}" if event.pull_seconds else ""
        return [Phrase(f"proved: {where} runs {short(digest_of(event.image_id))}{pull}{why}", Tone.GOOD)]
    # The text of any other verdict says what runs there, and why.
    if event.verdict is ev.Verdict.MISMATCH:
        return [Phrase(f"MISMATCH: {where} {event.text}", Tone.BAD)]
    return [Phrase(f"UNPROVEN: {where} {event.text}", Tone.WARN)]


def _finished(event: ev.CycleFinished, state: SessionState) -> list[Phrase]:
    service, took = state.services.get(event.service), seconds(event.seconds)
    if event.failure:
        first = Phrase(f"FAILED after {took}: {event.failure.message}", Tone.BAD)
        hint = [Phrase(f"→ {event.failure.hint}", Tone.BAD)] if event.failure.hint else []
        still = still_runs(service) if service else ""
        return [first, *hint, *([Phrase(f"meanwhile {still}", Tone.WARN)] if still else [])]
    if event.outcome in {ev.Outcome.SUPERSEDED, ev.Outcome.STOPPED}:
        return [Phrase(f"cycle {event.cycle} {event.outcome} after {took}", Tone.QUIET)]
    spans = service.last.phases if service and service.last and service.last.number == event.cycle else ()
    where = " · ".join(f"{span.phase} {span.seconds:.1f}" for span in spans if span.seconds >= 0.05)
    word, what = {
        ev.Outcome.VERIFIED: ("VERIFIED", ""),
        ev.Outcome.UNCHANGED: ("UNCHANGED", ": the Pods provably run it already"),
        ev.Outcome.APPLIED: ("APPLIED", ": scaled to 0, so there is nothing to prove"),
    }[event.outcome]
    took += f" ({where})" if where else ""
    ended = Phrase(f"{word} {short(event.digest)} in {took}{what}{_terminating(service)}", Tone.GOOD)
    why = [Phrase(f"restarted with an image that the registry had already: before, {event.text}")] if event.text else []
    return [*why, ended]


def _terminating(service: ServiceState | None) -> str:
    """Old Pods that still end are no part of "rolled out", and told apart."""
    count = sum(seen.terminating for seen in service.workloads.values()) if service else 0
    return f"; {_count(count, 'old Pod')} still terminating" if count else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


_WORDS: dict[type[ev.Event], Callable[[Any, SessionState], list[Phrase]]] = {
    ev.SessionStarted: _session,
    ev.CheckFinished: _check,
    ev.WatchStarted: _watch,
    ev.ChangeDetected: _change,
    ev.CycleHeld: _held,
    ev.CycleStarted: _started,
    ev.BuildStep: _how,
    ev.ImagePushed: _pushed,
    ev.WorkloadPatched: _patched,
    ev.PodVerified: _verdict,
    ev.WarningRaised: _warned,
    ev.WorkloadDrifted: _drifted,
    ev.ConnectionChanged: _connection,
    ev.LeaseChanged: _lease,
    ev.CycleFinished: _finished,
    ev.ServicePaused: _paused,
    ev.ServiceAdded: lambda event, state: [Phrase("added to the session")],
    ev.ServiceChanged: _changed,
    ev.ServiceRemoved: lambda event, state: [Phrase("left the session"), *_stays(event)],
    ev.ConfigAccepted: _accepted,
    ev.ConfigRefused: _refused,
}
