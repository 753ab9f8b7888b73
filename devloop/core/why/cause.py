"""What may be the matter, as data: a stable code, a sentence, what it rests on, and the command that mends it."""

from dataclasses import dataclass
from enum import StrEnum


class Link(StrEnum):
    """The chain from a saved file to what serves, in its order."""

    SOURCE = "source"
    LOCAL = "local image"
    REGISTRY = "registry tag"
    LOADED = "loaded image"
    """In its place where the image was loaded into the nodes of a local cluster."""
    SPEC = "workload spec"
    REVISION = "revision"
    POD = "Pod"
    CONTAINER = "container"


class CauseCode(StrEnum):
    """Why an old image runs, and what mends it; part of the output contract (`docs/why.md`). In the chain's order."""

    CYCLE_FAILED = "cycle-failed"
    """The session that runs could not build, push or load the newest save, so the cluster runs what it ran before. Told
    in the words of the failure, with its code (`reason`) and the line of the file where that is known. What failed
    later, in the cluster, is told as `rollout-stuck`. Fix: mend what the message names, and save."""
    PENDING = "pending"
    """The session that runs has not brought the newest save to the Pods yet: its cycle is under way, or waits, and the
    message says for what: a service that it depends on, a connection, somebody who pauses it. Fix: let it go on;
    `devloop wait NAME` ends when it is proved."""
    NOT_BUILT = "not-built"
    """The newest save is in no image: it is newer than the last build, the ignore file leaves it out, or no instruction
    of the Dockerfile takes it. Known for services of a devloop.toml, from the times of files, the ignore file, and the
    Dockerfile. Files of version control and of editors do not count. A file that is as git has it counts from its last
    commit where that is earlier, because a clone or a switch of branches writes files that nobody saved; going back to
    an older commit, or pulling one, is therefore not told. Where a session runs for this source, it tells what changed
    since its last build, and times of files do not count. Fix: build (`devloop up NAME --once`), take the pattern out
    of `.dockerignore`, or add a `COPY`."""
    NEVER_RUN = "never-run"
    """devloop has not run yet for the service: the registry has nothing under the name that devloop.toml pushes to.
    Fix: `devloop up NAME`."""
    NOT_PUSHED = "not-pushed"
    """The Docker engine of this machine has a newer image under this very reference than the registry has, or the only
    one. It is not told when the registry knows the newer one by its digest, or a Pod runs it: then the tag was moved
    back. Fix: `docker push`."""
    REVERTED = "reverted"
    """devloop had changed image or pull policy, and somebody set it back: a Helm upgrade, Argo CD or Flux, an operator,
    a colleague. Known from devloop's own record on the workload and from `managedFields`, which name the writer and the
    time. Fix: let the other writer pause, or change the value where it comes from."""
    PINNED = "pinned"
    """The workload asks for something that will never become the newest image: a digest whose tag has moved on, another
    tag or repository than devloop.toml pushes to, or an older tag than what was built last on this machine. The last is
    told only of images that devloop builds (a service of devloop.toml, or a recorded push): of others, another tag is
    another thing. Fix: `devloop up NAME --once` for a service, which `devloop restore` undoes; else `kubectl set
    image`."""
    PAUSED = "paused"
    """Nobody lets the newest template roll out: `spec.paused` of a Deployment, `OnDelete` or a `partition` of a
    StatefulSet or DaemonSet. New Pods that crash are told as `rollout-stuck` instead. Fix: `kubectl rollout resume`,
    deleting the old Pods, or setting the partition to 0."""
    ROLLOUT_STUCK = "rollout-stuck"
    """The new Pods are not ready, so the old ones still serve. Below it stands the reason, in the words and with the
    code (`reason`) of devloop's own diagnosis: an image that cannot be pulled, a crash with its decisive log line, a
    failing probe, no node or no room, a quota, another architecture. Fix: as the reason says."""
    POLICY_MUTATED = "policy-mutated"
    """Between workload and Pod something in the API server's admission changed the pull policy or the image, so that
    the Pod does not ask for what the workload says. Fix: find and change it: `kubectl get
    mutatingwebhookconfigurations,mutatingadmissionpolicies`."""
    REGISTRY_STALE = "registry-stale"
    """The node did ask the registry, after the tag had moved, and was given the old image: by a mirror or a
    pull-through cache in between. Fix: correct the mirror, or ask for the digest, which no mirror can answer
    wrongly."""
    NODE_CACHE = "node-cache"
    """The classic: the tag has moved, and under `IfNotPresent` (the default of every tag but `latest`) or `Never` the
    node used the copy that it had under that tag. Each node by itself: one may be new, one old. Where no Event tells
    what the node did any more, and nothing when the tag moved, the policy alone says so, and the words leave open that
    the tag moved later. Fix: `imagePullPolicy: Always`; that this changes the template makes new Pods at once."""
    TEMPLATE_UNCHANGED = "template-unchanged"
    """The newest image, which the engine of this machine has too, came after the Pods had started, and nothing in the
    template has changed, so Kubernetes has no reason to make new Pods: it never looks whether a tag moves. Fix:
    `kubectl rollout restart`, under `Always`."""
    TAG_MOVED = "tag-moved"
    """As `template-unchanged`, but the engine here does not know the new image: somebody else, or CI, moved the tag.
    Fix: `kubectl rollout restart`, under `Always`."""
    OTHER_CONTAINER = "other-container"
    """The main container runs the newest image, and a sidecar or an init container of the same Pod an old one. `reason`
    says which way it went stale. An init container is not run again when the main one is restarted in place. Fix: as
    for `reason`."""
    OTHER_ARCHITECTURE = "other-architecture"
    """The tag is an index of several platforms, and the node runs the manifest of another one than its own. Fix:
    `imagePullPolicy: Always`, so that the node asks for its own."""
    OTHER_PODS = "other-pods"
    """A Service also sends requests to Pods of another workload, which run another image: every second answer is old.
    Fix: a selector that only the one workload matches."""
    SHADOWED = "shadowed"
    """The image is right, but a volume is mounted over the folder that its code is in. ConfigMaps and Secrets do not
    count, nor does a path that the image itself declares as a volume, nor `/tmp` and other folders for what a process
    writes while it runs. Fix: mount it elsewhere."""
    RESTORED = "restored"
    """What was there before devloop is back, as after `devloop restore`, and the session that runs has not taken over
    again. It is no fault by itself: what the Pods run beside that is told as always. Fix: save a change, or `devloop
    trigger NAME`, to let devloop take over again."""
    SAME_CONTENT = "same-content"
    """Nothing is stale: the last build gave the same image as the one before it. Known from devloop's recorded
    sessions. Fix: save a change that gets into the image."""
    UNKNOWN = "unknown"
    """It cannot be decided, and the message says what is missing: the registry cannot be reached or does not take the
    credentials found for it, it no longer has what the Pods report, or no Pod runs at all (any more). Fix: make known
    what is missing."""


