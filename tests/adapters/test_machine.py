"""What this machine says of itself, and what is made of a `/proc` of a test's own."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from devloop.adapters.filesystems import filesystem
from devloop.adapters.inotify import Inotify
from devloop.adapters.machine import free_bytes, inotify_limit, inotify_used, python, system
from devloop.core.judgements import InotifyUse

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


def test_the_system_and_python_are_named() -> None:
    assert os.uname().release in system() or sys.platform == "darwin"
    assert ".".join(map(str, sys.version_info[:3])) in python()


def test_free_bytes(tmp_path: Path) -> None:
    assert (free_bytes(str(tmp_path)) or 0) > 0
    assert free_bytes(str(tmp_path / "gone")) is None


def make_proc(proc: Path) -> None:
    limits = proc / "sys/fs/inotify"
    limits.mkdir(parents=True)
    (limits / "max_user_watches").write_text("8192\n")
    (limits / "max_user_instances").write_text("128\n")
    for process, watches in (("10", 2), ("11", 0)):
        for folder in ("fd", "fdinfo"):
            (proc / process / folder).mkdir(parents=True)
        (proc / process / "fd/0").symlink_to("/dev/null")
        (proc / process / "fd/3").symlink_to("anon_inode:inotify")
        lines = ["pos:\t0", "flags:\t02004000", *(f"inotify wd:{n} ino:1 sdev:2 mask:3" for n in range(watches))]
        (proc / process / "fdinfo/3").write_text("\n".join(lines))


def test_limits_and_use_are_read_from_proc(tmp_path: Path) -> None:
    make_proc(tmp_path)
    assert inotify_limit(tmp_path) == InotifyUse(8192, 128)
    assert inotify_used(tmp_path) == InotifyUse(2, 2)


def test_where_there_is_no_inotify_nothing_is_known(tmp_path: Path) -> None:
    assert inotify_limit(tmp_path) is None
    assert inotify_used(tmp_path / "gone") == InotifyUse(0, 0)


@LINUX
async def test_a_watch_of_this_process_is_in_use(tmp_path: Path) -> None:
    """Only this process is looked at: others of this user come and go."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / str(os.getpid())).symlink_to(f"/proc/{os.getpid()}")
    before = inotify_used(tmp_path / "proc")
    watches = Inotify(lambda touched: None, lambda: None)
    watches.enter(str(tmp_path))
    during = inotify_used(tmp_path / "proc")
    watches.close()
    await asyncio.sleep(0)
    assert (during.watches, during.instances) == (before.watches + 1, before.instances + 1)
    assert inotify_limit() is not None


@LINUX
def test_the_file_system_has_a_name(tmp_path: Path) -> None:
    assert filesystem(str(tmp_path))
    mounts = tmp_path / "mounts"
    mounts.write_text("a / ext4 rw 0 0\nb /mnt/c 9p rw 0 0\n")
    assert [filesystem(path, mounts) for path in ("/mnt/c/x", "/home")] == ["9p", "ext4"]
    assert filesystem("/home", tmp_path / "gone") == ""
