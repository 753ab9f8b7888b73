"""The picture of the screen: a session of the demo that was recorded once, and replayed by the program as it is now."""

import re
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from devloop.core.events import Record
from devloop.session.replay import LONGEST_PAUSE, Unreadable, read
from tests.onterminal import OnTerminal
from tests.pictures.frames import Shown, frame_of, joined
from tests.pictures.place import anybodys
from tests.pictures.svg import animated
from tests.sandbox.client import page_at
from tests.tui.snapshot import rows_of
from tests.tui.stage import on_stage
from tests.tui.stories import Story

SIZE = (100, 24)
READING, AT_THE_END = 1.8, 4.0
"""Seconds that a person takes to look at what happened, and that the last frame stays."""
_STEP, _SHORTEST = 0.2, 0.05
_SAID = (
    "The screen of devloop: the old image gives way to the new one, an edit is verified, a mistake makes the new Pod "
    "crash while the old ones serve, and the mended code is verified."
)


# recorded ------------------------------------------------------------------------------------------------------------


def record(path: Path) -> None:
    """What a person does in the demo: an edit, a mistake, the mistake mended."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "devloop-demo"
        command = [sys.executable, "-m", "devloop", "demo", "--headless", "--folder", str(folder)]
        with OnTerminal(command, Path.cwd(), env={"NO_COLOR": "1"}) as terminal:
            _through(terminal, folder / "web" / "web.py")
            terminal.press(b"\x03")
            terminal.finish()
        (recording,) = (folder / ".sandbox" / "state" / "sessions").glob("*.ndjson")
        path.write_text(anybodys(recording.read_text("utf-8"), Path(place)), "utf-8")


def _through(terminal: OnTerminal, source: Path) -> None:
    terminal.until("web  VERIFIED")
    page = re.findall(r"open (http://\S+)", terminal.drawn)[0]
    first = source.read_text("utf-8")
    _look_at(page)
    for new, ending in (
        (first.replace("Good morning", "Good afternoon"), "web  VERIFIED"),
        (first.replace('["PORT"]', '["PROT"]'), "web  FAILED"),
        (first.replace("Good morning", "Good night"), "web  VERIFIED"),
    ):
        source.write_text(new, "utf-8")
        terminal.until(ending)
        _look_at(page)


def _look_at(page: str) -> None:
    """As often as somebody does who waits for it to change, and a little longer."""
    for _ in range(3):
        time.sleep(READING / 3)
        page_at(page)


# replayed ------------------------------------------------------------------------------------------------------------


async def draw(recording: Path) -> str:
    records = read(recording)
    assert not isinstance(records, Unreadable), records
    shown = [each async for each in _frames(records)]
    title = f"devloop replay {recording.name}"
    return animated(joined(shown, _SHORTEST), title=title, said=_SAID, columns=SIZE[0])


async def _frames(records: Sequence[Record]) -> AsyncIterator[Shown]:
    """Frame by frame, and what a replay skips is skipped."""
    story = Story()
    story.records, story.now = [], records[0].time
    async with on_stage(story, SIZE) as stage:
        for now, seconds, due in _moments(records):
            story.now = now
            story.records += due
            await stage.go_on()
            yield Shown(frame_of(rows_of(stage.app)), seconds)


def _moments(records: Sequence[Record]) -> Iterator[tuple[float, float, list[Record]]]:
    """The time in the recording, for how long it is shown, and what happened since the one before."""
    due: list[Record] = []
    pause = 0.0
    for record, following in pairwise(records):
        due.append(record)
        pause += min(max(0.0, following.time - record.time), LONGEST_PAUSE)
        if pause >= _SHORTEST:
            steps = max(1, round(pause / _STEP))
            for at in range(steps):
                yield record.time + at * _STEP, pause / steps, due
                due = []
            pause = 0.0
    yield records[-1].time, AT_THE_END, [*due, records[-1]]
