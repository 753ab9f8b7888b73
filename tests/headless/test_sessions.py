"""Recorded sessions: what users read of them, and that they fold to one state whatever was left out."""

import re

import pytest

from devloop.core import events as ev
from devloop.core.reducer import fold
from devloop.core.state import SessionState
from devloop.headless.ndjson import decode, encode
from devloop.views import exit_code, summary
from tests.headless.sessions import NAMES, SESSIONS, lines_of, recorded, text_of

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
WITH_STDOUT = sorted(path.name.removesuffix(".stdout.ndjson") for path in SESSIONS.glob("*.stdout.ndjson"))


def final(name: str) -> SessionState:
    return fold(recorded(name))


def outcomes(name: str, service: str = "web") -> list[str]:
    events = [record.event for record in recorded(name)]
    return [e.outcome for e in events if isinstance(e, ev.CycleFinished) and e.service == service]


@pytest.mark.usefixtures("kolkata")
@pytest.mark.parametrize("name", NAMES)
def test_the_text_that_users_read(name: str) -> None:
    golden = (SESSIONS / f"{name}.txt").read_text("utf-8").splitlines()
    assert text_of(name) == golden, "python -m tests.headless.record --text"


@pytest.mark.parametrize("name", [*NAMES, *(f"{name}.stdout" for name in WITH_STDOUT)])
def test_every_line_is_read_and_written_alike(name: str) -> None:
    for line in lines_of(name):
        record = decode(line)
        assert record is not None
        assert encode(record) == line


@pytest.mark.parametrize("name", NAMES)
def test_a_session_begins_and_ends_with_its_events_in_order(name: str) -> None:
    records = recorded(name)
    assert isinstance(records[0].event, ev.SessionStarted)
    assert isinstance(records[-1].event, ev.SessionFinished)
    assert [record.time for record in records] == sorted(record.time for record in records)


@pytest.mark.parametrize("name", NAMES)
def test_what_may_be_dropped_makes_no_difference_to_the_state(name: str) -> None:
    kept = [record for record in recorded(name) if not record.event.lossy]
    assert fold(kept) == final(name)


@pytest.mark.parametrize("name", WITH_STDOUT)
def test_stdout_and_the_recording_fold_to_the_same_state(name: str) -> None:
    assert len(lines_of(f"{name}.stdout")) < len(lines_of(name)), "no Pod logs on stdout without --logs"
    assert fold(recorded(f"{name}.stdout")) == final(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_phase_that_starts_also_finishes_within_its_cycle(name: str) -> None:
    running: set[tuple[str, int]] = set()
    phases: set[tuple[str, int, str]] = set()
    for event in (record.event for record in recorded(name)):
        match event:
            case ev.CycleStarted():
                running.add((event.service, event.cycle))
            case ev.PhaseStarted():
                assert (event.service, event.cycle) in running
                phases.add((event.service, event.cycle, event.phase))
            case ev.PhaseFinished():
                phases.remove((event.service, event.cycle, event.phase))
            case ev.CycleFinished():
                running.remove((event.service, event.cycle))
                assert not [phase for phase in phases if phase[:2] == (event.service, event.cycle)]
    assert not running
    assert not phases


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("start_and_save", ["verified", "verified"]),
        ("broken_build", ["failed", "verified"]),
        ("crash_loop", ["verified", "failed"]),
        ("superseded", ["verified", "superseded", "verified"]),
        ("unchanged", ["unchanged"]),
        ("three_services", ["verified"]),
        ("restarted", ["verified", "verified"]),
    ],
)
def test_what_happened_in_them(name: str, expected: list[str]) -> None:
    assert outcomes(name) == expected


def test_only_what_was_saved_was_built_again() -> None:
    assert {service: len(outcomes("three_services", service)) for service in ("db", "api", "web")} == {
        "db": 1,
        "api": 2,
        "web": 1,
    }


def test_what_a_session_is_summed_up_as() -> None:
    state = final("crash_loop")
    last = state.services["web"]
    assert last.live is not None
    (phrase,) = summary(state)
    assert phrase.text.startswith("web: failed: container web of Pod web-")
    assert phrase.text.endswith(f"; the cluster still runs {last.live.digest[7:19]} of cycle 1")
    assert exit_code(state) == 5


@pytest.mark.usefixtures("kolkata")
@pytest.mark.parametrize("name", NAMES)
def test_colour_adds_nothing_to_the_words(name: str) -> None:
    coloured = text_of(name, colour=True)
    assert coloured != text_of(name)
    assert [COLOUR.sub("", line) for line in coloured] == text_of(name)
