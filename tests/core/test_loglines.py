"""Log lines as people read them."""

import pytest

from devloop.core.events import Log, LogSource
from devloop.views import Tone
from devloop.views.loglines import Kind, Level, Line, harmless, line_of, note, rule, without_colour
from devloop.views.times import clock

AT = 1_773_496_800.0
"""2026-03-14 14:00:00 UTC."""


def read(text: str) -> Line:
    return line_of(AT, Log("web", LogSource.POD, text, pod="web-6d5f7c9b8-x2k1q", container="web"))


PLAIN = [
    ("listening on :80", "listening on :80", None),
    ("INFO  ready", "INFO  ready", Level.INFO),
    ("2026-03-14 [WARNING] slow", "2026-03-14 [WARNING] slow", Level.WARN),
    ("E CRITICAL gone", "E CRITICAL gone", Level.ERROR),
    ("no ERRORS here", "no ERRORS here", None),
    ("{not json", "{not json", None),
    ("{}", "", None),
    ("[1, 2]", "[1, 2]", None),
    ("a\tb", "a       b", None),
    (" 10%\r 50%\r100%\r", "100%", None),
    ("bell\a and\x00 null", "bell and null", None),
]
"""As written, as shown, its level."""


@pytest.mark.parametrize(("raw", "text", "level"), PLAIN)
def test_line(raw: str, text: str, level: Level | None) -> None:
    assert (read(raw).text, read(raw).level) == (text, level)


JSON = [
    ('{"level":"info","msg":"order read","id":4711}', "INFO  order read  id=4711", "id=4711", Level.INFO),
    ('{"level":30,"msg":"pino","ok":true}', "INFO  pino  ok=true", "ok=true", Level.INFO),
    ('{"severity":"ERROR","message":"gone"}', "ERROR gone", "", Level.ERROR),
    ('{"levelname":"warning","event":"slow"}', "WARNING slow", "", Level.WARN),
    ('{"msg":"no level","a":{"b":1}}', 'no level  a={"b": 1}', 'a={"b": 1}', None),
    ('{"a":1,"b":"two"}', "a=1 b=two", "a=1 b=two", None),
    ('{"level":"trace","msg":"x\\ny"}', "TRACE x ↵ y", "", Level.DEBUG),
    ('{"level":99,"msg":"unknown"}', "99    unknown", "", None),
    ('{"level":"info","msg":"\\u001b[2Jcleared"}', "INFO  cleared", "", Level.INFO),
]
"""As written, as shown, what of it is beside the point, its level."""


@pytest.mark.parametrize(("raw", "text", "fields", "level"), JSON)
def test_json(raw: str, text: str, fields: str, level: Level | None) -> None:
    line = read(raw)
    assert (line.text, line.level) == (text, level)
    assert line.text[len(line.text) - line.faint :] == fields


TIMES = [
    ('{"time":"2026-03-14T13:59:58.250Z","msg":"x"}', AT - 1.75),
    ('{"ts":1773496799,"msg":"x"}', AT - 1),
    ('{"timestamp":1773496799500,"msg":"x"}', AT - 0.5),
    ('{"time":"2026-03-14T13:59:58","msg":"x"}', AT),
    ('{"time":"noon","msg":"x"}', AT),
    ('{"time":12,"msg":"x"}', AT),
    ('{"time":NaN,"msg":"x"}', AT),
    ('{"msg":"x"}', AT),
    ("2026-03-14T13:59:58Z plain", AT),
]
"""A time without its zone, and one that cannot be, are not believed: the line came when it came."""


@pytest.mark.parametrize(("raw", "told"), TIMES)
def test_a_json_line_tells_its_own_time(raw: str, told: float) -> None:
    assert read(raw).told == told
    assert read(raw).time == AT
    assert "13:59" not in read(raw).text or not raw.startswith("{")


def test_an_old_line_has_the_time_at_which_it_was_written() -> None:
    event = Log("web", LogSource.POD, "x", pod="web-1", container="web", written=AT - 7200)
    assert line_of(AT, event).words.startswith(clock(AT - 7200))


COLOURS = [
    ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
    ("\x1b[2J\x1b[Hhome", "home"),
    ("\x1b]2;title\x07text", "text"),
    ("\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\", "link"),
    ("cut off \x1b[3", "cut off [3"),
    ("\x1b(B\x1b[mas tput ends colours", "\x1b[mas tput ends colours"),
    ("\x1b7saved\x1b8", "saved"),
]
"""As written, and without what would move a cursor."""


@pytest.mark.parametrize(("raw", "shown"), COLOURS)
def test_colours_stay_and_nothing_else(raw: str, shown: str) -> None:
    assert harmless(raw) == shown
    assert "\x1b" not in without_colour(shown)


def test_words_go_into_a_file() -> None:
    line = Line(AT, Kind.POD, "\x1b[31mred\x1b[0m", "web-6d5f7c9b8-x2k1q")
    assert line.words.endswith(" x2k1q red")


def test_what_devloop_says_is_not_read_as_a_pods_line() -> None:
    assert rule(AT, '{"level":"error"}').text == '{"level":"error"}'
    said = note(AT, "! ERROR", Tone.WARN)
    assert (said.kind, said.level, said.tone) == (Kind.NOTE, None, Tone.WARN)
