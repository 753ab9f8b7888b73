"""Which lines pass where only a level and worse is asked for."""

import pytest

from devloop.core.events import Log, LogSource
from devloop.views.levels import STEPS, AtLeast
from devloop.views.loglines import Level, line_of


def passing(level: Level, *texts: str, cycle: int = 0, pods: str = "") -> list[str]:
    """`pods`: a sign for each line, else all are of one Pod."""
    test = AtLeast(level)
    events = [
        Log("web", LogSource.POD, text, cycle, pod) for text, pod in zip(texts, pods or "a" * len(texts), strict=True)
    ]
    return [event.text for event in events if test(line_of(0.0, event))]


@pytest.mark.parametrize("level", STEPS)
def test_a_line_with_a_level_passes_where_that_is_as_bad(level: Level) -> None:
    texts = ["DEBUG a", "INFO b", "WARNING c", "ERROR d"]
    assert passing(level, *texts) == texts[[*Level].index(level) :]


def test_a_line_without_a_level_counts_as_info() -> None:
    assert passing(Level.INFO, "DEBUG a", "web: listening") == ["web: listening"]
    assert passing(Level.WARN, "web: listening") == []


TRACE = ["Traceback (most recent call last):", '  File "web.py", line 54', "", "KeyError: 'PROT'"]


@pytest.mark.parametrize("level", STEPS)
def test_a_trace_is_an_error_to_its_last_line_and_no_further(level: Level) -> None:
    expected = [*TRACE, *(["web: listening"] if level is Level.INFO else [])]
    assert passing(level, "web: hello", *TRACE, "web: listening")[-len(expected) :] == expected
    assert "web: listening" not in passing(Level.ERROR, *TRACE, "web: listening")


@pytest.mark.parametrize(
    "text",
    ["panic: runtime error", "goroutine 1 [running]:", 'Exception in thread "main" java.lang.X', "Caused by: java.io.X",
     "json.decoder.JSONDecodeError: x", "TypeError: x is not a function", "\x1b[31mValueError: x\x1b[0m"],
)  # fmt: skip
def test_how_other_runtimes_tell_that_a_program_broke(text: str) -> None:
    assert passing(Level.ERROR, text) == [text]


def test_what_goes_on_is_as_bad_as_what_its_own_pod_said_before() -> None:
    texts = ["ERROR bad", "INFO fine", "  more of bad", "  more of fine"]
    assert passing(Level.ERROR, *texts, pods="abab") == ["ERROR bad", "  more of bad"]


def test_the_last_lines_of_a_container_always_pass() -> None:
    assert passing(Level.ERROR, "no config", cycle=2) == ["no config"]
