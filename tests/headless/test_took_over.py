"""The line in the plain output between the Pod logs of the old code and those of the new."""

import pytest

from devloop.core import events as ev
from devloop.headless.plain import PlainRenderer

RULE = "── new code: run.sh +1 · cycle 2 "


def lines(*, trigger: ev.Trigger, outcome: ev.Outcome, pod_logs: bool = True) -> list[str]:
    """What a second cycle of `web` says."""
    renderer = PlainRenderer(pod_logs=pod_logs)
    events = [
        ev.SessionStarted(ev.PROTOCOL, "1", "kind-x", "shop", ("web",)),
        ev.CycleStarted("web", 2, trigger, 2, ("run.sh", "a.py")),
        ev.WorkloadPatched("web", 2, "deployment/web", ()),
        ev.CycleFinished("web", 2, outcome, "sha256:" + "1" * 64, 1.0, None),
    ]
    return [line for event in events for line in renderer.lines(ev.Record(0.0, event))]


def test_a_verified_cycle_draws_the_line_last() -> None:
    (*_, before, rule) = lines(trigger=ev.Trigger.FILES, outcome=ev.Outcome.VERIFIED)
    assert "VERIFIED" in before
    assert RULE in rule
    assert rule.endswith("───")


@pytest.mark.parametrize(
    ("trigger", "outcome", "pod_logs"),
    [
        (ev.Trigger.FILES, ev.Outcome.VERIFIED, False),
        (ev.Trigger.FILES, ev.Outcome.UNCHANGED, True),
        (ev.Trigger.FILES, ev.Outcome.SUPERSEDED, True),
        (ev.Trigger.DRIFT, ev.Outcome.VERIFIED, True),
    ],
)
def test_no_line_where_no_new_code_came_or_no_logs_are_shown(
    trigger: ev.Trigger, outcome: ev.Outcome, pod_logs: bool
) -> None:
    assert not [line for line in lines(trigger=trigger, outcome=outcome, pod_logs=pod_logs) if "new code" in line]
