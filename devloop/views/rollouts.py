"""Which cycle a Pod is of, and what that cycle rolled out: new code, or an image that was there before. Pure."""

from collections import deque
from dataclasses import dataclass
from itertools import takewhile

from devloop.core.events import PodRow
from devloop.core.state import ServiceState
from devloop.views import files

KEPT = 10
"""Rollouts of a service that are remembered: of more than the newest few no Pod is about to say its first word."""


@dataclass(slots=True)
class Rollout:
    """What one cycle patched its workloads with."""

    cycle: int
    what: str
    """The files that went into it; empty where none did."""
    code: str
    """`new code`, `the same image again`, `the image of cycle 3 again`, `restarted`."""
    digest: str
    digests: frozenset[str]
    """What it pushed, and every digest that a Pod which runs that may report."""
    before: frozenset[str]
    """Pods that were seen before it, and so are not of it."""
    is_told: bool = False
    """Whether the log says where it begins."""


class Rollouts:
    """Those of one service. A cycle that is superseded may leave Pods that speak when the next one runs already."""

    def __init__(self) -> None:
        self._newest: deque[Rollout] = deque(maxlen=KEPT)
        self._there: frozenset[str] = frozenset()
        """The Pods that were seen when the newest phase began."""

    def begins(self, service: ServiceState) -> None:
        """Take in that a phase begins. A new Pod may be seen before the answer to the patch that made it."""
        self._there = frozenset(row.pod for row in service.pods)

    def patched(self, service: ServiceState) -> None:
        """Take in that the service's running cycle patched a workload; `service` is as it was then."""
        running = service.running
        if running is None or self.by(running.number) is not None:
            return
        want, pushed = running.want, running.pushed
        code = (self._again(service) or "new code") if want.build else "restarted"
        digest, digests = (pushed.digest, frozenset(pushed.digests)) if pushed is not None else ("", frozenset[str]())
        self._newest.append(Rollout(running.number, files(want.files, want.count), code, digest, digests, self._there))

    def by(self, cycle: int) -> Rollout | None:
        return next((each for each in self._newest if each.cycle == cycle), None)

    def of(self, pod: str, service: ServiceState) -> Rollout | None:
        """The one that the Pod is of; None of a Pod that was there before all that is remembered, or is nobody's.

        One that was not seen yet is newer than what was seen.
        """
        found = [*takewhile(lambda each: pod not in each.before, self._newest)]
        row = next((row for row in service.pods if row.pod == pod), None)
        if found and row is not None and not row.current and found[-1] is self._newest[-1]:
            found.pop()
        if not found or (row is not None and _is_another(row, found[-1], service)):
            return None
        return found[-1]

    def end(self) -> None:
        """Somebody else has changed the workload: what comes now is not of these."""
        for each in self._newest:
            each.is_told = True

    def is_past(self, pod: str, rollout: Rollout | None) -> bool:
        """Whether the log told of one that is newer than the Pod, which is of this one."""
        told = [each for each in self._newest if each.is_told]
        return any(pod in each.before or (rollout is not None and each.cycle > rollout.cycle) for each in told)

    def _again(self, service: ServiceState) -> str:
        """Which image is rolled out, where it is the one that was proved last, that was rolled out before, or that
        Pods run already; else empty."""
        pushed = service.running.pushed if service.running is not None else None
        digests = frozenset(pushed.digests) if pushed is not None else frozenset()
        if service.live is not None and service.live.digest in digests:
            return f"the image of cycle {service.live.number} again"
        same = next((each for each in reversed(self._newest) if each.digest in digests), None)
        if same is not None and same is not self._newest[-1]:
            return f"the image of cycle {same.cycle} again"
        serving = service.serving
        return "the same image again" if same is not None or (serving and serving <= digests) else ""


def _is_another(row: PodRow, rollout: Rollout, service: ServiceState) -> bool:
    """Whether the Pod runs what the cycle did not push: somebody went back. While the cycle runs it is the failure."""
    if service.running is not None and service.running.number == rollout.cycle:
        return False
    return bool(row.image_id) and row.image_id not in rollout.digests
