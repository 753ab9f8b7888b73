"""Which lines pass where only a level and worse is asked for."""

import subprocess
import sys

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


def _traced(code: str) -> list[str]:
    """What Python itself writes when this fails."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    "code",
    ["{}['PROT']",
     "import subprocess\nraise subprocess.TimeoutExpired('sleep 1', 0.5)",
     "try:\n 1/0\nfinally:\n raise StopIteration",
     "raise ExceptionGroup('two', [ValueError('boom'), ExceptionGroup('inner', [StopIteration()])])",
     "import asyncio\nasync def f(): raise TimeoutError('late')\n"
     "async def main():\n async with asyncio.TaskGroup() as group: group.create_task(f())\nasyncio.run(main())"],
    ids=["error", "no-error-by-name", "chained", "group", "task-group"],
)  # fmt: skip
def test_a_trace_of_python_is_an_error_as_a_whole_and_what_follows_is_not(code: str) -> None:
    trace = _traced(code)
    assert len(trace) >= 3
    assert passing(Level.ERROR, "web: hello", *trace, "web: listening", "  on 80") == trace


def test_a_level_in_the_words_of_a_trace_does_not_hide_it() -> None:
    trace = [TRACE[0], TRACE[1], "    level = LEVELS['INFO']", "KeyError: 'INFO'"]
    assert passing(Level.ERROR, *trace, "INFO served") == trace


def test_a_trace_that_is_cut_off_ends_where_a_line_has_a_level() -> None:
    assert passing(Level.ERROR, *TRACE[:2], "INFO served", "web: listening") == TRACE[:2]


GO = """panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x10 pc=0x65e3f8]

goroutine 6 [running]:
net/http.(*conn).serve.func1()
\t/usr/local/go/src/net/http/server.go:1897 +0xbd
panic({0x6e1100?, 0x775260?})
\t/usr/local/go/src/runtime/panic.go:860 +0x13a
main.handler(...)
\t/app/main.go:3
main.(*T).run(0x7628806a090, {0x77ace0, 0x76288064120})
\t/app/main.go:7 +0x5f
created by main.main in goroutine 1
\t/app/main.go:11 +0x5f
exit status 2""".splitlines()
SERVING = "2026/11/28 22:23:43 http: panic serving 127.0.0.1:46602: boom"


def test_a_trace_of_go_is_an_error_as_a_whole_and_what_follows_is_not() -> None:
    assert passing(Level.ERROR, "web: hello", *GO, "web: listening") == GO
    assert passing(Level.ERROR, SERVING, *GO[3:-1], "2026/11/28 22:23:43 GET /") == [SERVING, *GO[3:-1]]


def test_what_looks_like_a_call_is_no_error_after_what_is_none() -> None:
    assert passing(Level.ERROR, "INFO calls", "main.handler(...)", "exit status 2") == []


def test_what_goes_on_is_as_bad_as_what_its_own_pod_said_before() -> None:
    texts = ["ERROR bad", "INFO fine", "  more of bad", "  more of fine"]
    assert passing(Level.ERROR, *texts, pods="abab") == ["ERROR bad", "  more of bad"]


def test_the_last_lines_of_a_container_always_pass() -> None:
    assert passing(Level.ERROR, "no config", cycle=2) == ["no config"]
