"""What a rollout waits for, as it is told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from devloop.core.workload import Pod


class WaitCode(StrEnum):
    """What is waited for; part of the output contract (`docs/why.md`)."""

    GRACE = "grace-period"
    SURGE = "surge"
    SCHEDULING = "scheduling"
    SANDBOX = "sandbox"
    IMAGE_SIZE = "image-size"
    INIT = "init-containers"
    INITIAL_DELAY = "initial-delay"
    SLOW_START = "slow-start"
    PROBE_PERIOD = "probe-period"
    MIN_READY = "min-ready"


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
