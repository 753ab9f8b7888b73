"""How long it takes until devloop says something: help, plan, and the first line of up."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.rig import App, Cluster, Source, spread
from tests.e2e.harness import DEVLOOP, write_toml


def cpu_of(command: list[str], cwd: Path | None = None) -> tuple[float, float]:
    """CPU milliseconds and wall-clock milliseconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=60)
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * used, 1000 * wall


def first_line(cwd: Path) -> float:
    """Milliseconds from the start of `devloop up` to its first line."""
    started = time.monotonic()
    process = subprocess.Popen(
        [*DEVLOOP, "up", "--once", "-o", "json"], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout
    process.stdout.readline()
    taken = time.monotonic() - started
    process.stdout.read()
    process.wait()
    process.stdout.close()
    return 1000 * taken


def report(cluster: Cluster | None, rounds: int) -> list[str]:
    python = [cpu_of([sys.executable, "-c", "pass"])[0] for _ in range(rounds)]
    help_ = [cpu_of([*DEVLOOP, "--help"])[0] for _ in range(rounds)]
    bare = f"(bare Python: {spread(python, 'ms', 0)})"
    lines = ["start-up", f"  devloop --help             {spread(help_, 'ms CPU', 0)}; goal 150 ms {bare}"]
    if cluster is None:
        return lines
    with tempfile.TemporaryDirectory() as root, cluster.namespace() as namespace:
        app = App.create(Path(root), "start", Source.of(1), cluster, namespace)
        app.deploy()
        write_toml(Path(root), namespace, f'[services.start]\nimage = "{app.image}"\ntag = "dev"\nbuild = "start"')
        os.sync()
        plans = [cpu_of([*DEVLOOP, "plan"], Path(root)) for _ in range(rounds)]
        firsts = [first_line(Path(root)) for _ in range(rounds)]
    cpu, wall = zip(*plans, strict=True)
    lines.append(f"  devloop plan               {spread(wall, 'ms', 0)}, CPU {spread(cpu, 'ms', 0)}")
    lines.append(f"  devloop up to first line   {spread(firsts, 'ms', 0)}")
    return lines
