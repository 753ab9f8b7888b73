"""Whose a workload is, for a session and for `restore`: the words, and the parts put together."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from devloop.adapters.clock import SystemClock
from devloop.adapters.kubelease import KubeLeases
from devloop.adapters.thisprocess import has_ended, this_process
from devloop.core.events import CheckFinished
from devloop.core.failure import ExitCode, Failure
from devloop.core.lease import held
from devloop.core.service import WorkloadKey
from devloop.engine.leaseholder import Leaseholder, Tell, Warn
from devloop.engine.tools import Emit
from devloop.views.times import moment

ENDING = 2.0
"""Seconds that the end of a session waits for its Leases to be removed: what is left runs out by itself."""


def leaseholder(leases: KubeLeases, session: str, *, tell: Tell, warn: Warn) -> Leaseholder:
    return Leaseholder(leases, this_process(session), has_ended, SystemClock(), tell=tell, warn=warn)


def others(holder: Leaseholder, keys: Iterable[WorkloadKey]) -> dict[WorkloadKey, Failure]:
    """The workloads that somebody else works on, with who does and since when."""
    now = datetime.now(UTC).timestamp()
    found = {key: lease for key in keys if (lease := holder.held_by(key))}
    return {key: held(key, lease.holder.identity, moment(lease.acquired, now)) for key, lease in found.items()}


async def hold(
    holder: Leaseholder, keys: Iterable[WorkloadKey], emit: Emit, take_over: bool, *, wait: bool
) -> ExitCode:
    """Say to others that the workloads are worked on here. Without `wait` one that is not to be had is a failure."""
    await holder.add(keys, take_over=take_over)
    if wait:
        return ExitCode.DONE
    await holder.settle()
    found = others(holder, keys)
    for key, failure in found.items():
        emit(CheckFinished(f"lease of {key}", False, failure.message, failure.hint, failure.code))
    return max((failure.exit_code for failure in found.values()), default=ExitCode.DONE)


async def let_go(holder: Leaseholder | None) -> None:
    """Whoever waits for the workloads hears at once that they are free."""
    if holder is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDING):
                await holder.end()


def unguarded(key: WorkloadKey, failure: Failure) -> tuple[str, str]:
    """That Leases may not be used, and what to do."""
    return (
        f"Leases in namespace {key.namespace} may not be used, so nobody hears who else works on a workload there: "
        f"{failure.message}",
        "ask for a Role that grants get, create, patch and delete of leases; "
        f"check with: kubectl auth can-i create leases -n {key.namespace}",
    )
