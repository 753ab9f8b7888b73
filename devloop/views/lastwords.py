"""What containers wrote before they ended comes twice: as it is written, and once more for a cycle that failed.

It is shown once and whole: as it was written, or under a heading. Only the order tells the lines of one start of a
container from equal ones of the next, so each line that was shown stands for one that comes again, and no more.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from devloop.views.loglines import Line

TAILED = 200
"""Lines of a service that are remembered as shown: more than the last words of its containers."""
_Source = tuple[str, str]
"""A Pod and a container of it."""


@dataclass(slots=True)
class _Quoted:
    """Last words that come one after the other."""

    source: _Source
    stands: list[Line]
    """What its container has written and is shown above."""
    starts: list[int]
    """Where in that the words may begin."""
    words: list[Line] = field(default_factory=list)
    is_told: bool = False
    """Whether they stand under a heading of their own."""

    def goes_on(self, line: Line) -> bool:
        """Whether all so far, with this line, stands above."""
        at = len(self.words) - 1
        room = len(self.stands) - at
        self.starts = [start for start in self.starts if start < room and self.stands[start + at].raw == line.raw]
        return bool(self.starts)


class LastWords:
    """Those of the containers of one service."""

    def __init__(self) -> None:
        self._quoted: _Quoted | None = None
        self.marked = 0
        """How often a line that is shown turned out to be one of the last."""
        self._tailed: deque[Line] = deque(maxlen=TAILED)
        self._owed: dict[_Source, deque[Line]] = {}
        """Shown under a heading, and may still come as it was written."""

    def is_plain(self, line: Line) -> bool:
        """Take in what was just written, if there is nothing to compare it with."""
        if self._quoted is not None or self._owed:
            return False
        self._tailed.append(line)
        return True

    def written(self, line: Line) -> bool:
        """Whether to show a line that was just written: not if a heading was faster."""
        self.end()
        owed = self._owed.pop(_source(line), None)
        if owed and owed.popleft().raw == line.raw:
            if owed:
                self._owed[_source(line)] = owed
            return False
        self._tailed.append(line)
        return True

    def last(self, line: Line) -> tuple[list[Line], bool]:
        """What to show of last words with this one more, and whether a heading comes before it."""
        quoted = self._quote(line)
        quoted.words.append(line)
        if quoted.is_told:
            self._owed[quoted.source].append(line)
            return [line], False
        begins = [start + len(quoted.words) - 1 for start in quoted.starts]
        if quoted.goes_on(line):
            self._mark(quoted.stands[quoted.starts[0] + len(quoted.words) - 1])
            return [], False
        quoted.is_told = True
        # What was written so far ends within these words, or is of an earlier start.
        behind = len(quoted.words) - 1 if len(quoted.stands) in begins else 0
        self._owed[quoted.source] = deque(quoted.words[behind:])
        return quoted.words, True

    def began_again(self, pod: str) -> None:
        """What its containers write from here on is new."""
        self._owed = {source: lines for source, lines in self._owed.items() if source[0] != pod}

    def keep(self, pods: Collection[str]) -> None:
        """Others are gone, and what they wrote has come."""
        self._owed = {source: lines for source, lines in self._owed.items() if source[0] in pods}

    def end(self) -> None:
        """No more of these last words come. Those that stand above are not there for the next ones."""
        quoted, self._quoted = self._quoted, None
        if quoted is not None and not quoted.is_told:
            told = {*quoted.stands[: quoted.starts[0] + len(quoted.words)]}
            self._tailed = deque((line for line in self._tailed if line not in told), TAILED)

    def _quote(self, line: Line) -> _Quoted:
        if self._quoted is None or self._quoted.source != _source(line):
            self.end()
            stands = [each for each in self._tailed if _source(each) == _source(line)]
            self._quoted = _Quoted(_source(line), stands, [*range(len(stands))])
        return self._quoted

    def _mark(self, line: Line) -> None:
        line.is_last = True
        self.marked += 1


def _source(line: Line) -> _Source:
    return line.pod, line.container
