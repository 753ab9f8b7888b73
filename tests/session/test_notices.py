"""When the terminal is told beyond the screen: a failure, and the recovery from it, and nothing else."""

import asyncio
import sys
from pathlib import Path

import pytest

from devloop.core.events import CycleFinished, Record
from devloop.tui.app import DevloopApp
from devloop.tui.talk import Ended
from tests.headless.sessions import SESSIONS, recorded
from tests.onterminal import OnTerminal
from tests.session.test_screen import PREAMBLE

TOLD = f"""
from devloop.headless.ndjson import decode_all

async def whole(screen):
    lines = Path({str(SESSIONS / "broken_build.ndjson")!r}).read_text().splitlines()
    for record in decode_all(lines):
        screen.feed([record])
        screen.paint()
    return Ended(0, ())

sys.exit(show(whole))
"""


async def _forever(app: DevloopApp) -> Ended:
    await asyncio.Event().wait()
    raise AssertionError


async def rings(session: list[Record], monkeypatch: pytest.MonkeyPatch, *, wanted: bool = True) -> list[float]:
    """The moments at which the bell rang, each event painted by itself."""
    rung: list[float] = []
    now = session[0].time
    monkeypatch.setattr(DevloopApp, "bell", lambda app: rung.append(now))
    app = DevloopApp(_forever, clock=lambda: now)
    app.wants_notice = wanted
    async with app.run_test(size=(110, 30)):
        for record in session:
            now = record.time
            app.feed([record])
            app.paint()
    return rung


def ends(session: list[Record]) -> list[float]:
    return [record.time for record in session if isinstance(record.event, CycleFinished)]


@pytest.mark.parametrize("name", ["start_and_save", "superseded", "three_services", "unchanged"])
async def test_what_goes_well_is_not_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await rings(recorded(name), monkeypatch) == []


async def test_a_failure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    session = recorded("crash_loop")
    assert await rings(session, monkeypatch) == ends(session)[-1:]


async def test_the_recovery_from_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    session = recorded("broken_build")
    assert await rings(session, monkeypatch) == ends(session)


async def test_nothing_is_told_to_who_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await rings(recorded("broken_build"), monkeypatch, wanted=False) == []


def test_the_terminal_gets_a_bell_and_the_words(tmp_path: Path) -> None:
    with OnTerminal([sys.executable, "-c", PREAMBLE + TOLD], tmp_path) as terminal:
        assert terminal.finish() == 0
        terminal.assert_sane()
    _, failed, mended = terminal.drawn.split("\x1b]9;")
    assert "FAILED" in failed.partition("\x07")[0]
    assert "verified" in mended.partition("\x07")[0]
    assert failed.startswith("devloop: ")
