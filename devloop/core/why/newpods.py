"""Which Pods of a revision its rollout waited for; what came later is no part of it."""

from devloop.core import manifest
from devloop.core.why.slowends import allowed
from devloop.core.why.wait import Ready
from devloop.core.workload import Deployment, Pod, Revision, Snapshot

_FOLLOWS = 5.0
"""Seconds within which a controller goes on when a Pod is available: a later one is no part of the rollout."""
_APART = 2.0
"""Seconds that the clocks of a node and of the control plane may be apart."""


def ready_pods(snapshot: Snapshot, revision: Revision) -> list[Pod]:
    """Pods that are ready now, whenever they were made."""
    return [pod for pod in snapshot.pods_of(revision) if _ready_at(pod) and not pod.terminating]


def of_rollout(snapshot: Snapshot, deployment: Deployment, revision: Revision, least: float) -> list[Ready]:
    """Pods that were made one after another and ran since, the first made first; `least`: `minReadySeconds`.

    One whose readiness came back after the rollout was complete tells only that it was ready by then.
    """
    done = _completed_at(deployment)
    pause = least + allowed(snapshot, deployment, revision.name) + _FOLLOWS
    # The condition of a Pod that was started again is as young as that.
    pods = [pod for pod in ready_pods(snapshot, revision) if not any(each.restarts for each in pod.containers)]
    if done:
        pods = [pod for pod in pods if pod.created <= done]
        steady = [pod for pod in pods if _ready_at(pod) <= done + _APART]
        if pods and not steady:
            return _together([Ready(pod, max(pod.created, done - least)) for pod in pods], pause)
        pods = steady
    return _together([Ready(pod, _ready_at(pod)) for pod in pods], pause)


def _together(pods: list[Ready], pause: float) -> list[Ready]:
    found: list[Ready] = []
    for each in sorted(pods, key=lambda each: each.pod.created):
        if found and each.pod.created > max(before.at for before in found) + pause:
            break
        found.append(each)
    return found


def _ready_at(pod: Pod) -> float:
    """Since when it is ready; 0.0 while it is not. It is not the first time where readiness was lost meanwhile."""
    condition = pod.condition("Ready")
    return condition.since if condition is not None and condition.status == "True" else 0.0


def _completed_at(deployment: Deployment) -> float:
    """When the Deployment controller saw its newest rollout complete, which it writes down once; 0.0 not known."""
    conditions = deployment.raw.get("status", {}).get("conditions") or ()
    ended = (each for each in conditions if each.get("type") == "Progressing")
    times = (each.get("lastUpdateTime") for each in ended if each.get("reason") == "NewReplicaSetAvailable")
    return manifest.timestamp(next(times, None))
