"""The app under a flood: a build and ten Pods write all they can into a real event log, for as long as it runs.

`python -m tests.benchmarks.tui_flood REPORT` is what `tui_bench` starts on a terminal; Ctrl-C ends it, and then REPORT
holds what was measured inside: how late the event loop was, how soon a command was decided, how much was taken.
"""

import asyncio
import gc
import json
import random
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devloop.adapters.clock import SystemClock
from devloop.core import events as ev
from devloop.core.commands import Pause
from devloop.core.image import ImageRef
from devloop.core.scheduler import Limits
from devloop.core.service import BuildSpec, Pin, Service, WorkloadKey
from devloop.engine.conductor import Conductor
from devloop.engine.eventlog import EventLog
from devloop.engine.observations import Observations
from devloop.engine.tools import CycleResult, Emit, Gate, Order
from devloop.session.renderers import Renderers
from devloop.tui.app import DevloopApp
from devloop.tui.pace import favour_keys
from devloop.tui.talk import Ended

SERVICE = "web"
BUILD_LINES, PODS, POD_LINES = 20_000, 10, 2_000
"""Lines a second of the build, Pods, and lines a second of each."""
_AT_ONCE = 200
"""As the readers of builds and Pods do: so many lines before anything else may run."""
_CHUNK = 0.01
"""Seconds between two chunks of one writer."""
_LOOK, _ASK = 0.005, 0.05
"""Seconds between two looks at the loop, and between two commands."""


@dataclass
class Seen:
    """What is measured inside."""

    late: list[float] = field(default_factory=list)
    """How many seconds too late the loop came back."""
    decided: list[float] = field(default_factory=list)
    """Seconds from a command to its event."""
    written: int = 0
    taken: int = 0
    left_out: int = 0
    seconds: float = 0.0


def _line(number: int) -> str:
    """What a web server writes: plain lines, and every third one JSON."""
    if number % 3:
        return f"INFO 10.244.1.{number % 250} - GET /orders/{number}?page={number % 7} 200 {number % 90} ms"
    return json.dumps({"level": "info", "msg": "order read", "order": number, "ms": number % 90, "user": "anna"})


LINES = [_line(number) for number in range(9_973)]
"""Made before, so that making them is not measured."""


def line(number: int) -> str:
    return LINES[number % len(LINES)]


def service() -> Service:
    ref = ImageRef("registry", SERVICE, "dev")
    key = WorkloadKey("shop", "deployment", SERVICE)
    return Service(SERVICE, ref, ref, Pin.TAG, (key,), (), BuildSpec(Path("/src"), Path("/src/Dockerfile")), ())


class Flood:
    """The session behind the app: a real log, its readers and a real conductor, whose one cycle builds for ever."""

    def __init__(self, app: DevloopApp) -> None:
        self.seen = Seen()
        self.log = EventLog(SystemClock())
        self._app = app
        limits, observations = Limits(1, False), Observations()
        self.conductor = Conductor([service()], limits, self.log, self._cycle, observations, self, repr)

    async def run(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        with tempfile.NamedTemporaryFile() as recording:
            readers = Renderers(self.log, lambda: None)
            readers.to_screen(self._feed)
            readers.to_recording(Path(recording.name), lambda _: None)
            self.log.emit(ev.SessionStarted(ev.PROTOCOL, "bench", "kind-dev", "shop", (SERVICE,), "bench"))
            pods = [self._write(POD_LINES, self._pod(number)) for number in range(PODS)]
            tasks: list[Coroutine[Any, Any, None]] = [self.conductor.run(), self._look(), self._ask(), *pods]
            try:
                await asyncio.gather(*tasks)
            finally:
                self.seen.seconds = loop.time() - began

    async def until_back(self, to: object) -> str:
        raise NotImplementedError

    def _feed(self, records: list[ev.Record]) -> None:
        for record in records:
            if isinstance(record.event, ev.Log):
                self.seen.taken += 1
                self.seen.left_out += record.event.dropped
        self._app.feed(records)

    def _pod(self, number: int) -> Callable[[int], ev.Event]:
        pod = f"web-6d5f7c9b8-{number:05x}"
        return lambda count: ev.Log(SERVICE, ev.LogSource.POD, line(count), pod=pod, container="web")

    async def _cycle(self, order: Order, *, emit: Emit, gate: Gate) -> CycleResult:
        emit(ev.PhaseStarted(SERVICE, order.number, ev.Phase.BUILD))
        emit(ev.BuildStep(SERVICE, order.number, "1", "[1/1] RUN make", ev.StepState.STARTED))
        await self._write(BUILD_LINES, lambda count: ev.Log(SERVICE, ev.LogSource.BUILD, line(count), order.number))
        raise AssertionError

    async def _write(self, rate: int, event: Callable[[int], ev.Event]) -> None:
        loop = asyncio.get_running_loop()
        began, count = loop.time(), 0
        while True:
            due = int((loop.time() - began) * rate)
            for number in range(count, due):
                self.log.emit(event(number))
                if number % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
            self.seen.written += due - count
            count = due
            await asyncio.sleep(_CHUNK * random.uniform(0.5, 1.5))

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK
            await asyncio.sleep(_LOOK)
            self.seen.late.append(max(0.0, loop.time() - due))

    async def _ask(self) -> None:
        """Pause and resume: a command that is decided at once, and starts or ends nothing here."""
        loop, decided, paused = asyncio.get_running_loop(), asyncio.Event(), False
        self.log.on_append(lambda record: decided.set() if isinstance(record.event, ev.ServicePaused) else None)
        while True:
            await asyncio.sleep(_ASK)
            asked, paused = loop.time(), not paused
            self.conductor.post(Pause(SERVICE, paused))
            await decided.wait()
            decided.clear()
            self.seen.decided.append(loop.time() - asked)


def main() -> None:
    floods: list[Flood] = []

    async def behind(app: DevloopApp) -> Ended:
        floods.append(Flood(app))
        await floods[0].run()
        raise AssertionError

    favour_keys()
    gc.freeze()  # as it is done when a session's imports are there
    DevloopApp(behind).run()
    Path(sys.argv[1]).write_text(json.dumps(vars(floods[0].seen)))


if __name__ == "__main__":
    main()
