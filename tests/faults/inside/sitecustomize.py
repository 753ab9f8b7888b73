"""Loaded into every devloop of the suite by way of PYTHONPATH: what only the process itself can tell, or suffer.

SIGUSR1: write the names of all asyncio tasks to DEVLOOP_FAULTS_TASKS. SIGUSR2: the wall clock jumps by the seconds in
DEVLOOP_FAULTS_JUMP; only `time.time` does, as when somebody sets the clock, and the monotonic clock goes on.
"""

import asyncio
import os
import signal
import time


def _tell_tasks(*_: object) -> None:
    path = os.environ["DEVLOOP_FAULTS_TASKS"]
    try:
        names = sorted(task.get_name() for task in asyncio.all_tasks())
    except RuntimeError:  # no loop runs
        names = []
    with open(f"{path}.new", "w") as file:  # noqa: PTH123 - as little as possible is imported here
        file.write("\n".join(names))
    os.replace(f"{path}.new", path)  # noqa: PTH105


def _jump(*_: object) -> None:
    real, seconds = time.time, float(os.environ["DEVLOOP_FAULTS_JUMP"])
    time.time = lambda: real() + seconds


if "DEVLOOP_FAULTS_TASKS" in os.environ:
    signal.signal(signal.SIGUSR1, _tell_tasks)
    signal.signal(signal.SIGUSR2, _jump)
