"""What a workload's rollouts wait for: the newest one measured from its Pods, each wait with what ends it.

Kubernetes keeps times of Pods and Events in whole seconds, so what is made of two of them is right to a second; pulls
are told to the millisecond, and what is configured is exact. Of several Pods the one that was ready last is measured:
what it waited for, from the beginning of the rollout to its end, cannot overlap.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from devloop.core.why.fixes import ON_DELETE, patch_spec, rolled_out
from devloop.core.why.newpods import of_rollout, ready_pods
from devloop.core.why.slowends import End, covered, ends_before, grace, killings, revision_before, rolling
from devloop.core.why.slowpod import of_pod
from devloop.core.why.wait import Ready, Wait, WaitCode
from devloop.core.workload import ClusterEvent, Deployment, Snapshot

__all__ = ["Found", "Slowness", "Wait", "WaitCode", "killings", "slowness"]

_LEAST = 0.5
"""Seconds below which nothing is worth a change."""


class Found(StrEnum):
    """How much there was to measure."""

    ALL = "all"
    SOME = "some"
    """Pods are not ready yet, or were made or started anew since: what those wait for is not measured."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Slowness:
    """The newest rollout of a workload. Seconds are 0.0 where nothing was found."""

    found: Found
    revision: str = ""
    pods: int = 0
    began: float = 0.0
    """When what came before it began to end, or else its first Pod was made; Unix seconds."""
    seconds: float = 0.0
    """Until its last Pod was available."""
    waits: tuple[Wait, ...] = ()
    """The longest first; they do not overlap, and short ones are left out."""
    unready: int = 0
    """Pods that are wanted and not ready."""
    later: int = 0
    """Pods that are ready, and were made or started or got ready anew after the rollout."""

    @property
    def rest(self) -> float:
        """Seconds that no wait explains."""
        return max(0.0, self.seconds - sum(wait.seconds for wait in self.waits))


def slowness(snapshot: Snapshot, newest: str, ends: Sequence[ClusterEvent] = ()) -> Slowness:
    """Measure the revision called `newest`; `ends`: `killings` of the whole namespace, so of Pods that are gone too."""
    deployment = snapshot.deployment
    revision = next((r for r in snapshot.revisions if r.name == newest), None)
    if deployment is None or revision is None:
        return Slowness(Found.NOTHING)
    least = _seconds(deployment.raw.get("spec", {}), "minReadySeconds")
    pods, ready = of_rollout(snapshot, deployment, revision, least), ready_pods(snapshot, revision)
    if not pods:
        return Slowness(Found.NOTHING, revision.name, later=len(ready))
    ended = ends_before(snapshot, deployment, newest, pods, ends)
    began = min([pods[0].pod.created, *(end.asked for end in ended)])
    last = max(pods, key=lambda each: each.at)
    unready, later = max(0, deployment.replicas - len(ready)), len(ready) - len(pods)
    waits = (*_before(snapshot, deployment, newest, pods, ended), *of_pod(snapshot, deployment, last))
    found = Found.SOME if unready or later else Found.ALL
    told = _told(deployment, (*waits, *_min_ready(deployment, least)), [pod.name for pod in ready])
    return Slowness(found, revision.name, len(pods), began, last.at + least - began, told, unready, later)


def _told(deployment: Deployment, waits: Sequence[Wait], pods: Sequence[str]) -> tuple[Wait, ...]:
    worth = sorted((wait for wait in waits if wait.seconds >= _LEAST), key=lambda wait: -wait.seconds)
    return tuple(replace(w, fix=rolled_out(deployment, w.fix, pods if _makes_old(w.fix) else ())) for w in worth)


def _makes_old(fix: str) -> bool:
    """Whether it changes the template, so that Pods have to be made anew."""
    return '"template"' in fix or "kubectl edit " in fix


# until the Pod is made that is ready last ----------------------------------------------------------------------------


def _before(
    snapshot: Snapshot, deployment: Deployment, newest: str, pods: Sequence[Ready], ended: Sequence[End]
) -> Iterator[Wait]:
    first, last = pods[0].pod.created, max(pods, key=lambda each: each.at).pod.created
    if ended:
        waited = covered(ended, min(end.asked for end in ended), last)
        yield grace(deployment, revision_before(snapshot, newest), ended, waited)
    # The Pods of one go are made within a second of each other, and the first go is not waited for.
    after = last - first - covered(ended, first, last)
    if after > 1.0 and deployment.strategy != "Recreate":
        message = f"its {len(pods)} Pods were started one after another{_fences(deployment)}"
        yield Wait(WaitCode.SURGE, after, message, _at_once(deployment))


def _min_ready(deployment: Deployment, least: float) -> Iterator[Wait]:
    message = f"a Pod that is ready counts only after another {least:.0f} s (minReadySeconds)"
    yield Wait(WaitCode.MIN_READY, least, message, patch_spec(deployment.key, {"minReadySeconds": 0}))


def _fences(deployment: Deployment) -> str:
    if deployment.key.kind == "deployment":
        return f" (maxSurge {deployment.max_surge or '25%'}, maxUnavailable {deployment.max_unavailable or '25%'})"
    if deployment.strategy == ON_DELETE:
        return ", as they were deleted (updateStrategy OnDelete)"
    if deployment.key.kind == "statefulset":
        return ", as a StatefulSet does"
    surge = rolling(deployment, "maxSurge")
    return f" (maxSurge {surge})" if surge else f" (maxUnavailable {rolling(deployment, 'maxUnavailable') or 1})"


def _at_once(deployment: Deployment) -> str:
    key = deployment.key
    if key.kind == "deployment":
        return patch_spec(key, {"strategy": {"rollingUpdate": {"maxSurge": "100%"}}})
    if deployment.strategy == ON_DELETE:
        return "delete the old Pods together"
    if key.kind == "daemonset":
        # The API server allows only one of the two.
        field = "maxSurge" if rolling(deployment, "maxSurge") else "maxUnavailable"
        return patch_spec(key, {"updateStrategy": {"rollingUpdate": {field: "100%"}}})
    return f"fewer Pods while you develop: kubectl scale {key} --replicas=1 -n {key.namespace}"


def _seconds(raw: Mapping[str, Any], key: str) -> float:
    return float(raw.get(key) or 0.0)
