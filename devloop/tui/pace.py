"""When the screen is painted: soon after something changed, and not at all while nothing does.

Idle, a screen that is painted ten times a second costs ten times what everything else of devloop does.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from textual.app import App

RATE = 10
"""Paints a second, at most."""
CLOCK = 1.0
"""Seconds between two paints while only the time goes on."""


class Pace:
    """Asks for a paint; several changes in a tenth of a second are one."""

    def __init__(self, app: App[Any], paint: Callable[[], None]) -> None:
        self._app = app
        self._paint = paint
        self._waits = False
        self._last = 0.0

    def start(self) -> None:
        self._app.set_interval(CLOCK, self._now)

    def due(self) -> None:
        """Something changed."""
        if not self._waits:
            self._waits = True
            wait = max(0.0, self._last + 1 / RATE - time.monotonic())
            asyncio.get_running_loop().call_later(wait, self._app.call_later, self._now)

    def _now(self) -> None:
        self._waits = False
        self._last = time.monotonic()
        self._paint()
