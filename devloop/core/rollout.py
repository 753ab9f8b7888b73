"""Where a rollout stands, from one snapshot.

Done means that the new revision's Pods are available, as many as asked for, and that no old one serves any more.
"""

from dataclasses import replace

from devloop.core.diagnose import diagnose, relapses
from devloop.core.failure import Failure, FailureCode
from devloop.core.managers import template_writer
from devloop.core.patch import BuildMark
from devloop.core.room import old_replicas
from devloop.core.status import (
    Broken,
    ContainerRef,
    RolledOut,
    Rolling,
    RolloutStatus,
    ScaledToZero,
    Trouble,
)
from devloop.core.workload import Deployment, Revision, Snapshot

__all__ = [
    "Broken",
    "ContainerRef",
    "RolledOut",
    "Rolling",
    "RolloutStatus",
    "ScaledToZero",
    "Trouble",
    "is_complete",
    "rollout_status",
    "terminating",
]


def rollout_status(snapshot: Snapshot, *, uid: str, generation: int, mark: str, fresh: bool = False) -> RolloutStatus:
    """How far the patch has come that left `uid`, `generation` and `mark` (the encoded `devloop/build`) behind.

    Snapshots from before the patch are just rolling. With an empty `mark` it is about the newest revision of the
    template as it stands, whoever wrote it. `fresh`: its Pods were made by the patch, so that their exits count; a mark
    says the same.
    """
    deployment = snapshot.deployment
    if deployment is None or deployment.uid != uid:
        return Broken(_gone(snapshot, deployment))
    if deployment.generation < generation:
        return Rolling("waiting to see the change in the cluster")
    own = [r for r in snapshot.revisions if (r.template.build == mark if mark else r.template == deployment.template)]
    # Whoever changes the template and leaves the mark makes a second revision under the same mark.
    if mark and (deployment.template.build != mark or len(own) > 1):
        return Broken(_changed(deployment, mark))
    status = _progress(snapshot, deployment, own[0] if own else None, max(generation, 1))
    return _settled(snapshot, deployment, status) if (mark or fresh) and isinstance(status, RolledOut) else status


def _progress(snapshot: Snapshot, deployment: Deployment, revision: Revision | None, generation: int) -> RolloutStatus:
    observed = deployment.observed_generation >= generation
    if observed and revision is not None and is_complete(snapshot, deployment, revision):
        return RolledOut(revision, terminating(snapshot)) if deployment.replicas else ScaledToZero()
    if deployment.paused:
        return Broken(_paused(deployment))
    if not observed:
        return Rolling("waiting for the Deployment controller to see the change")
    troubles = diagnose(snapshot, revision)
    fatal = next((t for t in troubles if t.ends), None)
    if fatal is not None:
        return Broken(fatal.failure, fatal.logs)
    return Rolling(_counts(snapshot, deployment, revision), troubles)


def _settled(snapshot: Snapshot, deployment: Deployment, done: RolledOut) -> RolloutStatus:
    """Without a readiness probe a container is ready between two crashes too: its exits count all the same."""
    if is_probed(deployment):
        return done
    crashes = relapses(snapshot, done.revision)
    fatal = next((t for t in crashes if t.ends), None)
    return Broken(fatal.failure, fatal.logs) if fatal is not None else replace(done, shaky=crashes, probed=False)


def is_probed(deployment: Deployment) -> bool:
    """Whether a Pod is available only after something has shown that it works."""
    spec = deployment.raw.get("spec", {})
    containers = spec.get("template", {}).get("spec", {}).get("containers") or ()
    return bool(spec.get("minReadySeconds")) or all(c.get("readinessProbe") for c in containers)


def is_complete(snapshot: Snapshot, deployment: Deployment, revision: Revision) -> bool:
    """Whether only this revision runs, available as often as asked for, and its Pods are in the snapshot.

    `available` honours `minReadySeconds`; a ReplicaSet's `replicas` do not count Pods that terminate. The Pods are
    counted too because they come by a watch of their own, and may be behind.
    """
    wanted = deployment.replicas
    ready = sum(1 for p in snapshot.pods_of(revision) if p.ready and not p.terminating)
    counts = {deployment.updated_replicas, revision.desired, revision.replicas, revision.available, ready}
    return counts == {wanted} and old_replicas(snapshot, revision) == 0


def terminating(snapshot: Snapshot) -> int:
    return sum(1 for p in snapshot.pods if p.terminating)


def _counts(snapshot: Snapshot, deployment: Deployment, revision: Revision | None) -> str:
    if revision is None:
        return "waiting for the new ReplicaSet"
    old = old_replicas(snapshot, revision)
    parts = [f"{revision.ready} of {deployment.replicas} new Pods ready"]
    if revision.ready > revision.available:
        parts.append(f"{revision.available} available for long enough")
    if old:
        parts.append(f"{_pods(old, 'old')} still to be replaced")
    if ending := terminating(snapshot):
        parts.append(f"{_pods(ending, 'old')} terminating")
    return ", ".join(parts)


def _pods(count: int, kind: str) -> str:
    return f"{count} {kind} Pod{'' if count == 1 else 's'}"


def _gone(snapshot: Snapshot, deployment: Deployment | None) -> Failure:
    key = snapshot.key
    if deployment is None:
        return Failure(
            FailureCode.WORKLOAD_DELETED,
            f"{key} was deleted from namespace {key.namespace} during its rollout",
            "create it again; the next save or `devloop up` brings the new image to it",
        )
    return Failure(
        FailureCode.WORKLOAD_REPLACED,
        f"{key} was deleted and created again during its rollout",
        "the next cycle updates the new one",
    )


def _changed(deployment: Deployment, mark: str) -> Failure:
    there, ours = BuildMark.decode(deployment.template.build), BuildMark.decode(mark)
    other = there is not None and ours is not None and there.session != ours.session
    who = "another devloop session" if other else template_writer(deployment)
    return Failure(
        FailureCode.WORKLOAD_CHANGED,
        f"{who} changed {deployment.key} during its rollout, so that another revision replaces what was just pushed",
        f"keep {who} from changing it while devloop runs, then save again",
    )


def _paused(deployment: Deployment) -> Failure:
    key = deployment.key
    return Failure(
        FailureCode.PAUSED,
        f"{key} is paused, so Kubernetes does not replace its Pods",
        f"kubectl rollout resume {key} -n {key.namespace}",
    )
