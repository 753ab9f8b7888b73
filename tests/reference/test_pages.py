"""The committed pages are what the program says of itself now."""

from enum import Enum

import pytest

from devloop.cli import main
from tests.reference.docstrings import Docstrings, first_sentence, parted
from tests.reference.markdown import WIDTH, filled, paragraph, table
from tests.reference.pages import DOCS, PAGES, as_it_should_be


class Word(Enum):
    """Words of a test."""

    TOLD = "told"
    """It is told
    on two lines."""
    UNTOLD = "untold"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_program_says_now(name: str) -> None:
    committed = (DOCS / name).read_text("utf-8")
    assert committed == as_it_should_be(name), f"docs/{name} is out of date: run `make reference`"


def test_every_command_says_how_it_exits() -> None:
    trivial = {"schema", "completion"}
    silent = {name for name, command in main.commands.items() if "Exits " not in (command.help or "")}
    assert silent == trivial


def test_a_block_is_written_anew_and_the_rest_stays() -> None:
    page = "a\n<!-- generated: x y -->\nold\n<!-- end -->\nb\n"
    assert filled(page, {"x y": "new\n"}) == page.replace("old", "new")


@pytest.mark.parametrize("blocks", [{}, {"x": "", "y": ""}], ids=["one that nothing makes", "one without a place"])
def test_blocks_and_places_belong_together(blocks: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"lacks a place for .*; nothing makes"):
        filled("<!-- generated: x -->\n<!-- end -->\n", blocks)


def test_what_has_no_docstring_is_named() -> None:
    told = Docstrings(Word)
    assert told["TOLD"] == "It is told on two lines."
    with pytest.raises(LookupError, match=r"Word\.UNTOLD has no docstring"):
        told["UNTOLD"]


def test_a_fix_is_a_sentence_of_its_own() -> None:
    assert parted("It is off. It was on. Fix: turn it on.") == ("It is off. It was on.", "Turn it on.")
    assert parted("It is off.") == ("It is off.", "")
    assert first_sentence("It is off. It was on.") == "It is off."


def test_a_cell_holds_a_bar_and_an_empty_one_is_short() -> None:
    assert table(("a", "b"), [("x|y", "")]) == "| a | b |\n|---|---|\n| x\\|y | |\n"


def test_a_command_is_never_broken_over_two_lines() -> None:
    words = "word " * (WIDTH // 5 - 2)
    assert "`devloop up`" in paragraph(f"{words}`devloop up`").splitlines()[-1]
