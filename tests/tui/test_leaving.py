"""Back, and out: Escape never quits, `q` asks once and only at the root, Ctrl-C always quits."""

import pytest

from devloop.core.events import Outcome
from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.tui.dialogs import Sure
from devloop.tui.keys import KEYS
from devloop.tui.talk import Ended
from tests.tui.stage import Recorder, Stage, on_stage
from tests.tui.states import STATES

REFUSED = Failure(FailureCode.CONTEXT_REFUSED, "the context `prod` does not look like a development cluster", "")


@pytest.mark.parametrize("yes", ["y", "enter", "q"])
async def test_q_asks_once_and_ends_with_0(yes: str) -> None:
    async with on_stage(STATES["verified"]()) as stage:
        await stage.press("q")
        assert isinstance(stage.app.screen, Sure)
        assert stage.session.asked == []
        await stage.press(yes)
    assert stage.app.return_value == Ended(ExitCode.DONE)


@pytest.mark.parametrize("no", ["n", "escape"])
async def test_q_and_no_goes_on(no: str) -> None:
    async with on_stage(STATES["verified"]()) as stage:
        await stage.press("q", no)
        assert stage.session.asked == []
        assert not isinstance(stage.app.screen, Sure)


async def test_q_is_no_yes_to_another_question() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        await stage.press("R", "q", "r", "q")
        assert (stage.session.asked, stage.session.sent, len(stage.app.screen_stack)) == ([], [], 1)


async def test_q_is_back_where_there_is_a_way_back() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        await stage.press("h", "q")
        assert (stage.app.pane, len(stage.app.screen_stack)) == ("logs", 1)


async def test_escape_undoes_one_thing_at_a_time_and_never_quits() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        await stage.press("v", "slash", *"get", "enter", "i")
        for pane, needle, level in (("logs", "get", "info"), ("logs", "", "info"), ("logs", "", None)):
            await stage.press("escape")
            app = stage.app
            assert (app.pane, app.log_view.finder.needle, app.level) == (pane, needle, level)
        await stage.press("escape", "escape", "escape")
        assert (len(stage.app.screen_stack), stage.session.asked) == (1, [])


async def test_ctrl_c_quits_also_from_a_question() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        await stage.press("slash", "x", "ctrl+c")
        assert stage.session.asked == ["quit 130"]


async def test_ctrl_c_quits_before_there_is_a_session() -> None:
    async with on_stage(STATES["checks_running"]()) as stage:
        stage.app.session = None
        await stage.press("ctrl+c")
    assert stage.app.return_value == Ended(ExitCode.INTERRUPTED)


class Lasting(Recorder):
    """Ends later than it is asked to, as a session does that puts workloads back."""

    def quit(self, code: ExitCode | None) -> None:
        self.asked.append(f"quit {code}")


ACTING = [name for key in KEYS if key.action not in {"leave", "interrupt"} for name in key.keys.split(",")]


@pytest.mark.parametrize("state", ["broken_build", "mixed", "looking_on", "building"])
async def test_no_key_begins_anything_while_the_session_ends(state: str) -> None:
    async with on_stage(STATES[state](), session=Lasting()) as stage:
        await stage.press("q", "enter")
        app, session = stage.app, stage.session
        before = ["quit None"], [*session.sent], [*app.told], app.pane, [*app.screen_stack], app.theme
        assert session.asked == ["quit None"]
        for key in ACTING:
            await stage.press(key)
            now = session.asked, session.sent, app.told, app.pane, app.screen_stack, app.theme
            assert now == before, key
        await stage.press("ctrl+c")
        assert session.asked == ["quit None", "quit 130"], "asked once more, it ends at once"


@pytest.mark.parametrize("key", ["R", "r", "t"])
async def test_a_yes_does_nothing_any_more_once_a_signal_ends_the_session(key: str) -> None:
    async with on_stage(STATES["looking_on"](), session=Lasting()) as stage:
        await stage.press(key)
        assert isinstance(stage.app.screen, Sure)
        stage.app.quit(ExitCode.TERMINATED)
        await stage.press("y")
        assert (stage.session.asked, stage.session.sent) == (["quit 143"], [])


async def test_why_is_not_asked_again_by_what_ends_with_the_session() -> None:
    async with on_stage(STATES["building"](), session=Lasting()) as stage:
        await stage.press("d")
        stage.app.quit(None)
        stage.story.finished("web", Outcome.STOPPED)
        await stage.go_on()
        assert stage.session.asked == ["why web", "quit None"]


async def _asked(stage: Stage, *keys: str) -> bool:
    asking = stage.app.run_worker(stage.app.confirm("prod", REFUSED))
    await stage.settle()
    assert any("the context `prod` does not look like" in row for row in stage.screen)
    await stage.press(*keys)
    await asking.wait()
    return bool(asking.result)


async def test_a_refused_context_is_allowed_by_its_whole_name() -> None:
    async with on_stage(STATES["checks_running"]()) as stage:
        assert await _asked(stage, *"prod", "enter")
        assert not await _asked(stage, *"pro", "enter")
        assert not await _asked(stage, "enter")
        assert not await _asked(stage, "escape")
