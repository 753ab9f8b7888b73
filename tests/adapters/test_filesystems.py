"""Which file systems are silent, and whether git is writing."""

import subprocess
from pathlib import Path

import pytest

from devloop.adapters.filesystems import git_folder, git_is_writing, silent_filesystem

MOUNTS = r"""/dev/sda1 / ext4 rw 0 0
C:\134 /mnt/c 9p rw,dirsync 0 0
server:/export /mnt/nfs\040share nfs4 rw 0 0
/dev/sdb1 /mnt/nfs\040share/local xfs rw 0 0
overlay /mnt/c2 overlay rw 0 0
host0 /work virtiofs rw 0 0
host0 /work ext4 rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/src", ""),
        ("/mnt/c/src", "9p"),
        ("/mnt/c", "9p"),
        ("/mnt/c2/src", ""),
        ("/mnt/nfs share/src", "nfs4"),
        ("/mnt/nfs share/local/src", ""),
        ("/work/src", ""),
    ],
)
def test_the_deepest_and_last_mount_counts(path: str, kind: str, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert silent_filesystem(path, mounts) == kind


def test_this_machines_mounts_can_be_read(tmp_path: Path) -> None:
    assert silent_filesystem(str(tmp_path)) == ""
    assert silent_filesystem(str(tmp_path), tmp_path / "nothing") == ""


def test_the_git_folder_is_found_from_below(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a/b").mkdir(parents=True)
    assert git_folder(tmp_path / "a/b") == tmp_path / ".git"


def test_a_linked_work_tree_has_a_git_folder_of_its_own(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        config = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *config, *words], cwd=tmp_path / "main", check=True, capture_output=True)

    (tmp_path / "main").mkdir()
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    git("worktree", "add", "-q", "../linked")
    assert git_folder(tmp_path / "linked") == tmp_path / "main/.git/worktrees/linked"


def test_only_a_fresh_lock_counts(tmp_path: Path) -> None:
    lock = tmp_path / "index.lock"
    assert not git_is_writing(tmp_path, 0.0, 10)
    assert not git_is_writing(None, 0.0, 10)
    lock.touch()
    made = lock.stat().st_mtime
    assert git_is_writing(tmp_path, made + 1, 10)
    assert not git_is_writing(tmp_path, made + 11, 10)
