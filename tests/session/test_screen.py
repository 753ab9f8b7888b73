"""However the screen ends: the terminal is as it was, the session behind it ended in order, the exit code is right."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.onterminal import OnTerminal

PREAMBLE = """
import asyncio, os, subprocess, sys
from pathlib import Path
from devloop.session.screen import show
from devloop.tui.board import Board
from devloop.tui.talk import Ended

class Behind:
    def __init__(self):
        self.over = asyncio.get_running_loop().create_future()
    def quit(self, code):
        if not self.over.done():
            self.over.set_result(code)
    def send(self, command): ...

async def whole(screen):
    screen.recording = Path("session.ndjson").absolute()
    behind = Behind()
    print("\\x1b]2;begun\\x07", file=sys.__stderr__)
    screen.session = behind
    code = await behind.over
    return Ended(code or 0, (f"web: verified, ended with {code}",))
"""
SHOW = "sys.exit(show(whole))\n"
CRASH = """
paint = Board.paint
def painting(self):
    if self.session is not None:
        raise ZeroDivisionError("no paint left")
    paint(self)
Board.paint = painting
"""
BEGUN = "\x1b]2;begun\x07"


def on_terminal(folder: Path, *lines: str, stdout: int | None = None) -> OnTerminal:
    return OnTerminal([sys.executable, "-c", PREAMBLE + "\n".join(lines)], folder, stdout=stdout)


TELLS_THEME = """
async def whole(screen):
    first = screen.theme
    if CHANGES:
        screen.action_theme()
    return Ended(0, (first,))
"""


def test_the_theme_is_the_one_of_the_session_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In as many colours as the terminal has now."""
    monkeypatch.setenv("DEVLOOP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("COLORTERM", raising=False)
    for changes, terminal, theme in (
        (True, "xterm-256color", "devloop-dark"),
        (False, "xterm-256color", "devloop-light"),
        (True, "xterm-16color", "ansi-light"),
        (False, "xterm-256color", "devloop-dark"),
    ):
        lines = (f"os.environ['TERM'] = {terminal!r}", f"CHANGES = {changes}", TELLS_THEME, SHOW)
        with on_terminal(tmp_path, *lines) as shown:
            assert shown.finish() == 0
        assert shown.said.split("\r\n")[0] == theme


def test_a_screen_that_breaks_ends_the_session_and_leaves_a_report(tmp_path: Path) -> None:
    with on_terminal(tmp_path, CRASH, SHOW) as terminal:
        assert terminal.finish() == 1
        terminal.assert_sane()
    words, mistake = terminal.said.split("\r\n")[:2]
    assert words == "web: verified, ended with 1"
    report = tmp_path / "session.screen.bug.txt"
    assert mistake == f"devloop made a mistake: ZeroDivisionError: no paint left; please report it with {report}"
    assert "Traceback" not in terminal.drawn
    assert "in painting" in report.read_text()


def test_a_session_that_makes_a_mistake_leaves_a_report_too(tmp_path: Path) -> None:
    broken = "async def whole(screen):\n    raise RuntimeError('lost the thread')\n"
    with on_terminal(tmp_path, broken, SHOW) as terminal:
        assert terminal.finish() == 1
        terminal.assert_sane()
    assert "devloop made a mistake: RuntimeError: lost the thread; please report it with /" in terminal.said
    Path(terminal.said.split()[-1]).unlink()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["INT", "TERM", "HUP"]
)
def test_a_signal_ends_the_session_in_order(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with on_terminal(tmp_path, SHOW) as terminal:
        terminal.until(BEGUN)
        terminal.signal(number)
        assert terminal.finish() == code
        terminal.assert_sane()
    assert f"web: verified, ended with {code}" in terminal.said


def test_a_signal_before_there_is_a_session_ends_what_there_is(tmp_path: Path) -> None:
    opening = f"async def whole(screen):\n    print({BEGUN!r}, file=sys.__stderr__)\n    await asyncio.Event().wait()\n"
    with on_terminal(tmp_path, opening, SHOW) as terminal:
        terminal.until(BEGUN)
        terminal.signal(signal.SIGTERM)
        assert terminal.finish() == 143
        terminal.assert_sane()


def test_a_second_signal_does_not_wait_for_a_session_that_does_not_end(tmp_path: Path) -> None:
    endless = "Behind.quit = lambda self, code: print('\\x1b]2;asked\\x07', file=sys.__stderr__)\n"
    with on_terminal(tmp_path, endless, SHOW) as terminal:
        terminal.until(BEGUN)
        terminal.signal(signal.SIGTERM)
        terminal.until("\x1b]2;asked\x07")
        while terminal.process.poll() is None:  # the same signal within a moment is the first one again
            terminal.signal(signal.SIGTERM)
            try:
                terminal.process.wait(0.5)
            except subprocess.TimeoutExpired:
                continue
        assert terminal.finish() == 143
        terminal.assert_sane()


def test_a_terminal_that_is_closed_ends_the_session(tmp_path: Path) -> None:
    told = "Behind.quit = lambda self, code: (Path('asked').write_text(str(code)), self.over.set_result(code))\n"
    with on_terminal(tmp_path, told, SHOW) as terminal:
        terminal.until(BEGUN)
        terminal.hang_up()
        assert terminal.finish() == 129
    assert (tmp_path / "asked").read_text() == "129"


def test_what_goes_on_without_having_been_suspended_is_started_once(tmp_path: Path) -> None:
    """A terminal that is closed sends SIGCONT besides SIGHUP."""
    told = (
        "import threading\nnames = lambda: [each.name for each in threading.enumerate()]\n"
        "Behind.quit = lambda self, code: "
        "(Path('readers').write_text(str(names().count('textual-input'))), self.over.set_result(code))\n"
    )
    with on_terminal(tmp_path, told, SHOW) as terminal:
        terminal.until(BEGUN)
        terminal.signal(signal.SIGCONT)
        terminal.signal(signal.SIGTERM)
        assert terminal.finish() == 143
        terminal.assert_sane()
    assert (tmp_path / "readers").read_text() == "1"


def test_the_exit_code_stands_although_nobody_reads_the_last_words(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with on_terminal(tmp_path, SHOW, stdout=writer) as terminal:
        os.close(writer)
        terminal.until(BEGUN)
        terminal.signal(signal.SIGTERM)
        assert terminal.finish() == 143
        terminal.assert_sane()


def test_keys_that_are_no_utf_8_harm_nobody(tmp_path: Path) -> None:
    with on_terminal(tmp_path, SHOW) as terminal:
        terminal.until(BEGUN)
        terminal.press(b"\xff\xfe")
        terminal.press(b"\x03")
        assert terminal.finish() == 130
        terminal.assert_sane()


def test_what_others_write_to_stderr_stays_off_the_screen_except_while_they_have_it(tmp_path: Path) -> None:
    script = """
async def whole(screen):
    screen.recording = Path("session.ndjson").absolute()
    os.write(2, b"noise of a library\\n")
    with screen.suspend():
        subprocess.run(["sh", "-c", "echo the prompt of a shell >&2"], check=True)
    return Ended(0, ())
"""
    with on_terminal(tmp_path, script, SHOW) as terminal:
        assert terminal.finish() == 0
        terminal.assert_sane()
    assert "the prompt of a shell" in terminal.drawn
    assert "noise of a library" not in terminal.drawn
    assert (tmp_path / "session.stderr.txt").read_text() == "noise of a library\n"
