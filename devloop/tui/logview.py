"""The log pane: a ring of lines of which only the visible ones are ever rendered.

Textual's own `Log` and `RichLog` render each line when it comes; with ten Pods that write 2,000 lines a second each,
that is all the machine would do. Here a line costs an entry in a list until somebody looks at it.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import compress, repeat
from pathlib import Path

from rich.style import Style
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from devloop.tui.finding import Finder
from devloop.tui.logpaint import LogPaint
from devloop.tui.ring import Ring
from devloop.views.loglines import Kind, Line

Test = Callable[[Line], bool]
"""Asked of all lines in their order, as what it says of one may depend on those before."""
Row = tuple[Line, int]
"""A line, and where in its words the row begins."""
SCREENFULS = 200
"""Rendered rows that are kept. Each is some 70 objects, which a flood would make for nobody to see again."""


class LogView(ScrollView, can_focus=True):
    """Shows the lines of one service that pass a filter; follows the end unless somebody scrolled up."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.finder = Finder()
        self.following = True
        self.wrap = False
        self.silence = ""
        """What is said where there is no line."""
        self._all = Ring()
        self._shown = Ring()
        self._rows: list[Row] = []
        self._taken: Line | None = None
        """The newest line of the ring when all rows were made anew, until the next ones come."""
        self._filter: Callable[[], Test] | None = None
        self._test: Test | None = None
        self._passed: list[bool] = []
        """Which lines of the ring pass, where there is a filter."""
        self._breaks = False
        """Whether a line may have more than one row."""
        self._anchor: Row | None = None
        """What whoever does not follow has at the top, or would have if the pane were lower."""
        self._is_placing = False
        self._look = LogPaint()
        self._strips: LRUCache[tuple[Line, int, int], Strip] = LRUCache(SCREENFULS)
        self._style = Style()
        self._width = 0
        """That the rows are made for: of a hidden pane the one that it had, as its own is 0."""
        self._widest = 0

    # what comes in -----------------------------------------------------------------------------------------------

    def show(self, lines: Ring) -> None:
        """Show another ring, which goes on to be filled by `extend`."""
        self._all, self._look = lines, LogPaint()
        self.following = True
        self._rebuild()

    def extend(self, lines: Sequence[Line]) -> None:
        """Lines that were put into the ring; whoever reads further up keeps the place."""
        lines = self._not_taken(lines)
        found = self._that_pass(lines)
        if not found:
            return
        if self._look.meet(found) or (not self._breaks and _has_notes(found)):
            self._rebuild()
            return
        before = len(self._rows)
        self._rows += self._rows_of(found)
        self.finder.extend(found)
        gone = self._shown.extend(found)
        self._forget(gone)
        self._resize()
        if self.following:
            self._to_the_end()
        if gone or before < self.scroll_offset.y + self.size.height:
            self.refresh()  # also where as many went as came: then nothing is scrolled

    def filter(self, begin: Callable[[], Test] | None) -> None:
        """`begin`: makes a test for the lines from the first one on."""
        self._filter = begin
        self._rebuild()

    def set_wrap(self, wrap: bool) -> None:
        self.wrap = wrap
        self._rebuild()

    def follow(self, following: bool) -> None:
        """Go on with the end, or stay with what is seen now."""
        self.following = following
        if following:
            self._to_the_end()
        else:
            self._stay_at(self._top)

    def again(self) -> None:
        """The colours have changed, or what is searched for."""
        self._strips.clear()
        self.refresh()

    # where one is ------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> Sequence[Line]:
        """Those that pass the filter."""
        return list(self._shown)

    @property
    def hidden(self) -> int:
        """How many lines more there would be without the filter."""
        return self._passed.count(False)

    @property
    def last(self) -> Line | None:
        """The newest that passes the filter."""
        return self._shown[-1] if len(self._shown) else None

    @property
    def pods(self) -> Collection[str]:
        """That wrote lines since the log is shown."""
        return self._look.pods

    @property
    def containers(self) -> Collection[str]:
        return self._look.containers

    @property
    def below(self) -> int:
        """How many rows there are below what is seen."""
        return max(0, len(self._rows) - self._top - self.size.height)

    def find(self, needle: str) -> bool:
        """Go to the newest line that has the text, of those that are seen or above."""
        self.finder.begin(needle, self._shown)
        seen = self._rows[: self._top + self.size.height]
        return self._reach(self.finder.nearest([line for line, _ in seen]))

    def find_next(self, step: int) -> bool:
        """Go to the next line that has it, downwards or (-1) upwards."""
        return self._reach(self.finder.move(step))

    def save(self, path: str) -> str:
        """Write the lines that pass the filter to a file, without colours; what came of it, in words."""
        try:
            text = "".join(f"{line.words}\n" for line in self.lines)
            Path(path).expanduser().write_text(text, encoding="utf-8")
        except OSError as error:
            return f"{path} cannot be written: {error.strerror}"
        return f"{len(self._shown):,} lines saved to {path}"

    def _reach(self, line: Line | None) -> bool:
        """Show this line, with what stands around it."""
        self.again()
        if line is None:
            return False
        row, top, height = self._row_of((line, 0)), self._top, self.size.height
        self._stay_at(top if top <= row < top + height else row - height // 2)
        return True

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self._is_placing or old_value > self.max_scroll_y:
            return  # nobody has scrolled: there is less to be scrolled
        if new_value >= self.max_scroll_y:
            self.following = True
        elif new_value < old_value:
            self.following = False
        self._anchor = self._rows[round(new_value)] if self._rows and not self.following else None

    def watch_show_vertical_scrollbar(self, shown: bool) -> None:
        """Textual tells a scrollbar that is not there yet nothing of where one is."""
        if shown:
            self.vertical_scrollbar.position = self.scroll_y

    def on_resize(self) -> None:
        if self.size.width not in {0, self._width}:
            self._width = self.size.width
            if self._breaks:
                self._rebuild()
        self._keep_place()

    def on_show(self) -> None:
        self.on_resize()

    @property
    def _top(self) -> int:
        return round(self.scroll_y)

    def _row_of(self, row: Row) -> int:
        """Where it is shown; where it would be if it is not, or not any more."""
        line, start = row
        found = [at for at, (each, first) in enumerate(self._rows) if each is line and first <= start]
        if found:
            return found[-1]
        return next((at for at, (each, _) in enumerate(self._rows) if each.time >= line.time), len(self._rows) - 1)

    def _to_the_end(self) -> None:
        # Forced, because what overflows for the first time has no scrollbar yet.
        self.scroll_end(animate=False, immediate=True, x_axis=False, force=True)

    def _stay_at(self, row: int) -> None:
        """Turn to a row and do not follow, even if it is the last one."""
        row = max(0, min(row, len(self._rows) - 1))
        self._is_placing, self.following = True, False
        self._anchor = self._rows[row] if self._rows else None
        self.scroll_to(y=row, animate=False, immediate=True, force=True)
        self._is_placing = False

    def _keep_place(self) -> None:
        """After the rows, or how many of them are seen, have changed."""
        if self.following:
            self._to_the_end()
        elif self._anchor is not None:
            anchor = self._anchor
            self._stay_at(self._row_of(anchor))
            self._anchor = anchor

    # rendering ---------------------------------------------------------------------------------------------------

    def render_lines(self, crop: Region) -> list[Strip]:
        self._style = self.rich_style  # once for all lines: asking for it costs as much as a line does
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        x, top = self.scroll_offset
        index, width, style = y + top, self.size.width, self._style
        if index >= len(self._rows):
            words = self._look.words(f" {self.silence}" if index == 0 else "", self.app.console)
            return words.extend_cell_length(width, style).apply_style(style)
        line, start = self._rows[index]
        key = (line, start, width)
        strip = self._strips.get(key)
        if strip is None:
            whole = self.wrap or line.kind is Kind.NOTE
            strip = self._look.strip(line, start, width, self.app.console, self.finder, wrap=whole)
            self._strips[key] = strip
            self._widen(strip.cell_length)
        return strip.crop_extend(x, x + width, style).apply_style(style)

    def _rebuild(self) -> None:
        """All rows anew; whoever reads further up keeps the line at the top."""
        self._test, self._passed = self._filter() if self._filter else None, []
        found = self._that_pass(self._all)
        self._taken = self._all[-1] if len(self._all) else None
        self._breaks = self.wrap or _has_notes(found)
        self._look.meet(found)
        self._shown, self._widest = Ring(), 0
        self._shown.extend(found)
        self._rows = [*self._rows_of(found)]
        self.finder.again(found)
        self._strips.clear()
        self._resize()
        self.refresh()
        self._keep_place()

    def _not_taken(self, lines: Sequence[Line]) -> Sequence[Line]:
        """Without those that were in the ring already when all rows were made anew."""
        taken, self._taken = self._taken, None
        if taken is None:
            return lines
        at = next((at for at, line in enumerate(lines) if line is taken), -1)
        return lines[at + 1 :]

    def _that_pass(self, lines: Iterable[Line]) -> list[Line]:
        if self._test is None:
            return [*lines]
        lines = [*lines]
        passed = [self._test(line) for line in lines]
        self._passed += passed
        del self._passed[: -len(self._all)]  # the oldest lines have left the ring
        return [*compress(lines, passed)]

    def _rows_of(self, lines: Iterable[Line]) -> Iterable[Row]:
        """A line is not read here unless it has to be: that is what a flood costs."""
        if not self._breaks:
            return zip(lines, repeat(0))
        return ((line, start) for line in lines for start in self._starts(line))

    def _starts(self, line: Line) -> Iterable[int]:
        """Where the rows of a line begin. What devloop says itself is always shown whole."""
        whole = line.kind is Kind.NOTE or (self.wrap and line.kind is not Kind.RULE)
        return self._look.breaks(line, self._width) if whole else (0,)

    def _widen(self, width: int) -> None:
        """A line is measured when it is shown for the first time."""
        if not self.wrap and width > self._widest:
            self._widest = width
            self.call_after_refresh(self._resize)

    def _resize(self) -> None:
        width = self._width if self.wrap else self._widest
        self.virtual_size = Size(width, len(self._rows))

    def _forget(self, gone: Sequence[Line]) -> None:
        """The oldest lines went; the place of whoever reads further up moves with its lines."""
        if not gone:
            return
        oldest, rows = self._shown[0], len(gone)
        if self._breaks:
            rows = next(at for at, (line, _) in enumerate(self._rows) if line is oldest)
        self.finder.forget(gone)
        del self._rows[:rows]
        self._keep_place()


def _has_notes(lines: Iterable[Line]) -> bool:
    return any(line.kind is Kind.NOTE for line in lines)
