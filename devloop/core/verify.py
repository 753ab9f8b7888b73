"""The proof: what the ready Pods of a revision report, against what was pushed, and why it differs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from devloop.core.events import Verdict
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import PushedImage, ResolvedImage, digest_of, same_image, short
from devloop.core.patch import POLICY, STRATEGIES, FieldPlan, differences, loaded_into
from devloop.core.proof import Known, is_ours, verdict_of
from devloop.core.pulls import pull_seconds
from devloop.core.rollout import is_complete
from devloop.core.service import Pin
from devloop.core.why.cause import CauseCode
from devloop.core.why.stale import FIND_ADMISSION, Moved, Start, why_stale
from devloop.core.workload import ContainerSpec, Deployment, Pod, Revision, Snapshot

__all__ = ["PodVerdict", "is_ours", "judge", "unchanged", "unresolved", "verify"]

_CURES = {
    CauseCode.POLICY_MUTATED: f"find what rewrites Pods: `{FIND_ADMISSION}`",
    CauseCode.NODE_CACHE: (
        '`pin = "tag"` sets `imagePullPolicy: Always`, `pin = "digest"` names the image by its digest'
    ),
    CauseCode.REGISTRY_STALE: (
        'correct the mirror that {node} uses, or set `pin = "digest"`, which no mirror can answer wrongly'
    ),
}
"""What helps in the loop, which chooses reference and policy by itself."""


@dataclass(frozen=True, slots=True)
class PodVerdict:
    """What one container of one ready Pod proves."""

    pod: str
    node: str
    container: str
    image_id: str
    """As the kubelet reports it."""
    verdict: Verdict
    pull_seconds: float | None
    """What the pull cost the Pod's start, waiting for other pulls included; 0.0 from the node's copy, None unknown."""
    text: str
    """Why, when it is no plain match."""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One container of one ready Pod, and all that may explain it."""

    snapshot: Snapshot
    revision: Revision
    pod: Pod
    name: str

    @property
    def image_id(self) -> str:
        status = self.pod.container(self.name)
        return status.image_id if status is not None else ""

    @property
    def digest(self) -> str:
        return digest_of(self.image_id)

    @property
    def restarts(self) -> int:
        status = self.pod.container(self.name)
        return status.restarts if status is not None else 0

    @property
    def asked(self) -> ContainerSpec | None:
        """What the workload asked for."""
        return self.revision.template.container(self.name)

    @property
    def loaded_into(self) -> str:
        """The local cluster that its image was loaded into; empty when it was pushed."""
        return loaded_into(self.revision.template.build, self.asked.image) if self.asked is not None else ""

    @property
    def pulled(self) -> str:
        """The last `Pulled` Event of the container; empty when there is none (they expire after an hour)."""
        paths = {f"spec.containers{{{self.name}}}", f"spec.initContainers{{{self.name}}}"}
        said = [e for e in self.snapshot.events_about(self.pod.uid) if e.reason == "Pulled" and e.field_path in paths]
        return said[-1].message if said else ""


def unresolved(
    snapshot: Snapshot, revision: Revision, containers: Sequence[str], image: ResolvedImage, known: Known
) -> frozenset[str]:
    """The `imageID` of each ready Pod whose digest is none of the image's, and which was not asked for yet."""
    told = image.digests | known.keys() | {""}
    return frozenset(seen.image_id for seen in _ready(snapshot, revision, containers) if seen.digest not in told)


def verify(
    snapshot: Snapshot,
    revision: Revision,
    containers: Sequence[str],
    image: ResolvedImage,
    known: Known,
    earlier: Sequence[ResolvedImage] = (),
) -> tuple[PodVerdict, ...]:
    """One verdict for each of the containers of each ready Pod of the revision. `earlier`: what was pushed before."""
    return tuple(_verdict(seen, image, known, earlier) for seen in _ready(snapshot, revision, containers))


def judge(verdicts: Sequence[PodVerdict]) -> Failure | None:
    """None when all of them match and there is one: a verdict that is unknown proves nothing."""
    for verdict, code in ((Verdict.MISMATCH, FailureCode.MISMATCH), (Verdict.UNKNOWN, FailureCode.UNPROVEN)):
        found = [v for v in verdicts if v.verdict is verdict]
        if found:
            return Failure(code, _sentence(found[0], len({v.pod for v in found}) - 1), found[0].hint)
    if verdicts:
        return None
    return Failure(
        FailureCode.UNPROVEN,
        "no Pod is ready, so nothing proves which image runs",
        "see why none is: `kubectl get pods`",
    )


def unchanged(
    snapshot: Snapshot,
    containers: Sequence[str],
    image: PushedImage,
    pin: Pin,
    known: Known,
    earlier: Sequence[ResolvedImage] = (),
) -> str:
    """Empty when nothing has to be done for the workload to run `image`; else why a patch is needed, in words."""
    deployment = snapshot.deployment
    if deployment is None:
        return f"{snapshot.key} does not exist"
    found = differences(deployment, tuple(containers), image, pin)
    template = ", ".join(map(_difference, found))
    # Pods whose template names another image run what they were told to.
    if deployment.replicas == 0 or any(each.key != POLICY for each in found):
        return template
    revision = _settled(snapshot, deployment)
    if revision is None:
        pods = "its rollout is not complete"
    else:
        pods = _pods_reason(verify(snapshot, revision, containers, image.resolved, known, earlier))
        # A Pod's policy that its template already explains tells nothing more.
        pods = pods or ("" if template else _policy_reason(snapshot, revision, containers, pin))
    # What a Pod runs tells most.
    return ", and ".join(reason for reason in (pods, template) if reason)


