"""Which log lines are of a level and worse, also where they do not say it themselves. Pure."""

import re

from devloop.views.loglines import Level, Line, without_colour

_ORDER = list(Level)
STEPS = (Level.INFO, Level.WARN, Level.ERROR)
"""What can be asked for: below the first of them there is nothing to be hidden."""
_TRACEBACK = re.compile(r"Traceback \(most recent call last\)")
"""Ends with the first line that is not indented: the exception, whatever its name. In a group all is indented."""
_BROKE = re.compile(
    r"[\s|+]*(?:(?:Exception Group )?Traceback \(most recent call last\)|During handling of the above"
    r"|The above exception was|panic:|fatal error:|goroutine \d+ \[|\d[\d/:. ]*http: panic serving"
    r"|Exception in thread|Caused by:|[\w.]*(?:Error|Exception)(?:Group)?\b)"
)
"""How a runtime begins to tell that a program broke, or ends; no program gives that a level."""
_GOES_ON = re.compile(r"\s|$|\[signal |[^\s(]+\(.*\)$|created by |exit status \d")
"""How a line begins that belongs to the one before: indented, or as Go writes its traces."""


class AtLeast:
    """Whether a line passes, asked of each in their order, and from the first one on.

    One without a level is as bad as the one before where it goes on with that, as the lines of a trace do, and else
    `info`. The last lines of a container that a cycle failed for always pass.
    """

    def __init__(self, level: Level) -> None:
        self._least = _ORDER.index(level)
        self._before: dict[tuple[str, str], Level] = {}
        self._traced: set[tuple[str, str]] = set()
        """Of which Pod and container a traceback has begun and not ended."""

    def __call__(self, line: Line) -> bool:
        level = self._level_of(line)
        self._before[line.pod, line.container] = level
        return line.is_last or _ORDER.index(level) >= self._least

    def _level_of(self, line: Line) -> Level:
        source, text = (line.pod, line.container), without_colour(line.text)
        is_traced = source in self._traced
        if line.level is not None and not is_traced:
            return line.level
        is_indented = not text or text[0].isspace()
        if _TRACEBACK.match(text):
            self._traced.add(source)
        elif not is_indented:
            self._traced.discard(source)
        if _BROKE.match(text) or (is_traced and (is_indented or line.level is None)):
            return Level.ERROR  # also where a level is among the words of a trace
        before = self._before.get(source, Level.INFO) if _GOES_ON.match(text) else Level.INFO
        return line.level or before
