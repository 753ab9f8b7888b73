"""Lines of a width, for everything that is told on a terminal: a terminal breaks within words, and knows no indent."""

import re
import textwrap
from collections.abc import Iterable

from devloop.views import Phrase

MOST = 110
"""Columns that mails and issues take, and that read well."""
_TOGETHER = re.compile(
    r"`[^`]*`"  # a command, or a line of a file
    r"|(?:^|(?<=: ))(?:docker|kubectl|sudo|devloop restore) [^,;]*"
    r"|(?<=\d) (?=[kMGT]?B\b)"  # a number and its unit
)


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """`first` stands before the first line and `rest` before every other one.

    What is to be copied stays in one line, also where that line is longer: a terminal copies it as one.
    """
    kept = _TOGETHER.sub(lambda found: found[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(
        kept, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("\0", " ") for line in lines]


def hanging(line: str, width: int) -> list[str]:
    """A line of a report: what does not fit goes on below its first word, beside the mark."""
    indent, mark, text = re.fullmatch(r"( *)([✔✘!·→] )?(.*)", line, re.DOTALL).groups("")  # type: ignore[union-attr]
    return wrapped(text, width, indent + mark, " " * len(indent + mark)) or [line]


def fitted(phrases: Iterable[Phrase], width: int) -> list[Phrase]:
    """Each in as many lines as it takes there. What mends something is copied, and stays whole."""
    lines = ((each, [each.text] if each.text.startswith("→ ") else hanging(each.text, width)) for each in phrases)
    return [Phrase(line, each.tone) for each, parts in lines for line in parts]
