"""The last lines of containers that ended, read as soon as they ended.

A kubelet keeps the log of the last container that ended and removes the one before within moments: whoever asks for
both only at the second crash often gets one.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from devloop.core.failure import Failure
from devloop.core.ports import Cluster
from devloop.core.status import ContainerRef

Logs = Mapping[ContainerRef, Sequence[str]]


class CrashLogs:
    """What the containers of one rollout wrote before they ended; each log is told once."""

    def __init__(self, cluster: Cluster, namespace: str, tell: Callable[[ContainerRef, str], None]) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._tell = tell
        self._told: dict[ContainerRef, Sequence[str]] = {}
        self._reading: set[asyncio.Task[None]] = set()

    def read(self, refs: Sequence[ContainerRef]) -> None:
        """Read and tell these logs beside whatever else happens."""
        if refs:
            task = asyncio.ensure_future(self._read_early(refs))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    async def explain(self, refs: Sequence[ContainerRef]) -> Logs:
        """Tell these logs and return them, with those that were read before."""
        await asyncio.gather(*self._reading)
        earlier = dict(self._told)
        await self._read(refs)
        return earlier | self._told

    def close(self) -> None:
        for task in self._reading:
            task.cancel()

    async def _read_early(self, refs: Sequence[ContainerRef]) -> None:
        await self._read(refs)
        # By the time somebody asks again, this container is the one before.
        self._told = {replace(ref, previous=True): lines for ref, lines in self._told.items()}

    async def _read(self, refs: Sequence[ContainerRef]) -> None:
        found = await asyncio.gather(
            *(self._cluster.logs(self._namespace, ref.pod, ref.container, previous=ref.previous) for ref in refs)
        )
        logs = {ref: lines for ref, lines in zip(refs, found, strict=True) if not isinstance(lines, Failure) and lines}
        known = [*self._told.items(), *logs.items()]
        for ref, lines in sorted(logs.items(), key=lambda log: not log[0].previous):
            # While a container waits to start again, its log and that of the one before are the same.
            if ref.previous and any(_same(ref, lines, *other) for other in known):
                continue
            self._told[ref] = lines
            for line in lines:
                self._tell(ref, line)


def _same(ref: ContainerRef, lines: Sequence[str], other: ContainerRef, told: Sequence[str]) -> bool:
    """Whether these are the lines that another start of the same container is known by."""
    again = ref is not other and (ref.pod, ref.container) == (other.pod, other.container)
    return again and list(lines) == list(told)
