"""What the watches show of a workload, and what is no longer as it was proved. Pure.

devloop does not fight over a workload: it says what changed and who did it, and verifies again what heals.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from devloop.core.events import PodRow, WorkloadObserved
from devloop.core.image import digest_of, short
from devloop.core.managers import replicas_writer, template_writer
from devloop.core.original import Original
from devloop.core.patch import IMAGE, POLICY, BuildMark
from devloop.core.rollout import is_probed, rollout_status
from devloop.core.status import RolledOut
from devloop.core.workload import (
    ORIGINAL,
    ContainerSpec,
    ContainerStatus,
    Deployment,
    Pod,
    Revision,
    Snapshot,
    Template,
    Terminated,
    Waiting,
)

_RESTORE = "devloop restore"


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that changed after a cycle, and who changed it; `who` is empty when nobody did."""

    what: str
    who: str = ""


def observed(service: str, snapshot: Snapshot, containers: Sequence[str]) -> WorkloadObserved:
    """The snapshot as the event that both renderers show."""
    deployment = snapshot.deployment
    newest = _newest(snapshot)
    rows = tuple(_row(pod, newest, containers) for pod in snapshot.pods)
    return WorkloadObserved(
        service,
        str(snapshot.key),
        exists=deployment is not None,
        desired=deployment.replicas if deployment else 0,
        updated=sum(row.current for row in rows),
        ready=sum(row.ready and row.current for row in rows),
        terminating=sum(pod.terminating for pod in snapshot.pods),
        pods=rows,
    )


def drifts(
    snapshot: Snapshot, baseline: Snapshot, containers: Sequence[str], digests: frozenset[str] | None
) -> list[Drift]:
    """What differs from the proved `baseline`; `digests` are all that this session pushed for the service.

    None: nothing was proved of its Pods."""
    now, then = snapshot.deployment, baseline.deployment
    if then is None:
        return []
    if now is None:
        return [Drift(f"{snapshot.key} was deleted")]
    if now.uid != then.uid:
        return [Drift(f"{snapshot.key} was deleted and created again")]
    pods = _pod_drifts(snapshot, baseline, containers, digests) if digests is not None else ()
    return [*_spec_drifts(now, then, containers), *pods]


def has_record(snapshot: Snapshot) -> bool:
    """Whether it has devloop's record of what was there before."""
    return snapshot.deployment is not None and ORIGINAL in snapshot.deployment.annotations


def restored(snapshot: Snapshot, marked: Snapshot, containers: Sequence[str]) -> Drift | None:
    """That a workload is what it was before devloop, by the record that it last had in `marked`; else None."""
    now, then = snapshot.deployment, marked.deployment
    if now is None or then is None or now.uid != then.uid:
        return None
    if has_record(snapshot) or now.is_marked or now.template.build:
        return None
    specs = [now.template.container(name) for name in containers]
    original = Original.of(then.annotations)
    found = [spec for spec in specs if spec is not None and _is_as_before(spec, then.template, original)]
    if not found or len(found) < len(containers):
        return None
    runs = ", ".join(dict.fromkeys(f"{spec.image} under {spec.pull_policy}" for spec in found))
    return Drift(f"restored to what it was before devloop: {runs}", _RESTORE)


def _is_as_before(now: ContainerSpec, marked: Template, original: Original) -> bool:
    """What somebody else had written over devloop's is kept by a restore."""
    then = marked.container(now.name)
    if then is None:
        return False
    for key, value, before in ((IMAGE, now.image, then.image), (POLICY, now.pull_policy, then.pull_policy)):
        written = original.written(now.name, key)
        expected = written.was if written is not None and written.wrote == before else before
        if expected not in (value, None):  # what was not set has the API server's own value again
            return False
    return True


def is_healed(snapshot: Snapshot, containers: Sequence[str], digests: frozenset[str]) -> bool:
    """Whether the newest revision is rolled out and every ready Pod of it reports one of these digests."""
    deployment = snapshot.deployment
    if deployment is None:
        return False
    status = rollout_status(snapshot, uid=deployment.uid, generation=deployment.generation, mark="")
    if not isinstance(status, RolledOut):
        return False
    pods = [pod for pod in snapshot.pods_of(status.revision) if pod.ready and not pod.terminating]
    return len(pods) >= max(1, deployment.replicas) and all(
        digest_of(found.image_id) in digests for pod in pods for found in _of(pod, containers)
    )


def steadiness(snapshot: Snapshot) -> frozenset[tuple[str, int]] | None:
    """Every Pod with its restarts: what has to stay the same for a while before a healed look is believed.

    None when it may be believed at once, because a readiness probe vouches for it. Without one a container that crashes
    in a loop looks healed at each of its starts.
    """
    if snapshot.deployment is None or is_probed(snapshot.deployment):
        return None
    return frozenset((pod.uid, sum(status.restarts for status in pod.containers)) for pod in snapshot.pods)


