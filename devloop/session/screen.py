"""Something that has the whole terminal, from its first frame to its exit code.

Whatever ends it (what runs behind it, a signal, a terminal that is gone, a mistake in what draws): the terminal is as
it was, what runs behind it ended in order, and its last words are in the scrollback.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from textual.driver import Driver
from textual.worker import WorkerFailed

from devloop.adapters.statefolder import FileStateFolder, default_root
from devloop.core.failure import ExitCode
from devloop.session import say
from devloop.session.ownterminal import Keys, Terminal, knows_only_ascii, own_terminal
from devloop.session.reports import keep
from devloop.session.signals import LAST_WORDS, Signals, cancel_everything, ignore_from_here_on
from devloop.tui.app import DevloopApp
from devloop.tui.pace import favour_keys
from devloop.tui.talk import Ended

Clock = Callable[[], float]
"""Unix seconds."""
Run = Callable[["Screen"], Awaitable[Ended]]


_THEME = "theme"


def _choices() -> FileStateFolder:
    """What was chosen by key. That it cannot be kept is not worth a word."""
    return FileStateFolder(default_root(), lambda trouble: None)


def show(run: Run, *, clock: Clock = time.time) -> int:
    """Run it in the app; its exit code."""
    favour_keys()
    with own_terminal() as terminal:
        screen = Screen(run, terminal, clock=clock)
        ended = asyncio.run(screen.whole())
        ignore_from_here_on()
    terminal.keep_stray(screen.recording)
    say.out(*ended.lines)
    if screen.mistake is not None:
        what = " ".join(f"{type(screen.mistake).__name__}: {screen.mistake}".split())
        say.err(f"devloop made a mistake: {what}; {keep(screen.mistake, screen.recording, 'screen')}")
    return int(ended.code)


class Screen(DevloopApp):
    """The app on a real terminal. What runs behind it is a task of its own: a screen that breaks leaves it alone."""

    def __init__(self, run: Run, terminal: Terminal, *, clock: Clock = time.time) -> None:
        super().__init__(self._follow, plain=knows_only_ascii(os.environ), clock=clock)
        self.recording: Path | None = None
        """Where the session is recorded: reports go beside it."""
        self.mistake: BaseException | None = None
        """The first; nothing is drawn after it."""
        self._asked: ExitCode | None = None
        """The code of the signal that came last."""
        self._run_behind = run
        self._behind: asyncio.Task[Ended] | None = None
        self._terminal = terminal

    async def whole(self) -> Ended:
        """From the first frame until nothing runs any more."""
        Signals(self._asked_to_end, self._end_at_once).catch()
        ended = None
        try:
            ended = await self.run_async()
        except Exception as error:
            self._made(error)
            self._terminal.give_back()
        left = await self._left()
        if self.mistake is not None:
            return Ended(ExitCode.BUG, left.lines)
        return ended or Ended(self._asked or ExitCode.BUG, left.lines)

    async def _follow(self, app: DevloopApp) -> Ended:
        self._behind = asyncio.ensure_future(self._run_behind(self))
        try:
            return await asyncio.shield(self._behind)
        except Exception as error:
            self._made(error)
            return Ended(ExitCode.BUG)

    async def _left(self) -> Ended:
        """What runs behind comes to its end, also when the screen came to its own before."""
        behind = self._behind
        if behind is None:
            return Ended(ExitCode.BUG)
        if not behind.done():
            if self.session is not None:
                self.session.quit(ExitCode.BUG)
            else:
                behind.cancel()
        try:
            return await behind
        except (Exception, asyncio.CancelledError):
            return Ended(ExitCode.BUG)

    # dark or light, as in the session before ---------------------------------------------------------------------

    def _first_theme(self) -> str:
        first = super()._first_theme()
        return first.replace("dark", "light") if _choices().load(_THEME) == b"light" else first

    def remember_theme(self, *, dark: bool) -> None:
        _choices().store(_THEME, b"dark" if dark else b"light")

    # what Textual calls ------------------------------------------------------------------------------------------

    def get_driver_class(self) -> type[Driver]:
        return Keys

    def _handle_exception(self, error: Exception) -> None:
        """Textual's own prints a traceback over what stays on the terminal, with the values of variables in it."""
        self._made(error.error if isinstance(error, WorkerFailed) else error)
        self._close_messages_no_wait()

    @contextlib.contextmanager
    def suspend(self) -> Iterator[None]:
        """Whoever is given the terminal for a while has its stderr there."""
        with super().suspend(), self._terminal.lent():
            yield

    # the end -----------------------------------------------------------------------------------------------------

    def _made(self, mistake: BaseException) -> None:
        self.mistake = self.mistake or mistake

    def _asked_to_end(self, code: ExitCode) -> None:
        self._asked = code
        self.quit(code)

    def _end_at_once(self, code: ExitCode) -> None:
        self._asked = code
        cancel_everything()
        asyncio.get_running_loop().call_later(LAST_WORDS, self._gone, code)

    def _gone(self, code: ExitCode) -> None:
        self._terminal.give_back()
        os._exit(int(code))
