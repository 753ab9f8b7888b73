"""Which registries may be spoken to in plain HTTP: what the engine lists, remembered for when it cannot be asked."""

import json

from devloop.adapters.registryhttp import InsecureRegistries
from devloop.adapters.threads import in_daemon_thread
from devloop.core.ports import StateFolder

_NAME = "insecure registries"


class RememberedRegistries:
    """An `InsecureRegistries` that gives the last answer while there is none."""

    def __init__(self, ask: InsecureRegistries, state: StateFolder) -> None:
        self._ask, self._state = ask, state
        self._stored: frozenset[str] | None = None

    async def __call__(self) -> frozenset[str] | None:
        found = await self._ask()
        if found is None:
            return await in_daemon_thread(lambda: _read(self._state.load(_NAME)))
        if found != self._stored:
            self._stored = found
            data = json.dumps(sorted(found)).encode()
            await in_daemon_thread(lambda: self._state.store(_NAME, data))
        return found


def _read(data: bytes | None) -> frozenset[str] | None:
    try:
        names = json.loads(data or b"null")
    except ValueError:
        return None
    return frozenset(map(str, names)) if isinstance(names, list) else None
