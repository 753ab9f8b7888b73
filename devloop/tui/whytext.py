"""The answer of `why` in the columns that there are: what does not fit goes on below where it began."""

from collections.abc import Iterable

from rich.text import Text

from devloop.tui.painted import styled
from devloop.views import Phrase
from devloop.views.wrapping import hanging


def why_text(answer: Iterable[Phrase], width: int) -> Text:
    return Text("\n").join(styled(line, phrase.tone) for phrase in answer for line in hanging(phrase.text, width))
