"""A recorded session, played: its words, its pace, what the keys do, and files that cannot be played."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from devloop.cli import main
from devloop.core.events import Record, ServiceAdded
from devloop.core.failure import ExitCode
from devloop.core.reducer import fold
from devloop.session.replay import LONGEST_PAUSE, Tape, play
from devloop.tui.app import DevloopApp
from devloop.tui.keys import Where, foot, meaning
from devloop.tui.part import Part
from devloop.tui.talk import Ended
from devloop.views.board import overall
from devloop.views.chronicle import Chronicle
from tests.engine.conftest import run_in_fake_time
from tests.headless.sessions import NAMES, SESSIONS, lines_of, recorded
from tests.onterminal import OnTerminal

REPLAYED = Where(off=True, replay=True)
LATER_EVENT = '{"time":"2026-01-02T03:04:05.678Z","event":"moon_landed","crew":3}'
GOLDEN = SESSIONS / "broken_build.ndjson"


def replay(*args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["replay", *args], prog_name="devloop")
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "session.ndjson"


# printed -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("kolkata")
@pytest.mark.parametrize("name", NAMES)
def test_where_there_is_no_terminal_it_is_the_text_that_users_read(name: str) -> None:
    assert replay(str(SESSIONS / f"{name}.ndjson")) == (0, (SESSIONS / f"{name}.txt").read_text("utf-8"), "")


def test_as_json_it_is_what_this_version_understands(written: Path) -> None:
    lines = lines_of("unchanged")
    written.write_text("\n".join([lines[0], LATER_EVENT, *lines[1:], ""]), "utf-8")
    assert replay(str(written), "-o", "json") == (0, "\n".join([*lines, ""]), "")


def test_a_recording_that_is_still_written_to_plays_as_far_as_it_goes(written: Path) -> None:
    lines = lines_of("broken_build")[:10]
    written.write_bytes(
        "\n".join([*lines, '{"time":"2026-01-02T03:04:05.678Z","event":"log","text":"né']).encode()[:-1]
    )
    code, out, err = replay(str(written), "-o", "json")
    assert (code, out.splitlines(), err) == (0, lines, "")


def test_a_last_line_without_its_end_counts_when_it_is_whole(written: Path) -> None:
    lines = lines_of("unchanged")
    written.write_text("\n".join(lines), "utf-8")
    assert replay(str(written), "-o", "json")[1].splitlines() == lines


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is no recording of a devloop session, or its beginning is cut off"),
        (b"\n\n", "is no recording of a devloop session, or its beginning is cut off"),
        (b"# devloop\n\nSave a file\n", "is no recording of a devloop session: line 1 is no event"),
        (b"\x1f\x8b\x08\x00\xff\n\n", "is no recording of a devloop session: line 1 is no event"),
        (b"[" * 200_000 + b"\n", "is no recording of a devloop session: line 1 is no event"),
        (LATER_EVENT.encode() + b"\n", "is no recording of a devloop session, or its beginning is cut off"),
        (GOLDEN.read_bytes().partition(b"\n")[2], "is no recording of a devloop session, or its beginning is cut off"),
        (GOLDEN.read_bytes()[40:], "is no recording of a devloop session: line 1 is no event"),
        (GOLDEN.read_bytes()[:900] + b"\n" + GOLDEN.read_bytes(), "is no recording of a devloop session: line 6 is no"),
    ],
)
def test_what_is_none_is_one_sentence(written: Path, content: bytes, why: str) -> None:
    written.write_bytes(content)
    code, out, err = replay(str(written))
    assert (code, out) == (ExitCode.USAGE, "")
    (sentence,) = err.splitlines()
    assert sentence.startswith(f"{written} {why}")


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path: Path) -> None:
    assert replay("nowhere.ndjson") == (2, "", "nowhere.ndjson cannot be read: No such file or directory\n")
    assert replay(str(tmp_path)) == (2, "", f"{tmp_path} cannot be read: Is a directory\n")


def test_without_a_file_the_newest_session_is_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVLOOP_STATE_DIR", str(tmp_path))
    assert replay() == (2, "", f"no session is recorded in {tmp_path} yet: name a FILE that is elsewhere\n")
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    for name, at in (("older", 1), ("newest", 3), ("old", 2)):
        (sessions / f"{name}.ndjson").write_bytes(GOLDEN.read_bytes() if name == "newest" else b"")
        os.utime(sessions / f"{name}.ndjson", (at, at))
    assert replay() == replay(str(GOLDEN))


def test_a_later_contract_says_which_version_can_read_it(written: Path) -> None:
    begun = {"time": "2030-01-02T03:04:05.678Z", "event": "session_started", "protocol": 2, "version": "9.1.0"}
    written.write_text(json.dumps(begun) + "\n")
    code, _, err = replay(str(written))
    assert code == 2
    assert err.startswith(f"{written} was recorded by devloop 9.1.0, whose events devloop ")


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "fast"])
def test_a_speed_is_a_number_above_nothing(speed: str) -> None:
    code, _, err = replay(str(GOLDEN), f"--speed={speed}")
    assert code == 2
    assert "--speed" in err.splitlines()[-1]


def test_speed_and_at_once_contradict_each_other() -> None:
    code, _, err = replay(str(GOLDEN), "--speed", "2", "--at-once")
    assert (code, err.splitlines()[-1]) == (2, "Error: --at-once leaves no time for a --speed: name one of them")


# the pace ------------------------------------------------------------------------------------------------------------


def records(*times: float) -> list[Record]:
    return [Record(at, ServiceAdded(f"s{number}")) for number, at in enumerate(times)]


@pytest.mark.parametrize(
    ("tape", "due"),
    [
        (Tape(records(100, 100, 101.5, 103)), [0, 0, 1.5, 3]),
        (Tape(records(100, 101.5, 103), speed=3), [0, 0.5, 1]),
        (Tape(records(100, 101, 500, 501)), [0, 1, 1 + LONGEST_PAUSE, 2 + LONGEST_PAUSE]),
        (Tape(records(100, 500, 501), speed=0.5), [0, 2 * LONGEST_PAUSE, 2 * LONGEST_PAUSE + 2]),
        (Tape(records(100, 99, 100)), [0, 0, 1]),
        (Tape(records(100, 101, 500), at_once=True), [0, 0, 0]),
    ],
    ids=["its own", "faster", "long pauses", "slower", "a clock that was set back", "at once"],
)
def test_the_pace_is_that_of_the_recording(tape: Tape, due: list[float]) -> None:
    played: list[float] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        await tape.play(lambda batch: played.extend([loop.time()] * len(batch)))

    run_in_fake_time(scenario, eager=False)
    assert played == pytest.approx(due)


def test_what_happened_in_one_moment_is_shown_in_one_go() -> None:
    batches: list[int] = []
    run_in_fake_time(lambda: Tape(records(1, 1, 1, 2)).play(lambda batch: batches.append(len(batch))), eager=False)
    assert batches == [3, 1]


def test_the_clock_is_the_recordings() -> None:
    tape = Tape(records(100, 102, 500), speed=2)
    seen: dict[float, float] = {}

    async def scenario() -> None:
        playing = asyncio.ensure_future(tape.play(lambda batch: None))
        for _ in range(6):
            await asyncio.sleep(0.5)
            seen[asyncio.get_running_loop().time()] = tape.now()
        await playing

    assert tape.now() == 100
    run_in_fake_time(scenario, eager=False)
    assert seen == pytest.approx({0.5: 101, 1.0: 102, 1.5: 103, 2.0: 104, 2.5: 500, 3.0: 500})


# the screen ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> "asyncio.Queue[str]":
    """What the app tells the person."""
    found: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(DevloopApp, "notify", lambda app, message, **_: found.put_nowait(message))
    return found


def app_of(name: str) -> DevloopApp:
    tape = Tape(recorded(name), at_once=True)
    return DevloopApp(lambda app: play(app, tape), clock=tape.now)


@pytest.mark.parametrize("name", NAMES)
async def test_the_app_comes_to_the_same_state_and_the_same_words(name: str, noted: "asyncio.Queue[str]") -> None:
    app, session = app_of(name), recorded(name)
    async with app.run_test(size=(110, 30)) as pilot:
        assert await noted.get() == "the recording ends here; q quits"
        assert (app.state, app.clock()) == (fold(session), session[-1].time)
        past, state = Chronicle(), fold(())
        for record in session:
            state = fold([record], state) if not record.event.lossy else state
            past.take(record, state)
        assert overall(app.state, app.past, app.clock()) == overall(state, past, session[-1].time)
        await pilot.press("ctrl+c")
    assert app.return_value == Ended(ExitCode.INTERRUPTED)


async def test_keys_that_would_act_say_that_it_is_a_replay_and_q_quits(noted: "asyncio.Queue[str]") -> None:
    app = app_of("broken_build")
    async with app.run_test(size=(110, 30)) as pilot:
        assert await noted.get() == "the recording ends here; q quits"
        for key in ("b", "space", "A", "S"):
            await pilot.press(key)
            assert "this is a replay" in await noted.get(), key
        await pilot.press("r")
        assert "this is a replay" in await noted.get()
        await pilot.press("d")
        await pilot.pause()
        assert "this is a replay" in app.answer[0].text
        assert not app.wants_notice
        await pilot.press("escape", "q")
    assert app.return_value == Ended(ExitCode.DONE)


@pytest.mark.parametrize("name", ["broken_build", "three_services"])
@pytest.mark.parametrize("size", [(110, 30), (80, 12)])
async def test_the_screen_says_that_it_is_a_replay(name: str, size: tuple[int, int]) -> None:
    app = app_of(name)
    async with app.run_test(size=size) as pilot:
        while app.state.exit_code is None:
            await pilot.pause()
        await pilot.pause()
        said = [app.main.query_one("#status", Part).said]
        app.is_replay = False
        app.paint()
        said.append(app.main.query_one("#status", Part).said)
        await pilot.press("ctrl+c")
    assert [each.rstrip().endswith("replay") for each in said] == [True, False]


async def test_keys_that_would_act_are_named_nowhere() -> None:
    app = app_of("broken_build")
    async with app.run_test(size=(140, 40)) as pilot:
        while app.state.exit_code is None:
            await pilot.pause()
        parts = {name: app.main.query_one(f"#{name}", Part).said for name in ("keys", "band")}
        named = {key.action for keys in meaning(app.where).values() for key in keys}
        offered = {command.title.split()[0] for command in app.get_system_commands(app.screen)}
        app.is_replay = False
        asking = {action for _, _, action, _ in foot(app.where)} - {action for _, _, action, _ in foot(REPLAYED)}
        await pilot.press("ctrl+c")
    assert asking == {"build", "restart", "pause", "why", "shell"}
    for words in ("build now", "restart", "pause", "why", "shell", "edit"):
        assert words not in parts["keys"] + parts["band"]
    assert not named & {*asking, "stop", "edit", "restore", "pause_all", "take_over"}
    assert {"pane('build')", "find", "leave"} <= named
    assert not offered & {"Build", "Restart", "Pause", "Stop", "Put", "Resume"}


def test_on_a_terminal_it_stays_on_the_last_frame(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "devloop", "replay", str(GOLDEN), "--at-once"]
    with OnTerminal(command, tmp_path) as terminal:
        terminal.until("the recording ends here")
        terminal.press(b"q")
        assert terminal.finish() == 0
        terminal.assert_sane()
    assert terminal.said.strip() == ""


def test_what_is_no_recording_never_takes_the_terminal(tmp_path: Path) -> None:
    with OnTerminal([sys.executable, "-m", "devloop", "replay", "nowhere"], tmp_path) as terminal:
        assert terminal.finish() == 2
    assert terminal.drawn == "nowhere cannot be read: No such file or directory\r\n"
