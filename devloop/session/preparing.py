"""What comes before the first cycle: what is needed is checked, while the picture of the source is taken."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from devloop.core.events import CheckFinished, WatchStarted
from devloop.core.failure import ExitCode, Failure
from devloop.core.ports import Builder, Watcher
from devloop.core.service import Service
from devloop.engine.preflight import preflight
from devloop.engine.tools import Emit, SessionFacts
from devloop.session.nowatcher import NoWatcher

if TYPE_CHECKING:
    from devloop.session.assembly import Assembly


async def prepare(
    services: Sequence[Service],
    watcher: Watcher,
    builder: Builder,
    assembly: "Assembly",
    facts: SessionFacts,
    emit: Emit,
) -> ExitCode:
    """`DONE` when the first cycle may begin; tells every check and watch, and notes the nodes' platform in `facts`."""
    facts.platform = await assembly.platform(services)
    code, *sources = await asyncio.gather(
        preflight(services, builder, assembly.registry, assembly.cluster, assembly.cluster.ping, facts.platform, emit),
        *(_watch(watcher, service, emit) for service in services),
    )
    return max(code, *sources)


async def _watch(watcher: Watcher, service: Service, emit: Emit) -> ExitCode:
    watched = await watcher.add(service)
    if isinstance(watched, Failure):
        emit(CheckFinished("source", False, watched.message, watched.hint, watched.code))
        return watched.exit_code
    if not isinstance(watcher, NoWatcher):
        emit(WatchStarted(service.name, watched.files, watched.text))
    return ExitCode.DONE
