"""How a log line looks: the time, the Pod in its colour, the words; rules across the pane; what was found."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text
from textual.strip import Strip

from devloop.tui.finding import Finder
from devloop.tui.painted import POD_COLOURS, fitted
from devloop.views.board import short_pod
from devloop.views.loglines import Kind, Level, Line, without_colour
from devloop.views.times import clock

_LEVEL_STYLES = {Level.ERROR: "bad", Level.WARN: "warn", Level.DEBUG: "quiet"}
_MOST = 12
"""Columns of a Pod's or a container's name."""
_LEAST = 20
"""Columns of the words, in however narrow a pane."""


class LogPaint:
    """The look of one service's log: it knows the Pods and containers that it has met."""

    def __init__(self) -> None:
        self._met: set[tuple[str, str]] = set()
        self.pods: dict[str, int] = {}
        self.containers: dict[str, None] = {}
        self._pod_width = self._container_width = 0

    def meet(self, lines: Iterable[Line]) -> bool:
        """Whether every line looks other than before: a longer name was met, or a second container."""
        before = self._head_width
        for pod, container in dict.fromkeys((line.pod, line.container) for line in lines):
            if (pod, container) in self._met:
                continue
            self._met.add((pod, container))
            if pod:
                self.pods.setdefault(pod, len(self.pods) % POD_COLOURS)
                self._pod_width = min(_MOST, max(self._pod_width, len(short_pod(pod))))
                self.containers[container] = None
        if len(self.containers) > 1:
            self._container_width = min(_MOST, max(len(name) for name in self.containers))
        return self._head_width != before

    def strip(self, line: Line, start: int, width: int, console: Console, finder: Finder, *, wrap: bool) -> Strip:
        """One row of the pane. `start`: where in the words it begins."""
        if line.kind is Kind.RULE:
            return _strip(_rule(line, width), console)
        body = _body(line)
        if finder.needle:
            style = "here" if line is finder.here else "match"
            body.highlight_words([finder.needle], style, case_sensitive=False)
        if wrap:
            end = next((at for at in self.breaks(line, width) if at > start), len(body))
            body = body[start:end]
        head = self._head(line) if start == 0 else Text(" " * self._indent(line))
        return _strip(head.append_text(body), console)

    def words(self, text: str, console: Console) -> Strip:
        """What stands in an empty pane."""
        return _strip(Text().append(text, "quiet"), console)

    def breaks(self, line: Line, width: int) -> Sequence[int]:
        """Where in its words each row of a wrapped line begins; a note breaks between two of them."""
        text, room = without_colour(line.text), max(_LEAST, width - self._indent(line))
        if text.isascii() and line.kind is not Kind.NOTE:
            return range(0, max(1, len(text)), room)
        found, used, space = [0], 0, 0
        for at, char in enumerate(text):
            used += cell_len(char)
            if used > room:
                found.append(space if space > found[-1] and line.kind is Kind.NOTE else at)
                used = cell_len(text[found[-1] : at + 1])
            space = at + 1 if char == " " else space
        return found

    def _indent(self, line: Line) -> int:
        """Below its words; those of a note begin at the time, after a mark."""
        return len("14:02:19 ! ") if line.kind is Kind.NOTE else self._head_width

    @property
    def _head_width(self) -> int:
        names = sum(width + 1 for width in (self._pod_width, self._container_width) if width)
        return len("14:02:19 ") + names

    def _head(self, line: Line) -> Text:
        head = Text().append(f"{clock(line.told)} ", "quiet")
        if line.kind is Kind.NOTE:
            return head
        colour = f"pod{self.pods[line.pod]}" if line.pod in self.pods else "quiet"
        if self._pod_width:
            head.append(f"{fitted(short_pod(line.pod), self._pod_width)} ", colour)
        if self._container_width:
            head.append(f"{fitted(line.container, self._container_width)} ", "quiet")
        return head


def _rule(line: Line, width: int) -> Text:
    text = Text().append("──── ", "quiet").append(f"{clock(line.told)} {line.text} ", "rule")
    return text.append("─" * max(4, width - text.cell_len), "quiet")


def _body(line: Line) -> Text:
    """The words, with the app's own colours if it has any."""
    if "\x1b" in line.text:
        body = Text.from_ansi(line.text)
    else:
        tone = line.tone if line.kind is Kind.NOTE else _LEVEL_STYLES.get(line.level) if line.level else None
        body = Text().append(line.text, tone)
        if line.faint:
            body.stylize("quiet", len(body) - line.faint)
    return body


def _strip(text: Text, console: Console) -> Strip:
    return Strip(list(text.render(console, end="")))
