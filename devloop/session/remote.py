"""What another terminal may ask of a running session: how it stands, a cycle, and to be told when a save is proved."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from devloop.adapters.scope import is_there
from devloop.adapters.sessionsocket import Message, SessionSocket
from devloop.adapters.statefolder import default_root
from devloop.core.awaiting import Verdict, pending, verdict, way_on
from devloop.core.commands import Command, Rebuild, Restart
from devloop.core.events import Record, ServiceAdded, ServiceRemoved, Trigger
from devloop.core.failure import ExitCode
from devloop.core.state import ServiceState
from devloop.core.why.facts import NewestSave, Settled, Told
from devloop.engine.eventlog import EventLog
from devloop.session import say
from devloop.session.clean import without_secrets
from devloop.session.project import Project
from devloop.views.board import row
from devloop.views.chronicle import Chronicle
from devloop.views.newestsave import standing


@dataclass(eq=False)
class Remote:
    """Answers questions about one session; all it does to it goes through the conductor's inbox."""

    project: Project
    log: EventLog
    session: str
    post: Callable[[Command], None]
    caught_up: Callable[[str], Awaitable[None]]
    """Ends when every save of a service up to now is known to the conductor."""
    look: Callable[[], Awaitable[None]]
    """Ends when every edit of the configuration up to now is in force, or refused."""
    on_services: Callable[[], None] = lambda: None
    """Is called when a service came or went."""
    on_screen: bool = False
    """Whether a person has keys for it."""
    _past: Chronicle = field(default_factory=Chronicle)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.log.on_append(self._on_record)

    def _on_record(self, record: Record) -> None:
        self._past.take(record, self.log.state)
        if not record.event.lossy:
            self._changed.set()
        if isinstance(record.event, ServiceAdded | ServiceRemoved):
            self.on_services()

    @property
    def about(self) -> Message:
        """What tells others whether this is the session that they mean."""
        place = self.project.place
        return {
            "session": self.session,
            "root": str(place.root.resolve()),
            "context": place.pinned.name,
            "namespace": place.namespace,
            "services": [*self.log.state.services],
            "screen": self.on_screen,
        }

    async def answer(self, question: Message) -> Message:
        """Questions are of this very version of devloop: what it does not know is refused."""
        wanted = self._services(question.get("services") or ())
        match question.get("ask"):
            case "status":
                return self._status(wanted)
            case "trigger":
                for name in wanted:
                    make = Restart if question.get("restart") else Rebuild
                    self.post(make(name, Trigger.COMMAND))
                return {"services": wanted}
            case "wait":
                return await self._wait(question.get("services") or ())
            case "pending":
                return self._pending(wanted)
            case "newest":
                return await self._newest_of(question)
        return {"error": "this session is of another version of devloop"}

    def _services(self, named: Sequence[str]) -> list[str]:
        """Those of the session that were named; all where none was."""
        return [name for name in self.log.state.services if not named or name in named]

    # how it stands -----------------------------------------------------------------------------------------------

    def _status(self, names: Sequence[str]) -> Message:
        state, clean = self.log.state, without_secrets()
        return {
            **self.about,
            "pid": os.getpid(),
            "started": state.started,
            "away": {str(to): clean(text) for to, text in state.lost.items()},
            "refused": [clean(str(problem)) for problem in state.refused],
            "status": [self._of(state.services[name], clean) for name in names],
        }

    def _of(self, service: ServiceState, clean: Callable[[str], str]) -> Mapping[str, Any]:
        told, found, last = row(service, self._past, time.time()), verdict(service), service.last
        return {
            "service": service.name,
            "state": told.word,
            "pods": told.pods,
            "detail": clean(told.detail),
            "proved": found is not None and found.code is ExitCode.DONE,
            "exit_code": None if found is None else int(found.code),
            "message": clean(found.message if found is not None else pending(service)),
            "digest": service.live.digest if service.live else "",
            "cycle": last.number if last else 0,
            "outcome": str(last.outcome) if last else "",
        }

    async def newest(self, *names: str) -> Told:
        """Of services on one workload; every save that was written before the question counts."""
        await self._catch_up(names)
        return self._told_of(names)

    async def _catch_up(self, names: Iterable[str]) -> None:
        await asyncio.gather(*(self.caught_up(name) for name in names if name in self.log.state.services))

    def _told_of(self, names: Sequence[str]) -> Told:
        states = self.log.state.services
        asked = [each for each in self.project.services if each.name in names and each.name in states]
        how = [self._standing(states[each.name], each.build.context) for each in asked]
        saves = tuple(each for each in how if isinstance(each, NewestSave))
        return Told(saves, tuple(each for each in how if isinstance(each, Settled)))

    def _standing(self, service: ServiceState, context: Path) -> NewestSave | Settled | None:
        here = partial(is_there, context)
        return standing(service, self._past, self.session, str(context.resolve()), time.time(), here)

    async def _newest_of(self, question: Message) -> Message:
        """By workload. Contexts of one name may lead to two clusters, so the server counts."""
        if question.get("server") != self.project.place.pinned.server:
            return {"newest": [], "settled": []}
        services = self.project.services
        keys = dict.fromkeys(key for each in services for key in each.workloads)
        await self._catch_up(each.name for each in services)
        by_key = {key: self._told_of([each.name for each in services if key in each.workloads]) for key in keys}
        clean = without_secrets() if any(each.saves for each in by_key.values()) else str
        saved = [(asdict(key), asdict(_cleaned(one, clean))) for key, each in by_key.items() for one in each.saves]
        done = [(asdict(key), asdict(one)) for key, each in by_key.items() for one in each.settled]
        return {"newest": saved, "settled": done}

    def _pending(self, names: Sequence[str]) -> Message:
        """What is waited for, of those whose verdict is open."""
        services, clean = [self.log.state.services[name] for name in names], without_secrets()
        return {
            "pending": [
                {"service": each.name, "message": clean(pending(each)), "hint": way_on(each)}
                for each in services
                if verdict(each) is None
            ]
        }

    # until it is proved ------------------------------------------------------------------------------------------

    async def _wait(self, named: Sequence[str]) -> Message:
        """All proved, or the first that is not; every save and edit that was written before the question counts."""
        asked = self._services(named)
        await self.look()
        if refused := self.log.state.refused:
            return {"verdicts": [_told(Verdict(each.file, ExitCode.USAGE, str(each))) for each in refused]}
        names = list(dict.fromkeys((*(asked if named else ()), *self._services(named))))
        await asyncio.gather(*(self.caught_up(name) for name in names if name in self.log.state.services))
        while True:
            self._changed.clear()
            services = self.log.state.services
            found = [verdict(services[name]) if name in services else _gone(name) for name in names]
            bad = [each for each in found if each is not None and each.code is not ExitCode.DONE]
            if bad or all(each is not None for each in found):
                return {"verdicts": [_told(each) for each in bad or found if each is not None]}
            await self._changed.wait()


@contextlib.asynccontextmanager
async def open_to_others(remote: Remote) -> AsyncIterator[None]:
    """Other terminals may ask inside the block."""
    socket = SessionSocket(default_root(), remote.session, remote.about, remote.answer)
    remote.on_services = lambda: socket.describe(remote.about)
    if problem := await socket.open():
        say.err(f"devloop: other terminals cannot talk to this session: {problem}")
    try:
        yield
    finally:
        await socket.close()


def _cleaned(newest: NewestSave, clean: Callable[[str], str]) -> NewestSave:
    failure = newest.failure
    if failure is not None:
        failure = replace(failure, message=clean(failure.message), hint=clean(failure.hint))
    return replace(newest, failure=failure, waits=clean(newest.waits), fix=clean(newest.fix))


def _gone(name: str) -> Verdict:
    """Of a service that left while somebody waited for it."""
    return Verdict(name, ExitCode.USAGE, "it left the session", "the configuration has it no longer")


def _told(found: Verdict) -> Mapping[str, Any]:
    clean = without_secrets()
    told = asdict(found) | {"code": int(found.code)}
    return told | {"message": clean(found.message), "hint": clean(found.hint)}
