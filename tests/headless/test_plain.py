"""What the plain output adds to the words: time, service, colour, log lines, and what a terminal must not be sent."""

from dataclasses import replace

import pytest

from devloop.core import events as ev
from devloop.core.failure import Failure, FailureCode
from devloop.headless.plain import FAILING_LINES, PlainRenderer, wants_colour

pytestmark = pytest.mark.usefixtures("kolkata")
STARTED = ev.SessionStarted(1, "0.1.0", "kind-dev", "shop", ("api", "website"))
BEGUN = ev.CycleStarted("api", 1, ev.Trigger.START)
AT = 1767323045.678
"""03:04:05 in UTC."""
HEAD = "08:34:05  api      "


def lines(*events: ev.Event, colour: bool = False, pod_logs: bool = True) -> list[str]:
    """The lines after that of the session's start."""
    renderer = PlainRenderer(colour=colour, pod_logs=pod_logs)
    return [line for event in (STARTED, *events) for line in renderer.lines(ev.Record(AT, event))][1:]


def pod_line(text: str, *, cycle: int = 0, pod: str = "api-1", dropped: int = 0) -> ev.Log:
    return ev.Log("api", ev.LogSource.POD, text, cycle, pod, "api", dropped)


def build_line(text: str) -> ev.Log:
    return ev.Log("api", ev.LogSource.BUILD, text, 1)


def failed(code: FailureCode) -> ev.CycleFinished:
    return ev.CycleFinished("api", 1, ev.Outcome.FAILED, "", 2.0, Failure(code, "it failed", "mend it"))


def test_a_line_has_the_local_time_the_service_and_the_words_in_columns() -> None:
    assert lines(ev.WatchStarted("api", 3), ev.WatchStarted("website", 3)) == [
        "08:34:05  api      watching 3 files",
        "08:34:05  website  watching 3 files",
    ]


