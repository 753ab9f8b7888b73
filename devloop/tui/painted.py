"""Tones as colours, for dark and light terminals and those of 16 colours; lines of a given width; plain characters.

A text names its tone, and the console's theme says what that looks like, so that one text serves every terminal.
"""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.text import Text
from rich.theme import Theme as Styles
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

from devloop.views import Tone

GAP = "  "
POD_COLOURS = 8
_DARK = {
    "good": "#7ec98f", "warn": "#e5b567", "bad": "bold #ff8585", "busy": "#6cc4e8", "quiet": "#929baa",
    "key": "bold #ffffff", "rule": "bold #b9c4d3", "match": "#101418 on #e5b567", "here": "bold #101418 on #ffe08a",
    "alarm": "bold #ffffff on #c23b43", "caution": "bold #11151a on #e5b567",
    "calm": "bold #11151a on #6cc4e8",
}  # fmt: skip
_LIGHT = {
    "good": "#17702f", "warn": "#855600", "bad": "bold #b5172a", "busy": "#0a5ca0", "quiet": "#596270",
    "key": "bold #000000", "rule": "bold #3b4653", "match": "#1c2128 on #ffdf8a", "here": "bold #1c2128 on #ffb84d",
    "alarm": "bold #ffffff on #b5172a", "caution": "bold #ffffff on #855600",
    "calm": "bold #ffffff on #0a5ca0",
}  # fmt: skip
_ANSI = {
    "good": "green", "warn": "yellow", "bad": "bold red", "busy": "cyan", "quiet": "bright_black",
    "key": "bold", "rule": "bold", "match": "reverse", "here": "bold reverse",
    "alarm": "bold reverse red", "caution": "bold reverse yellow",
    "calm": "bold reverse cyan",
}  # fmt: skip
# No green, amber, red or light blue: those say how something is.
_DARK_PODS = ("#d9a5e8", "#8fa8ff", "#7fd6c2", "#e8a0b4", "#c9b79c", "#b79cff", "#9dc3c9", "#e3c1dd")
_LIGHT_PODS = ("#7b2d9b", "#3347b0", "#0b6b5d", "#a3224f", "#6b5632", "#5b35c9", "#33606b", "#84406b")
_ANSI_PODS = (
    "magenta",
    "blue",
    "bright_cyan",
    "bright_magenta",
    "bright_blue",
    "white",
    "bright_white",
    "bright_green",
)
NAMES = frozenset(_DARK)
"""What a text may name besides `plain` and the colours of Pods."""
THEMES = (
    Theme(
        "devloop-dark", primary="#6cc4e8", accent="#6cc4e8", success="#7ec98f", warning="#e5b567", error="#e5484d",
        foreground="#dde3ea", background="#11151a", surface="#171d24", panel="#202833", dark=True,
        variables={"band": "#46181f", "caution": "#2e2a1c", "footer-key-foreground": "#ffffff"},
    ),
    Theme(
        "devloop-light", primary="#0a5ca0", accent="#0a5ca0", success="#17702f", warning="#855600", error="#b5172a",
        foreground="#1c2128", background="#fbfbfa", surface="#f1f3f5", panel="#e3e7ec", dark=False,
        variables={"band": "#fbdde0", "caution": "#f7ecd4", "footer-key-foreground": "#000000"},
    ),
)  # fmt: skip
_PLAIN = str.maketrans(
    {
        **dict(zip("✔✘·…→↑↓↵", "+x-.>^v/", strict=True)),
        **dict(zip("▁▂▃▄▅▆▇█▓▒░", "_.-=+*%#=-.", strict=True)),
        **dict.fromkeys("─━▔", "-"),
        **dict.fromkeys("│┃▊▌▎▐", "|"),
        **dict.fromkeys("╭╮╰╯┌┐└┘", "+"),
    }
)


def styles(*, dark: bool, ansi: bool) -> Styles:
    """What the names of tones, and of a few things more, look like."""
    named = _ANSI if ansi else _DARK if dark else _LIGHT
    pods = _ANSI_PODS if ansi else _DARK_PODS if dark else _LIGHT_PODS
    return Styles({"plain": "", **named, **{f"pod{at}": colour for at, colour in enumerate(pods)}})


def styled(text: str, tone: str = Tone.PLAIN) -> Text:
    """A text as a span: the style of a whole `Text` is looked up elsewhere, and not found."""
    return Text().append(text, tone)


def cut(text: Text, width: int) -> Text:
    """The text in so many columns, with a sign that there is more."""
    if text.cell_len <= width:
        return text
    text = text.copy()
    text.truncate(max(0, width), overflow="ellipsis")
    return text


def spread(left: Text, right: Text, width: int) -> Text:
    """One line with something at both ends; the left end gives way, and the right one goes where both have no room."""
    room = width - right.cell_len
    if not right.cell_len or room < width // 3:
        return cut(left, width)
    left = cut(left, max(0, room - 1))
    return Text.assemble(left, " " * (width - left.cell_len - right.cell_len), right)


class OnlyAscii(LineFilter):
    """For terminals whose locale is no UTF-8: every sign has a plain stand-in."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            Segment(_ascii(text), style, control) if not text.isascii() else Segment(text, style, control)
            for text, style, control in segments
        ]


def _ascii(text: str) -> str:
    """As wide as the text was."""
    return "".join(
        char if char.isascii() else "?" * max(1, cell_len(char)) if ord(char) not in _PLAIN else _PLAIN[ord(char)]
        for char in text
    )


def columns(rows: Sequence[Sequence[tuple[str, str]]], widths: Sequence[int], width: int) -> list[Text]:
    """Rows of (text, style) cells under each other, each column so wide; the last one takes what is left."""
    lines = []
    for row in rows:
        line = Text()
        for (text, style), column in zip(row, widths, strict=False):
            line.append(fitted(text, column), style).append(GAP)
        for text, style in row[len(widths) :]:
            line.append(text, style)
        lines.append(cut(line, width))
    return lines


def fitted(text: str, width: int) -> str:
    """Exactly so wide: filled up, or cut in its middle, because names differ at their ends."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    end = text[-((width - 1) // 3) :] if width > 9 else ""
    return set_cell_size(text, max(0, width - 1 - cell_len(end))) + "…" + end


def widest(rows: Sequence[Sequence[tuple[str, str]]], at: int, least: int, most: int) -> int:
    """How wide a column is: as its widest cell, within limits."""
    return min(most, max([least, *(cell_len(row[at][0]) for row in rows)]))
