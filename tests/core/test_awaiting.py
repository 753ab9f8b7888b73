"""When `devloop wait` has its answer: folded from events, as a session has them."""

import pytest

from devloop.core import events as ev
from devloop.core.awaiting import Verdict, pending, verdict, way_on
from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.core.reducer import fold
from devloop.core.state import ServiceState

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def service(*events: ev.Event) -> ServiceState:
    """The service `web` after these events of its session."""
    begun = ev.SessionStarted(ev.PROTOCOL, "1", "kind", "shop", ("web",))
    return fold(ev.Record(float(at), event) for at, event in enumerate((begun, *events))).services["web"]


def started(cycle: int, trigger: ev.Trigger = ev.Trigger.START) -> ev.Event:
    return ev.CycleStarted("web", cycle, trigger)


def pushed(cycle: int) -> ev.Event:
    return ev.ImagePushed("web", cycle, "r/web:dev", "r/web:dev", DIGEST, (DIGEST,))


def ended(cycle: int, outcome: ev.Outcome = ev.Outcome.VERIFIED, code: FailureCode | None = None) -> ev.Event:
    failure = Failure(code, "it did not", "mend it") if code else None
    return ev.CycleFinished("web", cycle, outcome, DIGEST, 1.0, failure)


def matched(cycle: int, pod: str = "web-1") -> ev.Event:
    return ev.PodVerified("web", cycle, "deployment/web", pod, "node1", "web", DIGEST, ev.Verdict.MATCH)


def seen(digest: str) -> ev.Event:
    row = ev.PodRow("web-1", "node1", "web-abc", "Running", "", 0, digest, ready=True, current=True)
    return ev.WorkloadObserved("web", "deployment/web", True, 1, 1, 1, 0, (row,))


NOT_READY = ev.WarningRaised("web", "not_ready", "Pod web-1 is not ready", "", 1)
SAVED = ev.ChangeDetected("web", 1, ("a.py",))
PROVED = (started(1), pushed(1), matched(1), matched(1, "web-2"), ended(1))
FAILED = (started(1), ended(1, ev.Outcome.FAILED, FailureCode.BUILD_FAILED))


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((), "its first cycle has not begun"),
        ((started(1),), "its cycle 1 is between two phases"),
        ((started(1), ev.PhaseStarted("web", 1, ev.Phase.BUILD)), "its cycle 1 is in the phase build"),
        (
            (started(1), ev.PhaseStarted("web", 1, ev.Phase.ROLLOUT), NOT_READY),
            "its cycle 1 is in the phase rollout: Pod web-1 is not ready",
        ),
        (
            (started(1), ev.PhaseStarted("web", 1, ev.Phase.ROLLOUT), NOT_READY, seen(DIGEST)),
            "its cycle 1 is in the phase rollout",
        ),
        ((*PROVED, SAVED), "its next cycle has not begun"),
        ((*FAILED, SAVED), "its next cycle has not begun"),
        ((*PROVED, ev.ServicePaused("web", True), SAVED), "it is paused, and what was saved is not built"),
        (
            (*PROVED, SAVED, ev.CycleHeld("web", ev.Hold(ev.HoldCode.DEPENDENCY, "db", "waiting for db"))),
            "waiting for db",
        ),
        (
            (*PROVED, SAVED, started(2, ev.Trigger.FILES), ended(2, ev.Outcome.SUPERSEDED)),
            "its next cycle has not begun",
        ),
    ],
)
def test_as_long_as_a_newer_save_is_not_decided_it_is_open(events: tuple[ev.Event, ...], words: str) -> None:
    found = service(*events)
    assert verdict(found) is None
    assert pending(found) == words


def test_proved_in_every_pod() -> None:
    assert verdict(service(*PROVED)) == Verdict("web", ExitCode.DONE, "verified aaaaaaaaaaaa in 2 Pods")


def test_a_failure_is_told_at_once_with_its_code() -> None:
    assert verdict(service(*FAILED)) == Verdict("web", ExitCode.BUILD, "it did not", "mend it")


def test_what_is_wanted_again_as_it_was_is_a_failure_until_something_newer_is_saved() -> None:
    """The registry is away: the same cycle is wanted again as soon as it is back."""
    lost = (SAVED, started(1), ended(1, ev.Outcome.FAILED, FailureCode.REGISTRY_UNREACHABLE))
    found = service(*lost)
    assert found.want is not None
    assert verdict(found) == Verdict("web", ExitCode.UNREACHABLE, "it did not", "mend it")
    assert verdict(service(*lost, SAVED)) is None


def test_a_cycle_that_was_stopped_proves_nothing() -> None:
    stopped = service(*PROVED, SAVED, started(2, ev.Trigger.FILES), ended(2, ev.Outcome.STOPPED))
    found = verdict(stopped)
    assert found is not None
    assert (found.code, found.message) == (ExitCode.UNPROVEN, "its newest cycle was stopped")


@pytest.mark.parametrize(("digest", "code"), [(DIGEST, ExitCode.DONE), (OTHER, ExitCode.UNPROVEN)])
def test_drift_counts_where_it_changes_what_the_pods_run(digest: str, code: ExitCode) -> None:
    found = verdict(service(*PROVED, seen(digest), ev.WorkloadDrifted("web", "deployment/web", "kubectl", "scaled")))
    assert found is not None
    assert found.code is code


def test_what_was_restored_is_not_called_proved_while_the_pods_from_before_still_serve() -> None:
    back = ev.WorkloadDrifted("web", "deployment/web", "devloop restore", "restored to what it was", restored=True)
    found = verdict(service(*PROVED, seen(DIGEST), back))
    assert found is not None
    assert found.code is ExitCode.UNPROVEN
    assert found.message == "restored to what it was"
    assert found.hint == "`devloop trigger web`, or a save, lets devloop take over again"
    found = verdict(service(*PROVED, seen(DIGEST), back, ev.ServicePaused("web", paused=True)))
    assert found is not None
    assert found.hint == "`devloop trigger web` lets devloop take over again", "a save would only gather"


def test_scaled_to_nothing_there_is_nothing_to_prove() -> None:
    assert verdict(service(started(1), ended(1, ev.Outcome.APPLIED))) == Verdict(
        "web", ExitCode.DONE, "applied aaaaaaaaaaaa"
    )


def test_only_what_is_paused_waits_for_somebody() -> None:
    paused = ev.ServicePaused("web", True)
    assert way_on(service(*PROVED, paused, SAVED)) == "space on its screen, or `devloop trigger web`"
    assert way_on(service(*PROVED, paused, SAVED, started(2))) == "", "a cycle that runs goes on"
    assert way_on(service(*PROVED, SAVED)) == ""
