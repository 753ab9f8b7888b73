"""Log lines as people read them: which Pod said it, when, how bad it is; JSON lines as their message. Pure."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from devloop.core.events import Log, LogSource
from devloop.views import Tone
from devloop.views.times import clock

_MESSAGE = ("message", "msg", "event", "text")
_LEVEL = ("level", "severity", "levelname", "lvl")
_TIME = ("time", "timestamp", "ts", "@timestamp", "asctime")
_WORD = re.compile(r"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL|PANIC)\b")
_ESCAPE = re.compile(
    r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()*+][0-9A-Za-z]|[0-9=>A-Z\\^_a-z])"
)
"""Control sequences, operating system commands (titles, links), choices of a character set, and single ones."""
_COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")
_DAY = 86_400.0
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
    """Where new code took over, a container started again, or lines are missing."""
    NOTE = "note"
    """What devloop says of the service meanwhile."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What a line says, once it was read."""

    text: str
    level: Level | None = None
    faint: int = 0
    """So many characters at the end are beside the point: the fields of a JSON line."""
    time: float = 0.0
    """When, by the line's own clock; 0 where it does not say, or not in which zone."""


class Line:
    """One line of the log pane. It is read when somebody looks at it: of a flood hardly one line ever is."""

    __slots__ = ("_said", "container", "is_last", "kind", "pod", "raw", "time", "tone")

    def __init__(
        self, time: float, kind: Kind, raw: str, pod: str = "", container: str = "", tone: Tone = Tone.PLAIN
    ) -> None:
        """`raw`: as it was written. `tone`: of a rule or a note."""
        self.time, self.kind, self.raw, self.pod, self.container, self.tone = time, kind, raw, pod, container, tone
        self.is_last = False
        """Whether it is of the last that a container wrote before it ended, for which a cycle failed."""
        self._said = None if kind is Kind.POD or kind is Kind.BUILD else _Said(raw)

    @property
    def text(self) -> str:
        """May hold colour codes, and nothing else that moves a cursor."""
        return (self._said or self._read()).text

    @property
    def level(self) -> Level | None:
        return (self._said or self._read()).level

    @property
    def faint(self) -> int:
        return (self._said or self._read()).faint

    @property
    def told(self) -> float:
        """The moment that a JSON line names, if it can be; else when it came."""
        said = (self._said or self._read()).time
        return said if said and abs(said - self.time) < _DAY else self.time

    @property
    def words(self) -> str:
        """The line as it goes into a file."""
        pod = f"{self.pod.rpartition('-')[2]} " if self.pod else ""
        return f"{clock(self.told)} {pod}{without_colour(self.text)}"

    def _read(self) -> _Said:
        self._said = found = _said(self.raw)
        return found


def line_of(time: float, event: Log) -> Line:
    """The line of a log event; JSON is told as time, level, message, and then its other fields."""
    kind = Kind.BUILD if event.source is LogSource.BUILD else Kind.POD
    line = Line(event.written or time, kind, event.text, event.pod, event.container)
    line.is_last = bool(event.cycle) and kind is Kind.POD
    return line


def rule(time: float, text: str) -> Line:
    return Line(time, Kind.RULE, text)


def note(time: float, text: str, tone: Tone) -> Line:
    return Line(time, Kind.NOTE, text, tone=tone)


def _said(text: str) -> _Said:
    if text.startswith("{") and (told := _of_json(text)) is not None:
        return told
    found = _WORD.search(text[:200])
    return _Said(harmless(text), _level(found[1]) if found else None)


def without_colour(text: str) -> str:
    return _ESCAPE.sub("", text) if "\x1b" in text else text


def harmless(text: str) -> str:
    """A line that may be shown: with its colours, without what moves the cursor, and what was written over."""
    if text.isprintable():
        return text
    last = text.rstrip("\r").rpartition("\r")[2].expandtabs(8)
    kept = _ESCAPE.sub(lambda found: found[0] if _COLOUR.fullmatch(found[0]) else "", last)
    parts = _COLOUR.split(kept)  # odd parts are the codes
    return "".join(
        part if at % 2 else "".join(char for char in part if char.isprintable()) for at, part in enumerate(parts)
    )


def _of_json(text: str) -> _Said | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    message = next((_short(found.pop(key)) for key in _MESSAGE if key in found), "")
    named = next((key for key in _LEVEL if key in found), "")
    level = _level(found[named]) if named else None
    word = _word(found.pop(named), level) if named else ""
    time = next((_time(found.pop(key)) for key in _TIME if key in found), 0.0)
    fields = harmless(" ".join(f"{key}={_short(value)}" for key, value in found.items()))
    said = harmless(f"{word:5} {message}".rstrip() if word else message)
    return _Said(said + (f"  {fields}" if fields and said else fields), level, len(fields), time)


def _word(value: object, level: Level | None) -> str:
    """`INFO`, or the word that the line itself has."""
    return str(value).upper() if isinstance(value, str) or level is None else level.upper()


def _level(value: object) -> Level | None:
    word = _NUMBERS.get(value, "") if isinstance(value, int) else str(value).lower()
    if word in {"trace", "debug"}:
        return Level.DEBUG
    if word in {"info", "notice"}:
        return Level.INFO
    if word.startswith("warn"):
        return Level.WARN
    return Level.ERROR if word in {"error", "err", "critical", "fatal", "panic"} else None


def _time(value: object) -> float:
    try:
        if isinstance(value, int | float):
            return value / 1000 if value > 1e11 else float(value)
        at = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError):
        return 0.0
    return at.timestamp() if at.tzinfo else 0.0


def _short(value: object) -> str:
    told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return told.rstrip().replace("\n", " ↵ ")
