"""What a workload's rollouts wait for: the newest one measured from its Pods, each wait with what ends it.

Kubernetes keeps times of Pods and Events in whole seconds, so what is made of two of them is right to a second; pulls
are told to the millisecond, and what is configured is exact. Of several Pods the slowest is measured.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from devloop.core.why.slowpod import Wait, WaitCode, of_pod, ready_at
from devloop.core.workload import ClusterEvent, Deployment, Pod, Revision, Snapshot

__all__ = ["Found", "Slowness", "Wait", "WaitCode", "slowness"]

_FOLLOWS = 5.0
"""Seconds within which a controller makes the next Pod when one is available: a later one is no part of the rollout."""
_LONGEST_GRACE = 600.0
"""Seconds; an older end of a Pod is not what a new one waited for."""
_LEAST = 0.5
"""Seconds below which nothing is worth a change."""


class Found(StrEnum):
    """How much there was to measure."""

    ALL = "all"
    SOME = "some"
    """Not all Pods are ready: what is not there yet is not measured."""
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
    pods = _of_rollout(snapshot, revision, least)
    if not pods:
        return Slowness(Found.NOTHING, revision.name)
    graces = _graces(deployment, pods, ends)
    began = min(pod.created for pod in pods) - (graces[0] if graces else 0.0)
    seconds = max(ready_at(pod) for pod in pods) + least - began
    complete = len(pods) >= deployment.replicas
    waits = (*_between(deployment, pods, graces, least), *of_pod(snapshot, deployment, _slowest(pods)))
    told = sorted((w for w in waits if w.seconds >= _LEAST), key=lambda wait: -wait.seconds)
    return Slowness(
        Found.ALL if complete else Found.SOME, revision.name, len(pods), began, max(0.0, seconds), tuple(told)
    )


def killings(events: Iterable[ClusterEvent]) -> tuple[ClusterEvent, ...]:
    """Those that say when a Pod was asked to end; a probe that fails kills a container only."""
    stopping = "Stopping container"
    return tuple(
        each
        for each in events
        if each.reason == "Killing" and each.object_kind == "Pod" and each.message.startswith(stopping)
    )


def _of_rollout(snapshot: Snapshot, revision: Revision, least: float) -> list[Pod]:
    """Ready Pods that were made one after another; one that was made or started anew later is none of them."""
    pods = snapshot.pods_of(revision)
    # The condition of a Pod that was started again is as young as that.
    again = {pod.uid for pod in pods if any(status.restarts for status in pod.containers)}
    ready = [pod for pod in pods if ready_at(pod) and not pod.terminating and pod.uid not in again]
    found: list[Pod] = []
    for pod in sorted(ready, key=lambda pod: pod.created):
        if found and pod.created > max(ready_at(each) for each in found) + least + _FOLLOWS:
            break
        found.append(pod)
    return found


def _slowest(pods: Iterable[Pod]) -> Pod:
    return max(pods, key=lambda pod: ready_at(pod) - pod.created)


# between Pods --------------------------------------------------------------------------------------------------------


def _between(deployment: Deployment, pods: Sequence[Pod], graces: Sequence[float], least: float) -> Iterator[Wait]:
    if graces:
        yield _grace(deployment, graces)
    last = max(pod.created for pod in pods)
    # The Pods of one go are made within a second of each other, and the first go is not waited for.
    after = last - min(pod.created for pod in pods) - sum(graces[1:])
    if after > 1.0 and deployment.strategy != "Recreate":
        message = f"its {len(pods)} Pods were started one after another"
        yield Wait(WaitCode.SURGE, after, f"{message}{_fences(deployment)}", _at_once(deployment))
    if least:
        message = f"a Pod that is ready counts only after another {least:.0f} s (minReadySeconds)"
        yield Wait(WaitCode.MIN_READY, least, message, _patched(deployment, '{"minReadySeconds":0}'))


def _fences(deployment: Deployment) -> str:
    if deployment.key.kind == "deployment":
        return f" (maxSurge {deployment.max_surge or '25%'}, maxUnavailable {deployment.max_unavailable or '25%'})"
    return ", as a StatefulSet does" if deployment.key.kind == "statefulset" else ", a node at a time"


def _at_once(deployment: Deployment) -> str:
    key = deployment.key
    if key.kind == "deployment":
        return _patched(deployment, '{"strategy":{"rollingUpdate":{"maxSurge":"100%"}}}')
    if key.kind == "daemonset":
        return _patched(deployment, '{"updateStrategy":{"rollingUpdate":{"maxUnavailable":"100%"}}}')
    return f"fewer Pods while you develop: kubectl scale {key} --replicas=1 -n {key.namespace}"


def _patched(deployment: Deployment, spec: str) -> str:
    key = deployment.key
    return f"kubectl patch {key} -n {key.namespace} -p '{{\"spec\":{spec}}}'"


# old Pods that have to end first -------------------------------------------------------------------------------------


def _graces(deployment: Deployment, pods: Sequence[Pod], ends: Sequence[ClusterEvent]) -> list[float]:
    """What each new Pod, in its order, waited for an old one to end; empty where it does not have to."""
    if not _ends_first(deployment):
        return []
    own = {pod.uid for pod in pods}
    asked = sorted(
        event.last
        for event in ends
        if event.object_uid not in own and event.object_name.startswith(f"{deployment.key.name}-")
    )
    found = [_since(pod.created, asked) for pod in sorted(pods, key=lambda pod: pod.created)]
    # Under Recreate all end together, and then all begin.
    return [max(found)] if deployment.strategy == "Recreate" else found


def _since(created: float, asked: Sequence[float]) -> float:
    before = [created - at for at in asked if 0.0 <= created - at <= _LONGEST_GRACE]
    return min(before, default=0.0)


def _ends_first(deployment: Deployment) -> bool:
    """Whether an old Pod has to be gone before a new one is made. A rolling Deployment without surge waits for none."""
    if deployment.key.kind == "deployment":
        return deployment.strategy == "Recreate"
    return deployment.key.kind in {"statefulset", "daemonset"}


def _grace(deployment: Deployment, graces: Sequence[float]) -> Wait:
    spec: Mapping[str, Any] = deployment.raw.get("spec", {}).get("template", {}).get("spec", {})
    allowed, took = _seconds(spec, "terminationGracePeriodSeconds", 30.0), max(graces)
    message = f"no new Pod starts before an old one has ended, which took {took:.0f} s"
    if took >= allowed > 3:
        message += f": all of its grace period of {allowed:.0f} s, because its process does not end on SIGTERM"
        fix = "end on SIGTERM (start the program with `exec`, so that it gets the signal), or do not wait so long: "
        shorter = '{"template":{"spec":{"terminationGracePeriodSeconds":1}}}'
        return Wait(WaitCode.GRACE, sum(graces), message, fix + _patched(deployment, shorter))
    return Wait(WaitCode.GRACE, sum(graces), message, _beside(deployment))


def _beside(deployment: Deployment) -> str:
    if deployment.key.kind != "deployment":
        return "end faster on SIGTERM"
    rolling = '{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}'
    return f"let the new Pod start beside the old one: {_patched(deployment, rolling)}"


def _seconds(raw: Mapping[str, Any], key: str, default: float = 0.0) -> float:
    value = raw.get(key)
    return default if value is None else float(value)
