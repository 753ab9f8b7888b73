"""The full-screen terminal: how soon it is there and gone, what it costs idle, and how it answers in a flood (Linux).

Every figure is taken on a real pseudo-terminal, from outside: a key is answered when what it asks for was drawn.
"""

import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.rig import App, Cluster, Source, spread
from tests.benchmarks.terminal import FRAME, Terminal
from tests.e2e.harness import DEVLOOP, write_toml

QUIET, IDLE = 6.0, 20.0
"""Seconds after the first cycle until nothing is left to be drawn, and seconds that are measured then."""
WARM, FLOOD = 0.5, 20.0
"""Seconds of the flood until the rings are full, and seconds that are measured then."""
KEYS = (("i", "[build]"), ("l", "[logs]"))
"""Keys of the flood, and what is drawn when each is answered."""
_BETWEEN = (0.03, 0.15)
"""Seconds between an answer and the next key."""
_FOLLOWING, _READING = 1.0, 0.2
"""Seconds until a session is at rest after its cycle, and until somebody has read a question."""


def report(cluster: Cluster | None, rounds: int) -> list[str]:
    lines = ["terminal", *_first_frames(rounds), *_flood()]
    return [*lines, *_on(cluster, rounds)] if cluster else lines


def _first_frames(rounds: int) -> list[str]:
    cpu, wall = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            with Terminal([*DEVLOOP, "up"], Path(folder)) as terminal:
                wall.append(1000 * (terminal.until(FRAME) - terminal.began))
                cpu.append(terminal.cpu_ms())
    return [f"  first frame                {spread(cpu, 'ms CPU', 0)}, {spread(wall, 'ms', 0)}; goal 450 ms CPU"]


def _on(cluster: Cluster, rounds: int) -> list[str]:
    """What needs a session that has nothing left to do."""
    with tempfile.TemporaryDirectory() as root, cluster.namespace() as namespace:
        app = App.create(Path(root), "screen", Source.of(1), cluster, namespace)
        app.deploy()
        write_toml(Path(root), namespace, f'[services.screen]\nimage = "{app.image}"\ntag = "dev"\nbuild = "screen"')
        idle = _idle(Path(root))
        asked, gone = zip(*(_quit(Path(root)) for _ in range(rounds)), strict=True)
    return [
        idle,
        f"  quit, from y until it ends {spread(gone, 'ms', 0)}; goal 300 ms; q asks after {spread(asked, 'ms', 0)}",
    ]


def _idle(root: Path) -> str:
    with Terminal([*DEVLOOP, "up"], root) as terminal:
        terminal.until("VERIFIED")
        terminal.rest(QUIET)
        terminal.press("")
        before, began = terminal.cpu_ms(), time.monotonic()
        terminal.rest(IDLE)
        share = (terminal.cpu_ms() - before) / 1000 / (time.monotonic() - began)
        drawn, memory = len(terminal.drawn), terminal.memory_mib()
    return f"  idle                       {share:.2%} of a core, {memory:.0f} MiB, {drawn} bytes drawn; goal 0.50%"


def _quit(root: Path) -> tuple[float, float]:
    """Milliseconds from `q` until it asks, and from the answer until the process is gone."""
    with Terminal([*DEVLOOP, "up"], root) as terminal:
        terminal.until("VERIFIED")
        terminal.rest(_FOLLOWING)
        pressed = terminal.press("q")
        asked = terminal.until("Quit devloop?")
        terminal.rest(_READING)
        answered = terminal.press("y")
        return 1000 * (asked - pressed), 1000 * (terminal.until_end() - answered)


def _flood() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder, "report.json")
        with Terminal([sys.executable, "-m", "tests.benchmarks.tui_flood", str(inside)], Path.cwd()) as terminal:
            terminal.until(KEYS[1][1])
            early = terminal.memory_mib()
            terminal.rest(WARM)
            used, busy, began = terminal.cpu_ms() / 1000, _busy_seconds(), time.monotonic()
            answers, memory = _keys(terminal)
            seconds = time.monotonic() - began
            share = (terminal.cpu_ms() / 1000 - used) / seconds
            others = (_busy_seconds() - busy) / seconds - share
            terminal.press("\x03")
            terminal.until_end()
        seen = json.loads(inside.read_text())
    rate, left_out = seen["written"] / seen["seconds"], seen["left_out"]
    return [
        f"  flood                      {rate:,.0f} lines/s, {left_out:,} left out; {share:.0%} of a core"
        f" (all else on this machine: {others:.0%})",
        f"    a key is answered        {_tail(answers)}; goal p99 50 ms",
        f"    a command is decided     {_tail(seen['decided'])}",
        f"    the loop is late         {_tail(seen['late'])}",
        f"    memory                   {early:.0f} MiB at its start, {' '.join(f'{each:.0f}' for each in memory)} MiB",
    ]


def _busy_seconds() -> float:
    """What all cores have worked until now: a key waits for whoever else has them."""
    _, user, nice, system, _, _, irq, softirq, *_ = Path("/proc/stat").read_text().splitlines()[0].split()
    return sum(map(int, (user, nice, system, irq, softirq))) / os.sysconf("SC_CLK_TCK")


def _keys(terminal: Terminal) -> tuple[list[float], list[float]]:
    """Seconds until each key was answered; the memory now and then."""
    answers, memory = [], []
    end = time.monotonic() + FLOOD
    while time.monotonic() < end:
        for key, drawn in KEYS:
            pressed = terminal.press(key)
            answers.append(terminal.until(drawn) - pressed)
            terminal.rest(random.uniform(*_BETWEEN))
        if len(answers) % 40 == 0:
            memory.append(terminal.memory_mib())
    return answers, memory


def _tail(seconds: Sequence[float]) -> str:
    """Median, p99 and the largest, of how many."""
    found = sorted(1000 * each for each in seconds)
    p99 = found[min(len(found) - 1, int(len(found) * 0.99))]
    return f"{statistics.median(found):.1f} ms, p99 {p99:.1f}, most {found[-1]:.0f} ({len(found)})"
