"""`devloop status`, `trigger` and `wait`: questions to the sessions that run for this project."""

import asyncio
import json
import os
import shlex
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from devloop.adapters.configfile import find
from devloop.adapters.sessionsocket import Message, Running, ask, running
from devloop.adapters.statefolder import default_root
from devloop.core.failure import ExitCode
from devloop.session import say
from devloop.session.request import Asked, Request
from devloop.session.trial import demo_is_over, sandbox_here
from devloop.views import with_hint
from devloop.views.times import moment

_BETWEEN_LOOKS = 0.5
"""Seconds."""


async def status(asked: Asked) -> ExitCode:
    """How every service of every session stands."""
    answers = await _ask_all(asked, "status")
    if isinstance(answers, ExitCode):
        return answers
    lines = [json.dumps(each) for each in answers] if asked.as_json else say.fitting(*_status_lines(answers))
    say.out(*lines)
    return ExitCode.DONE


async def trigger(asked: Asked, *, restart: bool) -> ExitCode:
    """Ask for a cycle of each service now."""
    answers = await _ask_all(asked, "trigger", restart=restart)
    if isinstance(answers, ExitCode):
        return answers
    names = [name for answer in answers for name in answer.get("services", ())]
    what = "restart" if restart else "build"
    say.out(json.dumps({"services": names}) if asked.as_json else f"{what} asked for: {', '.join(names)}")
    return ExitCode.DONE


async def wait(asked: Asked, *, seconds: float | None) -> ExitCode:
    """Until the newest save of every service is proved; the exit code of the first that fails."""
    try:
        async with asyncio.timeout(seconds):
            answers = await _proved(asked)
    except TimeoutError:
        return await _timed_out(asked, seconds or 0.0)
    if isinstance(answers, ExitCode):
        return answers
    verdicts = [each for answer in answers for each in answer.get("verdicts", ())]
    if asked.as_json:
        say.out(json.dumps({"verdicts": verdicts}))
    else:
        _say_verdicts(verdicts)
    return ExitCode(max((each["code"] for each in verdicts), default=0))


async def _proved(asked: Asked) -> list[Message] | ExitCode:
    """The answers, which may never come: meanwhile stderr tells what they wait for."""
    telling = asyncio.ensure_future(_tell_pending(asked))
    try:
        return await _ask_all(asked, "wait")
    finally:
        telling.cancel()


async def _tell_pending(asked: Asked) -> None:
    pending = Pending()
    while True:
        await asyncio.sleep(_BETWEEN_LOOKS)
        answers = [answer async for answer in _answers(_meant(_of_project(asked), asked), _question(asked, "pending"))]
        say.fitted_err(*pending.lines(each for answer in answers for each in answer.get("pending", ())))


class Pending:
    """What is said of what a service waits for: once it was the same in two looks, and when it becomes another."""

    def __init__(self) -> None:
        self._seen: Mapping[str, Message] = {}
        self._told: dict[str, Message] = {}

    def lines(self, found: Iterable[Message]) -> list[str]:
        """What there is to say after this look."""
        before, self._seen = self._seen, {each["service"]: each for each in found}
        news = {name: it for name, it in self._seen.items() if it == before.get(name) and it != self._told.get(name)}
        self._told |= news
        told = (with_hint(f"{name}: {it['message']}", it["hint"]) for name, it in news.items())
        return [line for lines in told for line in lines]


def _say_verdicts(verdicts: Sequence[Mapping[str, Any]]) -> None:
    for each in verdicts:
        # What is wrong with the configuration begins with its file, and the line in it.
        named = each["message"].startswith(f"{each['service']}:")
        line = each["message"] if named else f"{each['service']}: {each['message']}"
        if each["code"]:
            say.fitted_err(*with_hint(line, each["hint"]))
        else:
            say.out(line)


def _root(asked: Asked) -> Path:
    """The folder of the project: its `devloop.toml`'s, else this one."""
    cwd = Path.cwd()
    found = cwd / asked.file if asked.file else find(cwd)
    return (found.parent if found else cwd).resolve()


