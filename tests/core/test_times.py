"""Moments in words."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from devloop.views.times import clock, minute, moment, span

NOW = datetime(2026, 3, 14, 14, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0


@pytest.fixture(autouse=True)
def kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """UTC+5:30: a wrong offset cannot hide. It is half past seven in the evening there."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


def test_clock() -> None:
    assert (clock(NOW), clock(0.0)) == ("19:30:00", "")


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (0, "19:30:00"),
        (19 * HOUR, "00:30:00"),
        (20 * HOUR, "Fri 23:30"),
        (6 * 24 * HOUR, "Sun 19:30"),
        (8 * 24 * HOUR, "6 Mar 19:30"),
    ],
)
def test_moment(ago: float, words: str) -> None:
    assert moment(NOW - ago, NOW) == words


def test_no_moment() -> None:
    assert moment(0.0, NOW) == ""


@pytest.mark.parametrize(("ago", "words"), [(90, "19:28:30"), (150, "19:27"), (30 * HOUR, "Fri 13:30")])
def test_seconds_are_told_of_what_was_just_now(ago: float, words: str) -> None:
    assert minute(NOW - ago, NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0s"), (12.7, "13s"), (59, "59s"), (60, "1m"), (7000, "1h"), (200_000, "2d")]
)
def test_span(seconds: float, words: str) -> None:
    assert span(seconds) == words
