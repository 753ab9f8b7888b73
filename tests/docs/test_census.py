"""No example escapes: a block with commands runs in a walk, or it is named, with the reason, as one that does not."""

import pytest

from tests.docs.blocks import BLOCKS, SHELL
from tests.docs.notrun import NOT_RUN
from tests.docs.shown import ANY, in_order, is_shown, says
from tests.docs.test_walks import WALKED

RUNNABLE = {block.name for block in BLOCKS if block.language in {*SHELL, "diff"}}


def test_every_example_runs_or_says_why_it_does_not() -> None:
    walked = {block.name for block in BLOCKS if block.page in WALKED}
    assert RUNNABLE - walked - NOT_RUN.keys() == set()


def test_no_reason_is_left_of_an_example_that_is_gone() -> None:
    assert NOT_RUN.keys() - RUNNABLE == set()


@pytest.mark.parametrize("name", NOT_RUN)
def test_a_reason_excuses_one_example(name: str) -> None:
    """Another one that begins like it would not run either, and nobody had said so."""
    assert [block.name for block in BLOCKS].count(name) == 1


def test_another_line_another_order_or_one_too_many_is_noticed() -> None:
    written = ["12:00:01  web  VERIFIED 0123456789ab in 1.9s (build 0.3)", "web: done", "more"]
    assert is_shown(["09:41:00  web  VERIFIED ba9876543210 in 300ms", "web: done", "more"], written)
    assert is_shown(["09:41:00  web  …", ANY], written)
    assert not is_shown(["09:41:00  web  VERIFIED ba9876543210 in 300ms", "web: done"], written)
    assert not is_shown(["web: done", "09:41:00  web  VERIFIED ba9876543210 in 300ms", "more"], written)
    assert not is_shown(["09:41:00  web  FAILED …", ANY], written)
    assert not says("web: done", "api: done")
    assert in_order(["09:41:00  web  VERIFIED ba9876543210 in 300ms", "more"], written)
    assert not in_order(["more", "web: done"], written)
