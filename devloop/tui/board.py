"""The screen: paints what the events that it is fed add up to.

Events arrive in batches and are painted with the next tick; a key is answered at once, whatever a build or ten Pods
write meanwhile.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import ContentSwitcher

from devloop.core.events import Record
from devloop.core.state import ServiceState, SessionState
from devloop.tui import texts
from devloop.tui.coloured import Coloured
from devloop.tui.keys import PANES, Where, foot
from devloop.tui.logview import LogView, Test
from devloop.tui.pace import Pace, PromptScreen
from devloop.tui.panes import TextPane, build_text, history_text, pods_text
from devloop.tui.part import Part
from devloop.tui.ring import Ring
from devloop.tui.scene import Scene
from devloop.tui.talk import Tip
from devloop.tui.whytext import older, why_text
from devloop.views import Phrase, Tone
from devloop.views.band import Band, band
from devloop.views.board import STOPPED, row, title
from devloop.views.chronicle import Chronicle
from devloop.views.levels import AtLeast
from devloop.views.loglines import Level, Line


def pane_of(broken: Band) -> str:
    """The pane that tells more of a failure."""
    return {"build": "build", "rollout": "pods"}.get(broken.where, "why")


READ = 4.0
"""Seconds in which what came of a key is read."""


class Board(Coloured):
    """Everything that is seen; what one can do about it is in `devloop.tui.app`."""

    CSS_PATH = Path(__file__).with_name("devloop.tcss")  # also for a subclass elsewhere
    TITLE = "devloop"
    wants_notice = True
    """Whether a failure, and the recovery from it, are told beyond the screen: people look at their editor."""
    has_shells = True
    """Whether a Pod has a shell that could be gone to."""
    is_replay = False
    """Whether what is shown is over, so that nothing can be asked of it."""

    def __init__(self, *, plain: bool = False, clock: Callable[[], float] = time.time) -> None:
        """`plain`: the terminal shows only ASCII. `clock`: Unix seconds."""
        super().__init__(plain=plain)
        self.clock = clock
        self.scene = Scene()
        self.pane = "logs"
        self.tip: Tip | None = None
        """What to try next, where somebody tries devloop: a line above the keys."""
        self.answer: Sequence[Phrase] = ()
        """Of `why`."""
        self.answered: object = None
        """Where the service stood when that was asked."""
        self.asked = 0.0
        """When that was."""
        self.level: Level | None = None
        self.only_pod = self.only_container = ""
        self.is_away = False
        """Whether another program has the terminal."""
        self._pace = Pace(self, self.paint)
        self._told: tuple[str, Tone] | None = None
        """What came of a key, until it was read."""
        self._marked = 0
        """How many lines had been the last of a container when the log was filtered."""
        self._shown = ""
        """The service whose log is shown."""
        self._titled = ""
        self._broken: frozenset[str] = frozenset()

    def get_default_screen(self) -> Screen[None]:
        return PromptScreen(id="_default")

    def compose(self) -> ComposeResult:
        for name in ("status", "services", "band", "tabs"):
            yield Part(id=name)
        with ContentSwitcher(initial="logs", id="panes"):
            yield LogView(id="logs")
            for name in [*PANES][1:]:
                yield TextPane(id=name)
        yield Part(id="tip")
        yield Part(id="keys")

    def on_mount(self) -> None:
        self.begin_colours()
        self.log_view.focus()
        self._pace.start()
        self.paint()

    def on_resize(self) -> None:
        self.call_after_refresh(self.paint)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Say it where the keys stand: Textual's own notices cover the newest lines of the log."""
        self._told = told = message, Tone.PLAIN if severity == "information" else Tone.WARN
        self.set_timer(timeout or READ, lambda: self._unsay(told))
        self.paint()

    def _unsay(self, told: tuple[str, Tone] | None) -> None:
        if self._told is told:
            self._told = None
            self.paint()

    @property
    def main(self) -> Screen[object]:
        """The screen below all questions."""
        return self.screen_stack[0]

    @property
    def log_view(self) -> LogView:
        return self.main.query_one("#logs", LogView)

    @property
    def standing(self) -> object:
        """Something else with each cycle of the chosen service that begins, and whenever it has settled."""
        service = self.service
        return None if service is None else (service.cycles, service.paused, self.settled)

    @property
    def settled(self) -> object:
        """Something else with each cycle that ends, and with whatever is noticed between two: a drift, or a restore,
        which is told before its Pods are there."""
        service = self.service
        if service is None:
            return None
        seen = service.workloads.values() if service.restored is not None else ()
        came = [(each.ready == each.desired, len(each.pods) == each.desired) for each in seen]
        return service.over and service.over.number, service.drift, service.drifted, came

    @property
    def outdated(self) -> bool:
        """Whether more has happened since `why` was asked."""
        return bool(self.answer) and self.answered != self.standing

    @property
    def _text_pane(self) -> TextPane:
        """The pane that is shown, where that is not the log."""
        return self.main.query_one(f"#{self.pane}", TextPane)

    @property
    def state(self) -> SessionState:
        return self.scene.state

    @property
    def past(self) -> Chronicle:
        return self.scene.past

    @property
    def chosen(self) -> str:
        """The service that the panes are about."""
        return self.scene.chosen

    @property
    def service(self) -> ServiceState | None:
        return self.scene.service

    def ring(self, service: str) -> Ring:
        """The last lines of a service's Pods."""
        return self.scene.ring(service)

    # what is looked at -------------------------------------------------------------------------------------------

    def feed(self, records: Sequence[Record]) -> None:
        """Take in what happened; it is painted with the next tick."""
        before = self.chosen
        self.scene.take(records)
        if self.is_running and before not in {"", self.chosen}:  # it left the session
            self.choose(self.chosen)
        if self.is_running:
            self._pace.due()

    def choose(self, service: str) -> None:
        """Turn every pane to this service."""
        self.scene.choose(service)
        self.only_pod, self.only_container, self.answer = "", "", ()
        if self.pane == "why":
            self.show_pane("logs")
        self.apply_filter()

    def show_pane(self, name: str) -> None:
        self.pane = name
        self.main.query_one(ContentSwitcher).current = name
        self.main.query_one(f"#{name}").focus()
        self.paint()

    def apply_filter(self) -> None:
        """Show the lines of the one Pod, of the one container, of that level and worse, if any are asked for."""
        self._filter()
        self.paint()

    def _filter(self) -> None:
        self.log_view.filter(self._passing if self.only_pod or self.only_container or self.level else None)

    def _passing(self) -> Test:
        pod, container = self.only_pod, self.only_container
        level = AtLeast(self.level) if self.level else None

        def passes(line: Line) -> bool:
            """Rules and notes are no Pod's, and always stay."""
            return not line.pod or (
                line.pod == (pod or line.pod)
                and line.container == (container or line.container)
                and (level is None or level(line))
            )

        return passes

    @property
    def where(self) -> Where:
        """What matters of where one is, for what the keys mean."""
        lines, service = self.log_view, self.service
        broken = self.band
        return Where(
            pane=self.pane,
            begun=self.scene.has_begun,
            chosen=self.chosen,
            several=len(self.state.services) > 1,
            broken=broken.service if broken is not None else "",
            busy=service is not None and service.running is not None,
            paused=service is not None and service.paused,
            read_only=service is not None and service.looks_on,
            off=service is not None and row(service, self.past, self.clock()).rank <= STOPPED,
            editable=broken is not None and bool(broken.file),
            following=lines.following,
            finding=bool(lines.finder.needle),
            filtered=bool(self.only_pod or self.only_container or self.level),
            outdated=self.pane == "why" and self.outdated,
            below=0 if self.pane == "logs" else self._text_pane.below,
            pods=len(lines.pods) > 1,
            containers=len(lines.containers) > 1,
            shells=self.has_shells,
            replay=self.is_replay,
        )

    @property
    def band(self) -> Band | None:
        return band(self.state, self.past, self.chosen, self.clock())

    # painting ----------------------------------------------------------------------------------------------------

    def paint(self) -> None:
        """Bring every part to what the state says now."""
        if not self.is_running or self.is_away or not self.main.is_mounted:
            return
        now, (width, height) = self.clock(), self.size
        state, past, where, broken = self.state, self.past, self.where, self.band
        self._paint_log()
        status = texts.status_text(state, past, now, width, height, self.chosen, replay=where.replay)
        self._put("status", status)
        self._put("services", self._services(now, width, height, broken))
        self._put("band", self._band(broken, where, width, height))
        about, right = self._about(where)
        is_low = texts.is_low(height)
        tabs = [(key, name) for name, key in PANES.items() if name != "why" or self.answer]
        self._put("tabs", texts.tabs_text(tabs, self.pane, about, right, width) if where.begun and not is_low else None)
        tip = self.tip(state, past) if self.tip is not None and not is_low else ""
        self._put("tip", texts.tip_text(tip, width) if tip else None)
        keys = texts.keys_text(foot(where), self._unusual(where, about, right) if is_low else "", width)
        self._put("keys", texts.told_text(*self._told, width) if self._told else keys)
        self._paint_pane(now, max(20, width - 2))
        self._tell_terminal(now)

    def _put(self, name: str, text: Text | None) -> None:
        """None: it takes no room."""
        part = self.main.query_one(f"#{name}", Part)
        part.display = text is not None
        if text is not None:
            part.put(text)

    def _services(self, now: float, width: int, height: int, broken: Band | None) -> Text | None:
        if not self.scene.has_begun:
            return texts.checks_text(self.state, width, max(2, height - 4))
        if texts.is_low(height) and len(self.state.services) == 1:
            return None
        taken = 7 if broken is not None else 4
        return texts.services_text(self.state, self.past, now, self.chosen, width, height, taken)

    def _band(self, broken: Band | None, where: Where, width: int, height: int) -> Text | None:
        if broken is None:
            return None
        self.main.query_one("#band").set_class(broken.warns, "warns").set_class(broken.restored, "calm")
        keys = self._band_keys(broken, where)
        return texts.band_text(broken, keys, width, height, several=where.several)

    def _band_keys(self, broken: Band, where: Where) -> list[tuple[str, str]]:
        keys = [("e", "edit")] if where.editable and not where.replay else []
        if where.elsewhere:
            return [*keys, ("x", "show")]  # other keys are about the chosen service
        if broken.restored:
            return [] if where.replay else [("b", "build now")]
        pane = pane_of(broken)
        means_nothing = pane == self.pane or (pane == "why" and where.replay)
        return keys if means_nothing or not broken.service else [*keys, (PANES[pane], pane)]

    def _paint_log(self) -> None:
        view = self.log_view
        if self._shown != self.chosen:
            self._shown = self.chosen
            view.show(self.ring(self.chosen))
            self.scene.fresh()
        view.extend(self.scene.fresh())
        if self._marked != self.scene.marked:
            self._marked = self.scene.marked
            if self.level:
                self._filter()  # lines that were hidden may be the last of a container
        filtered = self.only_pod or self.only_container or self.level
        silence = f"{self.chosen} has written nothing yet" if self.scene.has_begun else ""
        view.silence = "no line passes: Esc shows all of them" if filtered else silence

    def _about(self, where: Where) -> tuple[str, str]:
        """What the pane is about, and where in it one is."""
        if self.pane != "logs":
            return self.chosen, f"{where.below:,} more line{'' if where.below == 1 else 's'}" if where.below else ""
        every = "all Pods" if where.pods and not where.filtered else ""
        parts = [self.chosen, self.only_pod or every, self.only_container]
        parts.append(f"{self.level} and worse" if self.level else "")
        return " · ".join(part for part in parts if part), self._place(where)

    def _place(self, where: Where) -> str:
        """Where in the log one is, and how much of it is not shown."""
        view = self.log_view
        hidden = f"{view.hidden:,} hidden" if view.hidden else ""
        if where.finding:  # Esc gives that up first
            return " · ".join(part for part in (f"match {view.finder.told}", hidden) if part)
        place = "" if view.following else f"{view.below:,} below" if view.below else "not following"
        told = " · ".join(part for part in (place, f"{hidden}, Esc shows all" if hidden else "") if part)
        return told or "following"

    def _unusual(self, where: Where, about: str, right: str) -> str:
        """Where the tabs have no room: what is not as it is most of the time."""
        if not where.begun or (self.pane == "logs" and where.following and not where.finding and not where.filtered):
            return ""
        # A filter is of the log, and the service stands above.
        what = about.partition(" · ")[2] if where.filtered and self.pane == "logs" else self.pane
        return " · ".join(part for part in (what, right) if part)

    def _paint_pane(self, now: float, width: int) -> None:
        service = self.service
        if self.pane == "logs" or service is None:
            return
        if self.pane == "why":
            text = why_text(older(self.answer, self.asked, service) if self.outdated else self.answer, width)
        elif self.pane == "build":
            text = build_text(service, self.past, width)
        elif self.pane == "pods":
            text = pods_text(service, self.past, now, width)
        else:
            text = history_text(service, self.past, now, width)
        self._text_pane.put(text)

    def on_text_pane_moved(self) -> None:
        self.paint()

    def _tell_terminal(self, now: float) -> None:
        """The title, and a notice when something breaks or is mended."""
        said = "".join(char for char in title(self.state, self.past, now) if char.isprintable())
        if said != self._titled and self._driver is not None and not self.is_headless:
            self._driver.write(f"\x1b]2;{said}\x07")
        self._titled = said
        services = self.state.services.items()
        running = frozenset(name for name, service in services if service.running is not None)
        failed = (name for name, service in services if service.failure is not None and not service.blocked)
        broken = frozenset(failed) - running
        if broken - self._broken or (self._broken - broken) - running:
            self._notice(said)
        self._broken = broken | (self._broken & running)

    def _notice(self, said: str) -> None:
        """Ring the bell, and hand the words to a terminal that shows notifications (OSC 9); others ignore them."""
        if not self.wants_notice:
            return
        self.bell()
        if self._driver is not None and not self.is_headless:
            self._driver.write(f"\x1b]9;devloop: {said.removesuffix(' · devloop')}\x07")
