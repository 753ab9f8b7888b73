"""Steps with a number and a title, and what is said about each beside it."""

import os
from itertools import count

from devloop.headless.plain import shown, wants_colour
from devloop.session import say
from devloop.session.demo.words import TITLE, WIDTH, columns, wrapped
from devloop.session.renderers import STDOUT
from devloop.views import Phrase, Tone

LINES = 4
"""Of a step, at most; in a narrow terminal as many as hold the same."""


class NobodyReadsError(Exception):
    """Stdout was closed: the demo ends, as any program does."""


def out(*lines: str) -> None:
    if not say.out(*lines):
        raise NobodyReadsError


class Telling:
    """To stdout, a step at a time; in colour on a terminal."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._colour = wants_colour(os.isatty(STDOUT), os.environ)

    def step(self, title: str, *said: str | Phrase) -> None:
        width = columns()
        phrases = (each if isinstance(each, Phrase) else Phrase(each) for each in said)
        lines = [Phrase(line, each.tone) for each in phrases for line in wrapped(each.text, width)]
        most = -(-LINES * (WIDTH - TITLE) // (width - TITLE))
        if len(lines) > most:
            lines = [*lines[: most - 1], Phrase(lines[most - 1].text + " …", lines[most - 1].tone)]
        head = f"{f'{next(self._numbers)}  {title}':{TITLE}}"
        for at, line in enumerate(lines):
            before = Phrase(" " * TITLE) if at else Phrase(head, Tone.BUSY)
            out(shown(before, colour=self._colour) + shown(line, colour=self._colour))
