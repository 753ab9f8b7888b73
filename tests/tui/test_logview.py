"""The log pane: what it keeps, what it shows of it, and that whoever reads keeps the place."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from devloop.tui.logview import LogView, Test
from devloop.tui.painted import styles
from devloop.tui.ring import KEPT, Ring
from devloop.views import Tone
from devloop.views.loglines import Kind, Line, note, rule
from tests.tui.stage import quick, until_quiet
from tests.tui.stories import START


class PaneApp(App[None]):
    """A log pane and nothing else."""

    def compose(self) -> ComposeResult:
        self.console.push_theme(styles(dark=True, ansi=False))
        yield LogView(id="logs")


@dataclass
class Pane:
    pilot: Pilot[None]
    view: LogView
    ring: Ring

    async def write(self, *lines: str, pod: str = "web-1-aaaaa", container: str = "web") -> None:
        made = [Line(START + at, Kind.POD, text, pod, container) for at, text in enumerate(lines, len(self.ring))]
        await self.add(made)

    async def add(self, lines: list[Line]) -> None:
        self.ring.extend(lines)
        self.view.extend(lines)
        await self.settle()

    async def settle(self) -> None:
        """Until the layout knows what was written."""
        for _ in range(3):
            await until_quiet(self.pilot.app)
            await self.pilot.pause(0)

    def to(self, row: int) -> None:
        self.view.scroll_to(y=row, animate=False, immediate=True, force=True)

    def up(self, rows: int) -> None:
        self.to(round(self.view.scroll_y) - rows)

    async def resize(self, width: int, height: int) -> None:
        await self.pilot.resize_terminal(width, height)
        while self.view.outer_size != (width, height):
            await self.settle()
        await self.settle()

    @property
    def seen(self) -> list[str]:
        """The rows of the pane, without the time of a line."""
        strips = [self.view.render_line(y) for y in range(self.view.size.height)]
        return [strip.text.rstrip().removeprefix("14:00:").partition(" ")[2] for strip in strips]


@asynccontextmanager
async def pane(width: int = 60, height: int = 5) -> AsyncIterator[Pane]:
    app = PaneApp()
    with quick(app):
        async with app.run_test(size=(width, height)) as pilot:
            view, ring = app.query_one(LogView), Ring()
            view.show(ring)
            yield Pane(pilot, view, ring)


def numbers(first: int, end: int) -> list[str]:
    return [f"line {at}" for at in range(first, end)]


def shown(first: int, end: int) -> list[str]:
    return [f"aaaaa {text}" for text in numbers(first, end)]


async def test_it_follows_the_end() -> None:
    async with pane() as log:
        await log.write(*numbers(0, 3))
        assert log.seen == [*shown(0, 3), "", ""]
        await log.write(*numbers(3, 20))
        assert log.seen == shown(15, 20)


async def test_whoever_scrolled_up_keeps_the_place_and_is_told_how_much_came() -> None:
    async with pane() as log:
        await log.write(*numbers(0, 20))
        log.up(5)
        await log.write(*numbers(20, 30))
        assert not log.view.following
        assert log.view.below == 15
        assert log.seen == shown(10, 15)


async def test_the_end_follows_again() -> None:
    async with pane() as log:
        await log.write(*numbers(0, 20))
        log.up(5)
        log.view.follow(True)
        await log.write(*numbers(20, 21))
        assert log.seen == shown(16, 21)


async def test_it_keeps_so_many_lines_and_the_place_of_who_reads() -> None:
    async with pane() as log:
        await log.write(*numbers(0, KEPT))
        log.to(KEPT // 2)
        before = log.seen
        await log.write(*numbers(KEPT, KEPT + KEPT // 5))
        assert len(log.view.lines) <= KEPT * 1.1
        assert log.seen == before


async def test_the_place_of_a_line_that_is_gone_is_the_oldest_line() -> None:
    async with pane() as log:
        await log.write(*numbers(0, 20))
        log.to(3)
        await log.write(*numbers(20, KEPT + KEPT // 5))
        assert not log.view.following
        assert log.seen[0] == f"aaaaa {log.view.lines[0].text}"


def _only(word: str) -> Callable[[], Test]:
    return lambda: lambda line: word in line.text


async def test_a_filter_shows_what_passes_also_of_what_comes() -> None:
    async with pane() as log:
        await log.write("good one", "bad one", "good two")
        log.view.filter(_only("good"))
        await log.write("bad two", "good three")
        assert log.seen[:3] == ["aaaaa good one", "aaaaa good two", "aaaaa good three"]
        log.view.filter(None)
        assert log.seen == [f"aaaaa {text}" for text in ("good one", "bad one", "good two", "bad two", "good three")]


async def test_a_filter_keeps_the_line_that_one_reads() -> None:
    async with pane() as log:
        await log.write(*(f"{'even' if at % 2 == 0 else 'odd'} {at}" for at in range(40)))
        log.to(20)
        log.view.filter(_only("even"))
        assert log.seen[0] == "aaaaa even 20"
        assert not log.view.following


async def test_nothing_passes() -> None:
    async with pane() as log:
        log.view.silence = "no line passes"
        log.view.filter(_only("x"))
        await log.write("a", "b")
        assert log.view.render_line(0).text.strip() == "no line passes"


async def test_long_lines_are_wrapped_below_their_words() -> None:
    async with pane(width=46) as log:
        log.view.set_wrap(True)
        await log.write("x" * 40)
        rows = [log.view.render_line(y).text.rstrip() for y in range(3)]
        assert rows == [f"14:00:00 aaaaa {'x' * 31}", f"{' ' * 15}{'x' * 9}", ""]


async def test_wide_characters_are_wrapped_by_their_columns() -> None:
    async with pane(width=46) as log:
        log.view.set_wrap(True)
        await log.write("漢" * 20)
        assert [log.view.render_line(y).text.count("漢") for y in range(2)] == [15, 5]


async def test_wrapping_keeps_the_line_that_one_reads() -> None:
    async with pane(width=45) as log:
        await log.write(*(f"{at} {'x' * 50}" for at in range(30)))
        log.to(10)
        log.view.set_wrap(True)
        assert log.seen[0].startswith("aaaaa 10 x")
        log.view.set_wrap(False)
        assert log.seen[0].startswith("aaaaa 10 x")


@pytest.mark.parametrize("wrap", [False, True])
async def test_resizing_keeps_the_line_that_one_reads(wrap: bool) -> None:
    async with pane(width=60, height=10) as log:
        log.view.set_wrap(wrap)
        await log.write(*(f"{at} {'x' * 60}" for at in range(50)))
        await log.settle()
        log.view.find("20 x")
        log.to(round(log.view.scroll_y) + [row.startswith("aaaaa 20 ") for row in log.seen].index(True))
        for size in ((40, 10), (100, 4), (60, 10)):
            await log.resize(*size)
            assert log.seen[0].startswith("aaaaa 20 x"), size


async def test_resizing_follows_whoever_followed() -> None:
    async with pane(height=10) as log:
        await log.write(*numbers(0, 50))
        for size in ((40, 4), (100, 20), (60, 10)):
            await log.resize(*size)
            assert log.seen[-1] == "aaaaa line 49"


async def test_a_second_container_is_named_and_a_pod_has_its_colour() -> None:
    async with pane() as log:
        await log.write("one")
        await log.write("two", container="sidecar", pod="web-1-bbbbb")
        assert log.seen[:2] == ["aaaaa web     one", "bbbbb sidecar two"]
        colours = [list(log.view.render_line(y))[1].style for y in range(2)]
        assert colours[0] != colours[1]


async def test_rules_go_across_the_pane() -> None:
    async with pane(width=40) as log:
        await log.add([rule(START, "new code: a.py")])
        assert log.view.render_line(0).text == "──── 14:00:00 new code: a.py ───────────"


async def test_what_devloop_says_is_shown_whole_between_words_at_any_width() -> None:
    async with pane(width=41, height=6) as log:
        await log.write("one", "x" * 90)
        await log.add([note(START, "! container web is not ready: connection refused by 10.0.0.1", Tone.WARN)])
        await log.write("two")
        rows = [log.view.render_line(y).text.rstrip() for y in range(2, 6)]
        assert rows == [
            "14:00:00 ! container web is not ready:",
            "           connection refused by 10.0.0.1",
            "14:00:03 aaaaa two",
            "",
        ]
        await log.resize(90, 6)
        assert log.view.render_line(2).text.rstrip().endswith("connection refused by 10.0.0.1")


async def test_saving_writes_what_passes(tmp_path: Path) -> None:
    async with pane() as log:
        await log.write("\x1b[31mred\x1b[0m", "blue")
        path = tmp_path / "web.log"
        assert log.view.save(str(path)) == f"2 lines saved to {path}"
        assert path.read_text() == "14:00:00 aaaaa red\n14:00:01 aaaaa blue\n"
        assert log.view.save(str(tmp_path / "no" / "web.log")).endswith("cannot be written: No such file or directory")


async def test_find_goes_up_from_the_end_and_both_ways() -> None:
    async with pane() as log:
        await log.write(*(f"{'needle' if at % 10 == 0 else 'hay'} {at}" for at in range(50)))
        assert log.view.find("NEEDLE")
        assert (log.view.finder.told, log.view.following) == ("5 of 5", False)
        assert "aaaaa needle 40" in log.seen
        for step, told in ((-1, "4 of 5"), (-1, "3 of 5"), (1, "4 of 5"), (1, "5 of 5"), (1, "1 of 5"), (-1, "5 of 5")):
            log.view.find_next(step)
            assert log.view.finder.told == told
            assert any("needle" in row for row in log.seen)


async def test_find_counts_what_comes_and_forgets_what_goes() -> None:
    async with pane() as log:
        await log.write("needle", *numbers(0, 10))
        log.view.find("needle")
        await log.write("needle")
        assert log.view.finder.told == "1 of 2"
        await log.write(*numbers(0, KEPT + KEPT // 5))
        assert log.view.finder.told == "0 of 0"


async def test_find_what_is_not_there() -> None:
    async with pane() as log:
        await log.write("hay")
        assert not log.view.find("needle")
        assert log.view.finder.told == "0 of 0"
        assert not log.view.find("")
        assert log.view.finder.told == ""


async def test_what_was_found_is_marked() -> None:
    async with pane() as log:
        await log.write("a needle", "another needle")
        log.view.find("needle")
        rows = [list(log.view.render_line(y)) for y in range(2)]
        marked = [[(s.text, s.style.bgcolor.name) for s in row if s.style and s.style.bgcolor] for row in rows]
        backs = {text: back for row in marked for text, back in row if text == "needle"}
        assert [text for row in marked for text, _ in row].count("needle") == 2
        assert backs
