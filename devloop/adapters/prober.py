"""Asks a lost connection again until it answers: quickly at first, then every few seconds, with jitter."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

from devloop.core.failure import Connection, Failure

FIRST, LONGEST = 0.25, 3.0
"""Seconds between two asks."""
RELAPSE = 60.0
"""Lost again within so many seconds, it was not back: it answers, and fails at what it is for (a full disk)."""
FIRST_REST, LONGEST_REST = 2.0, 30.0
"""Seconds before such a one is believed again, doubled each time: every return starts a build."""

Ping = Callable[[], Awaitable[Failure | None]]


class BackoffProber:
    """Implements `ports.Prober` with one `Ping` for each connection; nothing but these can tell that it is back."""

    def __init__(self, pings: Mapping[Connection, Ping]) -> None:
        self._pings = pings
        self._rests: dict[Connection, float] = {}
        self._returned: dict[Connection, float] = {}

    async def until_back(self, to: Connection) -> str:
        now = asyncio.get_running_loop().time
        relapsed = to in self._returned and now() - self._returned[to] < RELAPSE
        self._rests[to] = min(2 * self._rests.get(to, 0.0) or FIRST_REST, LONGEST_REST) if relapsed else 0.0
        await asyncio.sleep(self._rests[to])
        pause = FIRST
        while await self._pings[to]() is not None:
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, no secret
            pause = min(pause * 1.6, LONGEST)
        self._returned[to] = now()
        return f"the {to} answers again"
