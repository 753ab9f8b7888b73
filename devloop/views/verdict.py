"""What `devloop why` says first on a screen, in one line: what runs, and what does not."""

from devloop.core.image import short
from devloop.core.why.cause import Cause, CauseCode
from devloop.core.why.facts import NewestSave
from devloop.core.why.newestsave import named, what_failed
from devloop.core.why.tally import Tally
from devloop.views import Tone


def ruling(first: Cause, tally: Tally, saved: NewestSave | None) -> tuple[str, Tone]:
    """Of the cause that comes first."""
    if saved is not None and first.code is CauseCode.CYCLE_FAILED:
        return f"{named(saved)} is not live: {what_failed(saved)}; {saved.meanwhile}", Tone.BAD
    if saved is not None and first.code is CauseCode.PENDING:
        return f"{named(saved)} is not live yet; {saved.meanwhile}", Tone.WARN
    if first.code is CauseCode.SAME_CONTENT:
        return f"{_pods(tally.pods, tally.pods)} the newest image", Tone.GOOD
    if first.code is CauseCode.RESTORED:
        return (
            f"{_pods(tally.pods, tally.pods)} the newest image; the workload is what it was before devloop",
            Tone.GOOD,
        )
    if first.code is CauseCode.UNKNOWN:
        return "whether the newest image runs cannot be told", Tone.WARN
    return _what_runs(tally, first), Tone.BAD


_ALL_THE_SAME = {
    CauseCode.OTHER_PODS: "the newest image, but others answer too",
    CauseCode.SHADOWED: "the newest image, but a volume hides what is in it",
    CauseCode.OTHER_ARCHITECTURE: "the image of another platform",
}
"""Where every Pod runs what it asks for."""


def _what_runs(tally: Tally, first: Cause) -> str:
    if tally.old > tally.behind:
        instead = f": {short(tally.runs)}, not {short(tally.wants)}" if tally.runs else ""
        return f"{_pods(tally.old, tally.pods)} an old image{instead}"
    if tally.behind:
        return f"{_pods(tally.behind, tally.pods)} what came before the newest template"
    if tally.ready < tally.pods or not tally.pods:
        return f"Pods that are ready: {tally.ready} of {tally.pods}" if tally.ready else "no Pod is ready"
    otherwise = "what was asked for, which is not the newest"
    return f"{_pods(tally.pods, tally.pods)} {_ALL_THE_SAME.get(first.code, otherwise)}"


def _pods(some: int, of: int) -> str:
    """As the subject of what they run."""
    if some < of:
        return f"{some} of {of} Pods {'runs' if some == 1 else 'run'}"
    return "its only Pod runs" if of == 1 else f"all {of} Pods run"
