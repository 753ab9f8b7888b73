"""`devloop replay`: a recorded session on the screen at its own pace, or as plain text at once.

For demos, for bug reports, and for looking at what happened. Asks neither cluster nor engine for anything.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devloop import __version__
from devloop.adapters.statefolder import default_root, newest_recording
from devloop.core.commands import Command
from devloop.core.events import PROTOCOL, Record, SessionStarted
from devloop.core.failure import ExitCode
from devloop.headless.ndjson import decode_all
from devloop.session import say
from devloop.session.renderers import Output, lines_for
from devloop.tui.talk import Ended
from devloop.views import Phrase, Tone

if TYPE_CHECKING:
    from devloop.tui.app import DevloopApp

LONGEST_PAUSE = 3.0
"""Seconds; the help of the command says so."""
_REPLAY = "this is a replay"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a file cannot be played, in one sentence."""

    why: str


def run_replay(path: Path | None, *, speed: float, at_once: bool, output: Output | None) -> int:
    """Show it on the screen, or (with `output`) print it; its exit code. None: of the newest session."""
    path = path or newest_recording(default_root())
    if path is None:
        say.err(f"no session is recorded in {default_root()} yet: name a FILE that is elsewhere")
        return int(ExitCode.USAGE)
    records = read(path)
    if isinstance(records, Unreadable):
        say.err(records.why)
        return int(ExitCode.USAGE)
    if output is None:
        from devloop.session.screen import show

        tape = Tape(records, speed=speed, at_once=at_once)
        return show(lambda screen: play(screen, tape), clock=tape.now)
    lines = lines_for(output, pod_logs=True)
    say.out(*(line for record in records for line in lines(record)))
    return int(ExitCode.DONE)


# the file ------------------------------------------------------------------------------------------------------------


def read(path: Path) -> Sequence[Record] | Unreadable:
    """The records of a recording; a last line that was cut off while it was written is left out."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        return Unreadable(f"{path} cannot be read: {error.strerror or error}")
    if later := _later_version(lines[0]):
        return Unreadable(f"{path} {later}")
    records: list[Record] = []
    for at, line in enumerate(lines, 1):
        try:
            records += decode_all([line.decode("utf-8")])
        except (ValueError, OverflowError, RecursionError):
            if at < len(lines):
                return Unreadable(f"{path} is no recording of a devloop session: line {at} is no event")
    if not records or not isinstance(records[0].event, SessionStarted):
        return Unreadable(f"{path} is no recording of a devloop session, or its beginning is cut off")
    return records


def _later_version(first: bytes) -> str:
    """What a session started with may look different in a version that says so itself."""
    try:
        begun = json.loads(first)
        protocol, version = begun["protocol"], begun.get("version", "?")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ""
    if not isinstance(protocol, int) or protocol <= PROTOCOL:
        return ""
    return f"was recorded by devloop {version}, whose events devloop {__version__} does not understand: upgrade devloop"


# the time ------------------------------------------------------------------------------------------------------------


class Tape:
    """Records in the order in which they are due, and the time that it is in the recording meanwhile.

    That time goes on as the recording's did, and jumps where a pause was shortened. At the end it stands still.
    """

    def __init__(self, records: Sequence[Record], *, speed: float = 1.0, at_once: bool = False) -> None:
        self._records = records
        self._speed = speed
        self._at_once = at_once
        self._shown = self._next = records[0].time
        self._since = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None

    def now(self) -> float:
        """Unix seconds of the recording."""
        if self._loop is None:
            return self._shown
        return max(self._shown, min(self._next, self._shown + (self._loop.time() - self._since) * self._speed))

    async def play(self, feed: Callable[[list[Record]], None]) -> None:
        """Hand over what is due, until all of it was."""
        self._loop = asyncio.get_running_loop()
        due = self._loop.time()
        for pause, batch in _moments(self._records):
            self._next = batch[0].time
            due += 0.0 if self._at_once else min(pause, LONGEST_PAUSE) / self._speed
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            feed(batch)
            self._shown, self._since = self._next, self._loop.time()


def _moments(records: Iterable[Record]) -> Iterator[tuple[float, list[Record]]]:
    """What was logged in the same millisecond, and how long after what came before."""
    batch: list[Record] = []
    pause = 0.0
    for record in records:
        if batch and record.time != batch[-1].time:
            yield pause, batch
            pause, batch = max(0.0, record.time - batch[-1].time), []
        batch.append(record)
    yield pause, batch


# the screen ----------------------------------------------------------------------------------------------------------


async def play(app: "DevloopApp", tape: Tape) -> Ended:
    """Play it in the app, and stay on the last frame until somebody quits."""
    behind = _NothingBehind(app)
    app.session, app.wants_notice, app.is_replay = behind, False, True
    async with asyncio.TaskGroup() as group:
        playing = group.create_task(_to_the_end(app, tape))
        code = await behind.over
        playing.cancel()
    return Ended(code)


async def _to_the_end(app: "DevloopApp", tape: Tape) -> None:
    await tape.play(app.feed)
    app.notify("the recording ends here; q quits")


class _NothingBehind:
    """What the app asks of a session, where there is none: whatever would act says so."""

    def __init__(self, app: "DevloopApp") -> None:
        self.over: asyncio.Future[ExitCode] = asyncio.get_running_loop().create_future()
        self._app = app

    def send(self, command: Command) -> None:
        self._app.notify(f"{_REPLAY}: nothing is built, stopped or restarted", severity="warning")

    def quit(self, code: ExitCode | None) -> None:
        if not self.over.done():
            self.over.set_result(code or ExitCode.DONE)

    async def why(self, service: str) -> Sequence[Phrase]:
        now = f"`devloop why {service}` asks the cluster as it is now"
        return (Phrase(f"{_REPLAY}, which knows no more than its events; {now}", Tone.QUIET),)

    async def restore(self, service: str) -> Sequence[str]:
        return (f"{_REPLAY}: nothing was put back",)

    def shell(self, service: str) -> str:
        return f"{_REPLAY}: its Pods are not there"

    def has_file(self, service: str, file: str) -> bool:
        return False

    def editor(self, service: str, file: str, line: int) -> str:
        return f"{_REPLAY}: line {line} of {file} was meant"
