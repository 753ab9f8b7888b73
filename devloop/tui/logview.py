"""The log pane: a ring of lines of which only the visible ones are ever rendered.

Textual's own `Log` and `RichLog` render each line when it comes; with ten Pods that write 2,000 lines a second each,
that is all the machine would do. Here a line costs an entry in a list until somebody looks at it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.cache import LRUCache
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from devloop.views.loglines import Kind, Level, Line, without_colour

KEPT = 10_000
"""Lines of a service that are kept; the oldest go."""
_POD_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta")
_LEVEL_STYLES = {Level.ERROR: "bold red", Level.WARN: "yellow", Level.DEBUG: "dim"}
Test = Callable[[Line], bool]


class LogView(ScrollView, can_focus=True):
    """Shows the lines of one service that pass a filter; follows the end unless somebody scrolled up."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._all: deque[Line] = deque(maxlen=KEPT)
        self._shown: list[Line] = []
        self._rows: list[tuple[Line, int]] = []
        """What each row of the pane shows: a line, and where in it the row begins."""
        self._test: Test = lambda line: True
        self._strips: LRUCache[tuple[int, int, int], Strip] = LRUCache(2000)
        self._pods: dict[str, str] = {}
        self._width = 0
        self._widest = 0
        self.following = True
        self.wrap = False
        self.needle = ""

    # what comes in -----------------------------------------------------------------------------------------------

    def show(self, lines: "deque[Line]") -> None:
        """Show another ring, which goes on to be filled by `extend`."""
        self._all = lines
        self._rebuild()
        self.follow(True)

    def extend(self, lines: Sequence[Line]) -> None:
        """Lines that were put into the ring; whoever reads further up keeps the place."""
        found = [line for line in lines if self._test(line)]
        if not found:
            return
        self._shown += found
        before = len(self._rows)
        self._rows += [row for line in found for row in self._rows_of(line)]
        self._measure(found)
        if len(self._shown) > KEPT + KEPT // 10:
            self._trim()
        self._resize()
        if self.following:
            self.scroll_end(animate=False)
        elif before < self.scroll_offset.y + self.size.height:
            self.refresh()

    def filter(self, test: Test) -> None:
        self._test = test
        self._rebuild()

    def set_wrap(self, wrap: bool) -> None:
        self.wrap = wrap
        self._rebuild()

    def follow(self, following: bool) -> None:
        self.following = following
        if following:
            self.scroll_end(animate=False)

    # where one is ------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> Sequence[Line]:
        """Those that pass the filter."""
        return self._shown

    def find(self, needle: str, *, backwards: bool = True) -> bool:
        """Go to the next line that has the text, upwards from the top of the pane unless told otherwise."""
        self.needle = needle.lower()
        self._strips.clear()
        self.refresh()
        if not self.needle or not self._rows:
            return False
        here = self.scroll_offset.y
        upwards = [*range(here - 1, -1, -1), *range(len(self._rows) - 1, here - 1, -1)]
        downwards = [*range(here + 1, len(self._rows)), *range(here + 1)]
        for y in upwards if backwards else downwards:
            if self.needle in without_colour(self._rows[y][0].text).lower():
                self.follow(False)
                self.scroll_to(y=y, animate=False)
                return True
        return False

    def save(self, path: str) -> str:
        """Write the lines that pass the filter to a file, without colours; what came of it, in words."""
        try:
            text = "".join(f"{line.head} {without_colour(line.text)}\n" for line in self._shown)
            Path(path).expanduser().write_text(text, encoding="utf-8")
        except OSError as error:
            return f"{path} cannot be written: {error.strerror}"
        return f"{len(self._shown):,} lines saved to {path}"

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value and new_value < self.max_scroll_y:
            self.following = False
        elif new_value >= self.max_scroll_y:
            self.following = True

    def on_resize(self) -> None:
        if self.wrap and self.size.width != self._width:
            self._rebuild()
        self._width = self.size.width
        if self.following:
            self.scroll_end(animate=False)

    # rendering ---------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        x, top = self.scroll_offset
        index, width = y + top, self.size.width
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        line, start = self._rows[index]
        key = (id(line), start, width)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strip(line, start)
            self._strips[key] = strip
        return strip.crop_extend(x, x + width, self.rich_style).apply_style(self.rich_style)

    def _strip(self, line: Line, start: int) -> Strip:
        if line.kind is Kind.RULE:
            return Strip([Segment(f"──── {line.text} ".ljust(max(self.size.width, 40), "─"), Style.parse("bold"))])
        text = self._text(line)
        if self.wrap:
            text = text[start : start + max(20, self.size.width)]
        return Strip(list(text.render(self.app.console, end="")))

    def _text(self, line: Line) -> Text:
        head = f"{line.head} "
        text = Text(head, style=self._pods.get(line.pod, "dim"))
        body = Text.from_ansi(line.text) if "\x1b" in line.text else Text(line.text)
        if line.level in _LEVEL_STYLES and "\x1b" not in line.text:
            body.stylize(_LEVEL_STYLES[line.level])
        if self.needle:
            body.highlight_words([self.needle], "reverse", case_sensitive=False)
        return text.append_text(body)

    def _rebuild(self) -> None:
        self._shown = [line for line in self._all if self._test(line)]
        self._rows = [row for line in self._shown for row in self._rows_of(line)]
        self._strips.clear()
        self._measure(self._shown)
        self._resize()
        self.refresh()
        if self.following:
            self.scroll_end(animate=False)

    def _rows_of(self, line: Line) -> Iterable[tuple[Line, int]]:
        if line.pod and line.pod not in self._pods:
            self._pods[line.pod] = _POD_COLOURS[len(self._pods) % len(_POD_COLOURS)]
        if not self.wrap or line.kind is Kind.RULE:
            return ((line, 0),)
        length = len(line.head) + 1 + len(without_colour(line.text))
        return [(line, start) for start in range(0, max(1, length), max(20, self.size.width))]

    def _measure(self, lines: Iterable[Line]) -> None:
        if not self.wrap:
            longest = max((len(line.head) + 1 + len(line.text) for line in lines), default=0)
            self._widest = max(self._widest, longest)

    def _resize(self) -> None:
        width = self.size.width if self.wrap else self._widest
        self.virtual_size = Size(width, len(self._rows))

    def _trim(self) -> None:
        """Let the oldest go; the place of whoever reads further up moves with its lines."""
        gone = len(self._shown) - KEPT
        self._shown = self._shown[gone:]
        oldest = id(self._shown[0])
        rows = next(at for at, (line, _) in enumerate(self._rows) if id(line) == oldest)
        self._rows = self._rows[rows:]
        if not self.following:
            self.scroll_to(y=max(0, self.scroll_offset.y - rows), animate=False)
