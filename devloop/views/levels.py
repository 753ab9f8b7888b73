"""Which log lines are of a level and worse, also where they do not say it themselves. Pure."""

import re

from devloop.views.loglines import Level, Line, without_colour

_ORDER = list(Level)
STEPS = (Level.INFO, Level.WARN, Level.ERROR)
"""What can be asked for: below the first of them there is nothing to be hidden."""
_BROKE = re.compile(
    r"Traceback \(most recent call last\)|During handling of the above|The above exception was"
    r"|panic:|fatal error:|goroutine \d+ \[|Exception in thread|Caused by:|[\w.]*(?:Error|Exception)\b"
)
"""How a runtime begins to tell that a program broke, or ends; no program gives that a level."""


class AtLeast:
    """Whether a line passes, asked of each in their order.

    One without a level is as bad as the one before where it is indented, as the lines of a trace are, and else `info`.
    The last lines of a container that a cycle failed for always pass.
    """

    def __init__(self, level: Level) -> None:
        self._least = _ORDER.index(level)
        self._before: dict[tuple[str, str], Level] = {}

    def __call__(self, line: Line) -> bool:
        level = self._level_of(line)
        self._before[line.pod, line.container] = level
        return line.is_last or _ORDER.index(level) >= self._least

    def _level_of(self, line: Line) -> Level:
        if line.level is not None:
            return line.level
        text = without_colour(line.text)
        if _BROKE.match(text):
            return Level.ERROR
        is_more = not text or text[:1].isspace()
        return self._before.get((line.pod, line.container), Level.INFO) if is_more else Level.INFO
