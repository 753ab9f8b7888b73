"""One Pod on its node, from its binding to its end."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from devloop.sandbox import kinds
from devloop.sandbox.containerloop import ContainerLoop, Place, Timing
from devloop.sandbox.containerstate import ContainerState
from devloop.sandbox.errors import ApiError
from devloop.sandbox.podstatus import pod_status
from devloop.sandbox.recorder import Recorder
from devloop.sandbox.resources import Resources
from devloop.sandbox.runtimeport import NodeRuntime

Raw = dict[str, Any]
_MANAGER = "kubelet"


class PodWorker:
    """Starts the containers, init containers first and in order, and ends them when the Pod is deleted."""

    def __init__(
        self,
        pod: Raw,
        runtime: NodeRuntime,
        resources: Resources,
        recorder: Recorder,
        timing: Timing,
        addresses: Raw,
        extra_env: Callable[[], Mapping[str, str]],
    ) -> None:
        self.pod = pod
        self._resources = resources
        self._runtime = runtime
        self._addresses = addresses
        self._ending = asyncio.Event()
        self._grace = 30.0
        self._graces = asyncio.Event()
        self._write_soon = False
        address = str(addresses.get("podIP", ""))
        seen = {**pod, "status": {**pod["status"], **addresses}}
        place = Place(seen, runtime, resources, recorder, timing, self._changed, extra_env, address)
        self._place = place
        self.loops = [
            ContainerLoop(place, ContainerState(spec, init))
            for init, key in ((True, "initContainers"), (False, "containers"))
            for spec in pod["spec"].get(key) or []
        ]

    def container(self, name: str) -> ContainerState | None:
        return next((loop.state for loop in self.loops if loop.state.name == name), None)

    def end(self, grace: float) -> None:
        """Its deletion was asked for; once more with less grace hurries it."""
        hurried = grace < self._grace or not self._ending.is_set()
        self._grace = grace
        self._ending.set()
        if hurried:
            self._graces.set()

    async def run(self) -> None:
        """To the end of the Pod. Cancelled, it kills what runs and writes nothing."""
        for loop in self.loops:
            loop.state.wait("PodInitializing" if self._has_init and not loop.state.init else "ContainerCreating")
        self._write()
        work = asyncio.ensure_future(self._work())
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait([work, ending], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()  # a mistake in the sandbox is not to look like a Pod that waits
            await self._ending.wait()
            await self._stop(work)
            self._gone()
        finally:
            await self._cut(work, ending)

    @property
    def _has_init(self) -> bool:
        return any(loop.state.init for loop in self.loops)

    async def _work(self) -> None:
        for loop in self.loops:
            if loop.state.init:
                await loop.run()
                if not loop.state.succeeded:
                    return self._give_up()
        for loop in self.loops:
            if self._has_init and not loop.state.init:
                loop.state.wait("PodInitializing")
        await asyncio.gather(*(loop.run() for loop in self.loops if not loop.state.init))
        return None

    def _give_up(self) -> None:
        for loop in self.loops:
            loop.state.over = True
        self._changed()

    async def _stop(self, work: "asyncio.Future[None]") -> None:
        """SIGTERM to all containers at once, and SIGKILL when the grace is over; less grace replaces more."""
        stops: list[asyncio.Future[None]] = []
        while True:
            self._graces.clear()
            stops += [asyncio.ensure_future(loop.stop(self._grace)) for loop in self.loops]
            hurried = asyncio.ensure_future(self._graces.wait())
            done = asyncio.ensure_future(asyncio.wait(stops))
            try:
                await asyncio.wait([done, hurried], return_when=asyncio.FIRST_COMPLETED)
                if done.done():
                    break
            finally:
                hurried.cancel()
                done.cancel()
        # What waits for an image or in a back-off runs nothing that has to end.
        if any(loop.state.is_running for loop in self.loops):
            await asyncio.wait([work], timeout=2.0)
        self._write()

    def _gone(self) -> None:
        self._resources.remove(kinds.POD, self.pod)

    async def _cut(self, *tasks: "asyncio.Future[Any]") -> None:
        for task in tasks:
            task.cancel()
        for loop in self.loops:
            if loop.state.running is not None and loop.state.is_running:
                with contextlib.suppress(OSError):
                    await loop.state.running.stop(0.0)
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(OSError):
            await self._runtime.remove(self._place.id)

    def _changed(self) -> None:
        """Write the status, once for all that changes in the same turn."""
        if not self._write_soon:
            self._write_soon = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._write_soon = False
        states = [loop.state for loop in self.loops]

        def change(live: Raw) -> Raw:
            generation = live["metadata"].get("generation", 1)
            status = pod_status(live["status"], live["spec"], generation, states, self._addresses)
            return {**live, "status": status}

        with contextlib.suppress(ApiError):
            self._resources.change(kinds.POD, self.pod, change, _MANAGER, "status")
