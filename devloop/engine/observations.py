"""The newest picture of every followed workload, and waiting for one that satisfies a pure function."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

from devloop.core.service import WorkloadKey
from devloop.core.workload import Snapshot

_T = TypeVar("_T")


class Observations:
    """Fed by the shared watches for as long as the session runs; cycles only look."""

    def __init__(self) -> None:
        self._latest: dict[WorkloadKey, Snapshot] = {}
        self._waiting: defaultdict[WorkloadKey, set[asyncio.Event]] = defaultdict(set)

    def latest(self, key: WorkloadKey) -> Snapshot | None:
        return self._latest.get(key)

    def observe(self, snapshot: Snapshot) -> None:
        self._latest[snapshot.key] = snapshot
        for changed in self._waiting[snapshot.key]:
            changed.set()

    def forget(self, key: WorkloadKey) -> None:
        self._latest.pop(key, None)

    async def until(self, key: WorkloadKey, judge: Callable[[Snapshot], _T | None]) -> _T:
        """The first answer of `judge` that is not None, asked of the newest snapshot and of every later one."""
        changed = asyncio.Event()
        self._waiting[key].add(changed)
        try:
            while True:
                snapshot = self._latest.get(key)
                answer = judge(snapshot) if snapshot else None
                if answer is not None:
                    return answer
                await changed.wait()
                changed.clear()
        finally:
            self._waiting[key].discard(changed)
