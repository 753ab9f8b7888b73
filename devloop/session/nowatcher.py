"""A watcher for sessions that end with their first cycle."""

from devloop.core.failure import Failure
from devloop.core.picture import Picture
from devloop.core.ports import Watched
from devloop.core.service import Service


class NoWatcher:
    """Implements `ports.Watcher` for `--once`: nothing that is saved during the one cycle starts another."""

    async def add(self, service: Service) -> Watched | Failure:
        return Watched(0, ())

    async def remove(self, service: str) -> None: ...

    async def close(self) -> None: ...

    async def picture(self, service: str) -> Picture:
        return Picture({})
