"""What `doctor` makes of what was measured, and how the whole is summed up."""

import pytest

from devloop.core.checkup import Check, Level, Topic, exit_code, in_bytes, in_order, summary
from devloop.core.failure import GOES_ON, ExitCode, Failure, FailureCode
from devloop.core.judgements import (
    DISK_FAILED,
    DISK_NOTED,
    LARGE_CONTEXT,
    ContextSize,
    InotifyUse,
    Reading,
    judge_context,
    judge_disk,
    judge_file_system,
    judge_inotify,
    judge_skew,
)

NOW = 1_800_000_000.0


def levels(*checks: Check) -> list[str]:
    return [check.level.value for check in checks]


@pytest.mark.parametrize(
    ("ahead", "took", "resolution", "level"),
    [
        (0.0, 0.0, 0.0, "ok"),
        (1.9, 0.0, 0.0, "ok"),
        (2.0, 0.0, 0.0, "note"),
        (-2.0, 0.0, 0.0, "note"),
        (59.9, 0.0, 0.0, "note"),
        (60.0, 0.0, 0.0, "failed"),
        (-3600.0, 0.0, 0.0, "failed"),
        # The clock was read at any moment between question and answer.
        (5.0, 8.0, 0.0, "ok"),
        (8.0, 8.0, 0.0, "note"),
        (-5.0, 8.0, 0.0, "ok"),
        # Whole seconds are rounded down: a `Date` may be up to a second behind.
        (-2.9, 0.0, 1.0, "ok"),
        (-3.1, 0.0, 1.0, "note"),
        (2.1, 0.0, 1.0, "note"),
        (-60.5, 1.0, 1.0, "note"),
    ],
)
def test_only_a_skew_that_is_certain_counts(ahead: float, took: float, resolution: float, level: str) -> None:
    """`ahead` is what was told against the middle of the time that the answer took."""
    reading = Reading(NOW, NOW + took, NOW + took / 2 + ahead, resolution)
    assert levels(judge_skew(Topic.ENGINE_CLOCK, "the engine", reading)) == [level]


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (0.01, "the clock of the engine differs from this machine's by 0.1 s at most"),
        (-1.24, "by 1.2 s at most"),
        (4.2, "the clock of the engine is 4 s ahead of this machine's"),
        (-75.0, "is 75 s behind this machine's: tokens"),
        (600.0, "is 10 min ahead of this machine's: tokens"),
        (-7200.0, "is 2 h behind this machine's: tokens"),
    ],
)
def test_a_skew_is_told_with_its_direction(ahead: float, words: str) -> None:
    check = judge_skew(Topic.ENGINE_CLOCK, "the engine", Reading(NOW, NOW, NOW + ahead))
    assert words in check.message
    assert bool(check.fix) == (check.level is not Level.OK)


@pytest.mark.parametrize(
    ("free", "level"),
    [(0, "failed"), (DISK_FAILED - 1, "failed"), (DISK_FAILED, "note"), (DISK_NOTED - 1, "note"), (DISK_NOTED, "ok")],
)
def test_disk(free: int, level: str) -> None:
    check = judge_disk("images", "/var/lib/docker", free)
    assert levels(check) == [level]
    assert "free for images in /var/lib/docker" in check.message
    assert bool(check.fix) == (level != "ok")


@pytest.mark.parametrize(
    ("needed", "used", "message", "fix"),
    [
        ((10, 1), (90, 9), "watches needed: 10 (90 of 100 are in use); instances needed: 1 (9 of 10", ""),
        ((11, 1), (90, 9), "watches needed: 11, but 90 of 100 are in use", "max_user_watches=524288"),
        ((10, 2), (90, 9), "instances needed: 2, but 9 of 10 are in use", "max_user_instances=1024"),
        ((400_000, 1), (0, 0), "watches needed: 400,000", "max_user_watches=1048576"),
    ],
)
def test_inotify(needed: tuple[int, int], used: tuple[int, int], message: str, fix: str) -> None:
    check = judge_inotify(InotifyUse(*needed), InotifyUse(100, 10), InotifyUse(*used))
    assert levels(check) == ["note" if fix else "ok"], "beyond the limit devloop polls"
    assert message in check.message
    assert check.fix == (f"sudo sysctl fs.inotify.{fix}" if fix else "")


def test_file_systems() -> None:
    quiet = judge_file_system("/mnt/c/web", "9p", silent=True)
    assert levels(judge_file_system("web", "ext4", silent=False), quiet) == ["ok", "note"]
    assert "9p does not tell of all changes" in quiet.message


def test_a_context_is_told_with_its_largest_entries() -> None:
    entries = tuple((f"f{number}", 1000 * (20 - number)) for number in range(12))
    check = judge_context("web", "web", "web/.dockerignore", ContextSize(1200, 174_000, entries))
    assert check.level is Level.OK
    assert check.message.startswith("web: 1,200 files, 174 kB in web; the largest: f0 20 kB, f1 19 kB, ")
    assert check.message.endswith("f9 11 kB"), "ten of them"
    empty = judge_context("web", "web", "web/.dockerignore", ContextSize(0, 0, ()))
    assert empty.message == "web: 0 files, 0 B in web"


def test_a_large_context_is_a_note_that_names_what_may_be_left_out() -> None:
    context = ContextSize(2, LARGE_CONTEXT, (("node_modules", LARGE_CONTEXT - 1), ("a", 1)))
    check = judge_context("web", "web", "web/.dockerignore", context)
    assert check.level is Level.NOTE
    assert check.fix == "leave out what the image does not need in web/.dockerignore, perhaps `node_modules`"


def test_what_cannot_be_read_is_a_note() -> None:
    context = ContextSize(1, 1, (("a", 1),), ("secret", "b", "c", "d"))
    check = judge_context("web", "web", ".dockerignore", context)
    assert check.level is Level.NOTE
    assert "not readable: secret, b, c, so" in check.message


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9940, "9.9 kB"),
        (9960, "10 kB"),
        (999_400, "999 kB"),
        (999_600, "1.0 MB"),
        (41_200_000_000, "41 GB"),
        (5_000_000_000_000_000, "5000 TB"),
    ],
)
def test_bytes(number: int, text: str) -> None:
    assert in_bytes(number) == text


def test_checks_are_told_in_the_order_of_the_way_and_each_once() -> None:
    first, second = Topic.ENGINE_CLOCK.ok("a"), Topic.REGISTRY_CLOCK.ok("a")
    last = Topic.LEFT_BEHIND.note("b"), Topic.LEFT_BEHIND.note("a")
    assert in_order((*last, second, first, second)) == (first, second, *last)


def test_only_a_failure_makes_the_exit_code() -> None:
    fine, note, failed = Topic.PYTHON.ok("a"), Topic.DISK.note("b"), Topic.ENGINE.failed("c")
    assert (exit_code([fine, note]), summary([fine, note])) == (ExitCode.DONE, "2 checks, 1 note")
    assert (exit_code([fine, failed, note, note]), summary([fine, failed, note, note])) == (
        ExitCode.UNREACHABLE,
        "4 checks, 1 failed, 2 notes",
    )
    assert summary([fine]) == "1 check, all well"


def test_every_failure_comes_with_a_fix_and_nothing_waits() -> None:
    def fix(hint: str) -> str:
        return Topic.REGISTRY.because(Failure(FailureCode.REGISTRY_UNREACHABLE, "away", hint)).fix

    assert fix(f"is it running? {GOES_ON}") == "is it running?"
    assert fix("docker login") == "docker login"
    assert fix(GOES_ON) == fix("") == "try again in a moment"
