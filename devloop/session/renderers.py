"""The readers of the event log: what goes to stdout, and the recording in the state folder."""

import asyncio
import os
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path

from devloop.adapters.output import LineWriter
from devloop.core.events import Log, LogSource, Record
from devloop.engine.eventlog import EventLog, Subscription
from devloop.headless.ndjson import encode
from devloop.headless.plain import PlainRenderer, wants_colour

STDOUT = 1
MAX_RECORDED_LOGS = 20_000_000
"""Characters of log lines in one recording; everything else is recorded to the end."""
PATIENCE = 2.0
"""Seconds that the end of a session waits for a reader of its output."""

Lines = Callable[[Record], Iterable[str]]


class Output(StrEnum):
    """The headless formats."""

    PLAIN = "plain"
    JSON = "json"


def lines_for(output: Output, *, pod_logs: bool) -> Lines:
    """How records become lines on stdout."""
    if output is Output.JSON:
        return lambda record: () if _is_pod_log(record) and not pod_logs else (encode(record),)
    return PlainRenderer(colour=wants_colour(os.isatty(STDOUT), os.environ), pod_logs=pod_logs).lines


class Renderers:
    """Start them before the first event; they end when the log is closed and all is written."""

    def __init__(self, log: EventLog, closed: Callable[[], None]) -> None:
        """`closed` is called when stdout has no reader any more."""
        self._log = log
        self._closed = closed
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[LineWriter] = []

    def to_stdout(self, lines: Lines) -> None:
        self._start(self._log.subscribe(), lines, LineWriter(STDOUT, self._closed))

    def to_recording(self, path: Path) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._start(self._log.subscribe(), _Recording().lines, LineWriter(fd, lambda: None))

    async def close(self) -> None:
        self._log.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(writer.close(PATIENCE) for writer in self._writers))

    def _start(self, reader: Subscription, lines: Lines, writer: LineWriter) -> None:
        self._writers.append(writer)
        self._tasks.append(asyncio.create_task(_render(reader, lines, writer), name="renderer"))


class _Recording:
    """Every event as NDJSON; log lines up to a bound."""

    def __init__(self) -> None:
        self._room = MAX_RECORDED_LOGS

    def lines(self, record: Record) -> Iterable[str]:
        if isinstance(record.event, Log):
            self._room -= len(record.event.text)
            if self._room < 0:
                return ()
        return (encode(record),)


async def _render(reader: Subscription, lines: Lines, writer: LineWriter) -> None:
    async for batch in reader.batches():
        await writer.write([line for record in batch for line in lines(record)])


def _is_pod_log(record: Record) -> bool:
    event = record.event
    return isinstance(event, Log) and event.source is LogSource.POD and not event.cycle
