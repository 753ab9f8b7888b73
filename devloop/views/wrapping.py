"""Lines of a width, for everything that is told on a terminal: a terminal breaks within words, and knows no indent."""

import re
import textwrap
from collections.abc import Iterable

from devloop.views import Phrase

MOST = 110
"""Columns that mails and issues take, and that read well."""
_TOGETHER = re.compile(
    r"`[^`]*`"  # a command, or a line of a file
    r"|undo: [^,;]*|recorded in \S+"
    r"|(?:^|(?<=: ))(?:docker|kubectl|sudo|devloop restore) [^,;]*"
    r"|(?<=\d) (?=[kMGT]?B\b)"  # a number and its unit
)

_MARK = re.compile(r" *(?:[✔✘!·→+-] )?")
_HEAD = re.compile(r" *(?:[✔✘!·→+-] )?(?:(?:\S+ ){0,3}\S* {2,}(?=\S)| +(?=\S))?")
"""What stands before the words of a line: its indent, its mark, and the name of its row with the space after it."""
_MENDS = re.compile(r"→ (?:.*: )?(?:docker|kubectl|sudo|devloop|helm|flux|argocd|kind|k3d|minikube|crictl) ")
"""A hint that is a command, or ends with one: not wrapped. Others are sentences."""
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


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
    """A line of a report: what does not fit goes on below its first word: beside the mark and, where a third of the
    columns is left then, the row's name."""
    head = _HEAD.match(line)[0]  # type: ignore[index]
    if len(head) > width * 2 // 3:
        head = _MARK.match(line)[0]  # type: ignore[index]
    return wrapped(line[len(head) :], width, head, " " * len(head)) or [line]


def fitted(phrases: Iterable[Phrase], width: int) -> list[Phrase]:
    """Each in as many lines as it takes there. A command that mends something is copied, and stays whole."""
    lines = ((each, [each.text] if _MENDS.match(each.text) else hanging(each.text, width)) for each in phrases)
    return [Phrase(line, each.tone) for each, parts in lines for line in parts]


def continued(line: str, width: int, first: str, rest: str) -> list[str]:
    """A command that stays one when it is copied: the shell reads on after the end of each line but the last."""
    kept = _QUOTED.sub(lambda found: found[0].replace(" ", "\0"), line)
    lines = textwrap.wrap(
        kept,
        max(width - 2, 1),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return " \\\n".join(lines).replace("\0", " ").split("\n")
