"""devloop's own share of a cycle: all of it, less the time spent waiting for BuildKit, registry and Kubernetes.

Runs the session in this process, with the ports wrapped so that every moment of waiting is written down. What is left
between the save and the last verdict is devloop's own: watching, debounce, deciding, planning, patching, proving.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from devloop.core.events import CycleFinished, Record, SessionStarted
from devloop.engine.eventlog import EventLog
from devloop.engine.observations import Observations
from devloop.session import up as session_up
from devloop.session.project import Project, open_project
from devloop.session.renderers import Output, Renderers
from devloop.session.request import Request
from tests.benchmarks.rig import App, Cluster, Source, spread
from tests.e2e.harness import write_toml

_T = TypeVar("_T")
WAITS = (
    ("devloop.adapters.buildx.BuildxBuilder", "build"),
    ("devloop.adapters.registryhttp.RegistryHttp", "request"),
    ("devloop.adapters.registry.HttpRegistry", "resolve"),
    ("devloop.adapters.kube.KubeCluster", "read"),
    ("devloop.adapters.kube.KubeCluster", "patch"),
)


class Stopwatch:
    """Intervals during which at least one wrapped wait was going on."""

    def __init__(self) -> None:
        self.intervals: list[tuple[float, float]] = []
        self.patched: list[float] = []
        """When each patch was sent."""

    def timed(self, wait: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def around(*args: Any, **kwargs: Any) -> Any:
            started = time.monotonic()
            if wait.__name__ == "patch":
                self.patched.append(started)
            try:
                return await wait(*args, **kwargs)
            finally:
                self.intervals.append((started, time.monotonic()))

        return around

    def waited(self, start: float, end: float) -> float:
        """Seconds of [start, end] that the union of the intervals covers."""
        total, reached = 0.0, start
        for begin, finish in sorted(self.intervals):
            begin, finish = max(begin, reached), min(finish, end)
            if finish > begin:
                total += finish - begin
                reached = finish
        return total


async def measure(cluster: Cluster, rounds: int) -> list[tuple[float, float]]:
    """Seconds of devloop's own in each cycle, from the save until the patch is sent, and to the end of the cycle."""
    stopwatch, ended, finished = Stopwatch(), asyncio.Event(), []

    def appended(record: Record) -> None:
        if isinstance(record.event, CycleFinished):
            finished.append(time.monotonic())
            ended.set()

    emit = EventLog.emit

    def watching_emit(log: EventLog, event: Any) -> None:
        if isinstance(event, SessionStarted):
            log.on_append(appended)
        emit(log, event)

    with (
        tempfile.TemporaryDirectory() as root,
        cluster.namespace() as namespace,
        patch.object(EventLog, "emit", watching_emit),
        patch.object(Renderers, "to_stdout", lambda renderers, lines: None),
    ):
        app = App.create(Path(root), "own", Source.of(6), cluster, namespace)
        app.deploy()
        write_toml(Path(root), namespace, f'[services.own]\nimage = "{app.image}"\ntag = "dev"\nbuild = "own"')
        project = await open_project(Request(file=Path(root) / "devloop.toml"))
        assert isinstance(project, Project), project
        with _wrapped(stopwatch):
            session = asyncio.create_task(session_up.up(project, session_up.Options(Output.JSON)))
            shares = []
            await ended.wait()
            for number in range(rounds):
                ended.clear()
                saved = app.say(f"own {number}")
                await ended.wait()
                ends = stopwatch.patched[-1], finished[-1]
                patched, over = (end - saved - stopwatch.waited(saved, end) for end in ends)
                shares.append((patched, over))
            session.cancel()
            await asyncio.wait([session])
    return shares


class _wrapped:  # noqa: N801 - used like a function
    """Every wait of the ports, and every wait for a snapshot, goes through the stopwatch."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        import importlib

        self._patches = [patch.object(Observations, "until", stopwatch.timed(Observations.until))]
        for path, method in WAITS:
            module, _, name = path.rpartition(".")
            cls = getattr(importlib.import_module(module), name)
            self._patches.append(patch.object(cls, method, stopwatch.timed(getattr(cls, method))))

    def __enter__(self) -> None:
        for each in self._patches:
            each.start()

    def __exit__(self, *_: object) -> None:
        for each in self._patches:
            each.stop()


def report(cluster: Cluster, rounds: int) -> list[str]:
    patched, over = zip(*asyncio.run(measure(cluster, rounds)), strict=True)
    return [
        "devloop's own share of a cycle built by a layer, debounce included",
        f"  until the patch is sent, {rounds} saves: {spread([1000 * each for each in patched], 'ms', 0)}; goal 40 ms",
        f"  until its end, {rounds} saves: {spread([1000 * each for each in over], 'ms', 0)}; goal 60 ms",
    ]
