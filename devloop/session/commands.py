"""One function for each command, which runs it to its exit code; a mistake of devloop's own ends in a report."""

import asyncio
import json
import os
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devloop.core.failure import ExitCode
from devloop.session import say
from devloop.session.project import Project, Refusal, open_project
from devloop.session.renderers import Output
from devloop.session.reports import keep
from devloop.session.request import Asked, Request
from devloop.session.signals import ignore_from_here_on

if TYPE_CHECKING:
    from devloop.session.init.request import InitRequest
    from devloop.session.trial import Trial


def run_up(
    request: Request,
    output: Output,
    *,
    once: bool,
    pod_logs: bool,
    on_exit: str | None,
    take_over: bool,
    trial: "Trial | None" = None,
) -> int:
    async def command() -> ExitCode:
        from devloop.core.config import OnExit
        from devloop.session.up import Options, up

        project = await _opened(request)
        if isinstance(project, ExitCode):
            return project
        at_exit = OnExit(on_exit) if on_exit else None
        return await up(project, Options(output, once, pod_logs, at_exit, take_over, trial))

    code = _run(command)
    ignore_from_here_on()
    return code


def run_init(request: "InitRequest") -> int:
    def command() -> ExitCode:
        from devloop.session.init.command import init

        return init(request)

    return _guarded(command)


def run_plan(request: Request, *, as_json: bool) -> int:
    async def command() -> ExitCode:
        from devloop.session.planning import plan

        project = await _opened(request)
        return project if isinstance(project, ExitCode) else await plan(project, as_json=as_json)

    return _run(command)


def run_doctor(request: Request, *, as_json: bool, before_up: bool = False) -> int:
    async def command() -> ExitCode:
        from devloop.session.doctor.command import doctor

        return await doctor(request, json=as_json, before_up=before_up)

    return _run(command)


def run_slow(request: Request, *, everything: bool, as_json: bool) -> int:
    async def command() -> ExitCode:
        from devloop.session.why.slow import slow

        return await slow(request, everything=everything, as_json=as_json)

    return _run(command)


def run_why(request: Request, *, everything: bool, watch: bool, as_json: bool) -> int:
    async def command() -> ExitCode:
        from devloop.session.why.command import why

        return await why(request, everything=everything, watch=watch, as_json=as_json)

    return _run(command)


def run_restore(request: Request, *, everything: bool, as_json: bool, take_over: bool) -> int:
    async def command() -> ExitCode:
        from devloop.session.restoring import restore_targets

        return await restore_targets(request, everything=everything, as_json=as_json, take_over=take_over)

    return _run(command)


def run_status(asked: Asked) -> int:
    async def command() -> ExitCode:
        from devloop.session.talking import status

        return await status(asked)

    return _run(command)


def run_trigger(asked: Asked, *, restart: bool) -> int:
    async def command() -> ExitCode:
        from devloop.session.talking import trigger

        return await trigger(asked, restart=restart)

    return _run(command)


def run_wait(asked: Asked, *, timeout: float | None) -> int:
    async def command() -> ExitCode:
        from devloop.session.talking import wait

        return await wait(asked, seconds=timeout)

    return _run(command)


def run_validate(file: Path | None, *, as_json: bool) -> int:
    return _guarded(lambda: _validate(file, as_json=as_json))


def run_schema() -> int:
    return _guarded(_schema)


def _validate(file: Path | None, *, as_json: bool) -> ExitCode:
    from devloop.adapters import configfile
    from devloop.core.config import Problems
    from devloop.core.resolve import no_services

    loaded = configfile.load(file, Path.cwd(), os.environ)
    if loaded is None:
        say.err("there is no devloop.toml here or above", "→ `devloop init` writes one; -f FILE names another")
        return ExitCode.USAGE
    if not isinstance(loaded, Problems) and not loaded.config.services:
        loaded = no_services(os.path.relpath(loaded.path))
    problems = loaded if isinstance(loaded, Problems) else ()
    if as_json:
        say.out(json.dumps({"ok": not problems, "problems": [asdict(problem) for problem in problems]}))
    else:
        say.err(*(str(problem) for problem in problems))
    if isinstance(loaded, Problems):
        return ExitCode.USAGE
    if not as_json:
        say.out(f"{os.path.relpath(loaded.path)} is valid: {', '.join(loaded.config.services)}")
    return ExitCode.DONE


def _schema() -> ExitCode:
    from devloop.core.config import json_schema

    say.out(json.dumps(json_schema(), indent=2))
    return ExitCode.DONE


async def _opened(request: Request) -> Project | ExitCode:
    project = await open_project(request)
    if isinstance(project, Refusal):
        say.fitted_err(*project.lines)
        return project.exit_code
    if project.adopted:
        say.err(f"{_going_by(project)}:", "", project.adopted)
    return project


def _going_by(project: Project) -> str:
    if not project.place.file:
        return "No devloop.toml here; going by this one, which you may save"
    (service,) = project.services
    return f"{project.place.file} has no service for {service.workloads[0]}; going by this, which you may add to it"


def _run(command: Callable[[], Coroutine[Any, Any, ExitCode]]) -> int:
    return _guarded(lambda: asyncio.run(command()))


def _guarded(command: Callable[[], ExitCode]) -> int:
    try:
        return int(command())
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except Exception as error:  # the last resort: say so in one line, and keep what helps to mend it
        say.err(f"devloop made a mistake: {type(error).__name__}: {error}", f"→ {keep(error)}")
        return int(ExitCode.BUG)
