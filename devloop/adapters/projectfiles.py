"""The files that `devloop init` writes: what is there now, and writing them without losing anything of a person's."""

import codecs
import errno
import os
import shutil
from pathlib import Path

from devloop.core.gitignore import patterns
from devloop.core.ignore import Matcher

GITIGNORE = ".gitignore"
_CHECKOUTS = (".git", ".hg", ".jj", ".svn")


def checkout_of(folder: Path) -> Path | None:
    """The root of the version control checkout that the folder is in."""
    above = (folder, *folder.parents)
    return next((each for each in above if any((each / name).exists() for name in _CHECKOUTS)), None)


def read_text(path: Path) -> str | None:
    """What a file holds; None where there is none. Raises `OSError`, with its name, for one that cannot be read."""
    try:
        return path.read_text("utf-8-sig", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        error.filename = error.filename or str(path)  # one that can be opened, and then not be read, has none
        raise


def is_ignored(folder: Path, name: str) -> bool:
    """Whether the `.gitignore`s of the folder, or above it in its checkout, leave that file of it out."""
    top = checkout_of(folder) or folder
    between = [each for each in reversed((folder, *folder.parents)) if each.is_relative_to(top)]
    found = [
        pattern
        for each in between
        if (text := read_text(each / GITIGNORE)) is not None
        for pattern in patterns(text, _relative(each, top))
    ]
    path = _relative(folder, top)
    return Matcher(found).ignores(f"{path}/{name}" if path else name)


def _relative(path: Path, top: Path) -> str:
    shown = path.relative_to(top).as_posix()
    return "" if shown == "." else shown


def with_line(text: str, line: str) -> str:
    """The text with that line at its end, ended as its other lines are."""
    end = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text or text.endswith("\n") else end
    return f"{text}{gap}{line}{end}"


def append_line(path: Path, line: str) -> None:
    """At the end of a file that is there, or the only one of a new one."""
    before = path.read_bytes().decode("utf-8", "replace") if path.exists() else ""
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(with_line(before, line)[len(before) :])


def write(path: Path, text: str, *, replaces: bool) -> None:
    """Write it whole or not at all; raises `FileExistsError` for one that has appeared meanwhile.

    One that is replaced keeps its mode, its line ends and its byte order mark, and a link stays one.
    """
    if not replaces:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        return
    target = path.resolve()
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    before = target.read_bytes()
    beside = target.with_name(f".{target.name}.new")
    try:
        encoding = "utf-8-sig" if before.startswith(codecs.BOM_UTF8) else "utf-8"
        beside.write_text(text, encoding, newline="\r\n" if b"\r\n" in before else "\n")
        shutil.copymode(target, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
