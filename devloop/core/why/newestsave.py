"""What the session that runs says of the newest save: it failed on its way to the Pods, or has not got there yet."""

from devloop.core.events import Phase
from devloop.core.why.cause import Cause, CauseCode, Evidence
from devloop.core.why.facts import Facts, NewestSave
from devloop.core.workload import Deployment

IN_CLUSTER = frozenset({Phase.ROLLOUT, Phase.VERIFY})
"""Phases in which the cluster itself shows how it stands."""

_ASKS_NOBODY = frozenset({"IfNotPresent", "Never"})
"""Pull policies under which a node that has the tag asks no registry for it."""


def not_arrived(facts: Facts) -> Cause | None:
    """That the newest save has not reached the cluster."""
    saved = facts.saved
    if saved is None or saved.phase in IN_CLUSTER:
        return None
    if saved.failure is not None:
        return _failed(CauseCode.CYCLE_FAILED, saved)
    return _pending(saved)


def in_rollout(facts: Facts) -> Cause | None:
    """A rollout of which nothing is to be seen in the cluster: not yet, or not at all because its patch was refused."""
    saved = facts.saved
    if saved is None or saved.phase not in IN_CLUSTER:
        return None
    if saved.failure is None:
        return _pending(saved)
    return _failed(CauseCode.ROLLOUT_STUCK, saved) if saved.phase == Phase.ROLLOUT else None


def named(saved: NewestSave) -> str:
    """The files, as the subject of a sentence."""
    if saved.what and saved.deleted:
        return f"the deletion of {saved.what}"
    return saved.what or "what was asked for last"


def what_failed(saved: NewestSave) -> str:
    return f"its {saved.phase} failed" if saved.phase else "its cycle failed"


def restored(facts: Facts, deployment: Deployment) -> Cause | None:
    """That the session's own work was undone on purpose, and what comes back with that."""
    settled = facts.settled
    if settled is None or not settled.restored:
        return None
    specs = facts.asked_about(deployment.template)
    policies = [spec.pull_policy for spec in specs if "@" not in spec.image and spec.pull_policy in _ASKS_NOBODY]
    missed = f"; {policies[0]} is back, so nodes may miss the next push to the tag" if policies else ""
    evidence = Evidence(f"devloop up, session {settled.session}", "saw it restored at", settled.restored)
    trigger = f"devloop trigger {settled.service}"
    fix = f"to let devloop take over again: {trigger if settled.paused else f'save a change, or {trigger}'}"
    return Cause(CauseCode.RESTORED, f"{facts.key} is what it was before devloop{missed}", (evidence,), fix)


def _pending(saved: NewestSave) -> Cause:
    message = f"{named(saved)} is not live yet: {saved.waits}; {saved.meanwhile}"
    return Cause(CauseCode.PENDING, message, (_session(saved),), saved.fix)


def _failed(code: CauseCode, saved: NewestSave) -> Cause:
    assert saved.failure is not None
    why = " ".join(saved.failure.message.split())
    where = f" ({saved.place})" if saved.place and not _tells(why, saved.place) else ""
    what = f" of the newest save ({named(saved)})" if saved.what else " of what was asked for last"
    message = f"the {saved.phase or 'cycle'}{what} failed: {why}{where}; {saved.meanwhile}"
    return Cause(code, message, (_session(saved),), saved.fix, reason=saved.failure.code)


def _tells(why: str, place: str) -> bool:
    """Whether the message names the place already: as FILE:LINE, or as `Dockerfile, line 7`."""
    file, _, line = place.rpartition(":")
    return place in why or f"{file.rpartition('/')[2]}, line {line}" in why


def _session(saved: NewestSave) -> Evidence:
    about = f"devloop up, session {saved.session}"
    return Evidence(about, f"{named(saved)} is its newest save for {saved.service}, of", saved.since)
