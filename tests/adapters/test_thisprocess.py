"""Who this process is, and whether another one of this machine has ended."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devloop.adapters import thisprocess
from devloop.adapters.thisprocess import has_ended, started, this_process
from devloop.core.lease import Holder

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="made of files of /proc")


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The machine has a name of its own, which not every container has."""
    file = tmp_path_factory.mktemp("etc") / "machine-id"
    file.write_text("5f2c\n")
    monkeypatch.setattr(thisprocess, "_MACHINE_IDS", (file,))


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def of(pid: int) -> Holder:
    """As that process would write itself down."""
    return replace(this_process("s1"), pid=pid, started=started(pid) or "")


def test_this_process_lives() -> None:
    me = this_process("s1")
    assert me.identity == f"{me.user}@{me.host}/{os.getpid()}"
    assert me.user
    assert me.machine
    assert me.started
    assert me == this_process("s1")
    assert not has_ended(me)


def test_a_process_that_was_killed_has_ended_also_before_anybody_asked_how(
    child: "subprocess.Popen[bytes]",
) -> None:
    holder = of(child.pid)
    assert not has_ended(holder)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert has_ended(holder), "what is left of it only waits for its parent"
    child.wait()
    assert has_ended(holder)


def test_a_number_that_was_given_away_again_is_another_process() -> None:
    own = this_process("s1")
    boot, _, _ = own.started.rpartition("-")
    assert has_ended(replace(own, started=f"{boot}-100"))


def test_a_process_of_another_start_of_the_machine_may_be_one_of_a_copy_of_it() -> None:
    assert not has_ended(replace(this_process("s1"), pid=4_000_000, started="another-boot-100"))


@pytest.mark.parametrize(
    "change",
    [{"machine": "another"}, {"machine": ""}, {"started": ""}, {"pid": 0}, {"pid": -1}],
    ids=["another machine", "an unknown machine", "an unknown start", "no process", "a group"],
)
def test_nothing_is_said_of_what_is_not_known(child: "subprocess.Popen[bytes]", change: dict[str, object]) -> None:
    holder = of(child.pid)
    child.kill()
    child.wait()
    assert has_ended(holder)
    assert not has_ended(replace(holder, **change))  # type: ignore[arg-type]


@on_linux
def test_a_process_that_is_there_and_hidden_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As /proc under `hidepid` shows the processes of other users: not at all."""
    monkeypatch.setattr(thisprocess, "started", lambda pid: None)
    assert not has_ended(Holder("jo", "here", 1, "s2", this_process("s1").machine, "boot-1"))


@on_linux
def test_a_name_with_parentheses_and_spaces(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "7").mkdir()
    fields = " ".join(str(number) for number in range(4, 40))
    (tmp_path / "7" / "stat").write_text(f"7 (a) b (c) S {fields}\n")
    assert started(7, tmp_path) == "-22"
    (tmp_path / "7" / "stat").write_text(f"7 (a) b (c) Z {fields}\n")
    assert started(7, tmp_path) == ""
    assert started(8, tmp_path) is None


@pytest.mark.skipif(not shutil.which("ps"), reason="needs ps")
def test_where_there_is_no_proc_ps_is_asked(child: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    told = started(child.pid, tmp_path)
    assert told
    assert started(child.pid, tmp_path) == told
    child.kill()
    child.wait()
    assert started(child.pid, tmp_path) is None
