"""What a flood of log lines costs: a line that nobody sees is neither read nor kept for ever."""

from typing import Any
from unittest.mock import patch

from devloop.tui.ring import KEPT
from devloop.views import loglines
from tests.tui.stage import Stage, on_stage
from tests.tui.states import STATES


def flood(stage: Stage, count: int, word: str) -> None:
    stage.story.log("web", *(f'{{"msg":"{word} {number}"}}' for number in range(count)))


async def test_only_lines_that_are_shown_are_read() -> None:
    said = loglines._said
    texts: list[str] = []

    def watched(text: str) -> Any:
        texts.append(text)
        return said(text)

    async with on_stage(STATES["verified"]()) as stage:
        with patch.object(loglines, "_said", watched):
            flood(stage, 5_000, "line")
            await stage.go_on()
        assert any("line 4999" in row for row in stage.screen)
    assert 0 < len(texts) < 100


async def test_the_newest_lines_are_shown_also_where_as_many_went_as_came() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        earlier = len(stage.app.ring("web"))
        flood(stage, KEPT - earlier, "first")
        await stage.go_on()
        flood(stage, KEPT // 10 + 1, "second")
        await stage.go_on()
        assert len(stage.app.log_view.lines) == KEPT
        assert any(f"second {KEPT // 10}" in row for row in stage.screen)


async def test_lines_that_come_while_another_program_has_the_terminal_are_bounded_too() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        stage.app.is_away = True
        for number in range(3):
            flood(stage, KEPT, f"round {number}")
            await stage.go_on()
        assert len(stage.app.scene._fresh) < 1.2 * KEPT
        stage.app.is_away = False
        await stage.settle()
        assert len(stage.app.log_view.lines) < 1.2 * KEPT
        assert any(f"round 2 {KEPT - 1}" in row for row in stage.screen)
