"""From the services that run to those of an edited configuration, one by one, each when nothing of it runs any more."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping

from devloop.core import events as ev
from devloop.core.reconfigure import Changed, Difference, difference
from devloop.core.service import Service, WorkloadKey
from devloop.engine.observations import Observations
from devloop.engine.watchman import Watchman


class Switch:
    """Knows what is wanted, and takes every step that can be taken; the conductor carries it out."""

    def __init__(
        self, observations: Observations, watchman: Watchman, is_others: Callable[[WorkloadKey], bool]
    ) -> None:
        """`is_others`: whether somebody else works on a workload."""
        self._observations = observations
        self._is_others = is_others
        self._watchman = watchman
        self._wanted: dict[str, Service] | None = None
        self._done = asyncio.Event()

    def begin(self, running: Mapping[str, Service], wanted: Collection[Service]) -> Difference:
        self._wanted = {each.name: each for each in wanted}
        return difference(running.values(), wanted)

    def clear(self) -> None:
        """What is awaited from here on is the end of a switch that begins later."""
        self._done.clear()

    async def done(self) -> None:
        await self._done.wait()

    def step(self, services: dict[str, Service], live: Collection[str]) -> Iterator[ev.Event]:
        """Change `services` as far as no cycle that is `live` stands in the way; what to log of that.

        A cycle that is still of use (`Difference.outdated`) goes on by what it was started with.
        """
        if self._wanted is None:
            return
        rest = difference(services.values(), self._wanted.values())
        busy = {*live} & rest.outdated
        for added in rest.added:  # first, so that a session always has a service
            services[added.name] = added
            yield ev.ServiceAdded(added.name)
        for changed in (each for each in rest.changed if each.new.name not in busy):
            services[changed.new.name] = changed.new
            yield from self._of_change(changed)
        for removed in (each for each in rest.removed if each.name not in busy):
            del services[removed.name]
            self._watchman.forget(removed.name)
            yield ev.ServiceRemoved(removed.name, *self._left(removed))
        if not busy:
            self._end(services, self._wanted)

    def _of_change(self, changed: Changed) -> Iterator[ev.Event]:
        name = changed.new.name
        yield ev.ServiceChanged(name, changed.keys, *self._left(changed.old))
        if changed.needs_cycle:
            self._watchman.begin_anew(name)
            yield ev.CycleRequested(name, ev.Trigger.CONFIG, ", ".join(changed.keys))

    def _end(self, services: dict[str, Service], wanted: Mapping[str, Service]) -> None:
        """All is as wanted: also the order, by which services are started."""
        services.clear()
        services.update(wanted)
        self._wanted = None
        self._done.set()

    def _left(self, service: Service) -> tuple[tuple[str, ...], str]:
        """Workloads that stay as devloop made them, and their namespace."""
        used = {key for each in (self._wanted or {}).values() for key in each.workloads}
        left = [
            key for key in service.workloads if key not in used and self._is_marked(key) and not self._is_others(key)
        ]
        return tuple(map(str, left)), left[0].namespace if left else ""

    def _is_marked(self, key: WorkloadKey) -> bool:
        seen = self._observations.latest(key)
        return seen is not None and seen.deployment is not None and seen.deployment.is_marked
