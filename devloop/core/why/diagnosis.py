"""The answer: every cause that the facts show, the one that explains most first."""

from collections.abc import Iterable, Iterator

from devloop.core.failure import ExitCode, FailureCode
from devloop.core.why.around import LEFT_OUT, not_built, other_pods, same_content, shadowed
from devloop.core.why.cause import Cause, CauseCode
from devloop.core.why.facts import Facts
from devloop.core.why.fixes import POD
from devloop.core.why.halted import halted
from devloop.core.why.newestsave import in_rollout, not_arrived, restored
from devloop.core.why.pods import Seen, other_architecture, seen_in, stale_causes, undecided
from devloop.core.why.spec import never_run, not_pushed, pinned, reverted
from devloop.core.workload import Deployment

_ORDER = tuple(CauseCode)
_OF_SESSION = frozenset({CauseCode.CYCLE_FAILED, CauseCode.PENDING})
"""What was saved last is what whoever asks means, whatever else is the matter."""
NO_CAUSE = frozenset({CauseCode.RESTORED, CauseCode.SAME_CONTENT})
"""By which nothing is wrong."""


def diagnose(facts: Facts) -> tuple[Cause, ...]:
    """What keeps the newest image from running, most telling first; empty when it provably runs everywhere."""
    deployment = facts.snapshot.deployment
    if deployment is None:
        return ()
    seen = seen_in(facts)
    found = [*_found(facts, deployment, seen)]
    if not found:
        found += _nothing_runs(facts, deployment, seen)
    # What cannot be told of one container is no secret because of another one's trouble.
    found += undecided(facts, seen)
    aside = restored(facts, deployment) or (same_content(facts, seen) if not found else None)
    found += [aside] if aside is not None else []
    return tuple(sorted(found, key=lambda cause: (cause.code not in _OF_SESSION, -_explains(cause, seen), _at(cause))))


def exit_code(causes: Iterable[Cause]) -> ExitCode:
    """0: the newest image provably runs; 3: nothing is known to be wrong, but not all is known; else 6."""
    codes = {cause.code for cause in causes} - NO_CAUSE
    if not codes:
        return ExitCode.DONE
    return ExitCode.UNREACHABLE if codes == {CauseCode.UNKNOWN} else ExitCode.UNPROVEN


def _found(facts: Facts, deployment: Deployment, seen: tuple[Seen, ...]) -> Iterator[Cause]:
    saved = not_arrived(facts)
    unpushed, undone = [*not_pushed(facts, deployment)], [*reverted(facts, deployment)]
    begun = facts.saved is not None or bool(unpushed) or bool(undone)
    first = None if begun else never_run(facts, deployment)
    unbuilt = not_built(facts)
    if unbuilt is not None and (unbuilt.reason == LEFT_OUT or (facts.saved is None and first is None)):
        yield unbuilt  # which the session, or that there never was a build, does not tell already
    yield from (each for each in (saved, first) if each is not None)
    yield from unpushed
    yield from undone or ([] if first is not None else pinned(facts, deployment))
    if (waiting := halted(facts, deployment) or in_rollout(facts)) is not None:
        yield waiting
    yield from stale_causes(facts, seen)
    yield from other_architecture(facts, seen)
    yield from other_pods(facts, seen)
    yield from shadowed(facts, deployment, seen)


def _nothing_runs(facts: Facts, deployment: Deployment, seen: tuple[Seen, ...]) -> Iterator[Cause]:
    if seen:
        return
    key = facts.key
    ended = [pod for pod in facts.snapshot.pods if pod.ended and facts.only in {"", pod.name}]
    if ended and (facts.only or key.kind == POD):
        message, fix = f"Pod {ended[0].name} has ended: it runs no image", f"kubectl get pods -n {key.namespace}"
    elif deployment.replicas == 0:
        message, fix = (
            f"{key} is scaled to 0: no Pod runs any image",
            f"kubectl scale {key} --replicas=1 -n {key.namespace}",
        )
    else:
        message, fix = f"no Pod of {key} reports an image yet", f"kubectl get pods -n {key.namespace} --watch"
    yield Cause(CauseCode.UNKNOWN, message, (), fix)


def _at(cause: Cause) -> float:
    """Its place in the chain's order; that nothing can be pulled comes before that it would not be the newest."""
    is_pull = cause.code is CauseCode.ROLLOUT_STUCK and cause.reason == FailureCode.IMAGE_PULL
    return _ORDER.index(CauseCode.PINNED) - 0.5 if is_pull else _ORDER.index(cause.code)


def _explains(cause: Cause, seen: tuple[Seen, ...]) -> int:
    """How many Pods' image it explains. What cannot be told explains none and comes last, before it a single file."""
    if cause.code in NO_CAUSE:
        return -2
    if cause.code is CauseCode.UNKNOWN:
        return -1
    if cause.reason == LEFT_OUT:
        return 0
    return len(cause.pods) or max(1, len({one.pod.uid for one in seen}))
