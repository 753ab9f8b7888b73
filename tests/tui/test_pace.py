"""When the screen is painted, and that nothing is drawn while nothing changes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

import looptime
import pytest
from textual.app import App
from textual.widgets import Static

from devloop.tui.pace import RATE, Pace
from tests.tui.stage import on_stage
from tests.tui.states import STATES


class Painted:
    """Stands in for an app: writes down when it was painted."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def paint(self) -> None:
        self.times.append(asyncio.get_running_loop().time())

    def call_later(self, callback: Callable[[], None]) -> None:
        callback()


def painted(scenario: Callable[[Pace], Awaitable[None]]) -> list[float]:
    """When it was painted in a scenario of one second that passes at once."""
    app: Any = Painted()
    loop = looptime.new_event_loop(start=0)

    async def whole() -> None:
        await scenario(Pace(app, app.paint))
        await asyncio.sleep(1)

    try:
        loop.run_until_complete(whole())
    finally:
        loop.close()
    return list(app.times)


def test_the_first_change_is_painted_at_once_and_many_are_one() -> None:
    async def scenario(pace: Pace) -> None:
        for _ in range(100):
            pace.due()

    assert painted(scenario) == [0.0]


def test_changes_that_do_not_end_are_painted_at_the_rate() -> None:
    async def scenario(pace: Pace) -> None:
        for _ in range(100):
            pace.due()
            await asyncio.sleep(0.01)

    assert painted(scenario) == pytest.approx([at / RATE for at in range(RATE + 1)])


def test_a_change_after_a_while_does_not_wait() -> None:
    async def scenario(pace: Pace) -> None:
        pace.due()
        await asyncio.sleep(0.55)
        pace.due()

    assert painted(scenario) == [0.0, 0.55]


async def test_what_says_the_same_is_not_drawn_again() -> None:
    drawn: list[Static] = []
    update = Static.update

    def watched(static: Static, *args: Any, **options: Any) -> None:
        drawn.append(static)
        update(static, *args, **options)

    async with on_stage(STATES["verified"]()) as stage:
        for pane in ("i", "p", "h", "l"):
            await stage.press(pane)
            with patch.object(Static, "update", watched), patch.object(App, "refresh", None):
                stage.app.paint()
            assert drawn == [], f"on {pane}"
