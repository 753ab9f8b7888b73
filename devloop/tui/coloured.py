"""An app whose texts name tones: what they look like on this terminal, in this theme, and without Unicode."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from textual.app import App
from textual.filter import LineFilter, Monochrome, NoColor
from textual.theme import Theme

from devloop.tui.painted import THEMES, OnlyAscii, styles
from devloop.tui.talk import Ended


@runtime_checkable
class Repaints(Protocol):
    """A widget that keeps what it has painted."""

    def again(self) -> None:
        """The colours have changed."""


class Coloured(App[Ended]):
    """Dark and light, in all colours, in the terminal's own sixteen, or in none."""

    def __init__(self, *, plain: bool = False) -> None:
        """`plain`: the terminal shows only ASCII."""
        super().__init__()
        self.plain = plain
        self._coloured = False
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self._first_theme()

    def begin_colours(self) -> None:
        """Before anything is painted."""
        self.theme_changed_signal.subscribe(self, self._take_colours)
        self._take_colours(self.current_theme)

    def _first_theme(self) -> str:
        """The terminal's own sixteen colours where there are no others, or where none are wanted."""
        few = self.no_color or self.console.color_system == "standard"
        return "ansi-dark" if few else "devloop-dark"

    def get_line_filters(self) -> Sequence[LineFilter]:
        # Textual chooses before it knows the theme: shades of grey, which of the terminal's own colours become black.
        filters = [NoColor() if isinstance(each, Monochrome) else each for each in super().get_line_filters()]
        return [*filters, *([OnlyAscii()] if self.plain else [])]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What themes other than devloop's own do not say."""
        ansi = self.current_theme.ansi
        return {"band": "ansi_default" if ansi else "#46181f", "caution": "ansi_default" if ansi else "#2e2a1c"}

    def _take_colours(self, theme: Theme) -> None:
        """What the tones look like, from here on."""
        if self._coloured:
            self.console.pop_theme()
        self._coloured = True
        self.console.push_theme(styles(dark=theme.dark, ansi=theme.ansi))
        for part in self.screen_stack[0].query("*"):
            if isinstance(part, Repaints):
                part.again()
