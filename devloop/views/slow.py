"""The words of `devloop why --slow`: one answer as lines. Nothing here prints."""

from collections.abc import Iterator
from dataclasses import dataclass

from devloop.core.checkup import counted
from devloop.core.service import WorkloadKey
from devloop.core.why.slow import Found, Slowness, Wait
from devloop.views import Phrase, Tone, seconds
from devloop.views.wrapping import MOST, wrapped

_INDENT = 9
"""Columns of the seconds, and of what stands below them."""
_EXACT = 1.0
"""Seconds: Kubernetes keeps the times of Pods in whole ones, so less than that is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one workload's newest rollout."""

    key: WorkloadKey
    context: str
    found: Slowness
    instead: str
    """The command that tells why there is nothing to measure."""
    events: bool = True
    """Whether Events could be read: without them pulls, failed probes and ends of old Pods are not known."""


def answer_lines(answer: Answer, width: int = MOST) -> list[Phrase]:
    """What took how long, the longest first, each with what ends it."""
    found, key = answer.found, answer.key
    lines = [Phrase(f"{key} in namespace {key.namespace}, context {answer.context}"), Phrase("")]
    if found.found is Found.NOTHING:
        return [*lines, Phrase(_nothing(found), Tone.WARN), Phrase(f"→ {answer.instead}")]
    took = "under 1s" if found.seconds < _EXACT else seconds(found.seconds)
    what = f"its newest rollout ({found.revision}) took {took} until its {_pods(found.pods)} available"
    lines.append(Phrase(what))
    lines += [Phrase(line, Tone.WARN) for line in _left_out(found)]
    if not answer.events:
        lines.append(
            Phrase("Events may not be read here: pulls, failed probes and ends of old Pods are not known", Tone.WARN)
        )
    for wait in found.waits:
        lines += _wait(wait, width)
    if not found.waits:
        return [*lines, Phrase(""), Phrase("nothing in the workload keeps it waiting", Tone.GOOD)]
    rest = "the rest: controllers, scheduler, kubelet and the container runtime"
    return [*lines, Phrase(""), Phrase(f"{_rest(found):>{_INDENT - 2}}  {rest}", Tone.QUIET)]


def _nothing(found: Slowness) -> str:
    """Why there is nothing to measure."""
    if found.later:
        since = "were made anew or started again since then (after a crash, for example)"
        return f"how long its newest rollout took is not known: all its ready Pods {since}"
    return "how long its newest rollout takes is not known yet: none of its Pods is ready"


def _left_out(found: Slowness) -> Iterator[str]:
    if found.unready == 1:
        yield "1 Pod is not ready: what it waits for is not in it"
    elif found.unready:
        yield f"{found.unready} Pods are not ready: what they wait for is not in it"
    if found.later == 1:
        yield "1 Pod was made, started or ready anew since: it is no part of it"
    elif found.later:
        yield f"{found.later} Pods were made, started or ready anew since: they are no part of it"


def _rest(found: Slowness) -> str:
    return "< 1s" if found.rest < _EXACT else seconds(found.rest)


def _pods(count: int) -> str:
    return "Pod was" if count == 1 else f"{counted(count, 'Pod')} were"


def _wait(wait: Wait, width: int) -> Iterator[Phrase]:
    first, *more = wrapped(f"{wait.code}: {wait.message}", width - _INDENT)
    yield Phrase("")
    yield Phrase(f"{seconds(wait.seconds):>{_INDENT - 2}}  {first}", Tone.WARN)
    for line in more:
        yield Phrase(" " * _INDENT + line, Tone.WARN)
    yield Phrase(" " * _INDENT + f"→ {wait.fix}")
