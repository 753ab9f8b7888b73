"""Who holds a Lease: this process, and whether another one of this very machine still runs.

A host's name is not enough to say "of this machine": two laptops may have the same one, and containers share the
kernel's process numbers with nobody. So a holder carries a fingerprint of all that has to be the same.
"""

import getpass
import hashlib
import os
import socket
import subprocess
import uuid
from pathlib import Path

from devloop.core.lease import Holder, one_word

_PROC = Path("/proc")
_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_RANDOM_NODE = 1 << 40
"""The bit of `uuid.getnode()` that says that it was made up."""
_ENDED = ("Z", "X")
"""States of a process that only waits for its parent to ask how it ended."""


def this_process(session: str) -> Holder:
    user, host = one_word(_user()), one_word(socket.gethostname())
    return Holder(user, host, os.getpid(), session, _machine(), started(os.getpid()) or "")


def has_ended(holder: Holder) -> bool:
    """Whether it is a process of this machine that runs no more; False wherever that is not certain.

    Copies of one machine may have all in common but when they were started.
    """
    if holder.pid <= 0 or not (holder.machine and holder.started) or holder.machine != _machine():
        return False
    if not holder.started.startswith(_boot(_PROC)):
        return False  # it may be a copy of this machine
    try:
        os.kill(holder.pid, 0)  # sends nothing; asked first, because /proc may hide the processes of others
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    now = started(holder.pid)
    return now is not None and now != holder.started


def started(pid: int, proc: Path = _PROC) -> str | None:
    """When a process started, in words that no other of this machine gets; empty when it ended, None if untold."""
    if not (proc / "self").exists():
        return _asked_of_ps(pid)
    try:
        # The name before the last parenthesis may hold anything; the state comes first after it, the start 19 later.
        fields = (proc / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return "" if fields[0] in _ENDED else f"{_boot(proc)}-{fields[19]}"
    except (OSError, IndexError):
        return None


def _asked_of_ps(pid: int) -> str | None:
    try:
        done = subprocess.run(
            ["ps", "-o", "state=,lstart=", "-p", str(pid)],
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC0"}, capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    state, _, start = done.stdout.strip().partition(" ")
    return "" if state[:1] in _ENDED else start.strip() or None


def _machine() -> str:
    """The same for all processes that see each other's numbers; empty when that cannot be told."""
    own = next((text for path in _MACHINE_IDS if (text := _read(path))), "")
    if not own and not (node := uuid.getnode()) & _RANDOM_NODE:
        own = f"{node:x}"
    if not own:
        return ""
    try:
        numbers = os.readlink(_PROC / "self/ns/pid")  # noqa: PTH115 - the link's own text, which names no file
    except OSError:
        numbers = ""
    return hashlib.sha256("\0".join((own, socket.gethostname(), numbers)).encode()).hexdigest()[:16]


def _boot(proc: Path) -> str:
    """Starts are counted from here."""
    return _read(proc / "sys/kernel/random/boot_id")[:8]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
