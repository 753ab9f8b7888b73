"""`devloop up` on a terminal: the app first, everything else behind it.

The first frame is on the screen before the configuration is read or a client imported. While the app runs, the terminal
is its own: what children and libraries write to stderr goes to a file beside the session's recording.
"""

import asyncio
import contextlib
import importlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devloop.core.commands import Command
from devloop.core.failure import ExitCode
from devloop.session import say
from devloop.tui.app import DevloopApp
from devloop.tui.talk import Ended
from devloop.views import Phrase, Tone

if TYPE_CHECKING:
    from devloop.session.project import Project
    from devloop.session.request import Request
    from devloop.session.up import Session

_HEAVY = ("devloop.session.project", "devloop.session.up", "devloop.session.assembly")
_SHELL = "command -v bash >/dev/null && exec bash || exec sh"
_BY_LINE = {"code": "-g {file}:{line}", "subl": "{file}:{line}", "hx": "{file}:{line}", "zed": "{file}:{line}"}
"""How editors take a line where it is not `+LINE FILE`."""


def run_terminal(request: "Request", *, on_exit: str | None) -> int:
    """Run the session in the app; the last words stay in the terminal's scrollback."""
    app = DevloopApp(lambda app: _behind(app, request, on_exit), plain=_knows_only_ascii(os.environ))
    with _own_screen() as stray:
        ended = app.run() or Ended(ExitCode(app.return_code or ExitCode.BUG))
    if app.return_code == 1 and ended.code is ExitCode.BUG:
        say.err(f"devloop's screen broke; please report it with {stray}")
    say.out(*ended.lines)
    return int(ended.code)


async def _behind(app: DevloopApp, request: "Request", on_exit: str | None) -> Ended:
    await asyncio.to_thread(lambda: [importlib.import_module(name) for name in _HEAVY])
    from devloop.core.config import OnExit
    from devloop.session.renderers import Output
    from devloop.session.up import Options, Session

    project = await _opened(app, request)
    if isinstance(project, Ended):
        return project
    exits = OnExit(on_exit) if on_exit else project.place.config.loop.on_exit
    session = Session(project, Options(Output.PLAIN, on_exit=exits), app.feed)
    app.session = _Behind(session, project)
    code = await session.run()
    return Ended(code, session.last_words)


async def _opened(app: DevloopApp, request: "Request") -> "Project | Ended":
    """The project; a context that nothing allows is asked about on the screen."""
    from dataclasses import replace

    from devloop.session.project import Refusal, open_project

    opened = await open_project(replace(request, confirm=None))
    if not isinstance(opened, Refusal):
        return opened
    refused = opened.failure
    if opened.exit_code is not ExitCode.CONTEXT_REFUSED or refused is None:
        return Ended(opened.exit_code, opened.lines)
    context = await _context_of(request)
    if not await app.confirm(context, refused):
        return Ended(opened.exit_code, opened.lines)
    allowed = await open_project(replace(request, confirm=lambda name, failure: name == context))
    return Ended(allowed.exit_code, allowed.lines) if isinstance(allowed, Refusal) else allowed


async def _context_of(request: "Request") -> str:
    from devloop.session.project import Refusal, find_place

    place = await find_place(request)
    return "" if isinstance(place, Refusal) else place.pinned.name


@dataclass(frozen=True, slots=True)
class _Behind:
    """The running session, as the app sees it."""

    session: "Session"
    project: "Project"

    def send(self, command: Command) -> None:
        self.session.send(command)

    def quit(self, code: ExitCode | None) -> None:
        self.session.quit(code)

    async def restore(self, service: str) -> Sequence[str]:
        return await self.session.restore(service)

    async def why(self, service: str) -> Sequence[Phrase]:
        from devloop.session.why.command import why_service

        found = next((each for each in self.project.services if each.name == service), None)
        if found is None:
            return (Phrase(f"{service} is no service of this session", Tone.QUIET),)
        return await why_service(self.project, found)

    def shell(self, service: str) -> Sequence[str] | str:
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            return "a shell in a Pod needs kubectl, which is not on PATH"
        pod = next((pod for seen in self.session.observed(service) for pod in seen.pods if pod.ready), None)
        if pod is None:
            return f"no Pod of {service} is ready"
        found = next(each for each in self.project.services if each.name == service)
        where = ("--context", self.project.place.pinned.name, "-n", found.workloads[0].namespace)
        return (kubectl, *where, "exec", "-it", pod.pod, "--", "sh", "-c", _SHELL)

    def editor(self, service: str, file: str, line: int) -> Sequence[str] | str:
        found = next((each for each in self.project.services if each.name == service), None)
        path = _located(file, [found.build.context, self.project.place.root] if found else [])
        if path is None:
            return f"{file} is not in the source of {service}"
        return editor_command(os.environ, path, line)


def editor_command(env: Mapping[str, str], path: Path, line: int) -> Sequence[str]:
    """What opens the file at the line: $VISUAL, $EDITOR, else vi."""
    words = shlex.split(env.get("VISUAL") or env.get("EDITOR") or "vi")
    by_line = _BY_LINE.get(Path(words[0]).name)
    if by_line is None:
        return (*words, f"+{line}", str(path))
    return (*words, *by_line.format(file=path, line=line).split(" ", 1))


def _located(file: str, folders: Sequence[Path]) -> Path | None:
    """The file in one of the folders: what a build names is a path in the image, so ever less of it is tried."""
    parts = Path(file).parts
    for skip in range(len(parts)):
        for folder in folders:
            path = folder.joinpath(*parts[skip:]) if parts[skip] != "/" else Path("/nowhere")
            if path.is_file():
                return path
    return None


@contextlib.contextmanager
def _own_screen() -> Iterator[Path]:
    """The app draws where stderr went; everybody else's stderr goes to a file, which is removed when it stays empty."""
    stray = Path(tempfile.gettempdir(), f"devloop-{os.getpid()}.stderr.txt")
    screen = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    before = sys.__stderr__, sys.stderr
    file = os.open(stray, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    terminal = os.dup(2)
    os.dup2(file, 2)
    sys.__stderr__ = screen  # type: ignore[misc]
    try:
        yield stray
    finally:
        os.dup2(terminal, 2)
        sys.__stderr__, sys.stderr = before  # type: ignore[misc]
        screen.close()
        os.close(file)
        os.close(terminal)
        if not stray.stat().st_size:
            stray.unlink()


def _knows_only_ascii(env: Mapping[str, str]) -> bool:
    """Whether the locale says so; without any, today's terminals know UTF-8."""
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    return locale in {"C", "POSIX"} or ("." in locale and "utf" not in locale.lower())
