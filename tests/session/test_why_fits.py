"""The lines of `why` on a terminal: none is broken within a word, and what mends something can be copied."""

import os

import pytest

from devloop.session.why import command
from tests.core.why.test_newestsave import FAILED, of
from tests.core.why.test_words import ONE_OF_TWO, answer

ANSWERS = [answer(of(FAILED, ONE_OF_TWO))]


def lines(monkeypatch: pytest.MonkeyPatch, columns: int) -> list[str]:
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, 24)))
    return command._lines(ANSWERS, as_json=False, table=False)


def test_on_a_narrow_terminal_every_line_fits_but_what_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow, wide = lines(monkeypatch, 50), lines(monkeypatch, 200)
    commands = [line for line in narrow if line.startswith("→ ")]
    assert commands == [line for line in wide if line.startswith("→ ")]
    assert [line for line in narrow if len(line) > 50 and line not in commands] == []
    assert " ".join(" ".join(narrow).split()) == " ".join(" ".join(wide).split())
    assert len(narrow) > len(wide)
