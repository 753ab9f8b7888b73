"""What a process holds, read from /proc: memory, threads, children, descriptors, watches; and its asyncio tasks."""

import os
import re
import signal
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from devloop.adapters.deltabuilder import IDLE

PATIENCE = 40.0
"""Seconds until what was held for the fault is given back: a kept-alive connection is closed after 15."""
ROOM = 40 * 1024
"""KiB that memory may differ: modules are imported where they are first needed."""


@dataclass(frozen=True)
class Census:
    """Counts that have to be back where they were once a fault is over."""

    memory: int
    """KiB, resident."""
    threads: int
    children: int
    sockets: int
    watches: int
    """Folders watched through inotify."""
    others: int
    """Descriptors of anything else."""
    tasks: int
    names: tuple[str, ...] = field(default=(), compare=False)
    """Of the tasks."""

    def beyond(self, before: "Census") -> dict[str, tuple[int, int]]:
        """What there is more of than before, and how many of it before and now."""
        now, then = asdict(self), asdict(before)
        room = {"memory": ROOM}
        return {key: (then[key], now[key]) for key in now if key != "names" and now[key] > then[key] + room.get(key, 0)}


def take(pid: int, tasks: Path) -> Census:
    """Of the process now; `tasks` is where it writes the names of its tasks when it is asked to."""
    names = _tasks(pid, tasks)
    kinds = _descriptors(pid)
    status = Path(f"/proc/{pid}/status").read_text()
    return Census(
        int(re.findall(r"VmRSS:\s+(\d+)", status)[0]),
        int(re.findall(r"Threads:\s+(\d+)", status)[0]),
        len(children(pid)),
        kinds["socket"],
        _watches(pid),
        kinds["other"],
        len(names),
        names,
    )


def settled(pid: int, tasks: Path, before: Census) -> Census:
    """The census once nothing is beyond what was before, or when patience ends."""
    deadline = time.monotonic() + PATIENCE
    while (now := take(pid, tasks)).beyond(before) and time.monotonic() < deadline:
        time.sleep(0.5)
    return now


def children(pid: int) -> list[int]:
    """All processes below it, whatever they lead."""
    try:
        direct = [int(n) for path in Path(f"/proc/{pid}/task").glob("*/children") for n in path.read_text().split()]
    except OSError:
        return []
    return direct + [each for child in direct for each in children(child)]


def _tasks(pid: int, path: Path) -> tuple[str, ...]:
    path.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, "the event loop does not turn any more"
        time.sleep(0.01)
    # The full build that is made a minute after the last layer is one task, and waited for by nobody.
    return tuple(name for name in path.read_text().split("\n") if name != IDLE)


def _descriptors(pid: int) -> Counter[str]:
    kinds: Counter[str] = Counter()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(path.readlink())
        except OSError:  # closed meanwhile
            continue
        kinds["socket" if target.startswith("socket:") else "other"] += 1
    return kinds


def _watches(pid: int) -> int:
    count = 0
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            count += path.read_text().count("inotify wd:")
        except OSError:
            continue
    return count
