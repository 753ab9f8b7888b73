"""What ends a session from outside: the first signal in order, the second at once."""

import asyncio
import signal
from collections.abc import Callable

from devloop.core.failure import ExitCode

EXITS = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.HANGUP,
}
LAST_WORDS = 0.3
"""Seconds that a second Ctrl-C leaves to killed children before the process is gone."""
SAME = 0.2
"""Seconds within which a second one is the first again: a wrapper that passes on what its group got, a finger."""

End = Callable[[ExitCode], None]


class Signals:
    """Turns signals into calls on the event loop that runs."""

    def __init__(self, end: End, end_at_once: End) -> None:
        self._end = end
        self._end_at_once = end_at_once
        self._last: float | None = None

    def catch(self) -> None:
        loop = asyncio.get_running_loop()
        for number in EXITS:
            loop.add_signal_handler(number, self._came, EXITS[number])

    def _came(self, code: ExitCode) -> None:
        last, self._last = self._last, asyncio.get_running_loop().time()
        if last is None:
            self._end(code)
        elif self._last - last >= SAME:
            self._end_at_once(code)


def ignore_from_here_on() -> None:
    """The exit code is decided: one more Ctrl-C does not change it."""
    for number in EXITS:
        signal.signal(number, signal.SIG_IGN)


def cancel_everything() -> None:
    """A child that was asked to end is killed now."""
    for each in asyncio.all_tasks():
        each.cancel()