LINKS: dict[CauseCode, Link] = {
    CauseCode.CYCLE_FAILED: Link.SOURCE,
    CauseCode.PENDING: Link.SOURCE,
    CauseCode.NOT_BUILT: Link.SOURCE,
    CauseCode.NEVER_RUN: Link.SOURCE,
    CauseCode.NOT_PUSHED: Link.REGISTRY,
    CauseCode.REVERTED: Link.SPEC,
    CauseCode.PINNED: Link.SPEC,
    CauseCode.PAUSED: Link.REVISION,
    CauseCode.ROLLOUT_STUCK: Link.REVISION,
    CauseCode.POLICY_MUTATED: Link.POD,
    CauseCode.REGISTRY_STALE: Link.CONTAINER,
    CauseCode.NODE_CACHE: Link.CONTAINER,
    CauseCode.TEMPLATE_UNCHANGED: Link.REVISION,
    CauseCode.TAG_MOVED: Link.REVISION,
    CauseCode.OTHER_CONTAINER: Link.CONTAINER,
    CauseCode.OTHER_ARCHITECTURE: Link.CONTAINER,
    CauseCode.OTHER_PODS: Link.POD,
    CauseCode.SHADOWED: Link.CONTAINER,
}
"""The link that does not hold. What is the same content, or cannot be told, breaks none."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was read."""

    source: str
    """Where: `registry 127.0.0.1:5000`, `Pod web-1, container web`, `managedFields of deployment/web`."""
    text: str
    """What it said."""
    time: float = 0.0
    """Since when it says so, Unix seconds; 0.0 where it does not tell."""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why an old image runs."""

    code: CauseCode
    message: str
    evidence: tuple[Evidence, ...] = ()
    fix: str = ""
    """A command, or a sentence where no command mends it."""
    pods: tuple[str, ...] = ()
    """The Pods whose image it explains; empty when it explains all of them."""
    reason: str = ""
    """What is below it: the code of the loop's own diagnosis (`crash`), or in which way a container went stale."""
