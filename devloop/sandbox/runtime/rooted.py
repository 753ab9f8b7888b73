"""Paths of an image, found in the folder that it was unpacked into as a program in a container would find them."""

import posixpath
from pathlib import Path

_MOST_LINKS = 40
"""As many as the kernel follows."""


def rooted(root: Path, path: str, *, follow: bool = True) -> Path:
    """Where a path of the image is on disk; links are followed inside the root, and `..` ends at it.

    Without `follow` the last part is not followed. Raises `OSError` where links go round in a circle.
    """
    done: list[str] = []
    waiting = path.split("/")[::-1]
    links = 0
    while waiting:
        part = waiting.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            done = done[:-1]
            continue
        here = root.joinpath(*done, part)
        if here.is_symlink() and (follow or any(waiting)):
            if (links := links + 1) > _MOST_LINKS:
                raise OSError(f"{path}: too many levels of symbolic links")
            target = str(here.readlink())
            done = [] if target.startswith("/") else done
            waiting += target.split("/")[::-1]
        else:
            done.append(part)
    return root.joinpath(*done)


def kept_inside(link: str, target: str) -> str:
    """What a link of the image has to lead to on disk, so that it leads to the same place of the image.

    An absolute target becomes a relative one, and one that leads out of the image ends at its root.
    """
    folder = posixpath.dirname(posixpath.normpath("/" + link))
    joined = posixpath.join(folder, target)
    if not target.startswith("/") and not _leads_out(folder, target):
        return target
    return posixpath.relpath(posixpath.normpath(joined), folder)


def _leads_out(folder: str, target: str) -> bool:
    depth = len([part for part in folder.split("/") if part])
    for part in target.split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return False
