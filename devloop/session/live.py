"""The configuration while a session runs: every edit of its files comes into force, or is refused with all reasons."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from devloop.adapters import configfile
from devloop.adapters.configfile import LoadedConfig
from devloop.adapters.configwatch import ConfigWatch
from devloop.adapters.threads import in_daemon_thread
from devloop.core.config import Config
from devloop.core.events import ConfigAccepted, ConfigRefused
from devloop.core.problems import Problem, Problems
from devloop.core.reconfigure import Difference, difference
from devloop.core.settings import Settings, settings
from devloop.engine.tools import Emit, report_bug
from devloop.session.clean import without_secrets
from devloop.session.project import Project, reopen

_AGAIN = 0.3
"""Seconds after which a file that cannot be used is read once more: it may be half written, or about to be replaced."""
_PATIENCE, _ASKED_PATIENCE = 1.0, 5.0
"""Seconds between two looks at an edit that was refused: what it lacks may be made without another save. The longer
one where the cluster or a registry had to be asked."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What the files say now, resolved for the session, and what is otherwise than before."""

    project: Project
    written: Config
    """As it is in the files; what cannot change while devloop runs may be otherwise in the project."""
    services: Difference
    settings: Settings

    @property
    def accepted(self) -> ConfigAccepted:
        return ConfigAccepted(self.project.place.file, self.settings.live, self.settings.fixed)


GoOver = Callable[[Edit, Project], Awaitable[Problems | None]]
"""Brings an edit into force, and tells that it is; or what is in the way, if anything is. The other project is what the
edit was compared with."""


class LiveConfig:
    """Follows the files of one session's configuration."""

    def __init__(self, project: Project, emit: Emit, go_over: GoOver) -> None:
        self._project, self._written = project, project.place.config
        """What the session works by, and what was written when it was accepted."""
        self._emit, self._go_over = emit, go_over
        # A checkout may take away and make again the folder that devloop was started in.
        self._files, self._cwd = project.files, Path.cwd()
        self._watch = ConfigWatch(project.files)
        self._refused: tuple[object, Problems] | None = None
        """What was told to be wrong, and of which content."""
        self._patience: float | None = None
        self._lock = asyncio.Lock()
        self._looking: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Edits come into force inside the block; what was saved since the project was opened is one."""
        task = asyncio.create_task(self._follow(), name="follow the configuration")
        task.add_done_callback(report_bug)
        try:
            yield
        finally:
            tasks = {task, *self._looking}
            for each in tasks:
                each.cancel()
            await asyncio.wait(tasks)
            self._watch.close()

    async def look(self) -> None:
        """Take in what the files hold at this moment; returns when that is in force, or refused.

        Whoever asks may go away, and leaves no edit half in force.
        """
        looking = asyncio.create_task(self._look(), name="look at the configuration")
        self._looking.add(looking)
        looking.add_done_callback(self._looking.discard)
        await asyncio.shield(looking)

    async def _look(self) -> None:
        async with self._lock:
            await self._watch.settle()
            await self._take_in()

    async def _follow(self) -> None:
        await self.look()
        while True:
            await self._watch.changed(self._patience)
            async with self._lock:
                await self._take_in()

    async def _take_in(self) -> None:
        self._patience = _PATIENCE
        edit = await self._edit()
        if isinstance(edit, Edit):
            self._patience = _ASKED_PATIENCE
            changes = edit.services or edit.settings != Settings() or self._refused
            problems = await self._go_over(edit, self._project) if changes else None
            if problems is None:
                self._patience, self._refused = None, None
                self._project, self._written = edit.project, edit.written
                return
            edit = problems
        self._refuse(edit)

    async def _edit(self) -> Edit | Problems:
        loaded = await self._load()
        if isinstance(loaded, Problems) and not self._was_refused():
            await asyncio.sleep(_AGAIN)
            await self._watch.settle()
            loaded = await self._load()
        if isinstance(loaded, Problems):
            return loaded
        before, place = self._project, self._project.place
        project = await in_daemon_thread(lambda: reopen(before, loaded))
        if isinstance(project, Problems):
            return project
        changed = settings(self._written, loaded.config, place.config)
        return Edit(project, loaded.config, difference(before.services, project.services), changed)

    def _was_refused(self) -> bool:
        """Whether this content was, and only what it names may be otherwise by now."""
        return self._refused is not None and self._refused[0] == self._watch.seen

    async def _load(self) -> LoadedConfig | Problems:
        path = self._files[0]
        loaded = await in_daemon_thread(lambda: configfile.load(path, self._cwd, os.environ))
        if loaded is None or not path.exists():
            return Problems([Problem(self._project.place.file, None, "", "is gone", "put it back")])
        return loaded

    def _refuse(self, problems: Problems) -> None:
        """Once for each content; once more when it is something else that is wrong with it."""
        if self._refused == (self._watch.seen, problems):
            return
        self._refused = self._watch.seen, problems
        clean = without_secrets()
        told = tuple(replace(each, message=clean(each.message), fix=clean(each.fix)) for each in problems)
        self._emit(ConfigRefused(self._project.place.file, told))
