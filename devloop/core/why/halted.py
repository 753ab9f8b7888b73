"""Rollouts that do not arrive: paused by somebody, or stuck, in the words of the loop's own diagnosis."""

from devloop.core.crash import explain_crash
from devloop.core.diagnose import diagnose as rollout_troubles
from devloop.core.diagnose import relapses
from devloop.core.image import ResolvedImage
from devloop.core.rollout import is_complete, is_probed
from devloop.core.status import Broken, ContainerRef, Trouble
from devloop.core.why.cause import Cause, CauseCode, Evidence
from devloop.core.why.facts import Facts, RegistryImage, Unread
from devloop.core.why.fixes import ON_DELETE, POD, resume
from devloop.core.why.pods import newest, ready_of, ready_of_wanted
from devloop.core.workload import Deployment, Revision, Running, Snapshot

_RECENT = 600.0
"""Seconds; the kubelet waits at most 300 between two starts of a container that crashes."""


def halted(facts: Facts, deployment: Deployment) -> Cause | None:
    """The newest template is not what runs: because nobody lets it, or because it does not get on."""
    revision = newest(facts)
    if deployment.key.kind == POD and all(pod.ended for pod in facts.snapshot.pods):
        return None
    observed = deployment.observed_generation >= deployment.generation
    if revision is not None and observed and is_complete(facts.snapshot, deployment, revision):
        return _relapsed(facts, deployment, revision)
    if any(trouble.ends for trouble in rollout_troubles(facts.snapshot, revision)):
        return _stuck(facts, deployment, revision)  # to let it go on would spread what does not work
    return _paused(facts, deployment, revision) or _stuck(facts, deployment, revision)


def _paused(facts: Facts, deployment: Deployment, revision: Revision | None) -> Cause | None:
    key, old = deployment.key, _old_pods(facts, revision)
    if deployment.paused:
        message = f"{key} is paused, so its newest template is not rolled out{_still(old)}"
        return Cause(CauseCode.PAUSED, message, (Evidence(str(key), "spec.paused is true"),), resume(key))
    waiting = deployment.strategy == ON_DELETE or _partition(deployment) > 0
    if not waiting or not old:
        return None
    if deployment.strategy == ON_DELETE:
        said, why = (
            "updateStrategy is OnDelete",
            "replaces a Pod only when somebody deletes it (updateStrategy OnDelete)",
        )
    else:
        count = _partition(deployment)
        kept = "first Pod as it is" if count == 1 else f"first {count} Pods as they are"
        said, why = f"partition is {count}", f"leaves its {kept} (updateStrategy partition {count})"
    message = f"{key} {why}{_still(old)}"
    fix = f"kubectl delete pod {' '.join(old)} -n {key.namespace}"
    if said.startswith("partition"):
        body = '{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}}'
        fix = f"kubectl patch {key} -n {key.namespace} -p '{body}'"
    return Cause(CauseCode.PAUSED, message, (Evidence(str(key), said),), fix)


def _partition(deployment: Deployment) -> int:
    rolling = deployment.raw.get("spec", {}).get("updateStrategy", {}).get("rollingUpdate") or {}
    return int(rolling.get("partition") or 0)


def _old_pods(facts: Facts, revision: Revision | None) -> tuple[str, ...]:
    name = revision.name if revision is not None else ""
    return tuple(p.name for p in facts.snapshot.pods if p.revision != name and p.ready and not p.terminating)


def _still(old: tuple[str, ...]) -> str:
    if not old:
        return ""
    return f"; {old[0]} still runs the old one" if len(old) == 1 else f"; {len(old)} Pods still run the old one"


