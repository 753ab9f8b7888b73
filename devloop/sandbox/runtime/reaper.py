"""Sees to it that no process of the sandbox outlives it, however it ends: a small process that waits for that.

The sandbox writes `+GROUP` and `-GROUP` for each process group that begins and ends. When the pipe closes, be it that
the sandbox was killed, all groups that are left are killed. Unlike `PR_SET_PDEATHSIG` this reaches what the children
started, and works on every system.
"""

import contextlib
import subprocess
import sys

_PROGRAM = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


class Reaper:
    """Started with the first group that it is told of."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def end(self, group: int) -> None:
        if self._process is not None:
            self._tell(f"-{group}\n")

    def close(self) -> None:
        """Whatever is left is killed; blocks for a moment."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _tell(self, line: str) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # somebody killed it
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
