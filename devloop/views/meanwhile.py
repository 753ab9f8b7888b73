"""What runs while the newest save does not, for both renderers: never more than its Pods and verdicts tell."""

from collections.abc import Sequence

from devloop.core.events import Phase, PodVerified, Verdict
from devloop.core.image import short
from devloop.core.state import ServiceState
from devloop.views.times import minute

NOTHING_SERVES = "no Pod is ready"
_RESTORED = "the workload is as it was before devloop"
_NOT_PROVED = "what the cluster runs is not proved"
_AS_BEFORE = "the cluster runs what it ran before"


def meanwhile(service: ServiceState, now: float) -> str:
    """For the screen."""
    live = service.live
    if service.serving is not None and not service.serving:
        return NOTHING_SERVES
    if service.restored:
        return _RESTORED
    if told := _not_all(service):
        return told
    if live is not None and service.serves_live:
        if live.want.is_save:
            return f"the cluster runs your {minute(live.want.of, now)} save"
        return f"the cluster runs what was live at {minute(live.finished, now)}"
    return _AS_BEFORE if _is_as_before(service) else _NOT_PROVED


def still_runs(service: ServiceState) -> str:
    """For a line, with digests; empty when nothing is known of it."""
    live, serving = service.live, service.serving
    was = f"{short(live.digest)} of cycle {live.number}" if live else ""
    if serving is not None and not serving:
        return f"{NOTHING_SERVES}; the last that was proved is {was}" if was else NOTHING_SERVES
    if service.restored:
        return _RESTORED
    if told := _not_all(service):
        return told
    if live and service.serves_live:
        return f"the cluster still runs {was}"
    if not serving:
        return ""
    return _AS_BEFORE if _is_as_before(service) else _NOT_PROVED


def _is_as_before(service: ServiceState) -> bool:
    """Whether what serves was there before the newest cycle: a Pod that crashes in a loop is ready for moments too."""
    last = service.last
    patched = service.unproved is not None or (last and any(span.phase is Phase.ROLLOUT for span in last.phases))
    if not patched:
        return True
    ready = [pod for pod in service.pods if pod.ready and pod.phase != "Terminating"]
    return bool(ready) and not any(pod.current for pod in ready)


def another(verdicts: Sequence[PodVerified]) -> tuple[int, int]:
    """How many Pods run another image than the pushed one, and how many were looked at."""
    others = {each.pod for each in verdicts if each.verdict is Verdict.MISMATCH}
    return len(others), len({each.pod for each in verdicts})


def _not_all(service: ServiceState) -> str:
    """`1 of 3 Pods runs another image`; empty where none was seen to run another."""
    others, pods = another(service.last.verdicts) if service.last and service.last.failure else (0, 0)
    if not others:
        return ""
    if others == pods:
        return "no Pod runs the new image"
    return f"{others} of {pods} Pods run{'s' if others == 1 else ''} another image"
