"""What is said to run while the newest save does not: no more than is known."""

import pytest

from devloop.core.events import Outcome, Phase, PodRow, PodVerified, Trigger, Verdict, WorkloadObserved
from devloop.core.failure import Failure, FailureCode
from devloop.core.state import FinishedCycle, PhaseSpan, ServiceState, Want
from devloop.views.meanwhile import meanwhile, still_runs


def seen(*rows: tuple[str, bool]) -> WorkloadObserved:
    """The image of each Pod, all of them ready, and whether it is of the newest revision."""
    pods = tuple(
        PodRow(f"web-{at}", "node1", "web-1", "Running", "", 0, image, True, current=current)
        for at, (image, current) in enumerate(rows)
    )
    return WorkloadObserved("web", "deployment/web", True, 1, 1, 1, 0, pods)


@pytest.mark.parametrize(
    ("was_live", "is_new", "words"),
    [
        (False, True, "what the cluster runs is not proved"),  # it crashes in a loop, and was ready for a moment
        (True, True, "what the cluster runs is not proved"),
        (False, False, "the cluster runs what it ran before"),
    ],
)
def test_after_a_patch_a_new_pod_is_not_taken_for_the_old_code(was_live: bool, is_new: bool, words: str) -> None:
    want, spans = Want(Trigger.START, 1.0), (PhaseSpan(Phase.ROLLOUT, 1.0, False),)
    failure = Failure(FailureCode.CRASH, "it crashes", "see its log")
    last = FinishedCycle(2, want, 1.0, 2.0, Outcome.FAILED, "new", 1.0, failure, spans)
    live = FinishedCycle(1, want, 1.0, 2.0, Outcome.VERIFIED, "old", 1.0, None)
    workloads = {"deployment/web": seen(("new" if is_new else "before", is_new))}
    service = ServiceState("web", last=last, live=live if was_live else None, workloads=workloads)
    assert still_runs(service) == meanwhile(service, 3.0) == words


def test_of_pods_that_differ_it_is_not_said_that_all_run_the_old_image() -> None:
    verdicts = tuple(
        PodVerified("web", 2, "deployment/web", f"web-{at}", "node1", "web", "x", each)
        for at, each in enumerate((Verdict.MATCH, Verdict.MISMATCH))
    )
    failure = Failure(FailureCode.MISMATCH, "x", "")
    want = Want(Trigger.START, 1.0)
    last = FinishedCycle(2, want, 1.0, 2.0, Outcome.FAILED, "new", 1.0, failure, verdicts=verdicts)
    live = FinishedCycle(1, want, 1.0, 2.0, Outcome.VERIFIED, "old", 1.0, None)
    workloads = {"deployment/web": seen(("old", False), ("new", True))}
    service = ServiceState("web", last=last, live=live, workloads=workloads)
    assert still_runs(service) == "1 of 2 Pods runs another image"
