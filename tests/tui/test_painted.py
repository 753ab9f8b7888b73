"""Colours that can be read, columns that are as wide as they are said to be, and plain characters."""

import re

import pytest
from rich.cells import cell_len
from rich.color import Color, ColorType
from rich.segment import Segment
from rich.text import Text
from textual.color import Color as Shade

from devloop.tui.painted import THEMES, OnlyAscii, columns, cut, fitted, spread, styled, styles
from devloop.views import Tone


def _luminance(colour: str) -> float:
    red, green, blue = (part / 255 for part in Shade.parse(colour).rgb)
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """As WCAG defines it; 4.5 is what text needs."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_tone_can_be_read_on_every_ground(theme) -> None:  # type: ignore[no-untyped-def]
    grounds = [theme.background, theme.panel, theme.surface, theme.variables["band"], theme.variables["caution"]]
    for name, style in styles(dark=theme.dark, ansi=False).styles.items():
        if not style.color or not re.fullmatch(r"#\w{6}", style.color.name):
            continue  # of Rich's own
        for ground in [style.bgcolor.name] if style.bgcolor else grounds:
            assert contrast(style.color.name, ground) >= 4.5, (name, ground)


@pytest.mark.parametrize("dark", [True, False])
def test_every_tone_has_a_look_with_few_colours_too(dark: bool) -> None:
    found = styles(dark=dark, ansi=True).styles
    for tone in Tone:
        assert tone in found
        colour = found[tone].color
        assert colour is None or colour.type is ColorType.STANDARD


def test_looks_differ_with_and_without_colours() -> None:
    assert styles(dark=True, ansi=False).styles["alarm"].bgcolor == Color.parse("#c23b43")
    assert styles(dark=True, ansi=True).styles["alarm"].reverse


@pytest.mark.parametrize("text", ["", "short", "a name that is too long", "漢字の名前はとても長いです"])
@pytest.mark.parametrize("width", [1, 2, 9, 10, 20])
def test_fitted_is_exactly_so_wide(text: str, width: int) -> None:
    assert cell_len(fitted(text, width)) == width


def test_a_long_name_is_cut_in_its_middle() -> None:
    assert fitted("customer-relationship-notifications-dispatcher", 20) == "customer-rela…atcher"


@pytest.mark.parametrize("width", [5, 20, 60])
def test_cut_and_spread_keep_within_the_width(width: int) -> None:
    left, right = Text("the left end of a line, which is long"), Text("right")
    assert cut(left, width).cell_len <= width
    assert spread(left, right, width).cell_len <= width


def test_the_right_end_is_at_the_right() -> None:
    assert spread(Text("left"), Text("right"), 20).plain == "left           right"
    assert spread(Text("left"), Text("a very long right end"), 12).plain == "left"


def test_columns_are_below_each_other() -> None:
    rows = [[("a", "good"), ("one", "plain")], [("bb", "bad"), ("two, which is long", "plain")]]
    assert [line.plain for line in columns(rows, [3], 12)] == ["a    one", "bb   two, w…"]


PLAIN = [
    ("✔ ✘ · … → ↵ ─", "+ x - . > / -"),
    ("▁▅█ █▓▒░", "_+# #=-."),
    ("日本", "????"),
    ("plain", "plain"),
    ("é", "?"),
]


@pytest.mark.parametrize(("text", "shown"), PLAIN)
def test_without_unicode(text: str, shown: str) -> None:
    (segment,) = OnlyAscii().apply([Segment(text)], Shade.parse("black"))
    assert segment.text == shown
    assert len(segment.text) == cell_len(text)


def test_a_styled_text_is_a_span() -> None:
    assert styled("x", Tone.BAD).spans[0].style == "bad"
