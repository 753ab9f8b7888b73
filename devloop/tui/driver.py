"""Textual's driver of a Unix terminal, whose reader of keys is told that it may end.

Textual's own looks ten times a second whether it may, and then waits a tenth of a second more: half of what it takes
to quit, and of what the app does while nothing happens.
"""

import os
import selectors
from codecs import getincrementaldecoder
from contextlib import suppress
from threading import Event
from typing import Any

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

_AT_ONCE = 4096
_SOON = 0.1
"""Seconds until the parser is asked whether Escape was a key by itself, or only the beginning of another."""
_ROUNDS = 3
"""How often it is asked after each input."""


class _Told(Event):
    """An event that a selector can wait for too."""

    def __init__(self) -> None:
        super().__init__()
        self.told, self._tell = os.pipe()

    def set(self) -> None:
        super().set()
        os.write(self._tell, b".")

    def clear(self) -> None:
        if self.is_set():
            os.read(self.told, _AT_ONCE)
        super().clear()


class Driver(LinuxDriver):
    """Reads keys until `exit_event` is set, not a moment longer."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._end = _Told()
        self.exit_event = self._end

    def _sigcont_application(self, *_: object) -> None:
        """Textual's own starts once more whatever comes: a terminal that is closed sends SIGCONT as well, and of two
        readers of keys one would never hear of the end."""
        if self._must_signal_resume:  # it was suspended
            super()._sigcont_application()

    def run_input_thread(self) -> None:
        with selectors.SelectSelector() as selector, suppress(OSError):
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(self._end.told, selectors.EVENT_READ)
            self._read(selector)
        self.exit_event.wait()  # where the terminal is gone there is nothing to read any more, at any time

    def _read(self, selector: selectors.BaseSelector) -> None:
        parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")("replace").decode
        rounds = 0
        while not self.exit_event.is_set():
            ready = {key.fd for key, _ in selector.select(_SOON if rounds else None)}
            rounds = max(0, rounds - 1)
            if self.fileno in ready and not self.exit_event.is_set():
                data = os.read(self.fileno, _AT_ONCE)
                if not data:
                    return
                rounds = _ROUNDS
                text = decode(data)
                for message in parser.feed(text) if text else ():
                    self.process_message(message)
            for message in parser.tick():
                self.process_message(message)
