"""The event log: one order for everything that happens, the state it adds up to, and its readers.

A reader that is slow or gone never holds up the loop: each has a queue of its own. Lossy events (logs, progress) are
left out of a queue that is full, and the next log line of the same service (at the end of the session one without
text) says how many were; no other event ever is.
"""

import asyncio
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from devloop.core.events import Event, Log, LogSource, Record, ServiceEvent, SessionFinished
from devloop.core.ports import Clock
from devloop.core.reducer import reduce
from devloop.core.state import SessionState

MAX_WAITING = 10_000
"""How many records may wait for a reader before lossy ones are left out."""


class Subscription:
    """One reader's queue; iterate over it for the records in order, until the log is closed."""

    def __init__(self, limit: int = MAX_WAITING) -> None:
        self._limit = limit
        self._records: deque[Record] = deque()
        self._arrived = asyncio.Event()
        self._dropped: Counter[str] = Counter()
        self._closed = False

    def put(self, record: Record) -> None:
        event = record.event
        if event.lossy and len(self._records) >= self._limit:
            if isinstance(event, ServiceEvent):
                self._dropped[event.service] += 1
            return
        if isinstance(event, SessionFinished):
            self._own_up(record.time)
        if isinstance(event, Log) and self._dropped[event.service]:
            record = Record(record.time, replace(event, dropped=self._dropped.pop(event.service)))
        self._records.append(record)
        self._arrived.set()

    def _own_up(self, time: float) -> None:
        """Say what was left out since the last log line: no other line comes that could."""
        for service, dropped in self._dropped.items():
            if dropped:
                self._records.append(Record(time, Log(service, LogSource.POD, "", dropped=dropped)))
        self._dropped.clear()

    def close(self) -> None:
        self._closed = True
        self._arrived.set()

    def drain(self) -> list[Record]:
        """Everything that waits, without waiting."""
        records = list(self._records)
        self._records.clear()
        return records

    async def batches(self) -> AsyncIterator[list[Record]]:
        """What has arrived since the last look, at least one record at a time."""
        while self._records or not self._closed:
            await self._arrived.wait()
            self._arrived.clear()
            if records := self.drain():
                yield records


class EventLog:
    """Appends events, keeps their fold, and hands them to every reader."""

    def __init__(self, clock: Clock) -> None:
        self.state = SessionState()
        self._clock = clock
        self._readers: list[Subscription] = []
        self._appended: list[Callable[[Record], None]] = []

    def emit(self, event: Event) -> None:
        # Rounded down: no event is later than anything that is timed after it was logged.
        record = Record(math.floor(self._clock.now() * 1000) / 1000, event)
        if not event.lossy:
            self.state = reduce(self.state, record)
        for reader in self._readers:
            reader.put(record)
        for appended in self._appended:
            appended(record)

    def on_append(self, appended: Callable[[Record], None]) -> None:
        """Call back for every record, in the same step in which it was logged."""
        self._appended.append(appended)

    def subscribe(self, limit: int = MAX_WAITING) -> Subscription:
        reader = Subscription(limit)
        self._readers.append(reader)
        return reader

    def close(self) -> None:
        """No more events; readers end once they have read what waits."""
        for reader in self._readers:
            reader.close()
