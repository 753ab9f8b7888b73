"""How many Pods run what, in short: the answer before any of its reasons."""

from collections.abc import Sequence
from dataclasses import dataclass

from devloop.core.events import Verdict
from devloop.core.why.facts import Facts, RegistryImage
from devloop.core.why.pods import Seen, asked_about, newest, seen_in


@dataclass(frozen=True, slots=True)
class Tally:
    """Pods that were asked about, without those that are about to end or have ended."""

    pods: int = 0
    old: int = 0
    """A container of theirs provably runs an old image, or they are of an older revision."""
    behind: int = 0
    """Of these, those of an older revision."""
    ready: int = 0
    runs: str = ""
    """The digest that the first of the old ones reports; empty where it says nothing beside the other one."""
    wants: str = ""
    """What its reference means now."""
    containers: tuple[str, ...] = ()
    """Those asked about that report an image, by their names."""


NOTHING = Tally()


def tally(facts: Facts) -> Tally:
    revision, pods = newest(facts), asked_about(facts)
    seen = seen_in(facts)
    behind = [pod for pod in pods if revision is None or pod.revision != revision.name]
    stale = [one for one in seen if one.verdict is Verdict.MISMATCH]
    old = {pod.uid for pod in behind} | {one.pod.uid for one in stale}
    runs, wants = _differ(stale)
    names = tuple(dict.fromkeys(one.name for one in seen))
    return Tally(len(pods), len(old), len(behind), sum(pod.ready for pod in pods), runs, wants, names)


def _differ(stale: Sequence[Seen]) -> tuple[str, str]:
    registry = stale[0].reference.registry if stale else None
    return (stale[0].digest, registry.resolved.digest) if isinstance(registry, RegistryImage) else ("", "")
