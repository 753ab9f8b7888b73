"""What a patch is decided upon: the workload as the API server has it, and whose it is, asked side by side.

A cycle asks while the registry still confirms what was pushed, so that the answers are there when the patch is due.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from devloop.core.failure import Failure
from devloop.core.service import WorkloadKey
from devloop.engine.tools import Ports

_FRESH = 0.2
"""Seconds for which an answer counts: a registry that is slow, or another rollout, may have been waited for since."""


class Lookup:
    """Both questions for one workload, from the moment at which it is made until `close`."""

    def __init__(self, key: WorkloadKey, ports: Ports) -> None:
        self._key = key
        self._ports = ports
        self._began = asyncio.get_running_loop().time()
        self._workload = asyncio.ensure_future(ports.cluster.read(key))
        self._may_write = asyncio.ensure_future(ports.may_write(key))

    @property
    def is_fresh(self) -> bool:
        return asyncio.get_running_loop().time() - self._began <= _FRESH

    async def workload(self) -> Mapping[str, Any] | Failure | None:
        """As `core.ports.Cluster.read` answered."""
        return await self._workload

    async def may_write(self) -> Failure | None:
        """Why it must not be written to; asked anew when the answer is older than counts."""
        failure = await self._may_write
        return failure if self.is_fresh else await self._ports.may_write(self._key)

    def close(self) -> None:
        """Wait for no answer any more."""
        self._workload.cancel()
        self._may_write.cancel()
