"""Leases behind their port, shared by several sessions: scripted, on the event loop's own time."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from devloop.core.events import LeaseChanged
from devloop.core.failure import Failure, FailureCode
from devloop.core.lease import Holder, Lease
from devloop.core.service import WorkloadKey
from devloop.engine.leaseholder import Leaseholder
from tests.engine.world import LoopClock

ANN = Holder("ann", "desk", 12, "s1", "machine1", "boot-100")
JO = Holder("jo", "laptop", 4711, "s2", "machine2", "boot-200")
AWAY = Failure(FailureCode.CLUSTER_UNREACHABLE, "the cluster is away")
LOGGED_OUT = Failure(FailureCode.CLUSTER_LOGIN, "the API server does not accept the credentials")
DENIED = Failure(FailureCode.CLUSTER_DENIED, 'User "ann" cannot get resource "leases"')


@dataclass
class LeaseWorld:
    """Implements `ports.Leases`."""

    leases: dict[WorkloadKey, Lease] = field(default_factory=dict)
    failing: Failure | None = None
    asked: Counter[str] = field(default_factory=Counter)
    between: Callable[[WorkloadKey], None] = lambda key: None
    """What somebody else does between a look and the change that follows it."""
    _version: int = 0

    async def read(self, key: WorkloadKey) -> Lease | Failure | None:
        self.asked["read"] += 1
        await asyncio.sleep(0.001)
        return self.failing or self.leases.get(key)

    async def write(self, key: WorkloadKey, lease: Lease) -> Lease | Failure | None:
        self.asked["write"] += 1
        await asyncio.sleep(0.001)
        self.between(key)
        found = self.leases.get(key)
        if self.failing:
            return self.failing
        if (found.version if found else "") != lease.version:
            return None
        return self.put(key, lease)

    async def remove(self, key: WorkloadKey, lease: Lease) -> Failure | None:
        await asyncio.sleep(0.001)
        self.between(key)
        if self.failing or self.leases[key].version != lease.version:
            return self.failing or AWAY
        del self.leases[key]
        return None

    def put(self, key: WorkloadKey, lease: Lease) -> Lease:
        self._version += 1
        self.leases[key] = replace(lease, version=str(self._version))
        return self.leases[key]


@dataclass
class Person:
    """A session that wants the workloads, and all that it was told of them."""

    world: LeaseWorld
    me: Holder
    dead: set[Holder] = field(default_factory=set)
    told: list[LeaseChanged] = field(default_factory=list)
    warned: list[Failure] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.holder = Leaseholder(
            self.world,
            self.me,
            lambda holder: holder in self.dead,
            LoopClock(),
            tell=self.told.append,
            warn=lambda key, failure: self.warned.append(failure),
        )

    @property
    def changes(self) -> list[str]:
        return [str(each.change) for each in self.told]
