"""Steps with a number and a title, and what is said about each beside it."""

from itertools import count
from textwrap import wrap

from devloop.session import say
from devloop.session.demo.words import TITLE

_WIDTH = 116
LINES = 4
"""Of a step, at most."""


class Telling:
    """To stdout, a step at a time."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def step(self, title: str, *said: str) -> None:
        room = _WIDTH - TITLE
        lines = [line for text in said for line in wrap(text, room, break_long_words=False, break_on_hyphens=False)]
        if len(lines) > LINES:
            lines = [*lines[: LINES - 1], lines[LINES - 1] + " …"]
        head = f"{next(self._numbers)}  {title}"
        say.out(*(f"{head if at == 0 else '':{TITLE}}{line}" for at, line in enumerate(lines)))
