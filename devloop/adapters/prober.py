"""Asks a lost connection again until it answers: quickly at first, then every few seconds, with jitter."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

from devloop.core.failure import Connection, Failure

FIRST, LONGEST = 0.25, 3.0
"""Seconds between two asks."""

Ping = Callable[[], Awaitable[Failure | None]]


class BackoffProber:
    """Implements `ports.Prober` with one `Ping` for each connection; nothing but these can tell that it is back."""

    def __init__(self, pings: Mapping[Connection, Ping]) -> None:
        self._pings = pings

    async def until_back(self, to: Connection) -> str:
        pause = FIRST
        while await self._pings[to]() is not None:
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, no secret
            pause = min(pause * 1.6, LONGEST)
        return f"the {to} answers again"
