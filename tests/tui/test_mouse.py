"""By mouse: a service, a tab, a key at the foot."""

from devloop.core.commands import Rebuild
from tests.tui.stage import Stage, on_stage
from tests.tui.states import STATES


async def _click(stage: Stage, part: str, text: str) -> None:
    """Click on a word of a part of the screen."""
    rows = stage.said(part).split("\n")
    y = next(at for at, row in enumerate(rows) if text in row)
    await stage.pilot.click(f"#{part}", offset=(rows[y].index(text) + 1, y))
    await stage.settle()


async def test_a_click_on_a_row_chooses_the_service() -> None:
    async with on_stage(STATES["five_verified"]()) as stage:
        await _click(stage, "services", "worker")
        assert stage.app.chosen == "worker"
        await stage.pilot.click("#services", offset=(100, 1))  # beside its words too
        await stage.settle()
        assert stage.app.chosen == "api"


async def test_a_click_on_a_tab_opens_it() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        for pane in ("pods", "history", "build", "logs"):
            await _click(stage, "tabs", pane)
            assert stage.app.pane == pane


async def test_a_click_on_a_key_presses_it() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        await _click(stage, "keys", "build now")
        assert stage.session.sent == [Rebuild("web")]


async def test_the_wheel_stops_following_and_its_end_follows_again() -> None:
    story = STATES["verified"]()
    story.log("web", *(f"line {number}" for number in range(100)))
    async with on_stage(story) as stage:
        view = stage.app.log_view
        view.scroll_relative(y=-3, animate=False, immediate=True)
        assert not view.following
        view.scroll_relative(y=3, animate=False, immediate=True)
        assert view.following


async def test_one_key_frees_the_mouse_and_takes_it_back() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        await stage.press("m", "m")
        assert stage.app.told == ["the mouse selects text; m takes it back", "the mouse is taken back"]
