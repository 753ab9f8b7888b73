"""The pictures say what the program says now. Those that are stale are made anew by `make pictures`."""

import re
from xml.etree import ElementTree

import pytest
from rich.segment import Segment
from rich.style import Style

from tests.pictures import session, stills
from tests.pictures.frames import Shown, frame_of, joined, lasting
from tests.pictures.place import RECORDING, picture
from tests.pictures.svg import animated, last_words

NAMES = ["script", "session", *stills.STILLS]


def shown(*texts: str, seconds: float = 1.0) -> list[Shown]:
    return [Shown(frame_of([Segment(line)] for line in text.split("\n")), seconds) for text in texts]


def drawn(*texts: str) -> str:
    return animated(shown(*texts), title="bar", said="words & more", columns=20)


def is_as_kept(name: str, svg: str) -> None:
    """The whole of it, looks and times too; the words first, which say best what is stale."""
    kept, how = picture(name).read_text("utf-8"), f"docs/screen/{name}.svg is stale: python -m tests.pictures {name}"
    assert last_words(svg).split("\n") == last_words(kept).split("\n"), how
    if svg != kept:  # a difference of two pictures is nothing to read
        pytest.fail(how)


# what is kept --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", stills.STILLS)
async def test_a_still_is_what_the_screen_shows(name: str) -> None:
    is_as_kept(name, await stills.draw(name))


async def test_the_session_is_what_a_replay_of_its_recording_shows() -> None:
    is_as_kept("session", await session.draw(RECORDING))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_well_formed_and_needs_nothing_from_elsewhere(name: str) -> None:
    svg = picture(name).read_text("utf-8")
    tags = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(svg).iter()}
    assert tags <= {"svg", "title", "style", "defs", "g", "rect", "path", "circle", "text", "use"}
    assert set(re.findall(r'href="(.)', svg)) <= {"#"}
    assert "url(" not in svg
    assert len(svg) < 300_000


# how they are made ---------------------------------------------------------------------------------------------------


def test_a_row_is_there_while_its_frames_are() -> None:
    svg = drawn("stays\nleaves", "stays\ncomes", "stays", "stays\nleaves")
    assert re.findall(r">(\w+)</text>", svg) == ["stays", "leaves", "comes", "bar"]
    leaves, comes = "0.00%{v}25.00%{h}75.00%{v}", "0.00%{h}25.00%{v}50.00%{h}"
    for stops in (leaves, comes):
        told = stops.replace("{v}", "{visibility:visible}").replace("{h}", "{visibility:hidden}")
        assert f"{{{told}}}" in svg
    assert svg.count("@keyframes") == 2


def test_without_motion_the_last_frame_is_there() -> None:
    assert last_words(drawn("first\nsecond", "$ <first> & so on\n\nthird")) == "$ <first> & so on\nthird"
    assert last_words(drawn("one", "two", "one")) == "one"


def test_the_same_row_is_drawn_once() -> None:
    svg = drawn("again", "\nagain", "\n\nagain")
    assert svg.count(">again</text>") == 1
    assert svg.count('href="#r0"') == 3


def test_what_looks_alike_is_one_run_at_its_column() -> None:
    (row,) = frame_of([[Segment("a "), Segment("b"), Segment("✔", Style(bold=True)), Segment("  ")]])
    assert [(run.column, run.width, run.text, run.look.bold) for run in row] == [
        (0, 3, "a b", False),
        (3, 1, "✔", True),
    ]


def test_what_nobody_would_see_is_left_out_and_no_time_is_lost() -> None:
    quick, slow = shown("a", "b", seconds=0.01), shown("c", "c", "d")
    assert [(each.frame, each.seconds) for each in joined([*quick, *slow], 0.05)] == [
        (slow[0].frame, pytest.approx(2.02)), (slow[2].frame, 1.0),
    ]  # fmt: skip


def test_words_last_without_what_the_next_run_says_otherwise() -> None:
    first = "http://127.0.0.1:4711/ is\n  84e38334767b after 2.9 s in /tmp/x/devloop-demo"
    assert lasting(first) == "http://ADDRESS/ is DIGEST after N s in FOLDER"
