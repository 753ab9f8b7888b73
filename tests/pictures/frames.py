"""What a terminal shows, as rows of runs of one look, made of the segments that Rich and Textual paint with."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.color import Color, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme

Rgb = tuple[int, int, int]
INK: Rgb = (0xDD, 0xE3, 0xEA)
PAPER: Rgb = (0x11, 0x15, 0x1A)
_QUIET: Rgb = (0x92, 0x9B, 0xAA)
_COLOURS: list[Rgb] = [
    PAPER, (0xFF, 0x85, 0x85), (0x7E, 0xC9, 0x8F), (0xE5, 0xB5, 0x67),
    (0x8F, 0xA8, 0xFF), (0xD9, 0xA5, 0xE8), (0x6C, 0xC4, 0xE8), INK,
]  # fmt: skip
_THEME = TerminalTheme(PAPER, INK, _COLOURS, [_QUIET, *_COLOURS[1:]])
"""The sixteen colours of a terminal, as those of devloop's dark theme."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a run looks; colours are `#rrggbb`."""

    ink: str
    paper: str
    bold: bool = False
    italic: bool = False
    underline: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Text from a column on."""

    column: int
    width: int
    text: str
    look: Look


Row = tuple[Run, ...]
Frame = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame, and for how many seconds it is there."""

    frame: Frame
    seconds: float


def row_of(segments: Iterable[Segment]) -> Row:
    """Neighbours that look alike are one run, and what is only paper at the end is nothing."""
    runs: list[Run] = []
    column = 0
    for segment in segments:
        if segment.control:
            continue
        look, width = look_of(segment.style or Style()), cell_len(segment.text)
        if runs and runs[-1].look == look:
            last = runs.pop()
            runs.append(Run(last.column, last.width + width, last.text + segment.text, look))
        else:
            runs.append(Run(column, width, segment.text, look))
        column += width
    plain = look_of(Style()).paper
    while runs and runs[-1].look.paper == plain and not runs[-1].text.strip():
        runs.pop()
    return tuple(runs)


def frame_of(rows: Iterable[Iterable[Segment]]) -> Frame:
    return tuple(row_of(row) for row in rows)


def look_of(style: Style) -> Look:
    ink, paper = _rgb(style.color, foreground=True), _rgb(style.bgcolor, foreground=False)
    if style.reverse:
        ink, paper = paper, ink
    if style.dim:
        ink = blend_rgb(ink, paper, 0.4)
    return Look(ink.hex, paper.hex, bool(style.bold), bool(style.italic), bool(style.underline))


def _rgb(colour: Color | None, *, foreground: bool) -> ColorTriplet:
    return (colour or Color.default()).get_truecolor(_THEME, foreground=foreground)


def joined(shown: Sequence[Shown], shortest: float) -> list[Shown]:
    """Without what nobody would see: frames like the one before, and those that are gone in a moment."""
    kept: list[Shown] = []
    for each in shown:
        if kept and kept[-1].seconds < shortest:
            each = Shown(each.frame, each.seconds + kept.pop().seconds)
        if kept and kept[-1].frame == each.frame:
            each = Shown(each.frame, each.seconds + kept.pop().seconds)
        kept.append(each)
    return kept


_VARYING = [
    (re.compile(r"\b[0-9a-f]{12}\b"), "DIGEST"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"/\S*devloop-demo"), "FOLDER"),
    (re.compile(r"\d+(\.\d+)?"), "N"),
]


def lasting(words: str) -> str:
    """The words of a run that the next one says too: no digests, addresses, folders, figures and line ends."""
    words = " ".join(words.split())
    for pattern, name in _VARYING:
        words = pattern.sub(name, words)
    return words
