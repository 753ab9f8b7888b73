"""The app: what one can do. It decides nothing, and asks the session behind it for everything."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from devloop.core.commands import Command, Pause, Rebuild, Restart, Stop, TakeOver
from devloop.core.events import Record
from devloop.core.failure import ExitCode, Failure
from devloop.core.state import ServiceState
from devloop.tui.dialogs import Ask, Sure, Told
from devloop.tui.helptext import help_text
from devloop.tui.keys import KEYS, Where, bindings, meaning
from devloop.tui.looking import Looking
from devloop.tui.palette import Palette
from devloop.tui.talk import Ended, Session
from devloop.views import Phrase, Tone
from devloop.views.band import Band
from devloop.views.loglines import without_colour
from devloop.views.times import clock

Run = Callable[["DevloopApp"], Awaitable[Ended]]
_NOT_YET = "devloop is still starting"
_ENDING = {"interrupt", "leave"}
"""The actions that are for a session that ends: asked once more, it does so at once."""


class DevloopApp(Looking):
    """`run` is the session: it begins once the first frame is on the screen, and its end ends the app."""

    COMMAND_PALETTE_BINDING = "colon"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]

    def __init__(self, run: Run, *, plain: bool = False, clock: Callable[[], float] = time.time) -> None:
        super().__init__(plain=plain, clock=clock)
        self.session: Session | None = None
        self._begin = run
        self._mouse_is_free = False
        self._is_ending = False
        """Whether the session was asked to end, or has ended."""
        self._may_restart = False
        """Whether somebody said yes to a restart in this session."""
        self._looked_up: Band | None = None
        self._has_file = False
        """Whether the file of the band that was looked up is here: every painting wants to know, and few bands come."""

    def on_mount(self) -> None:
        # Textual calls that of every class; `super()` would do it twice.
        self.call_after_refresh(self._run_session)

    @work(exit_on_error=False)
    async def _run_session(self) -> None:
        ended = await self._begin(self)
        self._is_ending = True
        self.exit(ended, return_code=int(ended.code))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No action of a key, a click or the palette begins while the session ends: what it would ask is going away."""
        if self._is_ending and action not in _ENDING:
            return False
        return super().check_action(action, parameters)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every action by its name, and for each service by the service's; none of Textual's own."""
        for key in KEYS:
            if key.is_for(self.where) and (title := key.title(self.where)):
                yield SystemCommand(title, f"key {key.sign}", _runs(self, key.action))
        for service in self.state.services.values() if len(self.state.services) > 1 else ():
            name = service.name
            yield SystemCommand(f"Go to {name}", "turn every pane to it", _runs(self, f"pick({name!r})"))
            for words, command in () if self.is_replay else _for(service).items():
                yield SystemCommand(f"{words} {name}", "", partial(self.send, command), discover=False)

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    def send(self, command: Command) -> None:
        if self.session is None:
            self.notify(_NOT_YET)
        elif not self._is_ending:
            self.session.send(command)

    @property
    def where(self) -> Where:
        """No key is offered that opens a file of the image alone."""
        where, broken = super().where, self.band
        if self.session is not None and broken != self._looked_up:
            self._looked_up = broken
            self._has_file = broken is not None and self.session.has_file(broken.service, broken.file)
        return replace(where, editable=where.editable and self._has_file)

    # the loop ----------------------------------------------------------------------------------------------------

    def action_build(self) -> None:
        if self.chosen:
            self.send(Rebuild(self.chosen))

    def action_pause(self) -> None:
        if self.service is not None:
            self.send(Pause(self.chosen, not self.service.paused))

    def action_pause_all(self) -> None:
        """Pause those that are not; if all are, let all go on."""
        services = self.state.services.values()
        paused = not all(service.paused for service in services)
        for service in services:
            if service.paused is not paused:
                self.send(Pause(service.name, paused))

    def action_stop(self) -> None:
        if self.service is not None and self.service.running is None:
            self.notify(f"nothing of {self.chosen} runs that could be stopped")
        elif self.service is not None:
            self.send(Stop(self.chosen))

    @work(exclusive=True, group="restart")
    async def action_restart(self) -> None:
        service = self.chosen
        if self.session is None or not service:
            return
        question = f"Restart every Pod of {service}, without a build? (asked once)"
        self._may_restart = self._may_restart or await self._sure(question)
        if self._may_restart:
            self.send(Restart(service))

    @work(exclusive=True, group="take_over")
    async def action_take_over(self) -> None:
        service = self.service
        if service is not None and service.looks_on and service.hold is not None:
            question = f"Take {service.name} over from {service.hold.on}, whose session then looks on?"
            if await self._sure(question):
                self.send(TakeOver(service.name))

    @work(exclusive=True, group="why")
    async def action_why(self) -> None:
        if self.session is None or not self.chosen:
            return
        self.answer, self.answered, self.asked = (Phrase("looking …", Tone.BUSY),), self.standing, self.clock()
        self.show_pane("why")
        await self._answer(self.session)

    @work(exclusive=True, group="why")
    async def _ask_again(self) -> None:
        """The answer that is there stays until the new one comes."""
        if self.session is not None:
            await self._answer(self.session)

    async def _answer(self, session: Session) -> None:
        service, standing, asked = self.chosen, self.standing, self.clock()
        answer = await session.why(service)
        if service == self.chosen:
            self.answer, self.answered, self.asked = answer, standing, asked
            self.paint()

    def feed(self, records: Sequence[Record]) -> None:
        """Who looks at the answer of `why` gets a new one when a cycle ends or the workload is restored."""
        before = self.chosen, self.settled
        super().feed(records)
        if self.is_running and not self._is_ending and self.pane == "why" and before != (self.chosen, self.settled):
            self._ask_again()

    @work(exclusive=True, group="restore")
    async def action_restore(self) -> None:
        service = self.chosen
        if self.session is None or not service:
            return
        sure = await self._sure(f"Put the workloads of {service} back as they were before devloop?")
        if sure and not self._is_ending:
            lines = await self.session.restore(service)
            # It stays until it is closed, and the next save may have taken over again by then.
            title = f"restore {service}: how it was at {clock(self.clock())}"
            await self.push_screen_wait(Told(title, Text("\n".join(lines))))

    def action_pane(self, name: str) -> None:
        self.open_pane(name)

    def open_pane(self, name: str) -> None:
        if name == "why" and (not self.answer or self.outdated):
            self.action_why()
        else:
            super().open_pane(name)

    # beside it ---------------------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        broken = self.band
        if self.session is None or broken is None or not broken.file:
            self.notify("no failing file is known")
        else:
            self.lend(self.session.editor(broken.service, broken.file, broken.line))

    def action_shell(self) -> None:
        if self.session is not None and self.chosen:
            self.lend(self.session.shell(self.chosen))

    @work(exclusive=True, group="lend")
    async def lend(self, command: Sequence[str] | str) -> None:
        """Give the terminal to another program for a while; a text says why there is none. The session goes on."""
        if isinstance(command, str):
            self.notify(command, severity="warning")
            return
        process = None
        with self.suspend():
            self.is_away = True
            try:
                with self.batch_update():  # nothing is drawn over it
                    process = await asyncio.create_subprocess_exec(*command)
                    await process.wait()
            except OSError as error:
                self.notify(f"{command[0]} cannot be started: {error.strerror}", severity="warning")
            finally:
                self.is_away = self._mouse_is_free = False
                if process is not None and process.returncode is None:
                    with suppress(ProcessLookupError):
                        process.terminate()
        self.refresh(layout=True)

    def action_copy(self) -> None:
        """The answer of `why`, the line that was found, what broke, or the last line."""
        text = self._to_copy()
        self.copy_to_clipboard(text)
        first, *more = text.split("\n")
        self.notify(f"copied: {first}{f' (and {len(more)} more lines)' if more else ''}" if text else "nothing to copy")

    def _to_copy(self) -> str:
        broken, view = self.band, self.log_view
        if self.pane == "why" and self.answer:
            return "\n".join(phrase.text for phrase in self.answer)
        if self.pane == "logs" and view.finder.here is not None:
            return without_colour(view.finder.here.text)
        if broken is not None:
            return broken.text
        return without_colour(view.last.text) if view.last else ""

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

    def action_help(self) -> None:
        self.push_screen(Told("keys", help_text(meaning(self.where), self.size.width - 14)))

    # the end -----------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="quit")
    async def action_leave(self) -> None:
        """Back to the log; from there out, after one question if anything would end."""
        if self.pane != "logs":
            self.show_pane("logs")
        elif await self._sure("Quit devloop?", again="q"):
            self.quit(None)

    async def _sure(self, question: str, *, again: str = "") -> bool:
        """In a replay nothing has to be asked: nothing would end or change."""
        return self.is_replay or await self.push_screen_wait(Sure(question, again=again))

    def action_interrupt(self) -> None:
        self.quit(ExitCode.INTERRUPTED)

    def quit(self, code: ExitCode | None) -> None:
        """End the session; None: as it ends by itself."""
        self._is_ending = True
        if self.session is not None:
            self.session.quit(code)
        else:
            self.exit(Ended(code or ExitCode.DONE), return_code=int(code or 0))

    async def confirm(self, context: str, failure: Failure) -> bool:
        """Ask for the whole name of a context that nothing else allows."""
        question = f"Type {context} to allow it for this session:"
        return await self.push_screen_wait(Ask(question, note=failure.message)) == context


def _for(service: ServiceState) -> dict[str, Command]:
    """What the command palette does to any service by its name."""
    name, paused = service.name, service.paused
    stop: dict[str, Command] = {"Stop": Stop(name)} if service.running is not None else {}
    return {"Build": Rebuild(name), "Resume" if paused else "Pause": Pause(name, not paused), **stop}


def _runs(app: DevloopApp, action: str) -> Callable[[], Awaitable[object]]:
    async def run() -> None:
        await app.run_action(action)

    return run