@pytest.mark.parametrize(
    ("terminal", "environ", "wanted"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": ""}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_colour_is_for_terminals_of_those_who_want_it(terminal: bool, environ: dict[str, str], wanted: bool) -> None:
    assert wants_colour(terminal, environ) == wanted


def test_a_failure_stands_out_in_colour_and_in_words() -> None:
    first, second = lines(BEGUN, failed(FailureCode.CRASH), colour=True)[1:]
    assert first == f"{HEAD}\x1b[1;31mFAILED after 2.0s: it failed\x1b[0m"
    assert second == f"{HEAD}\x1b[1;31m→ mend it\x1b[0m"


@pytest.mark.parametrize("code", [FailureCode.BUILD_FAILED, FailureCode.PUSH_FAILED])
def test_a_failing_build_shows_its_last_lines_above_the_failure(code: FailureCode) -> None:
    output = [build_line(f"line {number}") for number in range(FAILING_LINES + 5)]
    shown = lines(BEGUN, *output, failed(code))[1:]
    assert shown[:-2] == [f"{HEAD}│ line {number}" for number in range(5, FAILING_LINES + 5)]
    assert shown[-2:] == [f"{HEAD}FAILED after 2.0s: it failed", f"{HEAD}→ mend it"]


def test_the_output_of_a_build_that_did_not_fail_is_not_shown() -> None:
    over = ev.PhaseFinished("api", 1, ev.Phase.BUILD, 1.0, ok=False)
    superseded = ev.CycleFinished("api", 1, ev.Outcome.SUPERSEDED, "", 2.0, None)
    assert lines(BEGUN, build_line("compiling"), over, superseded)[1:] == [f"{HEAD}cycle 1 superseded after 2.0s"]
    assert not [line for line in lines(BEGUN, build_line("compiling"), failed(FailureCode.CRASH)) if "│" in line]


def test_a_failing_build_shows_nothing_of_the_build_before() -> None:
    again = ev.CycleStarted("api", 1, ev.Trigger.FILES)
    shown = lines(BEGUN, build_line("old"), again, failed(FailureCode.BUILD_FAILED))
    assert not [line for line in shown if "old" in line]


def test_lines_of_pods_carry_their_pod_and_tell_what_is_missing() -> None:
    assert lines(pod_line("hello"), pod_line("again", dropped=1234)) == [
        f"{HEAD}api-1 │ hello",
        f"{HEAD}{'── 1,234 lines left out '.ljust(60, '─')}",
        f"{HEAD}api-1 │ again",
    ]
    assert lines(pod_line("hello"), pod_logs=False) == []


def test_on_a_terminal_words_go_on_below_themselves_and_log_lines_stay_whole() -> None:
    renderer = PlainRenderer(colour=False, columns=lambda: len(HEAD) + 24)
    said = [STARTED, ev.WarningRaised("api", "watch", "files are asked for by polling here"), pod_line("long " * 9)]
    *_, first, second, third = [line for event in said for line in renderer.lines(ev.Record(AT, event))]
    assert [first, second] == [f"{HEAD}warning: files are asked", f"{' ' * len(HEAD)}for by polling here"]
    assert third == f"{HEAD}api-1 │ {'long ' * 9}"


def test_an_old_line_has_the_time_at_which_it_was_written() -> None:
    assert lines(replace(pod_line("hello"), written=AT - 61)) == ["08:33:04  api      api-1 │ hello"]


def test_the_last_words_of_a_container_are_shown_once_whether_or_not_logs_are() -> None:
    tailed, last = pod_line("KeyError: 'X'"), pod_line("KeyError: 'X'", cycle=1)
    expected = [f"{HEAD}api-1 │ KeyError: 'X'"]
    assert lines(tailed, last) == expected
    assert lines(tailed, last, pod_logs=False) == expected
    assert lines(last, pod_logs=False) == expected
    rule = f"{HEAD}{'── 2: the last lines of the container that ended '.ljust(60, '─')}"
    other = [rule, f"{HEAD}api-2 │ KeyError: 'X'"]
    assert lines(tailed, pod_line("KeyError: 'X'", cycle=1, pod="api-2")) == [*expected, *other]


def test_what_a_container_wrote_that_still_runs_is_shown_once_whether_or_not_logs_are() -> None:
    tailed = pod_line("code 503")
    quoted = replace(pod_line("code 503", cycle=1), running=True)
    expected = [f"{HEAD}api-1 │ code 503"]
    assert lines(quoted, tailed) == lines(tailed, quoted) == expected
    assert lines(tailed, quoted, pod_logs=False) == expected


def test_the_last_words_of_a_second_start_are_whole_though_the_first_one_wrote_most_of_them_too() -> None:
    first = [pod_line(text) for text in ("Traceback", "in run 1", "KeyError: 'X'")]
    second = [replace(line, text=line.text.replace("1", "2")) for line in first]
    story = [*first, *(replace(line, cycle=1) for line in first)]
    story += [*second[:1], *(replace(line, cycle=1) for line in second), *second[1:]]
    shown = [line.removeprefix(f"{HEAD}api-1 │ ") for line in lines(*story)]
    rule = f"{HEAD}{'── 1: the last lines of the container that ended '.ljust(60, '─')}"
    assert shown == [
        "Traceback",
        "in run 1",
        "KeyError: 'X'",
        "Traceback",
        rule,
        "Traceback",
        "in run 2",
        "KeyError: 'X'",
    ]


@pytest.mark.parametrize(
    ("text", "plain", "coloured"),
    [
        ("\x1b[31mred\x1b[0m", "red", "\x1b[31mred\x1b[0m"),
        ("\x1b[1;31mred", "red", "\x1b[1;31mred\x1b[0m"),
        ("50%\r100%", "50%100%", "50%100%"),
        ("\x1b[2J\x1b[Hgone", "[2J[Hgone", "[2J[Hgone"),
        ("\x1b]0;title\x07x", "]0;titlex", "]0;titlex"),
        ("a\tb", "a\tb", "a\tb"),
        ("two\nlines", "twolines", "twolines"),
        ("a\u2028b\u202ec", "abc", "abc"),
        ("größe ✓ 🚀", "größe ✓ 🚀", "größe ✓ 🚀"),
    ],
)
def test_nothing_moves_the_cursor_or_breaks_the_line(text: str, plain: str, coloured: str) -> None:
    assert lines(pod_line(text)) == [f"{HEAD}api-1 │ {plain}"]
    assert lines(pod_line(text), colour=True) == [f"{HEAD}api-1 │ {coloured}"]
