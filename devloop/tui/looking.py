"""Where one looks: services, places in the log, what is searched for and filtered, dark or light."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from textual import work

from devloop.core.state import ServiceState
from devloop.tui.board import Board, pane_of
from devloop.tui.dialogs import Ask
from devloop.views.board import rows
from devloop.views.levels import STEPS

T = TypeVar("T")


class Looking(Board):
    """Actions that ask nothing of the session."""

    def action_pick(self, service: str) -> None:
        if service in self.state.services:
            self.choose(service)

    def action_show_broken(self) -> None:
        """The service that the band is about, and the pane that tells more of it."""
        broken = self.band
        if broken is not None and self.where.elsewhere:
            self.choose(broken.service)
            self.open_pane(pane_of(broken))

    def open_pane(self, name: str) -> None:
        """Show it; what has to be asked for first is asked for."""
        if self.scene.has_begun:
            self.show_pane(name)

    def action_step(self, step: int) -> None:
        names = [each.service for each in rows(self.state, self.past, self.clock())]
        if len(names) > 1 and self.chosen in names:
            self.choose(names[(names.index(self.chosen) + step) % len(names)])
        else:
            self.action_line(step)

    def action_line(self, step: int) -> None:
        if self.screen.focused is not None:
            self.screen.focused.scroll_relative(y=step, animate=False)

    def action_page(self, step: int) -> None:
        if self.screen.focused is not None:
            self.screen.focused.scroll_relative(y=step * max(1, self.screen.focused.size.height - 1), animate=False)

    def action_top(self) -> None:
        self.log_view.follow(False)
        self.log_view.scroll_home(animate=False)

    def action_end(self) -> None:
        self.log_view.follow(True)
        self.paint()

    def action_follow(self) -> None:
        self.log_view.follow(not self.log_view.following)
        self.paint()

    @work(exclusive=True, group="find")
    async def action_find(self) -> None:
        needle = await self.push_screen_wait(Ask("Find in the log", value=self.log_view.finder.needle))
        if needle is not None and not self.log_view.find(needle) and needle:
            self.notify(f"no line has {needle!r}")
        self.paint()

    def action_older(self) -> None:
        self.log_view.find_next(-1)
        self.paint()

    def action_newer(self) -> None:
        self.log_view.find_next(1)
        self.paint()

    def action_wrap(self) -> None:
        self.log_view.set_wrap(not self.log_view.wrap)

    def action_level(self) -> None:
        """Info and worse, warn, error, and all again."""
        self.level = _after(self.level, [None, *STEPS])
        self.apply_filter()

    def action_only_pod(self) -> None:
        """One after the other, first those that run; all again after the last."""
        pods = dict.fromkeys(line.pod for line in self.ring(self.chosen) if line.pod)
        self.only_pod = _after(self.only_pod, ["", *_newest_first(pods, self.service)])
        self.apply_filter()

    def action_only_container(self) -> None:
        containers = dict.fromkeys(line.container for line in self.ring(self.chosen) if line.container)
        self.only_container = _after(self.only_container, ["", *containers])
        self.apply_filter()

    def action_retreat(self) -> bool:
        """One step back: another pane, a search, a filter; whether there was any."""
        if self.pane != "logs":
            self.show_pane("logs")
        elif self.log_view.finder.needle:
            self.log_view.find("")
        elif self.only_pod or self.only_container or self.level:
            self.only_pod, self.only_container, self.level = "", "", None
            self.apply_filter()
        elif not self.log_view.following:
            self.log_view.follow(True)
        else:
            return False
        self.paint()
        return True

    def action_theme(self) -> None:
        """Dark or light, of as many colours as before."""
        kind, _, _ = self.theme.partition("-")
        self.theme = f"{kind}-light" if self.current_theme.dark else f"{kind}-dark"
        self.remember_theme(dark=self.current_theme.dark)

    def remember_theme(self, *, dark: bool) -> None:
        """For the next session; nothing here knows where."""


def _newest_first(pods: Iterable[str], service: ServiceState | None) -> list[str]:
    """Those of the newest revision, others that are there, and then those that are gone; the youngest of each first."""
    seen = service.workloads.values() if service is not None else ()
    there = {
        row.pod: (row.current and row.phase != "Terminating", at) for each in seen for at, row in enumerate(each.pods)
    }
    gone = [pod for pod in reversed([*pods]) if pod not in there]
    return [*sorted((pod for pod in pods if pod in there), key=lambda pod: there[pod], reverse=True), *gone]


def _after(value: T, order: Sequence[T]) -> T:
    """The next one, and after the last the first."""
    return order[(order.index(value) + 1) % len(order)] if value in order else order[0]
