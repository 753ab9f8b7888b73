"""The answer of `why` on terminals where not all of it has room: what runs comes first, and the rest is found."""

from datetime import UTC

import pytest

from devloop.tui.whytext import why_text
from devloop.views import Phrase
from devloop.views.why import screen_lines
from tests.core.why.scenes import NOW
from tests.core.why.test_newestsave import FAILED, of
from tests.core.why.test_words import ONE_OF_TWO, answer
from tests.tui.snapshot import compare, rows_of, text_of
from tests.tui.stage import Recorder, Stage, on_stage
from tests.tui.states import STATES

ANSWER = screen_lines([answer(of(FAILED, ONE_OF_TWO))], NOW, UTC)
VERDICT = ANSWER[0].text
SIZES = [(80, 12), (80, 24), (110, 30)]


def asked() -> Recorder:
    return Recorder(why_is=ANSWER)


def first_row(stage: Stage) -> str:
    """Of the pane."""
    top = stage.app.query_one("#why").region.y
    return stage.screen[top].rstrip()


@pytest.mark.parametrize("size", SIZES[:2])
async def test_the_first_line_says_what_runs_and_the_last_is_reached(size: tuple[int, int]) -> None:
    async with on_stage(STATES["broken_build"](), size, session=asked()) as stage:
        await stage.press("d")
        assert first_row(stage).startswith(VERDICT[: size[0] - 20])
        told = stage.said("keys") + stage.said("tabs")
        assert " ^f page down " in told
        assert " more lines" in told
        for _ in range(10):
            await stage.press("ctrl+f")
        assert any("web runs aaaaaaaaaaaa" in row for row in stage.screen), "the last link of the chain"
        told = stage.said("keys") + stage.said("tabs")
        assert "page down" not in told
        assert " more line" not in told


async def test_nothing_is_said_of_more_where_all_of_it_is_seen() -> None:
    async with on_stage(STATES["verified"](), (140, 40), session=asked()) as stage:
        await stage.press("d")
        assert "page down" not in stage.said("keys")
        await stage.resize(80, 24)
        assert "page down" in stage.said("keys"), "there is less room"


async def test_at_every_size() -> None:
    shots = []
    async with on_stage(STATES["broken_build"](), SIZES[0], session=asked()) as stage:
        await stage.press("d")
        for size in SIZES:
            await stage.resize(*size)
            shots.append("\n".join([f"── {size[0]} x {size[1]}", *text_of(rows_of(stage.app))]))
    compare("why_long", "\n\n".join(shots) + "\n")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("short", ["short"]),
        ("  ✔ registry tag   web:dev is 12, built", ["  ✔ registry tag", "    web:dev is 12, built"]),
        ("→ kubectl get pods -n shop --watch", ["→ kubectl get pods -n shop --watch"]),
        ("node-cache: Pod one on node1 runs", ["node-cache: Pod one on", "node1 runs"]),
        ("", [""]),
    ],
)  # fmt: skip
def test_what_does_not_fit_goes_on_below_where_it_began(text: str, rows: list[str]) -> None:
    assert why_text([Phrase(text)], 24).plain.split("\n") == rows


async def test_an_answer_from_before_the_newest_cycle_can_be_asked_for_again() -> None:
    async with on_stage(STATES["broken_build"](), session=asked()) as stage:
        await stage.press("d")
        assert "ask again" not in stage.said("keys")
        stage.story.whole("web", "jobs.py")
        await stage.go_on()
        assert " d ask again " in stage.said("keys")
        await stage.press("d")
        assert "ask again" not in stage.said("keys")
        assert stage.session.asked == ["why web", "why web"]
