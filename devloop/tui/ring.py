"""The last lines of a log: so many, and where they are long so many characters. This bounds the screen's memory."""

from collections.abc import Iterable, Iterator

from devloop.views.loglines import Line

KEPT = 10_000
"""Lines that are kept; the oldest go."""
ROOM = 8_000_000
"""Characters that are kept."""


class Ring:
    """Holds up to a tenth more than is kept, so that the oldest go many at a time."""

    def __init__(self, kept: int = KEPT, room: int = ROOM) -> None:
        self._kept, self._room = kept, room
        self._lines: list[Line] = []
        self._size = 0

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines)

    def __getitem__(self, at: int) -> Line:
        return self._lines[at]

    def append(self, line: Line) -> None:
        self._lines.append(line)
        self._size += len(line.raw)
        if len(self._lines) > self._kept * 1.1 or self._size > self._room * 1.1:
            self._trim()

    def extend(self, lines: Iterable[Line]) -> list[Line]:
        """Take them in; the oldest, which went for them."""
        before = len(self._lines)
        self._lines += lines
        self._size += sum(len(line.raw) for line in self._lines[before:])
        if len(self._lines) > self._kept * 1.1 or self._size > self._room * 1.1:
            return self._trim()
        return []

    def take(self) -> list[Line]:
        """All of it, and begin anew."""
        taken, self._lines, self._size = self._lines, [], 0
        return taken

    def _trim(self) -> list[Line]:
        gone = max(0, len(self._lines) - self._kept)
        size = self._size - sum(len(line.raw) for line in self._lines[:gone])
        while size > self._room and gone < len(self._lines) - 1:
            size -= len(self._lines[gone].raw)
            gone += 1
        went, self._lines, self._size = self._lines[:gone], self._lines[gone:], size
        return went
