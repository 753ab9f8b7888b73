"""What recorded sessions pushed."""

import os
from pathlib import Path

from devloop.core.events import (
    CycleFinished,
    CycleStarted,
    Event,
    ImagePushed,
    Log,
    LogSource,
    Outcome,
    Record,
    Trigger,
)
from devloop.core.why.facts import Push
from devloop.headless.ndjson import encode
from devloop.session.why.recordings import pushes_of
from tests.core.workloads import DEV, digest


def pushed(cycle: int, letter: str, ref: str = DEV) -> ImagePushed:
    return ImagePushed("web", cycle, ref, ref, digest(letter), (digest(letter),))


def record(root: Path, name: str, age: float, *events: Event) -> None:
    folder = root / "sessions"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.ndjson"
    path.write_text("".join(encode(Record(10.0 + at, event)) + "\n" for at, event in enumerate(events)))
    os.utime(path, (1000 - age, 1000 - age))


def test_the_last_session_with_the_image_counts(tmp_path: Path) -> None:
    record(tmp_path, "older", 20, CycleStarted("web", 1, Trigger.START), pushed(1, "z"))
    record(
        tmp_path,
        "newer",
        10,
        CycleStarted("web", 1, Trigger.START),
        Log("web", LogSource.BUILD, 'says "event":"image_pushed" itself', 1),
        pushed(1, "a"),
        CycleFinished("web", 1, Outcome.VERIFIED, digest("a"), 1.0, None),
        CycleStarted("web", 2, Trigger.FILES),
        pushed(2, "a"),
        CycleFinished("web", 2, Outcome.UNCHANGED, digest("a"), 1.0, None),
        CycleStarted("web", 3, Trigger.FILES),
        pushed(3, "b"),
    )
    record(tmp_path, "newest, of something else", 0, CycleStarted("db", 1, Trigger.START), pushed(1, "c", "other:dev"))
    assert pushes_of(DEV, tmp_path) == (
        Push(digest("a"), 12.0, 10.0, "verified", frozenset({digest("a")})),
        Push(digest("a"), 15.0, 14.0, "unchanged", frozenset({digest("a")})),
        Push(digest("b"), 18.0, 17.0, "", frozenset({digest("b")})),
    )


def test_a_recording_that_was_cut_off_tells_what_it_has(tmp_path: Path) -> None:
    record(tmp_path, "cut", 0, CycleStarted("web", 1, Trigger.START), pushed(1, "a"))
    path = tmp_path / "sessions" / "cut.ndjson"
    path.write_text(path.read_text() + '{"time":"2026","event":"cycle_finished","serv')
    assert [push.digest for push in pushes_of(DEV, tmp_path)] == [digest("a")]


def test_no_recordings_at_all(tmp_path: Path) -> None:
    assert pushes_of(DEV, tmp_path / "nowhere") == ()
