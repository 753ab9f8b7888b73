"""Tones as colours, and the characters of a terminal that knows only ASCII."""

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.text import Text
from textual.color import Color
from textual.filter import LineFilter

from devloop.views import Phrase, Tone

STYLES = {
    Tone.PLAIN: "",
    Tone.QUIET: "dim",
    Tone.BUSY: "cyan",
    Tone.GOOD: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "bold red",
}
_PLAIN = str.maketrans(
    {
        **dict(zip("✔✘·…→│─▸↑↓", "+x-.>|->^v", strict=True)),
        **dict(zip("▁▂▃▄▅▆▇█", "_.-=+*#@", strict=True)),
    }
)


def painted(phrases: Iterable[Phrase]) -> Text:
    """Lines in their colours."""
    return Text("\n").join(Text(phrase.text, style=STYLES[phrase.tone]) for phrase in phrases)


def spread(left: Text, right: Text, width: int) -> Text:
    """One line with something at both ends; the left end gives way."""
    room = width - right.cell_len
    if room < 8:
        return left
    left = left.copy()
    left.truncate(max(0, room - 1), overflow="ellipsis", pad=False)
    return Text.assemble(left, " " * max(1, room - left.cell_len), right)


class OnlyAscii(LineFilter):
    """For terminals whose locale is no UTF-8: every sign has a plain stand-in."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            Segment(text.translate(_PLAIN).encode("ascii", "replace").decode(), style, control)
            for text, style, control in segments
        ]


def columns(rows: Sequence[Sequence[tuple[str, str]]], width: int) -> Text:
    """Rows of (text, style) cells under each other; the last column takes what is left."""
    widths = [max((len(row[at][0]) for row in rows), default=0) for at in range(len(rows[0]))] if rows else []
    lines = []
    for row in rows:
        line = Text()
        for (text, style), column in zip(row, widths, strict=True):
            line.append(text.ljust(column), style)
            line.append("  ")
        line.truncate(width, overflow="ellipsis")
        lines.append(line)
    return Text("\n").join(lines)
