"""What this machine has: its system, free disk, and the limits of inotify; nothing is told where it cannot be known."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

from devloop.core.judgements import InotifyUse

_PROC = Path("/proc")


def system() -> str:
    """`Linux 6.8.0 x86_64, Debian GNU/Linux 12 (bookworm)`, `macOS 15.1 arm64`."""
    here = os.uname()
    if here.sysname == "Darwin":
        return f"macOS {platform.mac_ver()[0]} {here.machine}"
    try:
        name = f", {platform.freedesktop_os_release()['PRETTY_NAME']}"
    except (OSError, KeyError):
        name = ""
    return f"{here.sysname} {here.release} {here.machine}{name}"


def python() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


def free_bytes(folder: str) -> int | None:
    """What may still be written there; None when that cannot be told."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def inotify_limit(proc: Path = _PROC) -> InotifyUse | None:
    """What one user may have; None where there is no inotify."""
    folder = proc / "sys/fs/inotify"
    try:
        return InotifyUse(
            int((folder / "max_user_watches").read_text()), int((folder / "max_user_instances").read_text())
        )
    except (OSError, ValueError):
        return None


def inotify_used(proc: Path = _PROC) -> InotifyUse:
    """What this user's processes have, as far as they may be looked into."""
    watches = [_watches(instance) for process in _own_processes(proc) for instance in _instances(process)]
    return InotifyUse(sum(watches), len(watches))


def _own_processes(proc: Path) -> Iterator[Path]:
    for process in filter(str.isdecimal, _names(proc)):
        try:
            if (proc / process).stat().st_uid == os.getuid():
                yield proc / process
        except OSError:
            continue  # it has ended


def _instances(process: Path) -> Iterator[Path]:
    """What the kernel tells of each instance that a process has open."""
    for number in _names(process / "fd"):
        try:
            if os.readlink(f"{process}/fd/{number}") == "anon_inode:inotify":  # noqa: PTH115 - one call for each of many
                yield process / "fdinfo" / number
        except OSError:
            continue


def _watches(instance: Path) -> int:
    try:
        return instance.read_text().count("inotify wd:")
    except OSError:
        return 0


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are enough
    except OSError:
        return []
