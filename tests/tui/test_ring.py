"""The memory of a log: bounded in lines, and in characters where they are long."""

import pytest

from devloop.tui.ring import Ring
from devloop.views.loglines import Kind, Line


def lines(count: int, size: int = 1, start: int = 0) -> list[Line]:
    return [Line(start + at, Kind.POD, "x" * size, "web-1") for at in range(count)]


@pytest.mark.parametrize("one_by_one", [True, False])
def test_the_oldest_go_once_there_is_a_tenth_too_many(one_by_one: bool) -> None:
    ring = Ring(kept=100, room=1_000_000)
    made = lines(110)
    if one_by_one:
        for line in made:
            ring.append(line)
    else:
        assert ring.extend(made) == []
    assert list(ring) == made
    (newest,) = lines(1, start=110)
    assert ring.extend([newest]) == made[:11]
    assert list(ring) == [*made[11:], newest]


def test_long_lines_go_earlier() -> None:
    ring = Ring(kept=100, room=1_000)
    made = lines(12, size=100)
    gone = [went for line in made for went in ring.extend([line])]
    assert gone == made[:2]
    assert list(ring) == made[2:]


def test_a_line_that_is_too_long_by_itself_stays_until_the_next() -> None:
    ring = Ring(kept=100, room=1_000)
    first, second = lines(2, size=5_000)
    assert ring.extend([first]) == []
    assert ring.extend([second]) == [first]
    assert list(ring) == [second]


def test_what_is_taken_is_gone() -> None:
    ring = Ring(kept=100, room=1_000)
    made = lines(10, size=100)
    ring.extend(made)
    assert ring.take() == made
    assert len(ring) == 0
    ring.extend(made)
    assert list(ring) == made, "what was taken takes no room any more"
