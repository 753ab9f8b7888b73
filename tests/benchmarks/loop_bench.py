"""Save to new code: devloop against the shell line, alternating, on the same cluster in the same minutes."""

import asyncio
import statistics
import subprocess
import tempfile
from pathlib import Path

from tests.benchmarks.rig import App, Asker, Cluster, spread
from tests.e2e.harness import Devloop, write_toml


async def measure(cluster: Cluster, megabytes: int, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds from save to answer, for devloop and for the shell line."""
    ours: list[float] = []
    theirs: list[float] = []
    asker = Asker(cluster)
    with tempfile.TemporaryDirectory() as root, cluster.namespace() as namespace:
        watched = App.create(Path(root), "ours", megabytes, cluster, namespace)
        typed = App.create(Path(root), "theirs", megabytes, cluster, namespace)
        watched.deploy()
        typed.deploy()
        services = f'[services.ours]\nimage = "{watched.image}"\ntag = "dev"\nbuild = "ours"'
        write_toml(Path(root), namespace, services)
        with Devloop.start(Path(root)) as devloop:
            await asyncio.to_thread(devloop.wait_for, "cycle_finished")
            for number in range(rounds):
                ours.append(await _with_devloop(devloop, watched, asker, f"ours {number}"))
                theirs.append(await _with_shell(typed, asker, f"theirs {number}"))
            devloop.stop()
    await asker.close()
    return ours, theirs


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
    """Old Pods are gone, so that no round pays for the one before it."""
    gone = ("-n", app.namespace, "rollout", "status", f"deployment/{app.name}", "--timeout=60s")
    await asyncio.to_thread(app.cluster.kubectl, *gone)
    while True:
        names = await asyncio.to_thread(
            app.cluster.kubectl, "-n", app.namespace, "get", "pods", "-l", f"app={app.name}", "-o", "name"
        )
        if len(names.split()) == 1:
            return
        await asyncio.sleep(0.2)


def report(cluster: Cluster, rounds: int) -> list[str]:
    lines = ["save -> new code answers      devloop                 shell line              ratio   goal"]
    for megabytes, goal in ((6, 0.9), (100, 1.0)):
        ours, theirs = asyncio.run(measure(cluster, megabytes, rounds))
        ratio = statistics.median(ours) / statistics.median(theirs)
        what = f"{megabytes:>3} MB of source, {rounds} rounds"
        lines.append(f"  {what}   {spread(ours):<23} {spread(theirs):<23} {ratio:.2f}    {goal}")
    return lines
