"""What the panes of the build and of the cycles say."""

from rich.text import Text

from devloop.core import events as ev
from devloop.core.events import HOW, Phase, StepState
from devloop.core.failure import BUILDS_AGAIN, FailureCode
from devloop.core.plan import DELTA
from devloop.tui.panes import build_text, history_text
from tests.core.folding import folded
from tests.tui.stories import Story

_CHOSEN = "full build: the Dockerfile changed"


def _build(story: Story, width: int = 100) -> list[str]:
    state, past = folded(story)
    return _lines(build_text(state.services["web"], past, width))


def _history(story: Story) -> list[str]:
    state, past = folded(story)
    return _lines(history_text(state.services["web"], past, story.now, 120))


def _lines(text: Text) -> list[str]:
    return [line.rstrip() for line in text.plain.split("\n")]


def _how(story: Story, name: str = _CHOSEN, builder: str = "assembled") -> Story:
    number = story.number("web")
    return story.tell(ev.BuildStep("web", number, HOW, name, StepState.DONE, builder=builder))


def _refused(story: Story) -> Story:
    """A build that fails before any step of it."""
    _how(story.begin("web", "Dockerfile")).phase("web", Phase.BUILD, 0.1, ok=False)
    return story.failed("web", FailureCode.BUILD_FAILED, "Dockerfile, line 5: cannot run `RUN make`", "it needs Docker")


def _restart(story: Story) -> Story:
    story.tell(ev.CycleRequested("web", ev.Trigger.KEY, restart=True))
    return story.begin("web", trigger=ev.Trigger.KEY).verified("web")


def test_a_build_that_failed_without_a_step_says_what_failed_and_nothing_of_it_is_ticked() -> None:
    assert _build(_refused(Story("web").whole("web"))) == [
        " cycle 2 · Dockerfile",
        "",
        " ✘ Dockerfile, line 5: cannot run `RUN make`",
        "   → it needs Docker",
        "",
        f" ·    {_CHOSEN}",
    ]


def test_while_the_service_is_paused_no_save_is_promised_to_build_what_failed() -> None:
    story = Story("web").begin("web").phase("web", Phase.BUILD, 0.1, ok=False)
    story.failed("web", FailureCode.BUILD_FAILED, "no such file", f"fix it; {BUILDS_AGAIN}")
    assert f"   → fix it; {BUILDS_AGAIN}" in _build(story)
    story.tell(ev.ServicePaused("web", True))
    assert "   → fix it; resuming it builds what is saved until then" in _build(story)


def test_a_long_reason_goes_on_below_itself() -> None:
    story = Story("web").begin("web").phase("web", Phase.BUILD, 0.1, ok=False)
    reason = " ".join(f"reason {at}" for at in range(20))
    story.failed("web", FailureCode.BUILD_FAILED, reason, "")
    lines = _build(story, 60)
    assert max(map(len, lines)) <= 60
    assert reason in " ".join(" ".join(lines).split())


def test_a_step_that_failed_stands_for_the_whole_build() -> None:
    story = _how(Story("web").begin("web"))
    story.step("web", "[2/2] RUN make", StepState.FAILED, 0.1).output("web", "make: no rule")
    story.phase("web", Phase.BUILD, 0.1, ok=False)
    lines = _build(story.failed("web", FailureCode.BUILD_FAILED, "`RUN make` failed: no rule", "mend it"))
    assert [line.split()[0] for line in lines if line.strip()] == ["cycle", "✘", "make:", "·"]


def test_after_a_restart_the_last_build_is_shown() -> None:
    lines = _build(_restart(Story("web").whole("web", "a.py")))
    assert lines[:3] == [" cycle 2 was a restart without a build", "", " cycle 1 · a.py"]
    assert any("✔" in line and "COPY" in line for line in lines)
    assert _build(_restart(_restart(Story("web").whole("web", "a.py"))))[2] == " cycle 1 · a.py"


def test_after_a_restart_a_build_that_failed_is_still_one_that_failed() -> None:
    lines = _build(_restart(_refused(Story("web").whole("web"))))
    assert lines[2:5] == [" cycle 2 · Dockerfile", "", " ✘ Dockerfile, line 5: cannot run `RUN make`"]


def test_before_any_build_there_is_none() -> None:
    assert _build(Story("web").begin("web")) == [" no build of this service was seen yet"]


def test_while_a_build_begins_the_one_before_is_shown_as_that() -> None:
    lines = _build(Story("web").whole("web", "a.py").begin("web", "b.py"))
    assert lines[:3] == [" no step of the build of cycle 2 was seen yet", "", " cycle 1 · a.py"]


def test_a_layer_that_changed_nothing_took_no_time_anywhere_and_its_line_ends_with_a_word() -> None:
    story = Story("web").begin("web", "a.py")
    story.tell(ev.CycleFinished("web", 1, ev.Outcome.UNCHANGED, "", 0.0, None, DELTA))
    story.whole("web", "b.py")
    assert [line.split()[-2:] for line in _history(story) if "unchanged" in line] == [["a.py", "delta"]]
