"""What was searched for in a log, where it was found, and at which of these places one is."""

from collections.abc import Iterable, Sequence

from devloop.views.loglines import Line, without_colour


class Finder:
    """Keeps up with a log that grows at its end and loses its oldest lines."""

    def __init__(self) -> None:
        self.needle = ""
        self.here: Line | None = None
        """The line that one was led to last."""
        self._hits: list[Line] = []

    def begin(self, needle: str, lines: Iterable[Line]) -> None:
        self.needle, self.here = needle.lower(), None
        self._hits = []
        self.extend(lines)

    def again(self, lines: Iterable[Line]) -> None:
        """Other lines, or the same once more: one stays where one is."""
        here = self.here
        self.begin(self.needle, lines)
        self.here = here

    def extend(self, lines: Iterable[Line]) -> None:
        if self.needle:
            self._hits += [line for line in lines if self._has(line)]

    def forget(self, lines: Sequence[Line]) -> None:
        """These are gone: the oldest."""
        if self._hits:
            gone = set(lines)
            self._hits = [line for line in self._hits if line not in gone]

    def nearest(self, lines: Sequence[Line]) -> Line | None:
        """The newest hit among these, the first ones of the log; else the oldest hit of all."""
        seen = set(lines)
        self.here = next((line for line in reversed(self._hits) if line in seen), next(iter(self._hits), None))
        return self.here

    def move(self, step: int) -> Line | None:
        """The next hit, downwards or upwards; beyond the last one it begins again at the other end."""
        if self._hits:
            at = self._place()
            self.here = self._hits[(at + step) % len(self._hits) if at >= 0 else -1]
        return self.here

    @property
    def told(self) -> str:
        """`3 of 17`; empty when nothing is searched for."""
        if not self.needle:
            return ""
        return f"{self._place() + 1} of {len(self._hits):,}" if self._hits else "0 of 0"

    def _has(self, line: Line) -> bool:
        return self.needle in without_colour(line.text).lower()

    def _place(self) -> int:
        return next((at for at, line in enumerate(self._hits) if line is self.here), -1)
