"""Every state that matters, at every size that people use."""

import pytest

from tests.tui.snapshot import compare, looks_of, rows_of, text_of
from tests.tui.stage import Stage, on_stage
from tests.tui.states import STATES

SIZES = [(80, 12), (80, 24), (110, 30), (140, 40)]
EXTREMES = [(60, 10), (250, 80)]
"""The smallest and the largest: what counts is there, and the log has half of it."""
LOOKED_AT = (110, 30)
"""The size at which the looks are compared too."""


async def _shot(stage: Stage, size: tuple[int, int]) -> str:
    await stage.resize(*size)
    rows = rows_of(stage.app)
    looks = ["", *looks_of(rows)] if size == LOOKED_AT else []
    return "\n".join([f"── {size[0]} x {size[1]}", *text_of(rows), *looks])


@pytest.mark.parametrize("state", STATES)
async def test_state(state: str) -> None:
    async with on_stage(STATES[state](), SIZES[0]) as stage:
        shots = [await _shot(stage, size) for size in SIZES]
        for size in EXTREMES:
            await _shot(stage, size)
            assert len(stage.screen) == size[1]
            assert " quit " in stage.screen[-1]
            assert stage.app.log_view.size.height * 2 >= size[1] or not stage.app.scene.has_begun
    compare(state, "\n\n".join(shots) + "\n")


@pytest.mark.parametrize(
    ("name", "state", "keys"),
    [
        ("pane_build", "broken_build", "i"),
        ("pane_pods", "rolling_out", "p"),
        ("pane_pods_mismatch", "mismatch", "p"),
        ("pane_history", "mixed", "h"),
        ("pane_why", "verified", "d"),
        ("help_in_the_log", "mixed", "question_mark"),
        ("help_elsewhere", "verified", "p question_mark"),
        ("found", "verified", "slash g e t enter"),
        ("asks_whether_to_quit", "verified", "q"),
    ],
)
async def test_what_keys_show(name: str, state: str, keys: str) -> None:
    async with on_stage(STATES[state](), LOOKED_AT) as stage:
        await stage.press(*keys.split())
        shot = await _shot(stage, LOOKED_AT)
    compare(name, shot + "\n")


async def test_without_unicode() -> None:
    async with on_stage(STATES["mixed"](), LOOKED_AT, plain=True) as stage:
        shot = await _shot(stage, LOOKED_AT)
    assert shot.partition("\n")[2].isascii()
    compare("without_unicode", shot + "\n")


async def test_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with on_stage(STATES["broken_build"](), LOOKED_AT) as stage:
        segments = [segment for row in rows_of(stage.app) for segment in row]
    colours = {c.name for s in segments if s.style for c in (s.style.color, s.style.bgcolor) if c}
    assert colours <= {"default"}
