"""Whether anything of the sandbox is left when it is over: processes, ports, files outside of its folder."""

import os
import socket
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from devloop.session.demo.sandboxed import Sandbox


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a sandbox has while it runs."""

    processes: frozenset[int]
    ports: frozenset[int]

    @classmethod
    def of(cls, sandbox: Sandbox) -> "Footprint":
        server = yaml.safe_load(Path(sandbox.kubeconfig).read_text("utf-8"))["clusters"][0]["cluster"]["server"]
        urls = [f"http://{sandbox.registry}", server, *sandbox.urls.values()]
        return cls(frozenset(_family(sandbox.pid)), frozenset(urlsplit(url).port or 0 for url in urls))

    def left(self) -> list[str]:
        """In words; none when it is gone."""
        processes = [f"process {pid}" for pid in sorted(self.processes) if _runs(pid)]
        return processes + [f"port {port}" for port in sorted(self.ports) if _listens(port)]


def users_own() -> dict[str, int]:
    """What the user has that a session might write to, and when it was written to last."""
    from platformdirs import user_config_path, user_state_path

    home = Path.home()
    places = [user_state_path("devloop", appauthor=False), user_config_path("devloop", appauthor=False)]
    places += [home / ".kube", home / ".kube" / "config", home / ".docker", home / ".docker" / "config.json"]
    return {str(place): place.stat().st_mtime_ns if place.exists() else 0 for place in places}


def _family(root: int) -> set[int]:
    """The process and all that it started."""
    parents, found, size = _parents(), {root}, 0
    while size != len(found):
        size = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found


def _parents() -> dict[int, int]:
    if Path("/proc/self/stat").exists():
        numbers = (int(name) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208
        return dict(_from_proc(numbers))
    done = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False)
    return {int(pid): int(parent) for pid, parent in (line.split() for line in done.stdout.splitlines())}


def _from_proc(numbers: Iterable[int]) -> Iterable[tuple[int, int]]:
    for pid in numbers:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        except OSError:
            continue
        yield pid, int(stat.rpartition(")")[2].split()[1])


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # of somebody else by now, or a number that is used again
    return True


def _listens(port: int) -> bool:
    with socket.socket() as knocking:
        knocking.settimeout(1)
        return knocking.connect_ex(("127.0.0.1", port)) == 0
