"""Old Pods that have to end before new ones are made."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from devloop.core.why.fixes import patch_spec
from devloop.core.why.wait import Ready, Wait, WaitCode
from devloop.core.workload import ClusterEvent, Deployment, Pod, Revision, Snapshot

_TEARDOWN = 30.0
"""Seconds in which a Pod is gone whose grace period is over; what ended longer ago is not what a new Pod waited for."""
_DEFAULT_GRACE = 30.0
_SUFFIX = "[bcdfghjklmnpqrstvwxz2456789]{5}"
"""What the API server puts behind a `generateName`, which it cuts to 58 characters."""


@dataclass(frozen=True, slots=True)
class End:
    """From when an old Pod was asked to end until a new one was made."""

    asked: float
    made: float


def killings(events: Iterable[ClusterEvent]) -> tuple[ClusterEvent, ...]:
    """Those that say when a Pod was asked to end; a probe that fails kills a container only."""
    stopping = "Stopping container"
    return tuple(
        each
        for each in events
        if each.reason == "Killing" and each.object_kind == "Pod" and each.message.startswith(stopping)
    )


def revision_before(snapshot: Snapshot, newest: str) -> Revision | None:
    """What ran before the newest revision, as far as it is kept."""
    older = (revision for revision in snapshot.revisions if revision.name != newest)
    return max(older, key=lambda revision: revision.number, default=None)


def allowed(snapshot: Snapshot, deployment: Deployment, newest: str) -> float:
    """Seconds that an old Pod may take to end before a new one is made; 0.0 where none has to."""
    if not _ends_first(deployment):
        return 0.0
    before = revision_before(snapshot, newest)
    return before.template.grace if before is not None else _DEFAULT_GRACE


def ends_before(
    snapshot: Snapshot, deployment: Deployment, newest: str, pods: Sequence[Ready], events: Iterable[ClusterEvent]
) -> list[End]:
    """The end that each of these Pods, the first made first, had to wait for, as far as it is known."""
    if not _ends_first(deployment):
        return []
    old, longest = _old(snapshot, deployment, newest), allowed(snapshot, deployment, newest) + _TEARDOWN
    # Under Recreate all end together, and then all begin.
    new = [each.pod for each in (pods[:1] if deployment.strategy == "Recreate" else pods)]
    left, found = _asked(events, {each.pod.uid for each in pods}), list[End]()
    for pod in new:
        fitting = [e for e in left if old(e.object_name, pod) and 0.0 <= pod.created - e.last <= longest]
        if fitting:
            last = max(fitting, key=lambda event: event.last)
            left.remove(last)
            found.append(End(last.last, pod.created))
    return found


def covered(ends: Iterable[End], begin: float, until: float) -> float:
    """Seconds of that time in which at least one of them was waited for."""
    total, reached = 0.0, begin
    for end in sorted(ends, key=lambda end: end.asked):
        total += max(0.0, min(end.made, until) - max(end.asked, reached))
        reached = max(reached, end.made)
    return total


def grace(deployment: Deployment, before: Revision | None, ends: Sequence[End], seconds: float) -> Wait:
    """`before`: whose Pods ended. How long they were allowed to take is said by their template, not by the newest."""
    period, took = (before.template.grace if before is not None else 0.0), max(end.made - end.asked for end in ends)
    message = f"no new Pod starts before an old one has ended, which took {took:.0f} s"
    if not took >= period > 3:
        return Wait(WaitCode.GRACE, seconds, message, _beside(deployment))
    message += f": all of its grace period of {period:.0f} s, because its process does not end on SIGTERM"
    fix = "end on SIGTERM (start the program with `exec`, so that it gets the signal), or do not wait so long: "
    return Wait(WaitCode.GRACE, seconds, message, fix + _shorter(deployment, period))


def _shorter(deployment: Deployment, period: float) -> str:
    now = deployment.template.grace
    if now < period:
        return f"the newest template allows only {now:.0f} s already"
    return patch_spec(deployment.key, {"template": {"spec": {"terminationGracePeriodSeconds": 1}}})


def _beside(deployment: Deployment) -> str:
    if deployment.key.kind != "deployment":
        return "end faster on SIGTERM"
    both = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    return f"let the new Pod start beside the old one: {patch_spec(deployment.key, both)}"


def rolling(deployment: Deployment, key: str) -> str:
    """`maxSurge` or `maxUnavailable` of a set; empty where it has none."""
    fields = (deployment.raw.get("spec", {}).get("updateStrategy") or {}).get("rollingUpdate") or {}
    value = str(fields.get(key) or "")
    return "" if value in {"0", "0%"} else value


def _ends_first(deployment: Deployment) -> bool:
    """Whether an old Pod has to be gone before a new one is made. A rolling Deployment without surge waits for none."""
    if deployment.key.kind == "deployment":
        return deployment.strategy == "Recreate"
    return deployment.key.kind == "statefulset" or (
        deployment.key.kind == "daemonset" and not rolling(deployment, "maxSurge")
    )


def _old(snapshot: Snapshot, deployment: Deployment, newest: str) -> Callable[[str, Pod], bool]:
    """Whether a Pod of that name is one that had to end for a new one."""
    if deployment.key.kind == "statefulset":
        return lambda name, pod: name == pod.name
    replicasets = [revision.name for revision in snapshot.revisions if revision.name != newest]
    makers = replicasets if deployment.key.kind == "deployment" else [deployment.key.name]
    names = re.compile("|".join(f"{re.escape(f'{maker}-'[:58])}{_SUFFIX}" for maker in makers) or "(?!)")
    return lambda name, _: names.fullmatch(name) is not None


def _asked(events: Iterable[ClusterEvent], own: set[str]) -> list[ClusterEvent]:
    """One for each Pod, though each of its containers is told to end."""
    first: dict[str, ClusterEvent] = {}
    for event in sorted(events, key=lambda event: event.last):
        if event.object_uid not in own:
            first.setdefault(event.object_uid, event)
    return list(first.values())
