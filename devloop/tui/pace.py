"""When the screen is painted: soon after something changed, at once after a key, and not at all while nothing does.

Idle, a screen that is painted ten times a second costs ten times what everything else of devloop does.
"""

import asyncio
import gc
import sys
from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.screen import Screen
from textual.timer import Timer

RATE = 10
"""Paints a second, at most."""
CLOCK = 1.0
"""Seconds between two paints while only the time goes on."""
_FRAME = 0.005
"""Seconds that what has to be drawn waits for more of it; Textual's 60 frames a second are 17 ms."""
_TURN = 0.001
"""Seconds that one thread keeps the others waiting: keys are read by a thread, and frames are written by another."""
_COLLECT = (2_000, 10, 100)
"""So rarely is everything looked through for garbage: 15 ms at a time while logs stream, and next to none is found."""


def favour_keys() -> None:
    """Set up the interpreter for a program that somebody is waiting for."""
    sys.setswitchinterval(_TURN)
    gc.set_threshold(*_COLLECT)


class PromptScreen(Screen[None]):
    """Draws what a key asks for without waiting for the next of Textual's frames."""

    _timer: Timer | None = None

    @property
    def _update_timer(self) -> Timer:
        if self._timer is None:
            self._timer = self.set_interval(_FRAME, self._on_timer_update, name="screen_update", pause=True)
        return self._timer


class Pace:
    """Asks for a paint; several changes in a tenth of a second are one."""

    def __init__(self, app: App[Any], paint: Callable[[], None]) -> None:
        self._app = app
        self._paint = paint
        self._waits = False
        self._last = float("-inf")

    def start(self) -> None:
        self._app.set_interval(CLOCK, self._now)

    def due(self) -> None:
        """Something changed."""
        if not self._waits:
            self._waits = True
            loop = asyncio.get_running_loop()
            loop.call_at(max(loop.time(), self._last + 1 / RATE), self._app.call_later, self._now)

    def _now(self) -> None:
        self._waits = False
        self._last = asyncio.get_running_loop().time()
        self._paint()
