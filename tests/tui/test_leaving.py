"""Back, and out: Escape never quits, `q` asks once and only at the root, Ctrl-C always quits."""

import pytest

from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.tui.dialogs import Sure
from devloop.tui.talk import Ended
from tests.tui.stage import Stage, on_stage
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
