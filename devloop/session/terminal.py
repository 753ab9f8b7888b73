"""`devloop up` on a terminal: the app first, everything else behind it.

The first frame is on the screen before the configuration is read or a client imported.
"""

import asyncio
import gc
import importlib
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devloop.core.commands import Command
from devloop.core.failure import ExitCode
from devloop.session import say
from devloop.session.screen import Screen, show
from devloop.session.trial import sandbox_here
from devloop.tui.talk import Ended
from devloop.views import Phrase, Tone, failed_checks

if TYPE_CHECKING:
    from devloop.core.service import BuildSpec, Service
    from devloop.session.project import Project, Refusal
    from devloop.session.request import Request
    from devloop.session.trial import Trial
    from devloop.session.up import Session

_HEAVY = ("devloop.session.project", "devloop.session.up", "devloop.session.assembly", "devloop.adapters.watcher")
_SHELL = "command -v bash >/dev/null && exec bash || exec sh"
_BY_LINE = {"code": "-g {file}:{line}", "subl": "{file}:{line}", "hx": "{file}:{line}", "zed": "{file}:{line}"}
"""How editors take a line where it is not `+LINE FILE`."""


def run_terminal(
    request: "Request",
    *,
    on_exit: str | None,
    take_over: bool,
    trial: "Trial | None" = None,
) -> int:
    """Run the session in the app; the last words stay in the terminal's scrollback."""
    return show(lambda screen: _behind(screen, request, on_exit, take_over, trial))


async def _behind(
    app: Screen, request: "Request", on_exit: str | None, take_over: bool, trial: "Trial | None"
) -> Ended:
    app.tip = trial.tip if trial else None
    app.has_shells = sandbox_here() is None
    await asyncio.to_thread(_import_what_is_heavy)
    from devloop.core.config import OnExit
    from devloop.session.renderers import Output
    from devloop.session.up import Options, Session

    project = await _opened(app, request)
    if isinstance(project, Ended):
        return project
    options = Options(Output.PLAIN, on_exit=OnExit(on_exit) if on_exit else None, take_over=take_over, trial=trial)
    session = Session(project, options, app.feed)

    def use(project: "Project") -> None:
        app.wants_notice = project.place.config.ui.notify

    use(project)
    session.reconfigured = use
    app.recording = session.recording
    app.session = _Behind(session)
    code = await session.run()
    # The screen that showed them is gone with the session that they ended.
    checks = say.fitting(*(phrase.text for phrase in failed_checks(app.state)))
    return Ended(code, (*checks, *say.fitting(*session.last_words)))


def _import_what_is_heavy() -> None:
    """What is imported stays: the collector need not go through it now, nor again and again, nor at the end."""
    gc.disable()
    try:
        for name in _HEAVY:
            importlib.import_module(name)
        gc.freeze()
    finally:
        gc.enable()


async def _opened(app: Screen, request: "Request") -> "Project | Ended":
    """The project; a context that nothing allows is asked about on the screen."""
    from dataclasses import replace

    from devloop.session.project import Refusal, open_project

    opened = await open_project(replace(request, confirm=None))
    if not isinstance(opened, Refusal):
        return opened
    refused = opened.failure
    if opened.exit_code is not ExitCode.CONTEXT_REFUSED or refused is None:
        return _refused(opened)
    context = await _context_of(request)
    yes = await app.confirm(context, refused)
    allowed = await open_project(replace(request, confirm=lambda name, failure: yes and name == context))
    return _refused(allowed) if isinstance(allowed, Refusal) else allowed


def _refused(refusal: "Refusal") -> Ended:
    return Ended(refusal.exit_code, tuple(say.fitting(*refusal.lines)))


async def _context_of(request: "Request") -> str:
    from devloop.session.project import Refusal, find_place

    place = await find_place(request)
    return "" if isinstance(place, Refusal) else place.pinned.name


@dataclass(frozen=True, slots=True)
class _Behind:
    """The running session, as the app sees it."""

    session: "Session"

    @property
    def project(self) -> "Project":
        return self.session.project

    def _service(self, name: str) -> "Service | None":
        return next((each for each in self.project.services if each.name == name), None)

    def send(self, command: Command) -> None:
        self.session.send(command)

    def quit(self, code: ExitCode | None) -> None:
        self.session.quit(code)

    async def restore(self, service: str) -> Sequence[str]:
        return await self.session.restore(service)

    async def why(self, service: str) -> Sequence[Phrase]:
        from devloop.session.why.command import why_service
        from devloop.session.why.newest import promptly

        found = self._service(service)
        if found is None:
            return (Phrase(f"{service} is no service of this session", Tone.QUIET),)
        told = await promptly(self.session.newest(service))
        return await why_service(self.project, found, told)

    def shell(self, service: str) -> Sequence[str] | str:
        if sandbox_here() is not None:
            return "the sandbox has no shell in a Pod: its programs run on this machine"
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            return "a shell in a Pod needs kubectl, which is not on PATH"
        found = self._service(service)
        pod = next((pod for seen in self.session.observed(service) for pod in seen.pods if pod.ready), None)
        if pod is None or found is None:
            return f"no Pod of {service} is ready"
        where = ("--context", self.project.place.pinned.name, "-n", found.workloads[0].namespace)
        return (kubectl, *where, "exec", "-it", pod.pod, "--", "sh", "-c", _SHELL)

    def has_file(self, service: str, file: str) -> bool:
        return self._path(service, file) is not None

    def editor(self, service: str, file: str, line: int) -> Sequence[str] | str:
        path = self._path(service, file)
        if path is None:
            return f"{file} is not in the source of {service}" if self._service(service) else f"{file} is not here"
        return editor_command(os.environ, path, line)

    def _path(self, service: str, file: str) -> Path | None:
        found = self._service(service)
        return source_file(file, found.build, self.project.place.root) if found else _located(file, [Path.cwd()])


def editor_command(env: Mapping[str, str], path: Path, line: int) -> Sequence[str]:
    """What opens the file at the line: $VISUAL, $EDITOR, else vi."""
    words = shlex.split(env.get("VISUAL") or env.get("EDITOR") or "vi")
    by_line = _BY_LINE.get(Path(words[0]).name)
    if by_line is None:
        return (*words, f"+{line}", str(path))
    return (*words, *by_line.format(file=path, line=line).split(" ", 1))


def source_file(file: str, build: "BuildSpec", root: Path) -> Path | None:
    """The file that a build named; its own Dockerfile, wherever it is, a builder calls by its name alone."""
    if file == build.dockerfile.name and build.dockerfile.is_file():
        return build.dockerfile
    return _located(file, [build.context, root])


def _located(file: str, folders: Sequence[Path]) -> Path | None:
    """The file in the first of the folders that has it: what a build or a trace names is a path in the image (in the
    sandbox below a folder of the Pod, which may be in the project's), so ever less of it is tried."""
    parts = Path(file).parts
    for folder in folders:
        for skip in range(len(parts)):
            path = folder.joinpath(*parts[skip:]) if parts[skip] != "/" else Path("/nowhere")
            if os.path.isfile(path):  # noqa: PTH113 - a name that no file can have, from somebody's log, does not raise
                return path
    return None
