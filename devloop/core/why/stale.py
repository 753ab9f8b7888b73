"""Why a container runs another image than its reference means now: one answer for the loop and for `why`."""

from dataclasses import dataclass
from enum import Enum, auto

from devloop.core.image import same_image
from devloop.core.why.cause import CauseCode
from devloop.core.workload import ContainerSpec

PRESENT = "already present on machine"
"""In the kubelet's Event when it took the node's copy, from kubernetes/pkg/kubelet/images/image_manager.go."""
_OR_A_MIRROR = "; if new Pods run it too, a mirror or a cache between {node} and the registry is behind"
"""When nothing tells whether the tag moved before or after the start."""
_OR_MOVED = ", or the tag was moved after that start (no Event tells any more)"
"""When the policy alone says that the node used its copy."""
FIND_ADMISSION = "kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies"


class Moved(Enum):
    """When the reference came to mean the image that it means now, beside the start of the container."""

    BEFORE = auto()
    AFTER = auto()
    OPEN = auto()


@dataclass(frozen=True, slots=True)
class Start:
    """The last start of a container, and what the kubelet was told and said about its image."""

    node: str
    """In words; several nodes where several Pods went the same way."""
    asked: ContainerSpec
    """As the workload asks for it."""
    got: ContainerSpec
    """As the Pod asks for it."""
    pulled: str = ""
    """The message of the last `Pulled` Event; empty when there is none (they expire after an hour)."""

    @property
    def used_copy(self) -> bool:
        """Whether the node took its own copy, as far as the Event or else the policy tells."""
        return PRESENT in self.pulled or (not self.pulled and self.got.pull_policy != "Always")


@dataclass(frozen=True, slots=True)
class Stale:
    """A cause, and the clause that explains it after `runs an old image: `."""

    code: CauseCode
    why: str


def why_stale(start: Start, moved: Moved, *, from_here: bool | None) -> Stale:
    """`from_here`: whether the engine on this machine knows the image that the reference means now; None: not asked."""
    if not same_image(start.got.image, start.asked.image):
        asks = f"the Pod asks for {start.got.image} although the workload asks for {start.asked.image}"
        return Stale(CauseCode.POLICY_MUTATED, f"{asks}: admission changes it")
    if start.got.pull_policy != start.asked.pull_policy and start.used_copy:
        policy = f"admission set its pull policy to {start.got.pull_policy}"
        used = f"so the copy of {start.got.image} that {start.node} already had was used"
        asked = f"although the workload asks for {start.asked.pull_policy}"
        return Stale(CauseCode.POLICY_MUTATED, f"{policy}, {asked}, {used}")
    if moved is not Moved.AFTER and start.used_copy:
        used = f"the copy that {start.node} already had was used, without asking the registry"
        open_too = _OR_MOVED if moved is Moved.OPEN and not start.pulled else ""
        return Stale(CauseCode.NODE_CACHE, f"under {start.got.pull_policy} {used}{open_too}")
    if moved is Moved.BEFORE:
        given = "and a mirror or a cache in between answered with an old image"
        return Stale(CauseCode.REGISTRY_STALE, f"the registry was asked from {start.node}, {given}")
    found = _moved_on(from_here)
    return found if moved is Moved.AFTER else Stale(found.code, f"{found.why}{_OR_A_MIRROR.format(node=start.node)}")


def _moved_on(from_here: bool | None) -> Stale:
    if from_here:
        # Having it here says that it was built or pulled here, not who moved the tag.
        why = "the newest one, which the engine here has too, came after the container had started, and as the"
        unchanged = f"{why} Pod template has not changed since, Kubernetes sees no reason to make new Pods"
        return Stale(CauseCode.TEMPLATE_UNCHANGED, unchanged)
    # A builder in a container of its own pushes without giving the image to the engine.
    who = "" if from_here is None else " (not from this machine, as far as its engine knows)"
    why = f"the tag was moved after the container had started{who}, and Kubernetes never looks whether a tag moves"
    return Stale(CauseCode.TAG_MOVED, why)