def _ready(snapshot: Snapshot, revision: Revision, containers: Sequence[str]) -> Iterator[_Seen]:
    for pod in snapshot.pods_of(revision):
        if pod.ready and not pod.terminating:
            yield from (_Seen(snapshot, revision, pod, name) for name in containers)


def _verdict(seen: _Seen, image: ResolvedImage, known: Known, earlier: Sequence[ResolvedImage]) -> PodVerdict:
    verdict = verdict_of(seen.digest, image, known, earlier)
    text, hint = _explained(seen, verdict, image, known, earlier)
    pull = pull_seconds(seen.pulled)
    return PodVerdict(seen.pod.name, seen.pod.node, seen.name, seen.image_id, verdict, pull, text, hint)


def _explained(
    seen: _Seen, verdict: Verdict, image: ResolvedImage, known: Known, earlier: Sequence[ResolvedImage]
) -> tuple[str, str]:
    if verdict is Verdict.MATCH:
        other = f"reports {short(seen.digest)}, another manifest of the same image (same config)"
        told = ("" if seen.digest in image.digests else other, _weakened(seen))
        return ", ".join(text for text in told if text), ""
    if not seen.digest:
        return "reports no image digest", f"see `imageID` in `kubectl get pod {seen.pod.name} -o yaml`"
    if verdict is Verdict.UNKNOWN:
        return _unknown(seen, known)
    way = "loaded" if seen.loaded_into else "pushed"
    older = f" ({way} earlier in this session)" if is_ours(seen.digest, earlier) else ""
    why, hint = _why(seen)
    return f"runs {short(seen.digest)}{older}, not the {way} {short(image.digest)}: {why}", hint


def _weakened(seen: _Seen) -> str:
    """What may make the next start of a Pod stale that is right today."""
    spec, asked = seen.pod.spec(seen.name), seen.asked
    if spec is None or asked is None or asked.pull_policy != "Always" or spec.pull_policy == "Always":
        return ""
    changed = f"admission set its pull policy to {spec.pull_policy}, although the workload asks for Always"
    return f"but {changed}: when the tag has moved, its next start takes {seen.pod.node}'s own copy"


def _unknown(seen: _Seen, known: Known) -> tuple[str, str]:
    if seen.loaded_into:
        told = f"reports {short(seen.digest)}, which is none of the digests of what was loaded into {seen.loaded_into}"
        return (
            told,
            f"see `imageID` in `kubectl get pod {seen.pod.name} -o yaml`, and `crictl images` on {seen.pod.node}",
        )
    cause = (
        "the registry does not have it, or may not be asked"
        if known.get(seen.digest) is None
        else "its content cannot be told apart"
    )
    hint = 'delete the Pod so that it is pulled again, or set `pin = "digest"`, which cannot mean another image'
    return f"reports {short(seen.digest)}, which is none of the pushed digests, and {cause}", hint


def _why(seen: _Seen) -> tuple[str, str]:
    """Cause of a mismatch and its cure, from what the Pod says beside what the workload asked for."""
    spec, asked, node = seen.pod.spec(seen.name), seen.asked, seen.pod.node
    if spec is None or asked is None:
        return f"{node} does not say where it took it from", ""
    if seen.loaded_into and same_image(asked.image, spec.image):
        return f"{node} has another image under {spec.image}", "save again: a build has a tag of its own"
    stale = why_stale(Start(node, asked, spec, seen.pulled), Moved.BEFORE, from_here=True)
    if stale.code is CauseCode.REGISTRY_STALE and seen.restarts:
        return (
            f"it was restarted on {node} and pulled {spec.image} again when that meant another image",
            'save again, or set `pin = "digest"`: a digest cannot move between two starts',
        )
    return stale.why, _CURES[stale.code].format(node=node)


def _sentence(verdict: PodVerdict, others: int) -> str:
    more = f" ({others} more Pod{'s' if others > 1 else ''} likewise)" if others else ""
    return f"container {verdict.container} of Pod {verdict.pod} on {verdict.node} {verdict.text}{more}"


def _difference(found: FieldPlan) -> str:
    if found.key == POLICY:
        return f"pull policy of container {found.container.name} is {found.live or 'unset'}"
    return f"image of container {found.container.name} is {found.live}, not {found.wanted}"


def _settled(snapshot: Snapshot, deployment: Deployment) -> Revision | None:
    """The revision of the template as it stands, when all Pods are of it."""
    revision = next((r for r in snapshot.revisions if r.template == deployment.template), None)
    seen = deployment.observed_generation >= deployment.generation
    return revision if revision is not None and seen and is_complete(snapshot, deployment, revision) else None


def _pods_reason(verdicts: Sequence[PodVerdict]) -> str:
    """What the Pods of a complete rollout run that is not what was pushed."""
    if not verdicts:
        return "no Pod is ready"
    other = next((v for v in verdicts if v.verdict is not Verdict.MATCH), None)
    return _sentence(other, 0) if other is not None else ""


def _policy_reason(snapshot: Snapshot, revision: Revision, containers: Sequence[str], pin: Pin) -> str:
    """Admission may give Pods another policy than the workload asks for: such a Pod may go stale at its next start."""
    policy = STRATEGIES[pin].policy
    for seen in _ready(snapshot, revision, containers):
        spec = seen.pod.spec(seen.name)
        if policy and spec is not None and spec.pull_policy != policy:
            return f"pull policy of container {seen.name} of Pod {seen.pod.name} is {spec.pull_policy}"
    return ""
