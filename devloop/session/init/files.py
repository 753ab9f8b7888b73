"""What `devloop init` would write, compared with what is there."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devloop.adapters import configfile
from devloop.adapters.projectfiles import GITIGNORE, append_line, is_ignored, read_text, tables_of, with_line, write
from devloop.core.config import Problems
from devloop.core.init.complete import completed
from devloop.core.init.draft import Draft
from devloop.core.init.render import local_blocks, local_file, project_file


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
        """Whether somebody's text would go."""
        return self.needed and self.before is not None

    @property
    def adds(self) -> bool:
        """Whether all that is there stays; a line that was commented out may become one."""
        lines = self._lines()[2:]  # without the two names
        new = {line[1:] for line in lines if line.startswith("+")}
        return self.replaces and all(line.removeprefix("-# ") in new for line in lines if line.startswith("-"))

    def diff(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        old, new = (self.before or "").splitlines(), self.text.splitlines()
        source = "/dev/null" if self.before is None else self.name
        return list(difflib.unified_diff(old, new, source, self.name, lineterm=""))


@dataclass(frozen=True, slots=True)
class Files:
    """Everything that would be written."""

    root: Path
    project: Change
    local: Change
    ignoring: Change
    """`.gitignore`, with the line for the overlay."""

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(each for each in (self.project, self.local) if each.needed)

    @property
    def replaced(self) -> tuple[Change, ...]:
        return tuple(each for each in self.changes if each.replaces)


def compare(draft: Draft, root: Path) -> Files:
    """Raises `OSError` for a file that cannot be read."""
    project, needed = project_file(draft), local_file(_needed(draft))
    before, own, ignored = (read_text(root / name) for name in (configfile.FILE, configfile.OVERLAY, GITIGNORE))
    return Files(
        root,
        Change(configfile.FILE, project, before, before is None or not _says(before, project)),
        Change(configfile.OVERLAY, _overlay(draft, own), own, own is None or not _says(own, needed)),
        Change(
            GITIGNORE, with_line(ignored or "", configfile.OVERLAY), ignored, not is_ignored(root, configfile.OVERLAY)
        ),
    )


def _needed(draft: Draft) -> Draft:
    """The same without what an overlay that is there need not say."""
    target = draft.target
    return replace(draft, target=replace(target, permitted=target.permitted and not target.in_files))


def _overlay(draft: Draft, own: str | None) -> str:
    """The whole of one where there is none, else what is there with what it lacks."""
    made = None if own is None else completed(own, local_blocks(_needed(draft)))
    return local_file(draft) if made is None else made


def check(draft: Draft, root: Path) -> Problems | None:
    """What devloop's own loader has against the proposal: nothing, or `init` made a mistake."""
    texts = {configfile.FILE: project_file(draft), configfile.OVERLAY: local_file(draft)}
    found = configfile.check_texts(texts, root, os.environ)
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
