"""What has to be known of the file system that a source tree is on."""

import os
import re
from pathlib import Path

_SILENT = re.compile(r"9p|drvfs|nfs4?|cifs|smb3|smbfs|virtiofs|vboxsf|fakeowner|fuse\.(?:sshfs|osxfs|grpcfuse|s3fs)")
_MOUNTS = Path("/proc/self/mounts")
_OCTAL = re.compile(r"\\([0-7]{3})")


def silent_filesystem(path: str, mounts: Path = _MOUNTS) -> str:
    """The type of the file system under a path if it tells nothing of changes that others make, else empty.

    Only known on Linux; on macOS FSEvents works on every local volume.
    """
    kind = filesystem(path, mounts)
    return kind if _SILENT.fullmatch(kind) else ""


def filesystem(path: str, mounts: Path = _MOUNTS) -> str:
    """The type of the file system under a path, from `/proc/self/mounts`; empty where that does not exist."""
    try:
        lines = os.fsdecode(mounts.read_bytes()).splitlines()
    except OSError:
        return ""
    real = os.path.realpath(path) + "/"
    found, deepest = "", -1
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        point = _OCTAL.sub(lambda code: chr(int(code[1], 8)), point).rstrip("/") + "/"
        if real.startswith(point) and len(point) >= deepest:
            found, deepest = kind, len(point)
    return found


def git_folder(context: Path) -> Path | None:
    """Where git keeps the index of the work tree that the context is in; None when it is in none."""
    for folder in (context, *context.parents):
        git = folder / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            return _linked(git)
    return None


def _linked(file: Path) -> Path | None:
    """A linked work tree or a submodule has a `.git` file that names the folder."""
    try:
        target = file.read_text(errors="surrogateescape").strip()
    except OSError:
        return None
    return file.parent / target.removeprefix("gitdir: ") if target.startswith("gitdir: ") else None


def git_is_writing(git: Path | None, now: float, stale: float) -> bool:
    """Whether git is in the middle of a checkout or the like; a lock older than `stale` seconds was left behind."""
    try:
        return git is not None and now - (git / "index.lock").lstat().st_mtime < stale
    except OSError:
        return False