def _stuck(facts: Facts, deployment: Deployment, revision: Revision | None) -> Cause | None:
    key, ready = deployment.key, ready_of(facts, revision)
    serving = _serving(_old_pods(facts, revision), ready, deployment.replicas)
    if deployment.observed_generation < deployment.generation:
        message = f"the {key.kind} controller has not seen the newest change of {key}, {serving}"
        fix = "see whether kube-controller-manager runs: kubectl get pods -n kube-system"
        said = f"generation {deployment.generation}, observed {deployment.observed_generation}"
        return Cause(CauseCode.ROLLOUT_STUCK, message, (Evidence(str(key), said),), fix)
    if deployment.replicas == 0:
        return None
    troubles = rollout_troubles(facts.snapshot, revision)
    if troubles:
        which = f"not all of the newest Pods of {key} are" if ready else f"the newest Pods of {key} are not"
        return _because(facts, revision, troubles[0], f"{which} ready, {serving}")
    message = f"the rollout of {key} is still going on: {ready} of {deployment.replicas} new Pods ready, {serving}"
    see = f"get {key} --watch" if key.kind == POD else f"rollout status {key}"
    fix = f"kubectl {see} -n {key.namespace}"
    return Cause(CauseCode.ROLLOUT_STUCK, message, _of_revision(facts, revision), fix)


def _serving(old: tuple[str, ...], ready: int, wanted: int) -> str:
    if old:
        return "so the old Pods still serve"
    return f"and only {ready} of {wanted} serve" if ready else "and no Pod serves"


def _relapsed(facts: Facts, deployment: Deployment, revision: Revision) -> Cause | None:
    """Without a readiness probe a container is ready between two crashes, and the rollout looks complete."""
    if is_probed(deployment):
        return None
    pods = [pod for pod in facts.snapshot.pods if not pod.ended]
    fresh = {(p.name, c.name) for p in pods for c in p.containers if _just_started(c.state, facts.now)}
    troubles = [trouble for trouble in relapses(facts.snapshot, revision) if trouble.ends]
    found = [trouble for trouble in troubles if {(ref.pod, ref.container) for ref in trouble.logs} & fresh]
    return _because(facts, revision, found[0], f"the Pods of {deployment.key} crash again and again") if found else None


def _just_started(state: object, now: float) -> bool:
    return not isinstance(state, Running) or now - state.started_at < _RECENT


def _because(facts: Facts, revision: Revision | None, trouble: Trouble, what: str) -> Cause:
    """In the loop's own words."""
    logs = {ref: lines for ref, lines in facts.logs.items() if ref in trouble.logs}
    platform = _node_platform(facts, trouble)
    failure = explain_crash(Broken(trouble.failure, trouble.logs), logs, _image(facts, trouble), platform)
    evidence = [*_of_revision(facts, revision)]
    for ref, lines in logs.items():
        if lines:
            which = " before its restart" if ref.previous else ""
            evidence.append(Evidence(f"log of Pod {ref.pod}, container {ref.container}{which}", lines[-1].strip()))
    message = f"{what}: {failure.message}"
    return Cause(CauseCode.ROLLOUT_STUCK, message, tuple(evidence), failure.hint, reason=failure.code)


def _image(facts: Facts, trouble: Trouble) -> ResolvedImage | None:
    """What the container that crashes should run."""
    deployment = facts.snapshot.deployment
    spec = deployment.template.container(trouble.logs[0].container) if deployment and trouble.logs else None
    reference = facts.references.get(spec.image) if spec is not None else None
    registry = reference.registry if reference is not None else None
    return registry.resolved if isinstance(registry, RegistryImage) else None


def _node_platform(facts: Facts, trouble: Trouble) -> str:
    nodes = {} if isinstance(facts.nodes, Unread) else facts.nodes
    names = {ref.pod for ref in trouble.logs}
    return next((nodes.get(p.node, "") for p in facts.snapshot.pods if p.name in names), "")


def _of_revision(facts: Facts, revision: Revision | None) -> tuple[Evidence, ...]:
    if revision is None:
        return ()
    text = f"{ready_of_wanted(facts, revision)}, made"
    return (Evidence(f"revision {revision.name}", text, revision.created),)


def telling_logs(snapshot: Snapshot, newest: str) -> tuple[ContainerRef, ...]:
    """The logs that would explain why the revision of that name does not get on."""
    deployment = snapshot.deployment
    if deployment is None:
        return ()
    revision = next((r for r in snapshot.revisions if r.name == newest), None)
    troubles = rollout_troubles(snapshot, revision)
    if revision is not None and not troubles and not is_probed(deployment):
        troubles = relapses(snapshot, revision)
    return troubles[0].logs if troubles else ()
