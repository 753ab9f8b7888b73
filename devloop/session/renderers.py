"""The readers of the event log: what goes to stdout, and the recording in the state folder."""

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from devloop.adapters.output import LineWriter
from devloop.core.events import Log, LogSource, Record
from devloop.engine.eventlog import EventLog, Subscription
from devloop.headless.ndjson import encode
from devloop.headless.plain import PlainRenderer, wants_colour
from devloop.session import say

STDOUT, STDERR = 1, 2
MAX_RECORDED_LOGS = 20_000_000
"""Characters of log lines in one recording, as they are written; everything else is recorded to the end."""
MAX_ON_SCREEN = 20_000
"""Records that may wait for the screen: half a second of a build and ten Pods that write all they can."""
_AT_ONCE, _ON_SCREEN_AT_ONCE = 200, 1_000
"""Records that are rendered, or taken in by a screen, before anything else may run: a few milliseconds' worth."""
PATIENCE = 2.0
"""Seconds that the end of a session waits for a reader that takes nothing."""

Lines = Callable[[Record], Iterable[str]]


class Output(StrEnum):
    """The headless formats."""

    PLAIN = "plain"
    JSON = "json"


def lines_for(output: Output, *, pod_logs: bool) -> Lines:
    """How records become lines on stdout."""
    if output is Output.JSON:
        return lambda record: () if _is_pod_log(record) and not pod_logs else (encode(record),)
    colour = wants_colour(os.isatty(STDOUT), os.environ)
    return PlainRenderer(colour=colour, pod_logs=pod_logs, columns=lambda: say.columns(0)).lines


class Renderers:
    """Start them before the first event, stdout first; they end when the log is closed and all is written."""

    def __init__(self, log: EventLog, closed: Callable[[], None]) -> None:
        """`closed` is called when stdout has no reader any more."""
        self._log = log
        self._closed = closed
        self._started: list[tuple[asyncio.Task[None], LineWriter]] = []
        self._screen: asyncio.Task[None] | None = None

    def to_stdout(self, lines: Lines) -> None:
        self._start(self._log.subscribe(), lines, LineWriter(STDOUT, lambda _: self._closed()))

    def to_screen(self, feed: Callable[[list[Record]], None]) -> None:
        """Hand every batch to a screen instead, which has all of it as soon as it was handed over."""
        self._screen = asyncio.create_task(_feed(self._log.subscribe(MAX_ON_SCREEN), feed), name="screen")

    def to_recording(self, path: Path, cut_off: Callable[[OSError], None]) -> None:
        """`cut_off` is called when nothing more can be written there."""
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._start(self._log.subscribe(), _Recording().lines, LineWriter(fd, cut_off))

    async def close(self) -> bool:
        """Wait until every reader has all of it; whether stdout has. One that stopped reading is not waited for."""
        self._log.close()
        taken = await asyncio.gather(*(_finish(task, writer) for task, writer in self._started))
        if self._screen is not None:
            await self._screen
            return True
        return taken[0]

    def _start(self, reader: Subscription, lines: Lines, writer: LineWriter) -> None:
        self._started.append((asyncio.create_task(_render(reader, lines, writer), name="renderer"), writer))


class _Recording:
    """Every event as NDJSON; log lines up to a bound."""

    def __init__(self) -> None:
        self._room = MAX_RECORDED_LOGS

    def lines(self, record: Record) -> Iterable[str]:
        if isinstance(record.event, Log):
            line = encode(record) if self._room > 0 else ""
            self._room -= len(line)
            return (line,) if line else ()
        return (encode(record),)


async def _render(reader: Subscription, lines: Lines, writer: LineWriter) -> None:
    async for batch in reader.batches():
        for first in range(0, len(batch), _AT_ONCE):
            await writer.write([line for record in batch[first : first + _AT_ONCE] for line in lines(record)])
            await asyncio.sleep(0)


async def _feed(reader: Subscription, feed: Callable[[list[Record]], None]) -> None:
    async for batch in reader.batches():
        for first in range(0, len(batch), _ON_SCREEN_AT_ONCE):
            feed(batch[first : first + _ON_SCREEN_AT_ONCE])
            await asyncio.sleep(0)


async def _finish(task: "asyncio.Task[None]", writer: LineWriter) -> bool:
    """Wait for one reader as long as it reads; whether it has everything."""
    before = -1
    while not task.done() and writer.written != before:
        before = writer.written
        await asyncio.wait([task], timeout=PATIENCE)
    task.cancel()
    return await writer.close(PATIENCE)


async def last_words(fd: int, lines: Sequence[str]) -> None:
    """Write what is no event; a stream that nobody reads does not hold up the end."""
    writer = LineWriter(fd, lambda _: None)
    await writer.write(lines)
    await writer.close(PATIENCE)


def _is_pod_log(record: Record) -> bool:
    event = record.event
    return isinstance(event, Log) and event.source is LogSource.POD and not event.cycle
