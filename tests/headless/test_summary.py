"""The last words about each service at the end of a session."""

import pytest

from devloop.core import events as ev
from devloop.core.failure import Failure, FailureCode
from devloop.core.reducer import fold
from devloop.views import failed_checks, summary

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
STARTED = ev.SessionStarted(ev.PROTOCOL, "1", "kind-x", "shop", ("web",))


def began(cycle: int) -> ev.CycleStarted:
    return ev.CycleStarted("web", cycle, ev.Trigger.FILES)


def patched(cycle: int, digest: str) -> list[ev.Event]:
    return [
        began(cycle),
        ev.ImagePushed("web", cycle, "r/web:dev", "r/web:dev", digest, (digest,)),
        ev.PhaseStarted("web", cycle, ev.Phase.ROLLOUT),
        ev.WorkloadPatched("web", cycle, "deployment/web", ()),
    ]


def over(cycle: int, outcome: ev.Outcome, digest: str = "", failure: Failure | None = None) -> ev.CycleFinished:
    return ev.CycleFinished("web", cycle, outcome, digest, 1.0, failure)


BACK = "restored to what it was before devloop: r/web:v1 under Always"
RESTORED = ev.WorkloadDrifted("web", "deployment/web", "devloop restore", BACK, restored=True)
VERIFIED = [*patched(1, OLD), over(1, ev.Outcome.VERIFIED, OLD)]
STOPPED = [*patched(2, NEW), over(2, ev.Outcome.STOPPED)]
BROKEN_BUILD = [began(3), over(3, ev.Outcome.FAILED, "", Failure(FailureCode.BUILD_FAILED, "no such file"))]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], "web: nothing was rolled out"),
        (VERIFIED, "web: verified aaaaaaaaaaaa"),
        (STOPPED, "web: bbbbbbbbbbbb was rolled out but not proved"),
        ([*VERIFIED, RESTORED], f"web: {BACK}"),
        ([*VERIFIED, *STOPPED, RESTORED], f"web: {BACK}"),
        ([*VERIFIED, *BROKEN_BUILD, RESTORED], f"web: {BACK}; before that it had failed: no such file"),
        ([*VERIFIED, RESTORED, *patched(2, NEW), over(2, ev.Outcome.VERIFIED, NEW)], "web: verified bbbbbbbbbbbb"),
        ([*VERIFIED, *STOPPED], "web: bbbbbbbbbbbb was rolled out but not proved"),
        (
            [*VERIFIED, *BROKEN_BUILD],
            "web: failed: no such file; the cluster still runs aaaaaaaaaaaa of cycle 1",
        ),
        (
            [*VERIFIED, *STOPPED, *BROKEN_BUILD],
            "web: failed: no such file; bbbbbbbbbbbb was rolled out but not proved",
        ),
    ],
)
def test_the_session_says_how_it_leaves_a_service(events: list[ev.Event], words: str) -> None:
    state = fold(ev.Record(float(second), event) for second, event in enumerate([STARTED, *events]))
    assert [phrase.text for phrase in summary(state)] == [words]


def test_why_a_session_did_not_begin_is_told_with_what_to_do() -> None:
    checks = [
        ev.CheckFinished("cluster", True, "answers"),
        ev.CheckFinished("registry of r/web", False, "r cannot be reached", "start it", "registry_unreachable"),
    ]
    state = fold(ev.Record(0.0, event) for event in (STARTED, *checks))
    assert [phrase.text for phrase in failed_checks(state)] == ["FAILED check: r cannot be reached", "→ start it"]
