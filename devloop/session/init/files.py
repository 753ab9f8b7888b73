"""What `devloop init` would write, compared with what is there."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devloop.adapters import configfile
from devloop.adapters.projectfiles import GITIGNORE, append_line, is_ignored, read_text, with_line, write
from devloop.core.config import Problems
from devloop.core.init.complete import completed, lacking
from devloop.core.init.draft import Draft
from devloop.core.init.render import local_file, needed_blocks, project_file
from devloop.core.toml import tables_of


@dataclass(frozen=True, slots=True)
class Change:
    """One file: what it holds, and what it would."""

    name: str
    text: str
    before: str | None
    """None: there is no such file."""
    needed: bool
    """Whether anything has to be written for it."""

    @property
    def replaces(self) -> bool:
        """Whether a file that is there is written anew."""
        return self.needed and self.before is not None

    @property
    def adds(self) -> bool:
        """Whether all lines that are there stay; one that was commented out may become one."""
        old, new = self._lines
        rest = iter(new)  # looked through once, so the order stays as well
        return self.replaces and all(any(line in {own, own.removeprefix("# ")} for line in rest) for own in old)

    def diff(self) -> str:
        source = "/dev/null" if self.before is None else self.name
        return "\n".join(difflib.unified_diff(*self._lines, source, self.name, lineterm=""))

    @property
    def _lines(self) -> tuple[list[str], list[str]]:
        return (self.before or "").splitlines(), self.text.splitlines()


@dataclass(frozen=True, slots=True)
class Files:
    """Everything that would be written."""

    root: Path
    project: Change
    local: Change
    ignoring: Change
    """`.gitignore`, with the line for the overlay."""
    by_hand: tuple[str, ...] = ()
    """What the overlay has to say, and is written too unlike to be given."""

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(each for each in (self.project, self.local) if each.needed)

    @property
    def replaced(self) -> tuple[Change, ...]:
        return tuple(each for each in self.changes if each.replaces)


def compare(draft: Draft, root: Path) -> Files:
    """Raises `OSError` for a file that cannot be read."""
    before, own, ignored = (read_text(root / name) for name in (configfile.FILE, configfile.OVERLAY, GITIGNORE))
    project, needed = project_file(draft), list(needed_blocks(draft))
    local = local_file(draft) if own is None else completed(own, needed)
    by_hand = lacking(own or "", needed) if local is None else ()
    return Files(
        root,
        Change(configfile.FILE, project, before, before is None or not _says(before, project)),
        Change(configfile.OVERLAY, local or "", own, local not in {own, None}),
        Change(
            GITIGNORE, with_line(ignored or "", configfile.OVERLAY), ignored, not is_ignored(root, configfile.OVERLAY)
        ),
        tuple(by_hand),
    )


def check(draft: Draft, root: Path) -> Problems | None:
    """What devloop's own loader has against the proposal: nothing, or `init` made a mistake."""
    return _mistakes(root, project_file(draft), local_file(draft))


def check_whole(files: Files) -> Problems | None:
    """What it has against the files as they will be, with what a person wrote in them."""
    texts = (change.text if change.needed else change.before or "" for change in (files.project, files.local))
    return _mistakes(files.root, *texts)


def _mistakes(root: Path, project: str, local: str) -> Problems | None:
    found = configfile.check_texts({configfile.FILE: project, configfile.OVERLAY: local}, root, os.environ)
    return found if isinstance(found, Problems) else None


def save(files: Files) -> list[str]:
    """Write what is needed; what was done, in words. The overlay is never there without being ignored."""
    said = []
    if files.ignoring.needed:
        append_line(files.root / GITIGNORE, configfile.OVERLAY)
        said.append(f"{GITIGNORE} now leaves {configfile.OVERLAY} out")
    for change in (files.local, files.project):
        if change.needed:
            write(files.root / change.name, change.text, replaces=change.replaces)
            said.append(f"wrote {change.name}")
        else:
            said.append(f"{change.name} stays as it is")
    return said[::-1]


def _says(text: str, wanted: str) -> bool:
    """Whether a file has all of it, beside whatever else a person wrote; words and order do not count."""
    tables, needed = tables_of(text), tables_of(wanted)
    return tables is not None and needed is not None and _holds(tables, needed)


def _holds(tables: Mapping[str, Any], needed: Mapping[str, Any]) -> bool:
    return all(
        isinstance(own := tables.get(key, {}), Mapping) and _holds(own, value)
        if isinstance(value, Mapping)
        else tables.get(key) == value
        for key, value in needed.items()
    )
