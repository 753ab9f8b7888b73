"""Log lines as people read them: which Pod said it, when, how bad it is; JSON lines as their message. Pure."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from devloop.core.events import Log, LogSource
from devloop.views.board import clock

_MESSAGE = ("message", "msg", "event", "text")
_LEVEL = ("level", "severity", "levelname", "lvl")
_TIME = ("time", "timestamp", "ts", "@timestamp", "asctime")
_WORD = re.compile(r"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL|PANIC)\b")
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_NUMBERS = {10: "debug", 20: "info", 30: "info", 40: "warn", 50: "error", 60: "error"}
"""As pino and Python's logging count: pino's 30 is info, 40 warn, 50 error."""


class Level(StrEnum):
    """How bad a line is; in order."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class Kind(StrEnum):
    """What a line of the log pane is."""

    POD = "pod"
    BUILD = "build"
    RULE = "rule"
    """Where new code took over, or lines are missing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log pane."""

    time: float
    kind: Kind
    text: str
    """May hold colour codes, and nothing else that moves a cursor."""
    pod: str = ""
    container: str = ""
    level: Level | None = None

    @property
    def head(self) -> str:
        """`14:02:19 x2k1`: the time, and what tells its Pod from others."""
        return f"{clock(self.time)} {self.pod.rpartition('-')[2]}".rstrip()


def line_of(time: float, event: Log) -> Line:
    """The line of a log event; JSON is told as `message key=value`."""
    kind = Kind.BUILD if event.source is LogSource.BUILD else Kind.POD
    text, level = event.text, None
    if text.startswith("{") and (told := _of_json(text)) is not None:
        text, level = told
    elif found := _WORD.search(text[:200]):
        level = _level(found[1])
    return Line(time, kind, _harmless(text), event.pod, event.container, level)


def rule(time: float, text: str) -> Line:
    return Line(time, Kind.RULE, text)


def without_colour(text: str) -> str:
    return _ESCAPE.sub("", text)


def _harmless(text: str) -> str:
    """Colours stay; what moves the cursor, clears the screen or sets the title goes."""
    kept = _ESCAPE.sub(lambda found: found[0] if found[0].endswith("m") else "", text.expandtabs(8))
    return "".join(char for char in kept if char.isprintable() or char == "\x1b")


def _of_json(text: str) -> tuple[str, Level | None] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    message = next((str(found.pop(key)) for key in _MESSAGE if key in found), "")
    level = next((_level(found.pop(key)) for key in _LEVEL if key in found), None)
    time = next((_time(found.pop(key)) for key in _TIME if key in found), "")
    rest = " ".join(f"{key}={_short(value)}" for key, value in found.items())
    head = f"{level.upper():5} " if level else ""
    return f"{time}{head}{message}{'  ' if rest and message else ''}{rest}", level


def _level(value: object) -> Level | None:
    word = _NUMBERS.get(value, "") if isinstance(value, int) else str(value).lower()
    if word in {"trace", "debug"}:
        return Level.DEBUG
    if word in {"info", "notice"}:
        return Level.INFO
    if word.startswith("warn"):
        return Level.WARN
    return Level.ERROR if word in {"error", "err", "critical", "fatal", "panic"} else None


def _time(value: object) -> str:
    """The time of day that the line itself tells, with milliseconds: the log's own column has whole seconds."""
    try:
        if isinstance(value, int | float):
            at = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC).astimezone()
        else:
            at = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return ""
    return at.strftime("%H:%M:%S.%f")[:-3] + " "


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
