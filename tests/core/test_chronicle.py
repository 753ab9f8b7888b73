"""What the state forgets: cycles, steps, what was written, how old Pods are."""

import pytest

from devloop.core import events as ev
from devloop.core.events import Outcome, Phase, StepState
from devloop.views.chronicle import KEPT, LINES, Chronicle, sparkline
from tests.core.folding import folded
from tests.tui.stories import Story


def past_of(story: Story) -> Chronicle:
    return folded(story)[1]


def test_cycles_that_ended_oldest_first() -> None:
    story = Story("web").whole("web").whole("web", "a.py").begin("web", "b.py")
    assert [cycle.number for cycle in past_of(story).cycles("web")] == [1, 2]
    assert past_of(story).cycles("no such service") == ()


def test_superseded_and_stopped_ones_are_past_and_not_what_is_usual() -> None:
    story = Story("web").whole("web")
    for outcome in (Outcome.SUPERSEDED, Outcome.STOPPED):
        story.begin("web", "a.py").finished("web", outcome)
    past = past_of(story)
    assert [cycle.number for cycle in past.cycles("web")] == [1, 2, 3]
    assert past.usual("web") is None


def test_only_so_many_are_remembered() -> None:
    story = Story("web")
    for _ in range(KEPT + 3):
        story.begin("web").finished("web", Outcome.VERIFIED)
    cycles = past_of(story).cycles("web")
    assert (len(cycles), cycles[-1].number) == (KEPT, KEPT + 3)


def test_what_is_usual_is_the_median_of_what_was_verified() -> None:
    story = Story("web").whole("web", took=(60.0, 0.1, 1.2, 0.1))
    assert past_of(story).usual("web") is None
    story.whole("web", took=(1.0, 0.1, 1.2, 0.1)).whole("web", took=(2.0, 0.1, 1.2, 0.1))
    story.begin("web").phase("web", Phase.BUILD, 9.0, ok=False).finished("web", Outcome.FAILED)
    assert past_of(story).usual("web") == pytest.approx(3.4)
    assert past_of(story).usual_phases("web")[Phase.BUILD] == pytest.approx(2.0)


def test_steps_are_those_of_the_newest_build() -> None:
    story = Story("web").begin("web").step("web", "RUN a", StepState.DONE).step("web", "RUN b", StepState.STARTED)
    late = ev.BuildStep("web", 1, "RUN a", "RUN a", StepState.CANCELLED)
    story.begin("web").step("web", "RUN a", StepState.STARTED).step("web", "RUN a", StepState.FAILED).tell(late)
    steps = past_of(story).steps("web")
    assert (steps.cycle, [(step.name, step.state) for step in steps.steps.values()]) == (
        2, [("RUN a", StepState.FAILED)]
    )  # fmt: skip
    assert steps.failed is not None


def test_what_a_build_wrote_is_forgotten_with_the_next() -> None:
    story = Story("web").begin("web").output("web", *(f"line {at}" for at in range(LINES + 5)))
    assert past_of(story).output("web")[0] == "line 5"
    story.begin("web").output("web", "anew")
    assert past_of(story).output("web") == ("anew",)


def test_last_words_are_those_of_a_container_that_ended() -> None:
    story = Story("web").begin("web").log("web", "while it ran").log("web", "KeyError", cycle=1)
    assert past_of(story).last_words("web") == ("KeyError",)


def test_a_stopped_cycle_is_given_up_until_another_begins() -> None:
    story = Story("web").begin("web", "a.py").finished("web", Outcome.STOPPED)
    given_up = past_of(story).given_up("web")
    assert given_up is not None
    assert given_up.files == ("a.py",)
    assert past_of(story.begin("web")).given_up("web") is None


def test_how_old_a_pod_is() -> None:
    story = Story("web").begin("web").pods("web", 1, 1)
    old = story.pod("web")
    story.wait(60).begin("web").pods("web", 1, 1, old=1).wait(7)
    past, new = past_of(story), story.pod("web")
    assert (past.age("web", old, story.now), past.age("web", new, story.now)) == (">1m", "7s")
    assert past.age("web", "no such Pod", story.now) == "0s"


def test_a_service_that_is_removed_is_forgotten() -> None:
    story = Story("web").whole("web").output("web", "x").tell(ev.ServiceRemoved("web"))
    past = past_of(story)
    assert (past.cycles("web"), past.output("web"), past.age("web", story.pod("web"), story.now)) == ((), (), "0s")


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([1.0, 1.0], ""),
        ([2.0, 2.0, 2.0], "▅▅▅"),
        ([1.0, 2.0, 3.0, 2.0], "▃▅▆▅"),
        ([60.0, 2.0, 2.0], "█▅▅"),
        ([0.0, 0.0, 0.0], "▁▁▁"),
    ],
)
def test_bars_show_what_is_usual_at_half_height(values: list[float], bars: str) -> None:
    assert sparkline(values) == bars


def test_bars_of_the_last_ones() -> None:
    assert len(sparkline([1.0] * 100)) == 12
