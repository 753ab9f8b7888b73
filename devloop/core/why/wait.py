"""What a rollout waits for, as it is told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from devloop.core.workload import Pod


class WaitCode(StrEnum):
    """What is waited for, and what ends it; part of the output contract (`docs/why.md`)."""

    GRACE = "grace-period"
    """An old Pod has to end before a new one starts (`Recreate`, sets). Fix: end on SIGTERM, a surge, a shorter grace
    period."""
    SURGE = "surge"
    """Pods are started one after another. Fix: `maxSurge` or `maxUnavailable: 100%`, fewer replicas."""
    SCHEDULING = "scheduling"
    """The Pod had no node for so long. Fix: `kubectl describe` says why."""
    SANDBOX = "sandbox"
    """Network and volumes of the Pod were made. Fix: `kubectl describe` says what took long."""
    IMAGE_SIZE = "image-size"
    """The image was pulled, as the kubelet timed it; its size is told. Fix: small layers."""
    INIT = "init-containers"
    """An init container ran; each is told. Fix: make it faster, or leave it out."""
    INITIAL_DELAY = "initial-delay"
    """Nobody asks before `initialDelaySeconds` of readiness and startup probe. Fix: set it to 0."""
    SLOW_START = "slow-start"
    """The program failed its probes, or longer than their periods was not ready. Fix: start faster."""
    PROBE_PERIOD = "probe-period"
    """It was ready and had not been asked yet (`periodSeconds`, `successThreshold`). Fix: `periodSeconds: 1`."""
    MIN_READY = "min-ready"
    """A ready Pod counts as available after `minReadySeconds`. Fix: set it to 0."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that a rollout waits for."""

    code: WaitCode
    seconds: float
    message: str
    fix: str
    """A command, or a sentence where no command mends it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A Pod, and when the rollout could count on it."""

    pod: Pod
    at: float


def within(waits: Iterable[Wait], seconds: float) -> Iterator[Wait]:
    """Waits that followed each other in that time: cut where they are told more exactly than it is."""
    for wait in waits:
        yield replace(wait, seconds=min(wait.seconds, seconds))
        seconds = max(0.0, seconds - wait.seconds)
