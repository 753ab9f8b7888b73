"""Whose the session's workloads are: holds their Leases, and looks on where somebody else does.

One task a workload gives a sign of life every few seconds, or looks whether the other one still does; no cycle waits
for it. A cycle asks once more beside what it reads before its patch (`may_write`): so nothing is written after a
take-over that the API server knew of by then. Services on one workload share its Lease. Time is the event loop's.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from devloop.core.events import LeaseChange, LeaseChanged
from devloop.core.failure import Failure, FailureCode
from devloop.core.lease import (
    DURATION,
    RENEWED_EVERY,
    Holder,
    Lease,
    Standing,
    claimed,
    held,
    seems_gone,
    standing,
    takes,
)
from devloop.core.ports import Clock, Leases
from devloop.core.service import WorkloadKey
from devloop.engine.tools import report_bug

LOOK_EVERY = 2.0
"""Seconds between two looks at a Lease that somebody else holds, and between two attempts to ask at all."""
_SETTLED = DURATION + 3 * LOOK_EVERY
"""Seconds after which a holder has given a sign, or its time is over."""
_UNKNOWN = frozenset({FailureCode.CLUSTER_UNREACHABLE, FailureCode.CLUSTER_LOGIN, FailureCode.CONTEXT_REFUSED})
"""Whose a workload is can then be told by nobody; that is not the same as having no right to ask."""
_ATTEMPTS = 5
"""Others may change the Lease between a look and a change of it."""

HasEnded = Callable[[Holder], bool]
"""Whether a process of this very machine has provably ended."""
Tell = Callable[[LeaseChanged], None]
Warn = Callable[[WorkloadKey, Failure], None]
"""Told once for each namespace in which nothing can be done with Leases."""


@dataclass(slots=True, eq=False)
class _Claim:
    """One workload."""

    key: WorkloadKey
    take_over: bool
    lease: Lease | None = None
    """As it was seen last."""
    seen: float = 0.0
    """Since when it shows this sign of life, on the event loop's clock."""
    lives: bool = False
    """Whether its holder gave a sign of life while this session looked."""
    change: LeaseChange | None = None
    """What was told last."""
    told: Holder | None = None
    """Of whom."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ours(self) -> bool:
        return self.change in {LeaseChange.ACQUIRED, LeaseChange.TAKEN_OVER}

    @property
    def others(self) -> bool:
        return self.change in {LeaseChange.HELD, LeaseChange.LOST}

    @property
    def pause(self) -> float:
        return LOOK_EVERY if self.others or self.change is None else RENEWED_EVERY

    def see(self, lease: Lease | None, now: float) -> None:
        if lease is None or self.lease is None or lease.sign != self.lease.sign:
            self.seen = now
            self.lives = lease is not None and self.lease is not None and lease.holder == self.lease.holder
        self.lease = lease


class Leaseholder:
    """Holds the Leases of workloads from `add` to `remove`, or `end`."""

    def __init__(
        self, leases: Leases, me: Holder, has_ended: HasEnded, clock: Clock, *, tell: Tell, warn: Warn
    ) -> None:
        self._leases = leases
        self._me = me
        self._has_ended = has_ended
        self._clock = clock
        self._tell = tell
        self._warn = warn
        self._warned: set[str] = set()
        self._claims: dict[WorkloadKey, _Claim] = {}
        self._tasks: dict[WorkloadKey, asyncio.Task[None]] = {}
        self._looked = asyncio.Event()

    async def add(self, keys: Iterable[WorkloadKey], *, take_over: bool = False) -> None:
        """Take what is free, and with `take_over` what somebody holds; ends after the first look at each."""
        added = [_Claim(key, take_over) for key in sorted(keys)]
        self._claims |= {claim.key: claim for claim in added}
        try:
            await asyncio.gather(*(self._look(claim) for claim in added))
        finally:  # a look that was cut off may have been heard
            for claim in added:
                task = self._tasks[claim.key] = asyncio.create_task(self._keep(claim), name=f"lease of {claim.key}")
                task.add_done_callback(report_bug)

    async def remove(self, keys: Iterable[WorkloadKey]) -> None:
        """Give these up, and remove the Leases that are this session's."""
        claims = [self._claims[key] for key in keys if key in self._claims]
        tasks = [self._tasks.pop(claim.key) for claim in claims if claim.key in self._tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.gather(*(self._let_go(claim) for claim in claims if not claim.others))
        for claim in claims:
            self._claims.pop(claim.key, None)

    async def settle(self) -> None:
        """Wait for holders that seem to be gone: until they give a sign, or their time is over.

        It may also be that nobody can tell: then they are taken for what they were when they were seen last.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLED):
                while self.seem_gone():
                    self._looked.clear()
                    await self._looked.wait()

    def seem_gone(self) -> dict[WorkloadKey, Holder]:
        """Who holds a workload, has given no sign of life yet, and should have going by two clocks."""
        return {claim.key: claim.told for claim in self._claims.values() if claim.told and self._may_be_gone(claim)}

    def take_over(self, key: WorkloadKey) -> None:
        """Somebody asked for it, who knows whom they write over: that is done at once."""
        claim = self._claims.get(key)
        if claim is not None and not claim.ours:
            claim.take_over = True
            claim.hurry.set()

    async def may_write(self, key: WorkloadKey) -> Failure | None:
        """Ask whether the workload is still this session's; None also where Leases may not be used."""
        claim = self._claims.get(key)
        if claim is None:
            return None
        return await self._look(claim) or (held(key, claim.told.identity) if claim.others and claim.told else None)

    def held_by(self, key: WorkloadKey) -> Lease | None:
        """The Lease of somebody else."""
        claim = self._claims.get(key)
        return claim.lease if claim is not None and claim.others else None

    async def end(self) -> None:
        await self.remove(tuple(self._claims))

    # one workload ------------------------------------------------------------------------------------------------

    async def _keep(self, claim: _Claim) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(claim.pause):
                    await claim.hurry.wait()
            claim.hurry.clear()
            await self._look(claim, renew=True)

    async def _look(self, claim: _Claim, *, renew: bool = False) -> Failure | None:
        """See whose it is, and take or renew it where that is right; a failure where that cannot be told."""
        async with claim.lock:
            answer = await self._decide(claim, renew)
        self._looked.set()
        if answer is None or answer.code in _UNKNOWN:
            return answer
        if claim.others and not claim.take_over:
            return answer  # a right that is missing for a moment does not end what is known
        self._do_without(claim, answer)
        return None

    async def _decide(self, claim: _Claim, renew: bool) -> Failure | None:
        for attempt in range(_ATTEMPTS):
            # What is ours is renewed unseen: a change of it by anybody else makes that fail.
            found = claim.lease if renew and claim.ours and not attempt else await self._leases.read(claim.key)
            if isinstance(found, Failure):
                return found
            claim.see(found, _now())
            whose = self._standing(claim)
            if claim.lease is not None and not takes(whose, take_over=claim.take_over):
                self._look_on(claim, claim.lease)
                return None
            if whose is Standing.OURS and claim.ours and not renew:
                return None
            written = await self._leases.write(claim.key, claimed(found, self._me, self._clock.now()))
            if isinstance(written, Failure):
                return written
            if written is not None:
                self._have(claim, written, whose)
                return None
        message = f"the Lease of {claim.key} changes faster than it can be read"
        return Failure(FailureCode.CLUSTER_UNREACHABLE, message, "see who writes to it: kubectl get leases -o yaml")

    def _standing(self, claim: _Claim) -> Standing:
        found = claim.lease
        ended = found is not None and found.holder != self._me and self._has_ended(found.holder)
        return standing(found, self._me, silent=_now() - claim.seen, has_ended=ended)

    def _have(self, claim: _Claim, written: Lease, was: Standing) -> None:
        before = claim.lease.holder if claim.lease and was is not Standing.OURS else None
        if claim.others:
            before = before or claim.told  # whoever ended in order has left nothing to read
        claim.see(written, _now())
        claim.take_over = False  # whoever takes it back is not written over again
        if before or not claim.ours:
            change = LeaseChange.TAKEN_OVER if was is Standing.HELD else LeaseChange.ACQUIRED
            self._changed(claim, change, written, before.identity if before else "")

    def _look_on(self, claim: _Claim, found: Lease) -> None:
        if not (claim.others and claim.told == found.holder):
            change = LeaseChange.LOST if claim.ours else LeaseChange.HELD
            self._changed(claim, change, found, self._me.identity if claim.ours else "")

    def _do_without(self, claim: _Claim, failure: Failure) -> None:
        """Without the right to Leases nobody is asked, and the session writes as if there were none."""
        if claim.change is not LeaseChange.UNGUARDED:
            claim.change, claim.told = LeaseChange.UNGUARDED, None
            self._tell(LeaseChanged(claim.key.namespace, str(claim.key), claim.change, "", 0.0))
        if claim.key.namespace not in self._warned:
            self._warned.add(claim.key.namespace)
            self._warn(claim.key, failure)

    def _changed(self, claim: _Claim, change: LeaseChange, lease: Lease, before: str) -> None:
        claim.change, claim.told = change, lease.holder
        key, holder = claim.key, lease.holder.identity
        self._tell(LeaseChanged(key.namespace, str(key), change, holder, lease.acquired, before))

    def _may_be_gone(self, claim: _Claim) -> bool:
        found = claim.lease
        return claim.others and found is not None and not claim.lives and seems_gone(found, self._clock.now())

    async def _let_go(self, claim: _Claim) -> None:
        """A renewal that was cut off may have been heard: what is ours is asked for once more."""
        for _ in range(_ATTEMPTS):
            found = await self._leases.read(claim.key)
            if not isinstance(found, Lease) or found.holder != self._me:
                return
            if await self._leases.remove(claim.key, found) is None:
                return


def _now() -> float:
    return asyncio.get_running_loop().time()
