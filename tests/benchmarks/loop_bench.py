"""Save to new code: devloop against the shell line, alternating, on the same cluster in the same minutes.

Beside them the floor that nobody can beat: patching the Deployment to an image that is in the registry already.
"""

import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.benchmarks.rig import App, Asker, Cluster, Source, spread
from tests.e2e.harness import Devloop, Event, write_toml

PHASES = ("change told", "built", "pushed", "patched", "Pod made", "container runs", "answers", "proved")


@dataclass
class Times:
    """Seconds from save (of the floor: from the patch) to answer."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    phases: list[dict[str, float]] = field(default_factory=list)
    """Of each round of devloop's, seconds from the save until each of `PHASES` was over."""


async def measure(cluster: Cluster, source: Source, rounds: int, *, delta: bool = True) -> Times:
    """`delta`: whether devloop may append a layer."""
    times = Times()
    asker = Asker(cluster)
    with tempfile.TemporaryDirectory() as root, cluster.namespace() as namespace:
        watched = App.create(Path(root), "ours", source, cluster, namespace)
        typed = App.create(Path(root), "theirs", source, cluster, namespace)
        watched.deploy()
        typed.deploy()
        ready = App.create(Path(root), "ready", Source(0, 0), cluster, namespace)
        ready.deploy()
        build = f'build = {{ context = "ours", delta = {str(delta).lower()} }}'
        write_toml(Path(root), namespace, f'[services.ours]\nimage = "{watched.image}"\ntag = "dev"\n{build}')
        with Devloop.start(Path(root)) as devloop:
            await asyncio.to_thread(devloop.wait_for, "cycle_finished")
            await _until_it_can_append(devloop, watched, asker, delta=delta)
            for number in range(rounds):
                begun, first = time.time(), len(devloop.events)
                times.ours.append(await _with_devloop(devloop, watched, asker, f"ours {number}"))
                times.phases.append(_phases(devloop.events[first:], begun) | {"answers": times.ours[-1]})
                times.theirs.append(await _with_shell(typed, asker, f"theirs {number}"))
                # Said in no run before: BuildKit would take it from its cache, and the node has that image already.
                times.floor.append(await _floor(ready, asker, f"floor {number} {namespace}"))
            devloop.stop()
    await asker.close()
    return times


def _phases(events: Sequence[Event], begun: float) -> dict[str, float]:
    """When each phase of the last cycle among these events was over."""
    found: dict[str, float] = {}
    for event in events:
        for phase in _ends(event):
            found.setdefault(phase, datetime.fromisoformat(event["time"]).timestamp() - begun)
    return found


def _ends(event: Event) -> Iterator[str]:
    match event["event"]:
        case "change_detected":
            yield "change told"
        case "phase_finished" if event["phase"] == "build":
            yield "built"
        case "image_pushed":
            yield "pushed"
        case "workload_patched":
            yield "patched"
        case "workload_observed" if event["terminating"] or len(event["pods"]) > 1:
            new = [pod for pod in event["pods"] if pod["current"]]
            yield from ["Pod made"] * bool(new)
            yield from ["container runs"] * any(pod["phase"] == "Running" for pod in new)
        case "cycle_finished":
            yield "proved"


def phase_lines(times: Times) -> list[str]:
    """Where the time of a cycle by a layer goes: medians."""
    lines, before = [], 0.0
    for phase in PHASES:
        reached = [each[phase] for each in times.phases if phase in each]
        if reached:
            at = statistics.median(reached)
            lines.append(f"    {phase:<16} {1000 * at:6.0f} ms  (+{1000 * (at - before):.0f})")
            before = at
    return lines


async def _until_it_can_append(devloop: Devloop, app: App, asker: Asker, *, delta: bool) -> None:
    """What the first full build gave is looked at beside its rollout."""
    for attempt in range(10 if delta else 0):
        await _with_devloop(devloop, app, asker, f"warm {attempt}")
        if devloop.of("cycle_finished")[-1]["builder"] == "delta":
            return
        await asyncio.sleep(1)
    if delta:
        raise SystemExit("no layer was ever appended")


async def _floor(app: App, asker: Asker, message: str) -> float:
    app.say(message)
    image = f"{app.image}:{message.replace(' ', '-')}"
    build = f"docker buildx build --push -t {image} ."
    await asyncio.to_thread(subprocess.run, ["sh", "-c", build], cwd=app.folder, check=True, capture_output=True)
    patched = time.monotonic()
    await asker.set_image(app, image)
    answered = await asker.until(app, message)
    await _settled(app)
    return answered - patched


async def _with_devloop(devloop: Devloop, app: App, asker: Asker, message: str) -> float:
    saved = app.say(message)
    answered = await asker.until(app, message)
    await asyncio.to_thread(devloop.wait_for, "cycle_finished", outcome="verified")
    await _settled(app)
    return answered - saved


async def _with_shell(app: App, asker: Asker, message: str) -> float:
    saved = app.say(message)
    typed = asyncio.create_task(asyncio.to_thread(_run, app))
    answered = await asker.until(app, message)
    await typed
    await _settled(app)
    return answered - saved


def _run(app: App) -> None:
    subprocess.run(["sh", "-c", app.shell_line], cwd=app.folder, check=True, capture_output=True)


async def _settled(app: App) -> None:
    """Old Pods are gone and what was written is on the disk, so that no round pays for the one before it."""
    gone = ("-n", app.namespace, "rollout", "status", f"deployment/{app.name}", "--timeout=60s")
    await asyncio.to_thread(app.cluster.kubectl, *gone)
    while True:
        names = await asyncio.to_thread(
            app.cluster.kubectl, "-n", app.namespace, "get", "pods", "-l", f"app={app.name}", "-o", "name"
        )
        if len(names.split()) == 1:
            await asyncio.to_thread(os.sync)
            return
        await asyncio.sleep(0.2)


def report(cluster: Cluster, rounds: int) -> list[str]:
    lines = [f"{'save -> new code answers':<40} {'devloop':<23} {'shell line':<23} {'floor':<23} ratio   goal"]
    for megabytes, delta, goal in ((6, True, 0.45), (100, True, 0.12), (6, False, 0.9), (100, False, 1.0)):
        times = asyncio.run(measure(cluster, Source.of(megabytes), rounds, delta=delta))
        ratio = statistics.median(times.ours) / statistics.median(times.theirs)
        what = f"{megabytes:>3} MB by {'a layer' if delta else 'a full build'}, {rounds} rounds"
        figures = f"{spread(times.ours):<23} {spread(times.theirs):<23} {spread(times.floor):<23}"
        lines.append(f"  {what:<38} {figures} {ratio:.2f}    {goal}")
        lines += phase_lines(times) if delta else []
    return lines
