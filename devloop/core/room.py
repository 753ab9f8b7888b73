"""Rollouts without room for one Pod more: the old one holds what the new one needs."""

import re

from devloop.core.failure import Failure, FailureCode
from devloop.core.workload import Deployment, Revision, Snapshot

_TAKEN = re.compile(r"Insufficient |Too many pods|free ports|anti-affinity|Multi-Attach")
"""Scheduler and volume messages about something that another Pod holds."""


def surge_blocked(snapshot: Snapshot, revision: Revision) -> bool:
    """Whether the rollout makes a new Pod before it lets an old one go, and there still is an old one."""
    deployment = snapshot.deployment
    if deployment is None or not old_replicas(snapshot, revision):
        return False
    return deployment.strategy != "Recreate" and max_unavailable(deployment) == 0


def old_replicas(snapshot: Snapshot, revision: Revision) -> int:
    """Pods of other revisions that still have to run."""
    return sum(r.replicas for r in snapshot.revisions if r.uid != revision.uid)


def holds_room(message: str) -> bool:
    return bool(_TAKEN.search(message))


def max_unavailable(deployment: Deployment) -> int:
    """How many Pods may be missing during the rollout; both fences at 0 count as 1 unavailable.

    As `ResolveFenceposts` of kubernetes/pkg/controller/deployment/util: surge rounds up, unavailable rounds down.
    """
    surge = _scaled(deployment.max_surge or "25%", deployment.replicas, up=True)
    unavailable = _scaled(deployment.max_unavailable or "25%", deployment.replicas, up=False)
    return 1 if surge == 0 and unavailable == 0 else unavailable


def no_room(deployment: Deployment, detail: str) -> Failure:
    key = deployment.key
    strategy = '{"spec":{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":1}}}}'
    return Failure(
        FailureCode.NO_SURGE_ROOM,
        f"{key} starts its new Pod before it stops the old one, and there is no room for both: {detail}",
        "let the old Pod go first with the strategy `maxSurge: 0, maxUnavailable: 1` (or `type: Recreate`): "
        f"kubectl patch {key} -n {key.namespace} -p '{strategy}'",
    )


def _scaled(value: str, replicas: int, *, up: bool) -> int:
    if not value.endswith("%"):
        return int(value)
    hundredths = int(value[:-1]) * replicas
    return -(-hundredths // 100) if up else hundredths // 100
