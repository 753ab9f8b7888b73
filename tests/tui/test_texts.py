"""Parts of the screen at any width: nothing is wider than it may be, and what matters most is cut last."""

import pytest
from rich.style import Style

from devloop.core import events as ev
from devloop.tui import texts
from devloop.tui.keys import Where, foot
from devloop.views.band import Band
from tests.core.folding import folded
from tests.tui.states import STATES

WIDTHS = (60, 80, 110, 250)
HEIGHTS = (10, 24, 40)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("height", HEIGHTS)
def test_nothing_is_wider_than_the_screen(state: str, width: int, height: int) -> None:
    story = STATES[state]()
    known = folded(story)
    parts = [
        texts.status_text(*known, story.now, width, height),
        texts.services_text(*known, story.now, next(iter(known[0].services)), width, height),
        texts.checks_text(known[0], width, height),
        texts.keys_text(foot(Where()), "match 3 of 17", width),
    ]
    for part in parts:
        assert max(line.cell_len for line in part.split("\n", allow_blank=True)) <= width, part.plain


LONG = Band(
    "worker", "build", "[3/3] RUN python -m compileall -q . && python -m pytest -q tests/unit tests/integration",
    "jobs.py:41  SyntaxError: '(' was never closed (exit code 1)", "mend it; the next save builds again", "jobs.py", 41,
)  # fmt: skip
KEYS = [("e", "edit"), ("i", "build")]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("height", HEIGHTS)
def test_the_decisive_line_and_the_keys_are_whole(width: int, height: int) -> None:
    text = texts.band_text(LONG, KEYS, width, height, several=True).plain
    assert " ".join(text.split()).find("SyntaxError: '(' was never closed (exit code 1)") > 0
    assert max(map(len, text.split("\n"))) <= width
    assert ("e edit" in text) or texts.is_low(height)


def test_what_failed_is_cut_before_the_line_that_tells_why() -> None:
    first, second, hint = texts.band_text(LONG, KEYS, 80, 24, several=True).plain.split("\n")
    assert first.startswith(" ✘ worker build  [3/3] RUN python -m compileall")
    assert first.endswith("…  e edit  i build ")
    assert second == "   jobs.py:41  SyntaxError: '(' was never closed (exit code 1)"
    assert hint == "   → mend it; the next save builds again"


def test_a_sentence_without_a_reason_goes_on_in_a_second_line() -> None:
    what = "no Pod is ready, so nothing proves which image runs, and nothing else is known of it at all"
    lines = texts.band_text(Band("web", "verify", what), [], 60, 24, several=False).plain.split("\n")
    assert " ".join("".join(lines).split()).endswith("known of it at all")


def test_a_line_that_is_too_long_for_two_ends_with_a_sign() -> None:
    lines = texts.band_text(Band("web", "build", "RUN x", "x " * 200), [], 60, 24, several=False).plain.split("\n")
    assert len(lines) == 3
    assert lines[2].endswith("…")


def test_how_many_more_failed() -> None:
    text = texts.band_text(Band("web", "build", "RUN x", others=2), [], 80, 24, several=True).plain
    assert text.startswith(" ✘ web build (+2 more)  RUN x")


def test_the_headline_leaves_out_what_matters_least() -> None:
    story = STATES["verified"]()
    known = folded(story)
    wide = texts.status_text(*known, story.now, 110, 30).plain
    assert wide.strip() == "VERIFIED server.py +2 · saved 14:02:03 · live 14:02:05 (1.8s) · 3/3 Pods"
    assert "saved" not in texts.status_text(*known, story.now, 70, 30).plain
    assert texts.status_text(*known, story.now, 50, 30).plain.strip() == "VERIFIED server.py +2 · live 14:02:05 (1.8s)"


def test_what_is_away_is_never_left_out() -> None:
    story = STATES["lost"]()
    for width in (60, 80, 110):
        assert texts.status_text(*folded(story), story.now, width, 10).plain.endswith("! cluster away ")


def _services(state: str, chosen: str, width: int, height: int, taken: int = 4) -> list[str]:
    story = STATES[state]()
    return texts.services_text(*folded(story), story.now, chosen, width, height, taken).plain.split("\n")


def test_at_80_by_24_there_are_five_rows_and_the_others_are_counted() -> None:
    lines = _services("thirty", "service-01", 80, 24)
    assert len(lines) == 6
    assert lines[0].startswith(" service-23")
    assert lines[5].strip() == "+25 verified"


def test_the_chosen_one_is_always_shown() -> None:
    assert any(line.startswith(">service-30") for line in _services("thirty", "service-30", 80, 24))
    assert [line.strip() for line in _services("thirty", "service-30", 80, 12)] == [
        ">service-30  VERIFIED 1/1     live 14:00:51"
    ]


def test_what_is_fine_takes_few_rows_unless_there_is_room_for_all() -> None:
    assert len(_services("thirty", "service-01", 200, 50)) == 6
    assert len(_services("thirty", "service-01", 200, 80)) == 30
    assert len(_services("five_verified", "web", 200, 50)) == 5


def test_the_keys_that_matter_most_are_kept() -> None:
    where = Where(busy=True, editable=True, following=False)
    for width in (40, 60, 80):
        text = texts.keys_text(foot(where), "", width).plain
        assert len(text) <= width
        assert " e edit" in text
        assert text.rstrip().endswith("q quit")
    assert "S shell" not in texts.keys_text(foot(where), "", 80).plain
    assert "S shell" in texts.keys_text(foot(where), "", 140).plain


def test_what_can_be_clicked_has_its_action() -> None:
    text = texts.tabs_text([("l", "logs"), ("p", "pods")], "logs", "web", "following", 80)
    actions = [span.style.meta["@click"] for span in text.spans if isinstance(span.style, Style)]
    assert actions == ["app.pane('logs')", "app.pane('pods')"]


@pytest.mark.parametrize("width", [80, 100])
def test_what_waits_and_what_runs_are_told_whole_of_a_service_that_failed_and_is_paused(width: int) -> None:
    story = STATES["mixed"]().tell(ev.ServicePaused("worker", True)).wait(2)
    story.saved("worker", "jobs.py").hold("worker", ev.HoldCode.PAUSED, "", "paused")
    table = texts.services_text(*folded(story), story.now, "worker", width, 30, 4).plain.split("\n")
    assert table[0].startswith(">worker  FAILED, paused ")
    assert table[0].rstrip().endswith("  1 file waits; runs your 14:01 save")


def test_where_there_is_room_a_row_is_told_in_all_its_words() -> None:
    story = STATES["mixed"]().tell(ev.ServicePaused("worker", True)).wait(2)
    story.saved("worker", "jobs.py").hold("worker", ev.HoldCode.PAUSED, "", "paused")
    first, *_ = texts.services_text(*folded(story), story.now, "worker", 140, 30, 4).plain.split("\n")
    assert first.rstrip().endswith("  1 saved file waits; the cluster runs your 14:01 save")
