"""The answer of `why` in the columns that there are: what does not fit goes on below where it began."""

import re
from collections.abc import Iterable, Iterator
from textwrap import wrap

from rich.text import Text

from devloop.tui.painted import styled
from devloop.views import Phrase

_LEAD = re.compile(r" {0,2}(?:\S )?(?=\s*\S)")
"""The mark at the beginning of a line, with what is before it."""


def why_text(answer: Iterable[Phrase], width: int) -> Text:
    return Text("\n").join(styled(line, phrase.tone) for phrase in answer for line in _lines(phrase.text, width))


def _lines(text: str, width: int) -> Iterator[str]:
    if len(text) <= width:
        yield text
        return
    lead = _LEAD.match(text)
    below = " " * (len(lead[0]) if lead else 0)
    yield from wrap(text, width, subsequent_indent=below, break_on_hyphens=False, drop_whitespace=True)
