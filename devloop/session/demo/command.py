"""`devloop demo`, from its folder to its exit code."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from devloop.core.failure import ExitCode
from devloop.session import say
from devloop.session.demo import words
from devloop.session.demo.byhand import YESTERDAY, ByHand, NotAsToldError, greeting_of
from devloop.session.demo.leftovers import Footprint, users_own
from devloop.session.demo.place import DemoFolder, by_make, open_folder, unwritable
from devloop.session.demo.sandboxed import Sandbox, running
from devloop.session.demo.telling import NobodyReadsError, Telling, out
from devloop.session.project import Refusal, open_project
from devloop.session.renderers import Output
from devloop.session.reports import keep
from devloop.session.request import Request
from devloop.session.signals import Signals, cancel_everything, ignore_from_here_on
from devloop.session.trial import Trial
from devloop.views import with_hint

_FILE = "devloop.toml"
Run = Callable[[DemoFolder, Sandbox], int]
Over = Callable[[DemoFolder, int], int]


def run_demo(folder: Path | None, output: Output | None) -> int:
    """The ordinary session in a sandbox: on the screen, or (with `output`) line by line."""
    tell = say.err if output is Output.JSON else out

    def session(where: DemoFolder, sandbox: Sandbox) -> int:
        code = _until_done(_as_usual(where, sandbox, tell))
        return code or (_on_screen(where, sandbox) if output is None else _by_line(where, sandbox, output, tell))

    def over(where: DemoFolder, code: int) -> int:
        interrupted = code == ExitCode.INTERRUPTED and by_make()
        tell(*words.end(where.path, where.elsewhere if where.has_recording else None, make_was_interrupted=interrupted))
        return code

    return _in_sandbox(folder, session, over, tell)


def run_script(folder: Path | None) -> int:
    """All there is to try, by itself."""
    telling, before = Telling(), users_own()
    prints: list[Footprint] = []

    def script(where: DemoFolder, sandbox: Sandbox) -> int:
        prints.append(Footprint.of(sandbox))
        code = _until_done(_scripted(where, sandbox, telling))
        prints.append(Footprint.of(sandbox))
        return code

    def over(where: DemoFolder, code: int) -> int:
        if code != ExitCode.DONE:
            return code
        left = [line for each in prints for line in each.left()]
        left += [place for place, written in users_own().items() if before[place] != written]
        if left:
            return _untrue(f"this is left: {', '.join(left)}")
        processes = frozenset[int]().union(*(each.processes for each in prints))
        ports = frozenset[int]().union(*(each.ports for each in prints))
        gone = f"{len(processes)} processes and {len(ports)} ports are gone, and nothing was written outside the folder"
        telling.step("Nothing is left", gone, f"{where.path} stays, and is yours to delete")
        return code

    return _in_sandbox(folder, script, over, out)


def _on_screen(folder: DemoFolder, sandbox: Sandbox) -> int:
    from devloop.session.terminal import run_terminal

    # What comes is a screen of its own, and the old page would be gone before anybody saw it.
    say.out(*words.elsewhere(folder.path, folder.elsewhere, in_session=False))
    if code := _until_done(_enter()):
        return code
    trial = Trial(words.tip(sandbox, folder.path))
    return run_terminal(Request(file=folder.path / _FILE), on_exit=None, take_over=False, trial=trial)


async def _enter() -> None:
    """Asks for a line, or the end of all lines. `input` would miss a signal that comes just before it reads."""
    loop, typed = asyncio.get_running_loop(), asyncio.Event()
    say.out(words.ASKS)
    loop.add_reader(sys.stdin, typed.set)
    await typed.wait()
    loop.remove_reader(sys.stdin)
    sys.stdin.readline()


def _by_line(folder: DemoFolder, sandbox: Sandbox, output: Output, tell: Callable[..., None]) -> int:
    from devloop.session.commands import run_up

    tell(words.TAKES_OVER, *words.suggestions(sandbox, folder.path, folder.elsewhere))
    return run_up(
        Request(file=folder.path / _FILE), output, once=False, pod_logs=output is Output.PLAIN, on_exit=None,
        take_over=False, trial=Trial(),
    )  # fmt: skip


def _in_sandbox(chosen: Path | None, run: Run, over: Over, tell: Callable[..., None]) -> int:
    """`over` is called when nothing of it runs any more, with the exit code of `run`."""
    folder = open_folder(chosen)
    if isinstance(folder, Refusal):
        return _refused(folder)
    code, before = int(ExitCode.DONE), list[str]()
    try:
        tell(*words.beginning(folder.path))
        with _sandbox(folder) as sandbox:
            if isinstance(sandbox, Refusal):
                return _refused(sandbox)
            before = folder.edited()
            code = run(folder, sandbox)
            ignore_from_here_on()
        return over(folder, code)
    except NobodyReadsError:
        return code
    except NotAsToldError as error:
        at_fault = [name for name in before if folder.path / name == error.file]
        return _untrue(str(error), words.still_there(folder.path, at_fault or before))
    except KeyboardInterrupt:  # before anything ran that ends in order
        with suppress(NobodyReadsError):
            over(folder, int(ExitCode.INTERRUPTED))
        return int(ExitCode.INTERRUPTED)
    except Exception as error:  # the last resort, as for every command
        say.err(f"devloop made a mistake: {type(error).__name__}: {error}", f"→ {keep(error)}")
        return int(ExitCode.BUG)


@contextmanager
def _sandbox(folder: DemoFolder) -> Iterator[Sandbox | Refusal]:
    """One that runs, with the app beside it and this process in it."""
    with ExitStack() as stack:
        try:
            sandbox = stack.enter_context(running(folder.own))
            if isinstance(sandbox, Sandbox):
                folder.put_app(sandbox.values)
                os.environ.update(folder.put_environment(sandbox.kubeconfig, sandbox.docker_config))
        except OSError as error:
            stack.close()
            sandbox = unwritable(folder.path, error)
        yield sandbox


async def _as_usual(folder: DemoFolder, sandbox: Sandbox, tell: Callable[..., None]) -> None:
    """Yesterday's app, and the naive way to bring today's: the page stays yesterday's."""
    greeting = greeting_of(folder.path / words.SOURCE)
    tell(*words.first(greeting))
    async with ByHand(folder, sandbox, await _project(folder)) as hand:
        await hand.deploy_yesterday()
        await hand.push(hand.service("web"))
        await hand.restart(hand.service("web"))
        said = await hand.greetings()
    if said != {YESTERDAY}:
        raise NotAsToldError(f"the page is not stale after a push to the same tag: it says {', '.join(said)}")
    tell(*words.as_usual(sandbox, YESTERDAY))


async def _scripted(folder: DemoFolder, sandbox: Sandbox, telling: Telling) -> None:
    from devloop.session.demo.script import Script

    async with ByHand(folder, sandbox, await _project(folder)) as hand:
        await Script(hand, telling).run()


async def _project(folder: DemoFolder) -> Any:
    project = await open_project(Request(file=folder.path / _FILE))
    if isinstance(project, Refusal):
        raise NotAsToldError(" ".join(project.lines))
    return project


def _until_done(what: Coroutine[Any, Any, None]) -> int:
    """Run it; a signal ends it in order, with its exit code."""
    ended = ExitCode.DONE

    async def whole() -> None:
        task = asyncio.ensure_future(what)

        def end(code: ExitCode) -> None:
            nonlocal ended
            ended = code
            task.cancel()

        Signals(end, lambda code: cancel_everything()).catch()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(whole())
    return int(ended)


def _untrue(what: str, hint: str = "") -> int:
    say.fitted_err(*with_hint(f"the demo is not as it should be: {what}", hint))
    return int(ExitCode.BUG)


def _refused(refusal: Refusal) -> int:
    say.fitted_err(*refusal.lines)
    return int(refusal.exit_code)
