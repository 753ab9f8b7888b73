"""The whole of `devloop up` over a large tree: what it costs while nothing happens, and what a branch switch does."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from tests.benchmarks.rig import App, Cluster, Source
from tests.benchmarks.watch_bench import SWITCHED, git, make, two_branches
from tests.e2e.harness import Devloop, write_toml

FILES = 100_000
IDLE_SECONDS = 20.0
QUIET_SECONDS = 5.0
"""How long no further cycle may start before a branch switch counts as over."""
DOCKERFILE = 'FROM {base}\nCOPY server.py message.txt /app/\nCMD ["python3", "/app/server.py"]\n'


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def report(cluster: Cluster) -> list[str]:
    with tempfile.TemporaryDirectory() as root, cluster.namespace() as namespace:
        app = App.create(Path(root), "large", Source.of(1), cluster, namespace)
        names = make(app.folder, FILES)
        (app.folder / ".dockerignore").write_text(".git\n")
        (app.folder / "Dockerfile").write_text(DOCKERFILE.format(base=f"{cluster.registry}/python:3"))
        two_branches(app.folder, names)
        git(app.folder, "checkout", "-q", "main")
        app.deploy()
        write_toml(Path(root), namespace, f'[services.large]\nimage = "{app.image}"\ntag = "dev"\nbuild = "large"')
        with Devloop.start(Path(root)) as devloop:
            devloop.wait_for("cycle_finished", patience=300)
            lines = ["one service, 100,000 files watched", _idle(devloop.process.pid), _switch(devloop, app)]
            devloop.stop()
    return lines


def _idle(pid: int) -> str:
    time.sleep(QUIET_SECONDS)
    before = cpu_seconds(pid)
    time.sleep(IDLE_SECONDS)
    share = (cpu_seconds(pid) - before) / IDLE_SECONDS
    return f"  idle                       {share:.2%} of a core, {memory_mib(pid):.0f} MiB; goal 0.50%, 120 MiB"


def _switch(devloop: Devloop, app: App) -> str:
    cycles = len(devloop.of("cycle_started"))
    began = time.time()
    subprocess.run(["git", "checkout", "-q", "other"], cwd=app.folder, check=True, capture_output=True)
    took = time.time() - began
    started = devloop.wait_for("cycle_started", patience=300)
    devloop.wait_for("cycle_finished", patience=300)
    time.sleep(QUIET_SECONDS)
    devloop.drain()
    more = len(devloop.of("cycle_started")) - cycles
    delay = devloop.seconds_of(started) - began - took
    return (
        f"  branch switch              {SWITCHED:,} files: {more} cycle(s), the first with {started['count']:,} files, "
        f"{delay:.2f} s after git ended ({took:.2f} s)"
    )
