"""The JSON form: there and back for every event, and what a reader of another version's lines may expect."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devloop.core import events as ev
from devloop.core.failure import Connection, ExitCode, Failure, FailureCode
from devloop.headless.ndjson import decode, decode_all, encode, event_of
from tests.headless.strategies import any_record, records

CHANGED = '{"time":"2026-01-02T03:04:05.678Z","event":"change_detected","service":"web","count":1,"files":["a.py"]}'


@pytest.mark.parametrize("cls", ev.EVENT_TYPES, ids=lambda cls: cls.event)
@given(data=st.data())
@settings(max_examples=40)
def test_decode_is_the_inverse_of_encode(cls: type[ev.Event], data: st.DataObject) -> None:
    record = data.draw(records(cls))
    assert decode(encode(record)) == record


@given(any_record())
def test_a_line_is_one_line_of_utf_8_with_an_object_in_it(record: ev.Record) -> None:
    line = encode(record)
    assert "\n" not in line
    assert "\r" not in line
    fields = json.loads(line.encode("utf-8"))
    assert list(fields)[:2] == ["time", "event"]
    assert event_of(fields["event"]) is type(record.event)


@given(any_record())
def test_lines_are_stable(record: ev.Record) -> None:
    again = decode(encode(record))
    assert again is not None
    assert encode(again) == encode(record)


def test_every_event_has_a_name_of_its_own() -> None:
    assert len({cls.event for cls in ev.EVENT_TYPES}) == len(ev.EVENT_TYPES)


def test_no_event_class_is_missing_from_the_list() -> None:
    named = {cls for cls in vars(ev).values() if isinstance(cls, type) and issubclass(cls, ev.Event)}
    assert {cls for cls in named if "event" in vars(cls)} == set(ev.EVENT_TYPES)


def test_a_line_as_written() -> None:
    record = ev.Record(1767323045.678, ev.ChangeDetected("web", 1, ("a.py",)))
    assert encode(record) == CHANGED
    assert decode(CHANGED) == record


def test_what_python_reserves_has_its_own_name_in_json() -> None:
    change = ev.Change("spec.replicas", "1", "2", "more of them")
    fields = json.loads(encode(ev.Record(0.0, ev.WorkloadPatched("web", 1, "deployment/web", (change,)))))
    assert fields["changes"] == [{"path": "spec.replicas", "from": "1", "to": "2", "text": "more of them"}]


def test_nothing_becomes_null_and_words_become_strings() -> None:
    failure = Failure(FailureCode.CRASH, "it ended", "see its log")
    ended = ev.CycleFinished("web", 3, ev.Outcome.FAILED, "", 1.5, failure)
    fields = json.loads(encode(ev.Record(0.0, ended)))
    assert fields["failure"] == {"code": "crash", "message": "it ended", "hint": "see its log"}
    assert (fields["outcome"], fields["seconds"]) == ("failed", 1.5)
    assert json.loads(encode(ev.Record(0.0, ev.CycleHeld("web", None))))["hold"] is None
    assert json.loads(encode(ev.Record(0.0, ev.SessionFinished(ExitCode.INTERRUPTED))))["exit_code"] == 130
    lost = json.loads(encode(ev.Record(0.0, ev.ConnectionChanged(Connection.ENGINE, False, "away"))))
    assert lost["to"] == "engine"


def test_a_name_that_is_no_utf_8_loses_what_no_reader_could_take() -> None:
    name = b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    record = decode(encode(ev.Record(0.0, ev.ChangeDetected("web", 1, (name,)))))
    assert record is not None
    assert record.event == ev.ChangeDetected("web", 1, ("caf?.txt",))


@pytest.mark.parametrize("time", [0.0, 0.001, 1767323045.678, 1767323045.999])
def test_times_are_rfc_3339_in_utc_with_milliseconds(time: float) -> None:
    record = ev.Record(time, ev.ServiceAdded("web"))
    assert decode(encode(record)) == record
    assert json.loads(encode(record))["time"].endswith(f".{round(time * 1000) % 1000:03}Z")


# lines of other versions ---------------------------------------------------------------------------------------------


def test_an_unknown_event_is_left_out() -> None:
    later = '{"time":"2026-01-02T03:04:05.678Z","event":"moon_landed","crew":3}'
    assert decode(later) is None
    assert [record.event for record in decode_all([later, "", CHANGED, "\n"])] == [
        ev.ChangeDetected("web", 1, ("a.py",))
    ]


def test_an_unknown_field_is_left_out() -> None:
    assert decode(CHANGED.replace('"count"', '"mood":{"a":[1]},"count"')) == decode(CHANGED)


def test_a_field_that_an_earlier_version_did_not_write_takes_its_default() -> None:
    earlier = '{"time":"2026-01-02T03:04:05.678Z","event":"watch_started","service":"web","files":3}'
    record = decode(earlier)
    assert record is not None
    assert record.event == ev.WatchStarted("web", 3, "")


def test_before_there_were_restarts_no_request_was_one() -> None:
    earlier = '{"time":"2026-01-02T03:04:05.678Z","event":"cycle_requested","service":"web","trigger":"key","text":""}'
    record = decode(earlier)
    assert record is not None
    assert record.event == ev.CycleRequested("web", ev.Trigger.KEY, restart=False)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "not json",
        "[1]",
        '"change_detected"',
        "{}",
        '{"event":7}',
        CHANGED.replace('"count":1,', ""),
        CHANGED.replace('["a.py"]', "null"),
        CHANGED.replace("2026-01-02T03:04:05.678Z", "yesterday"),
        CHANGED.replace('"time":"2026-01-02T03:04:05.678Z",', ""),
    ],
)
def test_what_is_no_line_of_the_contract_says_so(line: str) -> None:
    with pytest.raises(ValueError):
        decode(line)