def _spec_drifts(now: Deployment, then: Deployment, containers: Sequence[str]) -> Iterator[Drift]:
    who = _writer(now, then)
    for name in containers:
        new, old = now.template.container(name), then.template.container(name)
        if new is None or old is None:
            yield Drift(f"container {name} is gone", who)
            continue
        if new.image != old.image:
            yield Drift(f"image of {name} was changed from {old.image} to {new.image}", who)
        if new.pull_policy != old.pull_policy:
            yield Drift(f"imagePullPolicy of {name} was changed from {old.pull_policy} to {new.pull_policy}", who)
    if not _same_session(now, then):
        yield Drift("the Pod template was replaced", who)
    elif _template(now) != _template(then):
        yield Drift("its Pod template was changed", who)
    if now.replicas != then.replicas:
        yield Drift(f"scaled from {then.replicas} to {now.replicas}", replicas_writer(now))
    if now.paused and not then.paused:
        yield Drift("its rollouts were paused", who)


def _template(deployment: Deployment) -> Any:
    """The template without what is told field by field, and without annotations, where every tool leaves its marks."""
    template = deployment.raw.get("spec", {}).get("template", {})
    spec = template.get("spec", {})
    told = {"image", "imagePullPolicy"}
    containers = [
        {key: value for key, value in container.items() if key not in told}
        for kind in ("initContainers", "containers")
        for container in spec.get(kind) or ()
    ]
    others = {key: value for key, value in spec.items() if key not in {"initContainers", "containers"}}
    return containers, others, template.get("metadata", {}).get("labels")


def _same_session(now: Deployment, then: Deployment) -> bool:
    """Whether the newest restart is the proved one, or of the same session: another service shares the workload."""
    mark, proved = BuildMark.decode(now.template.build), BuildMark.decode(then.template.build)
    if mark is None or proved is None:
        return now.template.build == then.template.build
    return mark.session == proved.session


def _writer(now: Deployment, then: Deployment) -> str:
    """Who changed the template. What devloop writes elsewhere goes under the same name as what it writes here."""
    if not _same_session(now, then):
        if BuildMark.decode(now.template.build):
            return "another devloop session"
        if ORIGINAL in then.annotations and ORIGINAL not in now.annotations:
            return _RESTORE
    return template_writer(now)


def _pod_drifts(
    snapshot: Snapshot, baseline: Snapshot, containers: Sequence[str], digests: frozenset[str]
) -> Iterator[Drift]:
    before = {pod.uid: pod for pod in baseline.pods}
    for pod in snapshot.pods:
        if pod.terminating:
            continue
        for found in _of(pod, containers):
            digest = digest_of(found.image_id)
            if digest and digest not in digests and not _reported(before.get(pod.uid), found.name, digest):
                yield Drift(f"{pod.name} on {pod.node} runs {short(digest)}, which was not pushed from here")
            yield from _crashes(pod, found, before.get(pod.uid))


def _reported(earlier: Pod | None, container: str, digest: str) -> bool:
    """Whether that Pod ran that digest when the workload was proved: then the proof knew of it."""
    status = earlier.container(container) if earlier else None
    return status is not None and digest_of(status.image_id) == digest


def _crashes(pod: Pod, found: ContainerStatus, earlier: Pod | None) -> Iterator[Drift]:
    known = earlier.container(found.name) if earlier else None
    ended = found.state if isinstance(found.state, Terminated) else found.last
    if found.init or found.restarts <= (known.restarts if known else 0) or ended is None:
        return
    yield Drift(f"container {found.name} of {pod.name} ended with exit code {ended.exit_code} and was restarted")


def _newest(snapshot: Snapshot) -> Revision | None:
    return next(iter(snapshot.revisions), None)


def _of(pod: Pod, containers: Sequence[str]) -> list[ContainerStatus]:
    return [status for status in pod.containers if status.name in containers]


def _row(pod: Pod, newest: Revision | None, containers: Sequence[str]) -> PodRow:
    found = _of(pod, containers)
    return PodRow(
        pod.name,
        pod.node,
        pod.revision,
        "Terminating" if pod.terminating else pod.phase,
        "" if pod.ready else _reason(pod),
        sum(status.restarts for status in pod.containers),
        digest_of(found[0].image_id) if found else "",
        ready=pod.ready and not pod.terminating,
        current=newest is not None and pod.revision == newest.name and not pod.terminating,
    )


def _reason(pod: Pod) -> str:
    """The kubelet's or the scheduler's word for why a Pod is not ready."""
    for status in pod.containers:
        if isinstance(status.state, Waiting) and status.state.reason not in {"", "PodInitializing"}:
            return status.state.reason
        if isinstance(status.state, Terminated) and not (status.init and status.state.exit_code == 0):
            return status.state.reason
    scheduled = pod.condition("PodScheduled")
    return scheduled.reason if scheduled and scheduled.status == "False" else pod.reason
