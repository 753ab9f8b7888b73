"""Checks of this machine and of the source trees on it."""

import asyncio
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from devloop.adapters import machine
from devloop.adapters.contextsize import Measured, measure
from devloop.adapters.filesystems import filesystem, silent_filesystem
from devloop.adapters.scope import Area, name_of, shown
from devloop.adapters.threads import in_daemon_thread
from devloop.core.checkup import Check, Topic
from devloop.core.judgements import (
    InotifyUse,
    judge_context,
    judge_disk,
    judge_file_system,
    judge_inotify,
    judge_own_files,
)
from devloop.core.service import Service
from devloop.session.ownfiles import OWN, taken


def of_machine() -> list[Check]:
    temporary = tempfile.gettempdir()
    free = machine.free_bytes(temporary)
    disk = [judge_disk("temporary files", temporary, free)] if free is not None else []
    return [Topic.PYTHON.ok(machine.python()), *disk]


async def of_own_files(services: Sequence[Service], root: Path) -> list[Check]:
    """Whether images take the configuration in that folder."""
    files = [root / name for name in OWN if (root / name).is_file()]
    found = await in_daemon_thread(partial(taken, {each.name: each.build for each in services}, files))
    return [judge_own_files(", ".join(who), own.names, _shown(own.ignore_file)) for own, who in found.items()]


async def of_source(services: Sequence[Service]) -> list[Check]:
    """Every tree that would be watched; without services the folder at hand, if it has a Dockerfile."""
    areas = _areas(services)
    measured = await asyncio.gather(*(in_daemon_thread(partial(measure, area)) for area in areas))
    checks = [
        check
        for (area, names), found in zip(areas.items(), measured, strict=True)
        for check in _of_area(area, names, found)
    ]
    checks += await in_daemon_thread(partial(_of_file_systems, areas))
    return checks + await in_daemon_thread(partial(_of_inotify, [found for found in measured if found]))


def _areas(services: Sequence[Service]) -> dict[Area, str]:
    """Each area with the names of its services."""
    areas: dict[Area, str] = {}
    for service in services:
        area = Area.of(service)
        areas[area] = f"{areas[area]}, {service.name}" if area in areas else service.name
    here = Path.cwd()
    if not areas and (here / "Dockerfile").is_file():
        areas[Area(here, here / "Dockerfile", (here,), ())] = "this folder"
    return areas


def _of_area(area: Area, names: str, found: Measured | None) -> list[Check]:
    folder = _shown(area.context)
    if found is None:
        return [Topic.CONTEXT_SIZE.failed(f"{names}: the build context {folder} is no folder", "correct the path")]
    ignore_file = _shown(found.ignore_file)
    fix = "correct or remove that line"
    problems = [Topic.IGNORE_FILE.failed(f"{ignore_file}: {problem}", fix) for problem in found.problems]
    return [judge_context(names, folder, ignore_file, found.context), *problems]


def _of_file_systems(areas: Iterable[Area]) -> list[Check]:
    """One for each kind; nothing where the kind cannot be told."""
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    for folder in sorted({folder for area in areas for folder in area.folders()}):
        kinds[filesystem(folder)].append(folder)
    return [
        judge_file_system(", ".join(map(_shown, folders)), kind, silent=bool(silent_filesystem(folders[0])))
        for kind, folders in kinds.items()
        if kind
    ]


def _of_inotify(measured: Sequence[Measured]) -> list[Check]:
    limit = machine.inotify_limit()
    if limit is None or not measured:
        return []
    needed = InotifyUse(sum(each.folders for each in measured), len(measured))
    return [judge_inotify(needed, limit, machine.inotify_used())]


def _shown(path: str | os.PathLike[str]) -> str:
    here = Path.cwd()
    return shown(name_of(os.fspath(path), here), here)
