"""One world of scripted ports with so many services, in a process of its own: one line of JSON for a COUNT.

Time is the event loop's own, so that nothing is measured but what the conductor (and the script around it) computes.
"""

import asyncio
import gc
import json
import sys
import time
import tracemalloc

from devloop.core import events as ev
from devloop.core.commands import Quit
from devloop.core.events import Record
from tests.engine.conftest import run_in_fake_time
from tests.engine.world import Bench, World, service

CYCLES = 20


class Ends:
    """Counts the ends of cycles, and can be waited on for the next."""

    def __init__(self, bench: Bench) -> None:
        self.count = 0
        self._next = asyncio.Event()
        bench.log.on_append(self._appended)

    async def until(self, count: int) -> None:
        while self.count < count:
            self._next.clear()
            await self._next.wait()

    def _appended(self, record: Record) -> None:
        if isinstance(record.event, ev.CycleFinished):
            self.count += 1
            self._next.set()


def measure(count: int) -> dict[str, float]:
    """CPU until all are verified, CPU of a cycle after that, and the bytes that are held once all are verified."""
    figures: dict[str, float] = {}

    async def scenario() -> None:
        gc.collect()
        empty, _ = tracemalloc.get_traced_memory()
        bench = Bench(World(tuple(service(f"s{index}") for index in range(count))))
        bench.log.emit(ev.SessionStarted(1, "0", "test", "shop", tuple(s.name for s in bench.world.services)))
        ends, began = Ends(bench), time.process_time()
        bench.world.boot()
        running = asyncio.ensure_future(bench.conductor.run())
        await ends.until(count)
        figures["start_cpu"] = time.process_time() - began
        gc.collect()
        figures["memory"] = tracemalloc.get_traced_memory()[0] - empty
        began = time.process_time()
        for number in range(CYCLES):
            bench.save(f"s{number % count}")
            await ends.until(count + number + 1)
        figures["cycle_cpu"] = (time.process_time() - began) / CYCLES
        bench.conductor.post(Quit())
        await running
        await asyncio.gather(*bench.world.tasks)

    run_in_fake_time(scenario, eager=False)
    return figures


if __name__ == "__main__":
    measure(1)  # what is imported and filled on first use is no service's
    timed = measure(int(sys.argv[1]))
    tracemalloc.start()  # which makes everything slower
    print(json.dumps({**timed, "memory": measure(int(sys.argv[1]))["memory"]}))
