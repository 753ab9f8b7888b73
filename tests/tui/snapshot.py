"""What is on the screen as text that a person can read and compare: the rows, and below them what has which look.

`DEVLOOP_UPDATE_SNAPSHOTS=1` writes the files of `snapshots/` anew; the difference is what a reviewer looks at.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.app import App

from devloop.tui import painted

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATES = bool(os.environ.get("DEVLOOP_UPDATE_SNAPSHOTS"))
_STYLES = painted.styles(dark=True, ansi=False).styles
_TONES = [*painted.NAMES, *(f"pod{at}" for at in range(painted.POD_COLOURS))]


def _colours(style: Style) -> tuple[str, str]:
    return style.color.name if style.color else "", style.bgcolor.name if style.bgcolor else ""


_NAMES = {_colours(_STYLES[name]): name for name in _TONES}
"""Tones by their colours, and those of the background where they have one."""


def rows_of(app: App[Any]) -> list[list[Segment]]:
    return [list(strip) for strip in app.screen._compositor.render_strips()]


def text_of(rows: list[list[Segment]]) -> Iterator[str]:
    """The rows as a terminal without colours would show them; `|` ends each. Empty ones are counted."""
    blank = 0
    for row in [*rows, None]:
        text = "".join(segment.text for segment in row) if row is not None else "."
        if blank and text.strip():
            yield f"({blank} empty)"
            blank = 0
        if row is not None and text.strip():
            yield f"{text}|"
        blank += not text.strip()


def looks_of(rows: list[list[Segment]]) -> Iterator[str]:
    """`3: alarm "✘ build"`: every piece of text that does not look plain, by its row."""
    for number, row in enumerate(rows):
        pieces: list[tuple[str, str]] = []
        for segment in row:
            look = _look(segment.style)
            if pieces and pieces[-1][0] == look:
                pieces[-1] = (look, pieces[-1][1] + segment.text)
            else:
                pieces.append((look, segment.text))
        told = [f"{look}({text.strip()})" for look, text in pieces if look and text.strip()]
        if told:
            yield f"{number:2}: {' '.join(told)}"


def _look(style: Style | None) -> str:
    if style is None:
        return ""
    front, back = _colours(style)
    name = _NAMES.get((front, back)) or _NAMES.get((front, ""), "")
    return f"{name}*" if style.bold and name in {"good", "warn", "busy"} else name


def compare(name: str, text: str) -> None:
    """Fails with the difference, unless the snapshots are to be written anew."""
    path = SNAPSHOTS / f"{name}.txt"
    if UPDATES:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.exists(), f"{path} is missing: DEVLOOP_UPDATE_SNAPSHOTS=1 writes it"
    assert text.splitlines() == path.read_text("utf-8").splitlines()
