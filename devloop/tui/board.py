"""The screen: folds the events that it is fed, and paints what they add up to.

Events arrive in batches and are painted at most `RATE` times a second; a key is answered at once, whatever a build or
ten Pods write meanwhile.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence

from rich.text import Text
from textual.app import App, ComposeResult
from textual.filter import LineFilter
from textual.widgets import ContentSwitcher, Static

from devloop.core import events as ev
from devloop.core.reducer import reduce
from devloop.core.state import ServiceState, SessionState
from devloop.tui.logview import KEPT, LogView
from devloop.tui.painted import OnlyAscii, painted
from devloop.tui.panes import TextPane, build_text, history_text, pods_text
from devloop.tui.talk import Ended
from devloop.tui.texts import band_text, checks_text, keys_text, services_text, status_text, tabs_text
from devloop.views import Phrase, phrases, took_over
from devloop.views.board import band, title
from devloop.views.chronicle import Chronicle
from devloop.views.loglines import Level, Line, line_of, rule

RATE = 10
"""Paints a second, at most."""
PANES = ("logs", "build", "pods", "history", "why")


class Board(App[Ended]):
    """Everything that is seen; what one can do about it is in `devloop.tui.app`."""

    CSS_PATH = "devloop.tcss"

    def __init__(self, *, plain: bool = False, clock: Callable[[], float] = time.time) -> None:
        """`plain`: the terminal shows only ASCII. `clock`: Unix seconds."""
        super().__init__()
        self.plain = plain
        self.clock = clock
        self.state = SessionState()
        self.past = Chronicle()
        self.chosen = ""
        """The service that the panes are about."""
        self.pane = "logs"
        self.answer: Sequence[Phrase] = ()
        self.level: Level | None = None
        self.only_pod = ""
        self._ring: dict[str, deque[Line]] = {}
        self._fresh: list[Line] = []
        """Lines of the chosen service that are not in the pane yet."""
        self._output: dict[str, deque[str]] = {}
        self._said = ""
        self._broken: frozenset[str] = frozenset()

    def compose(self) -> ComposeResult:
        for name in ("status", "services", "band", "tabs"):
            yield Static(id=name)
        with ContentSwitcher(initial="logs", id="panes"):
            yield LogView(id="logs")
            for name in PANES[1:]:
                yield TextPane(id=name)
        yield Static(id="keys")

    def on_mount(self) -> None:
        self.log_view.focus()
        self.set_interval(1 / RATE, self.paint)
        self.paint()

    def on_resize(self) -> None:
        self.call_after_refresh(self.paint)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *([OnlyAscii()] if self.plain else [])]

    @property
    def log_view(self) -> LogView:
        return self.query_one("#logs", LogView)

    @property
    def service(self) -> ServiceState | None:
        """The chosen one."""
        return self.state.services.get(self.chosen)

    # events ------------------------------------------------------------------------------------------------------

    def feed(self, records: Sequence[ev.Record]) -> None:
        """Take in what happened; it is painted with the next tick."""
        for record in records:
            if isinstance(record.event, ev.Log):
                self._take_log(record.time, record.event)
                continue
            if not record.event.lossy:
                self.state = reduce(self.state, record)
            self.past.take(record, self.state)
            self._take_rules(record)
        if self.chosen not in self.state.services:
            self.chosen = next(iter(self.state.services), "")

    def _take_log(self, at: float, event: ev.Log) -> None:
        if event.source is ev.LogSource.BUILD:
            self._output.setdefault(event.service, deque(maxlen=KEPT)).append(event.text)
            return
        if event.dropped:
            self._add(event.service, rule(at, f"{event.dropped:,} lines left out"))
        if event.pod:
            self._add(event.service, line_of(at, event))

    def _take_rules(self, record: ev.Record) -> None:
        """What parts the log: new code from here on, and what was said of the service meanwhile."""
        event = record.event
        if not isinstance(event, ev.ServiceEvent):
            return
        if isinstance(event, ev.CycleStarted):
            self._output.pop(event.service, None)
        found = took_over(event, self.state)
        if found is not None:
            self._add(event.service, rule(record.time, found.text.strip("─ ")))
        elif isinstance(event, ev.WarningRaised | ev.WorkloadDrifted):
            for phrase in phrases(event, self.state):
                self._add(event.service, rule(record.time, phrase.text))

    def _add(self, service: str, line: Line) -> None:
        self.ring(service).append(line)
        if service == self.chosen:
            self._fresh.append(line)

    def ring(self, service: str) -> "deque[Line]":
        """The last lines of a service's Pods."""
        return self._ring.setdefault(service, deque(maxlen=KEPT))

    def choose(self, service: str) -> None:
        """Turn every pane to this service."""
        self.chosen, self.only_pod, self.answer, self._fresh = service, "", (), []
        if self.pane == "why":
            self.show_pane("logs")
        self.log_view.show(self.ring(service))
        self.apply_filter()

    def show_pane(self, name: str) -> None:
        self.pane = name
        self.query_one(ContentSwitcher).current = name
        self.query_one(f"#{name}").focus()
        self.paint()

    def apply_filter(self) -> None:
        """Show the lines of the one Pod, and of that level and worse, if any are asked for."""
        pod, level, levels = self.only_pod, self.level, list(Level)
        worse = frozenset(levels[levels.index(level) :] if level else levels)

        def passes(line: Line) -> bool:
            return (not pod or line.pod in {pod, ""}) and (level is None or not line.pod or line.level in worse)

        self.log_view.filter(passes)
        self.paint()

    # painting ----------------------------------------------------------------------------------------------------

    def paint(self) -> None:
        """Bring every widget to what the state says now."""
        if not self.is_running or self.screen is not self.screen_stack[0]:
            return
        now, (width, height) = self.clock(), self.size
        begun = any(service.cycles for service in self.state.services.values())
        self._put("status", status_text(self.state, self.past, now, width))
        services = services_text(self.state, self.past, now, self.chosen, width, height) if begun else None
        self._put("services", services or checks_text(self.state, height))
        broken = band(self.state, self.past)
        self.query_one("#band", Static).display = broken is not None
        if broken is not None:
            self._put("band", band_text(broken, width, height))
        self._paint_pane(width)
        self._put("keys", keys_text(self.keys(), width))
        self._tell_terminal(now)

    def keys(self) -> list[tuple[str, str]]:
        """What the line at the foot says."""
        return []

    def _paint_pane(self, width: int) -> None:
        fresh, self._fresh = self._fresh, []
        self.log_view.extend(fresh)
        panes = PANES if self.answer else PANES[:-1]
        about, right = self.chosen, ""
        if self.pane == "logs":
            parts = [self.chosen, self.only_pod or "all Pods", *([f"{self.level} and worse"] if self.level else [])]
            about = " · ".join([*filter(None, parts), "following" if self.log_view.following else "f follows again"])
            right = "/ find  w wrap"
        self._put("tabs", tabs_text(panes, self.pane, about, right, width))
        text = self._pane_text(max(20, width - 2))
        if text is not None:
            self.query_one(f"#{self.pane}", TextPane).put(text)

    def _pane_text(self, width: int) -> Text | None:
        service = self.service
        if self.pane == "why":
            return painted(self.answer)
        if service is None or self.pane == "logs":
            return None
        if self.pane == "build":
            return build_text(service, self.past, list(self._output.get(service.name, ())), width)
        return pods_text(service, width) if self.pane == "pods" else history_text(service, self.past, width)

    def _put(self, name: str, text: Text) -> None:
        self.query_one(f"#{name}", Static).update(text)

    def _tell_terminal(self, now: float) -> None:
        """The title, and a bell when something breaks or is mended: people look at their editor."""
        said = title(self.state, self.past, now)
        if said != self._said and self._driver is not None and not self.is_headless:
            self._driver.write(f"\x1b]2;{said}\x07")
        self._said = said
        services = self.state.services.items()
        running = frozenset(name for name, service in services if service.running is not None)
        broken = frozenset(name for name, service in services if service.failure is not None) - running
        if broken - self._broken or (self._broken - broken) - running:
            self.bell()
        self._broken = broken | (self._broken & running)
