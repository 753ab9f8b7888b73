"""The event log: one order and one state for all readers, and what a slow one loses."""

import asyncio

import pytest

from devloop.core import events as ev
from devloop.core.events import Record
from devloop.core.failure import ExitCode
from devloop.core.reducer import fold
from devloop.engine.eventlog import EventLog, Subscription
from tests.engine.conftest import RunScenario

STARTED = ev.SessionStarted(1, "0", "kind", "shop", ("api", "web"))
OVER = ev.ServiceRemoved("web")


class Clock:
    """Says what it was told."""

    def __init__(self) -> None:
        self.time = 1.0

    def now(self) -> float:
        return self.time


def log(text: str, service: str = "web") -> ev.Log:
    return ev.Log(service, ev.LogSource.POD, text)


def step(service: str = "web") -> ev.BuildStep:
    return ev.BuildStep(service, 1, "1", "RUN x", ev.StepState.RUNNING)


def filled(reader: Subscription, *events: ev.Event) -> list[ev.Event]:
    """What a reader that looks only now is given."""
    for event in events:
        reader.put(Record(0.0, event))
    return [record.event for record in reader.drain()]


async def read(reader: Subscription) -> list[Record]:
    """Everything until the log is closed."""
    return [record async for batch in reader.batches() for record in batch]


def test_the_state_is_the_fold_of_what_was_emitted(run: RunScenario) -> None:
    async def scenario() -> None:
        events = EventLog(Clock())
        reader = events.subscribe()
        for event in (STARTED, log("hello"), ev.ChangeDetected("web", 1, ("a.py",)), step(), OVER):
            events.emit(event)
        assert fold(reader.drain()) == events.state

    run(scenario)


def test_times_are_whole_milliseconds_and_never_later_than_the_clock() -> None:
    clock = Clock()
    events = EventLog(clock)
    reader = events.subscribe()
    clock.time = 12.3456789
    events.emit(STARTED)
    assert [record.time for record in reader.drain()] == [12.345]


def test_every_reader_gets_everything_in_order_from_when_it_subscribed(run: RunScenario) -> None:
    async def scenario() -> None:
        events = EventLog(Clock())
        early = asyncio.ensure_future(read(events.subscribe()))
        events.emit(STARTED)
        late = asyncio.ensure_future(read(events.subscribe()))
        await asyncio.sleep(1)
        events.emit(OVER)
        events.emit(log("bye"))
        events.close()
        assert [record.event for record in await early] == [STARTED, OVER, log("bye")]
        assert [record.event for record in await late] == [OVER, log("bye")]

    run(scenario)


def test_what_is_appended_is_seen_in_the_same_step_with_the_new_state() -> None:
    events = EventLog(Clock())
    seen: list[tuple[ev.Event, int]] = []
    events.on_append(lambda record: seen.append((record.event, len(events.state.services))))
    events.emit(STARTED)
    events.emit(OVER)
    assert seen == [(STARTED, 2), (OVER, 1)]


def test_a_reader_ends_with_the_log_but_not_before_it_has_read_all(run: RunScenario) -> None:
    async def scenario() -> None:
        events = EventLog(Clock())
        reader = events.subscribe()
        events.emit(STARTED)
        events.close()
        assert [record.event for record in await read(reader)] == [STARTED]
        assert await read(reader) == [], "and again at once when it is asked again"

    run(scenario)


def test_a_reader_that_never_looks_holds_up_nobody_and_loses_only_what_may_be_lost() -> None:
    reader = Subscription(limit=3)
    told = filled(reader, STARTED, log("1"), log("2"), log("3"), step(), OVER, OVER, OVER)
    assert told == [STARTED, log("1"), log("2"), OVER, OVER, OVER]


def test_the_next_log_line_of_the_service_says_how_many_were_lost() -> None:
    reader = Subscription(limit=2)
    filled(reader, log("1"), log("2"), log("3"), step(), log("of another", "api"))
    after = filled(reader, log("of another again", "api"), log("4"))
    assert after == [
        ev.Log("api", ev.LogSource.POD, "of another again", dropped=1),
        ev.Log("web", ev.LogSource.POD, "4", dropped=2),
    ]
    assert filled(reader, log("5")) == [log("5")], "told once"


def test_progress_is_no_place_to_tell_of_losses() -> None:
    reader = Subscription(limit=1)
    filled(reader, log("1"), log("2"))
    assert filled(reader, step()) == [step()]
    assert filled(reader, log("3")) == [ev.Log("web", ev.LogSource.POD, "3", dropped=1)]


def test_a_slow_reader_loses_what_a_fast_one_gets(run: RunScenario) -> None:
    async def scenario() -> None:
        events = EventLog(Clock())
        slow, fast = events.subscribe(limit=2), asyncio.ensure_future(read(events.subscribe(limit=2)))
        for number in range(5):
            events.emit(log(str(number)))
            await asyncio.sleep(1)
        events.emit(STARTED)
        events.close()
        assert [record.event for record in await fast] == [*(log(str(number)) for number in range(5)), STARTED]
        assert [record.event for record in await read(slow)] == [log("0"), log("1"), STARTED]

    run(scenario)


@pytest.mark.parametrize("cls", ev.EVENT_TYPES, ids=lambda cls: cls.event)
def test_only_logs_and_progress_may_be_lost(cls: type[ev.Event]) -> None:
    assert cls.lossy == (cls in {ev.Log, ev.BuildStep})


def test_what_was_left_out_last_is_told_before_the_end_of_the_session() -> None:
    ended = ev.SessionFinished(ExitCode.INTERRUPTED)
    left_out = ev.Log("web", ev.LogSource.POD, "", dropped=2)
    assert filled(Subscription(1), log("1"), log("2"), log("3"), OVER, ended) == [log("1"), OVER, left_out, ended]


def test_nothing_is_told_at_the_end_when_nothing_was_left_out() -> None:
    ended = ev.SessionFinished(ExitCode.INTERRUPTED)
    assert filled(Subscription(9), log("1"), log("2"), ended) == [log("1"), log("2"), ended]
