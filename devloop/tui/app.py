"""The app: what one can do. It decides nothing, and asks the session behind it for everything."""

import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from devloop.core.commands import Command, Pause, Rebuild, Stop
from devloop.core.failure import ExitCode, Failure
from devloop.tui.board import Board
from devloop.tui.dialogs import Ask, Sure, Told
from devloop.tui.talk import Ended, Session
from devloop.views import Phrase, Tone
from devloop.views.board import band, rows
from devloop.views.loglines import Level

Run = Callable[["DevloopApp"], Awaitable[Ended]]
_SIGNS = {"question_mark": "?", "slash": "/", "q,escape": "q", "j,down": "↓", "k,up": "↑", "ctrl+c": "^C"}


class DevloopApp(Board):
    """`run` is the session: it begins once the first frame is on the screen, and its end ends the app."""

    COMMAND_PALETTE_BINDING = "colon"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "build", "build now"),
        Binding("space", "pause", "pause"),
        Binding("s", "stop", "stop"),
        Binding("l", "pane('logs')", "logs"),
        Binding("i", "pane('build')", "build"),
        Binding("p", "pane('pods')", "pods"),
        Binding("h", "pane('history')", "history"),
        Binding("d", "why", "why"),
        Binding("y", "copy", "copy"),
        Binding("question_mark", "help", "help"),
        Binding("q,escape", "leave", "quit"),
        Binding("j,down", "step(1)", "next service, or a line down", show=False, priority=True),
        Binding("k,up", "step(-1)", "previous service, or a line up", show=False, priority=True),
        Binding("slash", "find", "find in the log", show=False),
        Binding("n", "again", "next match", show=False),
        Binding("w", "wrap", "wrap long lines", show=False),
        Binding("f", "follow", "follow the log", show=False),
        Binding("v", "level", "levels of the log", show=False),
        Binding("P", "pod", "one Pod after the other", show=False),
        Binding("e", "edit", "open the failing file", show=False),
        Binding("S", "shell", "a shell in a Pod", show=False),
        Binding("R", "restore", "restore the workload", show=False),
        Binding("W", "save", "save the log to a file", show=False),
        Binding("m", "mouse", "free the mouse to select text", show=False),
        Binding("T", "theme", "dark or light", show=False),
        Binding("ctrl+c", "interrupt", "quit now", show=False, priority=True),
    ]

    def __init__(self, run: Run, *, plain: bool = False, clock: Callable[[], float] = time.time) -> None:
        super().__init__(plain=plain, clock=clock)
        self.session: Session | None = None
        self._begin = run
        self._mouse_is_free = False

    def on_mount(self) -> None:
        super().on_mount()
        self.call_after_refresh(self._run_session)

    @work(exit_on_error=False)
    async def _run_session(self) -> None:
        ended = await self._begin(self)
        self.exit(ended, return_code=int(ended.code))

    def keys(self) -> list[tuple[str, str]]:
        return [*((sign(each), each.description) for each in bindings() if each.show), (":", "commands")]

    def send(self, command: Command) -> None:
        if self.session is not None:
            self.session.send(command)

    # the loop ----------------------------------------------------------------------------------------------------

    def action_build(self) -> None:
        self.send(Rebuild(self.chosen))

    def action_pause(self) -> None:
        if self.service is not None:
            self.send(Pause(self.chosen, not self.service.paused))

    def action_stop(self) -> None:
        self.send(Stop(self.chosen))

    @work(exclusive=True, group="why")
    async def action_why(self) -> None:
        if self.session is None or not self.chosen:
            return
        self.answer = (Phrase("looking …", Tone.BUSY),)
        self.show_pane("why")
        self.answer = await self.session.why(self.chosen)
        self.paint()

    @work(exclusive=True, group="restore")
    async def action_restore(self) -> None:
        question = f"Put the workloads of {self.chosen} back as they were before devloop?"
        if self.session is None or not self.chosen:
            return
        if await self.push_screen_wait(Sure(question)):
            lines = await self.session.restore(self.chosen)
            await self.push_screen_wait(Told(f"restored {self.chosen}", "\n".join(lines)))

    # where one looks ---------------------------------------------------------------------------------------------

    def action_pane(self, name: str) -> None:
        self.show_pane(name)

    def action_step(self, step: int) -> None:
        names = [each.service for each in rows(self.state, self.past, self.clock())]
        if len(names) > 1 and self.chosen in names:
            self.choose(names[(names.index(self.chosen) + step) % len(names)])
        elif self.screen.focused is not None:
            self.screen.focused.scroll_relative(y=step, animate=False)

    @work(exclusive=True, group="find")
    async def action_find(self) -> None:
        needle = await self.push_screen_wait(Ask("Find in the log", value=self.log_view.needle))
        if needle is not None and not self.log_view.find(needle) and needle:
            self.notify(f"nothing here has {needle!r}")

    def action_again(self) -> None:
        if self.log_view.needle:
            self.log_view.find(self.log_view.needle)

    def action_wrap(self) -> None:
        self.log_view.set_wrap(not self.log_view.wrap)

    def action_follow(self) -> None:
        self.log_view.follow(not self.log_view.following)
        self.paint()

    def action_level(self) -> None:
        """Debug and worse, info and worse, ... and all again."""
        order = [None, *Level]
        self.level = order[(order.index(self.level) + 1) % len(order)]
        self.apply_filter()

    def action_pod(self) -> None:
        pods = ["", *dict.fromkeys(line.pod for line in self.ring(self.chosen) if line.pod)]
        self.only_pod = pods[(pods.index(self.only_pod) + 1) % len(pods)] if self.only_pod in pods else ""
        self.apply_filter()

    # beside it ---------------------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        broken = band(self.state, self.past)
        if self.session is None or broken is None or not broken.file:
            self.notify("no failing file is known")
        else:
            self._outside(self.session.editor(broken.service, broken.file, broken.line))

    def action_shell(self) -> None:
        if self.session is not None and self.chosen:
            self._outside(self.session.shell(self.chosen))

    def _outside(self, command: Sequence[str] | str) -> None:
        """Give the terminal to another program for a while; a text says why there is none."""
        if isinstance(command, str):
            self.notify(command, severity="warning")
            return
        with self.suspend():
            subprocess.run(command, check=False)
        self.refresh()

    def action_copy(self) -> None:
        """What broke, else the answer of `why`, else the last line."""
        broken = band(self.state, self.past)
        if self.pane == "why" and self.answer:
            text = "\n".join(phrase.text for phrase in self.answer)
        elif broken is not None:
            text = "\n".join(part for part in (broken.message, broken.decisive, broken.hint) if part)
        else:
            text = "\n".join(line.text for line in list(self.log_view.lines)[-1:])
        self.copy_to_clipboard(text)
        self.notify("copied")

    @work(exclusive=True, group="save")
    async def action_save(self) -> None:
        path = await self.push_screen_wait(Ask("Save the log to a file", value=f"{self.chosen}.log"))
        if path:
            self.notify(self.log_view.save(path))

    def action_mouse(self) -> None:
        """Let the terminal select text, or take the mouse back."""
        self._mouse_is_free = not self._mouse_is_free
        if self._driver is not None:
            modes = ("\x1b[?1000l", "\x1b[?1003l", "\x1b[?1006l")
            self._driver.write("".join(m if self._mouse_is_free else m[:-1] + "h" for m in modes))
        self.notify("the mouse selects text; m takes it back" if self._mouse_is_free else "the mouse is taken back")

    def action_theme(self) -> None:
        self.theme = "textual-light" if self.current_theme.dark else "textual-dark"

    def action_help(self) -> None:
        lines = [f"{sign(each):6} {each.description}" for each in bindings()]
        self.push_screen(Told("keys", "\n".join([*lines, ":      every command, by its name"])))

    # the end -----------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="quit")
    async def action_leave(self) -> None:
        """Back to the log; from there out, after one question."""
        if self.pane != "logs":
            self.show_pane("logs")
        elif await self.push_screen_wait(Sure("Quit devloop?")):
            self.quit(None)

    def action_interrupt(self) -> None:
        self.quit(ExitCode.INTERRUPTED)

    def quit(self, code: ExitCode | None) -> None:
        """End the session; None: as it ends by itself."""
        if self.session is not None:
            self.session.quit(code)
        else:
            self.exit(Ended(code or ExitCode.DONE), return_code=int(code or 0))

    async def confirm(self, context: str, failure: Failure) -> bool:
        """Ask for the whole name of a context that nothing else allows."""
        question = f"{failure.message}\n\nType its name to allow it for this session:"
        return await self.push_screen_wait(Ask(question, context)) == context


def bindings() -> list[Binding]:
    return [each for each in DevloopApp.BINDINGS if isinstance(each, Binding)]


def sign(binding: Binding) -> str:
    """How a key is written on the screen."""
    return _SIGNS.get(binding.key, binding.key)