async def _timed_out(asked: Asked, seconds: float) -> ExitCode:
    """Say what is still waited for."""
    answers = await _ask_all(asked, "status")
    if isinstance(answers, ExitCode):
        return answers
    open_ones = [each for answer in answers for each in answer["status"] if not each["proved"]]
    for each in open_ones:
        say.err(f"{each['service']}: not proved within {seconds:g} s: {each['message']}")
    return ExitCode.UNPROVEN


async def _ask_all(asked: Asked, what: str, **more: Any) -> list[Message] | ExitCode:
    """The answers of the sessions that have the services: of all, or (a wait) up to the first failure."""
    found = _of_project(asked)
    meant = _meant(found, asked)
    known = {name for session in meant for name in session.about.get("services", ())}
    answers = [answer async for answer in _answers(meant, _question(asked, what, **more))]
    if not answers:
        return _nobody(asked, found)
    if unknown := [name for name in asked.services if name not in known]:
        say.err(f"no session runs for the service {', '.join(unknown)}", f"→ there are: {', '.join(sorted(known))}")
        return ExitCode.USAGE
    if errors := [answer["error"] for answer in answers if "error" in answer]:
        say.err(errors[0], "→ end it, and start it again with this version")
        return ExitCode.USAGE
    return answers


def _of_project(asked: Asked) -> list[Running]:
    return [session for session in running(default_root()) if session.about.get("root") == str(_root(asked))]


def _meant(found: Sequence[Running], asked: Asked) -> list[Running]:
    return [session for session in found if not asked.services or _has(session, asked.services)]


def _question(asked: Asked, what: str, **more: Any) -> Message:
    return {"ask": what, "services": list(asked.services), **more}


async def _answers(sessions: Sequence[Running], question: Message) -> AsyncIterator[Message]:
    """In the order in which they come; after one with a failure nobody waits for the others."""
    for done in asyncio.as_completed([ask(session, question) for session in sessions]):
        answer = await done
        if answer is not None:
            yield answer
            if any(each["code"] for each in answer.get("verdicts", ())):
                return


def _has(session: Running, services: Sequence[str]) -> bool:
    return bool({*services} & {*session.about.get("services", ())})


def _nobody(asked: Asked, found: Sequence[Running]) -> ExitCode:
    place = os.path.relpath(_root(asked))
    if found and asked.services:
        names = sorted({name for session in found for name in session.about.get("services", ())})
        say.err(f"no session runs for the service {', '.join(asked.services)}", f"→ there are: {', '.join(names)}")
        return ExitCode.USAGE
    say.err(f"no session runs for {'this folder' if place == '.' else place}", f"→ {_how_one_begins(asked)}")
    return ExitCode.UNREACHABLE


def _how_one_begins(asked: Asked) -> str:
    """In the demo's folder the demo begins it, and another one would be in its way."""
    sandbox = sandbox_here()
    if sandbox is None or sandbox.parent.resolve() != _root(asked):
        return f"start one: {_start(asked)}"
    return demo_is_over() or "the demo begins one by itself; before its screen it waits for Enter in its terminal"


def _start(asked: Asked) -> str:
    """What starts a session with those services; without a file it takes a workload and its namespace."""
    if asked.file or find(Path.cwd()):
        return Request(asked.services, asked.file).typed()
    workload = asked.services[0].rpartition("/")[2] if asked.services else "NAME"
    return f"devloop up {shlex.quote(f'deployment/{workload}')} -n NAMESPACE"


def _status_lines(answers: Sequence[Message]) -> Iterator[str]:
    for answer in answers:
        yield f"session {answer['session']} on {answer['context']} since {moment(answer['started'], answer['started'])}"
        width = max((len(each["service"]) for each in answer["status"]), default=0)
        for each in answer["status"]:
            yield f"  {each['service']:{width}}  {each['state']}  {each['pods']}".rstrip() + f"  {each['message']}"
        for to, text in answer["away"].items():
            yield f"  the {to} is away: {text}"
        if refused := answer.get("refused"):
            more = f" (and {len(refused) - 1} more: devloop validate)" if len(refused) > 1 else ""
            yield f"  an edit is refused, and what was in force stays: {refused[0]}{more}"
