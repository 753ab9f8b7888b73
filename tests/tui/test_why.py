"""The answer of `why` on terminals where not all of it has room: what runs comes first, and the rest is found."""

from collections.abc import Callable
from datetime import UTC

import pytest

from devloop.core.events import WorkloadDrifted
from devloop.tui.whytext import why_text
from devloop.views import Phrase
from devloop.views.times import clock
from devloop.views.why import screen_lines
from tests.core.why.scenes import NOW
from tests.core.why.test_newestsave import FAILED, of
from tests.core.why.test_words import ONE_OF_TWO, answer
from tests.tui.snapshot import compare, rows_of, text_of
from tests.tui.stage import Recorder, Stage, on_stage
from tests.tui.states import STATES
from tests.tui.stories import Story

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


async def test_an_answer_from_before_a_cycle_that_runs_says_so_and_can_be_asked_for_again() -> None:
    async with on_stage(STATES["broken_build"](), session=asked()) as stage:
        await stage.press("d")
        assert "ask again" not in stage.said("keys")
        at = clock(stage.story.now)
        stage.story.wait(5).begin("web", "jobs.py")
        await stage.go_on()
        assert first_row(stage).strip() == f"asked {at}; since then cycle 4 began (d asks again)"
        assert " d ask again " in stage.said("keys")
        await stage.press("d")
        assert first_row(stage).startswith(VERDICT[:80])
        assert "ask again" not in stage.said("keys")
        assert stage.session.asked == ["why web", "why web"]


def _ends(story: Story) -> None:
    story.whole("web", "jobs.py")


def _is_restored(story: Story) -> None:
    story.tell(WorkloadDrifted("web", "deployment/web", "devloop restore", "restored", restored=True))


@pytest.mark.parametrize("happens", [_ends, _is_restored])
async def test_who_looks_at_the_answer_gets_a_new_one_when_something_is_settled(
    happens: Callable[[Story], None],
) -> None:
    async with on_stage(STATES["broken_build"](), session=asked()) as stage:
        await stage.press("d")
        happens(stage.story)
        await stage.go_on()
        assert stage.session.asked == ["why web", "why web"], "once for each"
        assert first_row(stage).startswith(VERDICT[:80])
        assert "ask again" not in stage.said("keys")
        await stage.press("l")
        happens(stage.story.wait(1))
        await stage.go_on()
        assert len(stage.session.asked) == 2, "nobody looks at it"
        await stage.app.run_action("pane('why')")
        await stage.settle()
        assert len(stage.session.asked) == 3, "what is older is asked for before it is shown"


async def test_after_a_restore_it_is_asked_again_when_the_pods_are_there() -> None:
    async with on_stage(STATES["restored"](), session=asked()) as stage:
        stage.story.pods("web", 1, 3, old=2)
        await stage.go_on()
        await stage.press("d")
        for ready, old, times in ((2, 1, 1), (3, 1, 2), (3, 0, 3), (3, 0, 3)):
            stage.story.wait(1).pods("web", ready, 3, old=old)
            await stage.go_on()
            assert len(stage.session.asked) == times, (ready, old)
        assert "ask again" not in stage.said("keys")
