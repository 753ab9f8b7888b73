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
    """Why an old image runs, in the order of the chain; part of the output contract (`docs/why.md`)."""

    NOT_BUILT = "not-built"
    NOT_PUSHED = "not-pushed"
    REVERTED = "reverted"
    PINNED = "pinned"
    PAUSED = "paused"
    ROLLOUT_STUCK = "rollout-stuck"
    POLICY_MUTATED = "policy-mutated"
    REGISTRY_STALE = "registry-stale"
    NODE_CACHE = "node-cache"
    TEMPLATE_UNCHANGED = "template-unchanged"
    TAG_MOVED = "tag-moved"
    OTHER_CONTAINER = "other-container"
    OTHER_ARCHITECTURE = "other-architecture"
    OTHER_PODS = "other-pods"
    SHADOWED = "shadowed"
    SAME_CONTENT = "same-content"
    UNKNOWN = "unknown"


LINKS: dict[CauseCode, Link] = {
    CauseCode.NOT_BUILT: Link.SOURCE,
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
