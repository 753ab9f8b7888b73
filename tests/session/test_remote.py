"""What another terminal is told when services come and go, and while an edit is refused."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from devloop.adapters.kubeconfig import PinnedContext
from devloop.core import events as ev
from devloop.core.commands import Command, Rebuild
from devloop.core.config import Config
from devloop.core.problems import Problem
from devloop.engine.eventlog import EventLog
from devloop.session.project import Place, Project
from devloop.session.remote import Remote
from devloop.session.talking import Pending, _say_verdicts, _status_lines
from tests.tui.stories import Story


class Stopped:
    """A clock that stands still."""

    def now(self) -> float:
        return 0.0


class Asked:
    """A session of the services `web` and `api`, both proved, and what it is asked."""

    def __init__(self, story: Story | None = None, look: tuple[ev.Event, ...] = ()) -> None:
        self.log, self.posted, self.caught_up = EventLog(Stopped()), list[Command](), list[str]()
        place = Place(Config(), "", Path(), PinnedContext("kind-dev", "", "shop", ""), (), "shop")
        self.changes = 0
        self._look = look
        self.remote = Remote(Project(place, (), ""), self.log, "1", self.posted.append, self._caught_up, self._taken_in)
        self.remote.on_services = self._changed
        story = story or Story("web", "api").whole("web").whole("api")
        self.tell(*(record.event for record in story.records))

    def tell(self, *events: ev.Event) -> None:
        for event in events:
            self.log.emit(event)

    async def ask(self, what: str, *services: str) -> Any:
        return await self.remote.answer({"ask": what, "services": list(services)})

    async def verdicts(self, *services: str) -> list[tuple[str, int]]:
        return [(each["service"], each["code"]) for each in (await self.ask("wait", *services))["verdicts"]]

    async def _caught_up(self, service: str) -> None:
        self.caught_up.append(service)

    async def _taken_in(self) -> None:
        self.tell(*self._look)

    def _changed(self) -> None:
        self.changes += 1


async def test_services_that_came_are_known_and_those_that_left_are_not() -> None:
    asked = Asked()
    asked.tell(ev.ServiceAdded("worker"), ev.ServiceRemoved("api"))
    assert asked.changes == 2
    assert asked.remote.about["services"] == ["web", "worker"]
    assert [each["service"] for each in (await asked.ask("status"))["status"]] == ["web", "worker"]
    assert (await asked.ask("trigger", "worker", "api"))["services"] == ["worker"]
    assert [each for each in asked.posted if isinstance(each, Rebuild)] == asked.posted
    assert len(asked.posted) == 1


async def test_whoever_waits_waits_for_what_an_edit_brings() -> None:
    """The service that was saved into the configuration a moment ago is waited for too."""
    asked = Asked(look=(ev.ServiceAdded("worker"),))
    waiting = asyncio.ensure_future(asked.verdicts())
    while asked.caught_up != ["web", "api", "worker"]:
        await asyncio.sleep(0)
    assert not waiting.done()
    asked.tell(*(record.event for record in Story("worker").whole("worker").records[1:]))
    assert await waiting == [("web", 0), ("api", 0), ("worker", 0)]


async def test_a_service_that_leaves_is_answered_for() -> None:
    asked = Asked()
    asked.tell(ev.CycleRequested("api", ev.Trigger.KEY))
    waiting = asyncio.ensure_future(asked.verdicts("api"))
    while asked.caught_up != ["api"]:
        await asyncio.sleep(0)
    asked.tell(ev.ServiceRemoved("api"))
    assert await waiting == [("api", 2)]
    assert await Asked(look=(ev.ServiceRemoved("api"),)).verdicts("api") == [("api", 2)]
    assert await Asked(look=(ev.ServiceRemoved("api"),)).verdicts() == [("web", 0)]


async def test_the_status_tells_of_an_edit_that_is_refused_in_one_line() -> None:
    asked = Asked()
    assert (await asked.ask("status"))["refused"] == []
    wrong = [Problem("devloop.toml", line, "loop.quiet", "unknown key", "remove it") for line in (3, 4)]
    first = "  an edit is refused, and what was in force stays: devloop.toml:3: loop.quiet: unknown key; remove it"
    asked.tell(ev.ConfigRefused("devloop.toml", (wrong[0],)))
    assert [*_status_lines([await asked.ask("status")])][-1] == first
    asked.tell(ev.ConfigRefused("devloop.toml", tuple(wrong)))
    assert [*_status_lines([await asked.ask("status")])][-1] == f"{first} (and 1 more: devloop validate)"
    asked.tell(ev.ConfigAccepted("devloop.toml", (), ()))
    assert "refused" not in "".join(_status_lines([await asked.ask("status")]))


async def test_an_edit_that_is_refused_is_not_proved(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = Problem("devloop.toml", 3, "services.web.image", "is missing", "add it")
    asked = Asked(look=(ev.ConfigRefused("devloop.toml", (wrong,)),))
    (verdict,) = (await asked.ask("wait", "web"))["verdicts"]
    assert (verdict["code"], verdict["message"]) == (2, str(wrong))
    _say_verdicts([verdict])
    assert capsys.readouterr().err == "devloop.toml:3: services.web.image: is missing; add it\n"
    _say_verdicts([{**verdict, "service": "web", "message": "it crashes"}])
    assert capsys.readouterr().err == "web: it crashes\n"


async def test_what_is_waited_for_is_told_of_those_that_are_not_proved() -> None:
    asked = Asked()
    assert (await asked.ask("pending"))["pending"] == []
    asked.tell(ev.ServicePaused("web", True), ev.ChangeDetected("web", 1, ("a.py",)))
    (told,) = (await asked.ask("pending"))["pending"]
    assert (told["service"], told["message"]) == ("web", "it is paused, and what was saved is not built")
    assert told["hint"].endswith("`devloop trigger web`")


def test_whoever_waits_is_told_what_for_once_it_lasts_and_when_it_changes() -> None:
    def look(message: str, hint: str = "") -> list[str]:
        return pending.lines([{"service": "web", "message": message, "hint": hint}] if message else [])

    pending = Pending()
    said = [look(each) for each in ("built", "built", "built", "pushed", "paused", "paused", "paused", "", "built")]
    assert said == [[], ["web: built"], [], [], [], ["web: paused"], [], [], []]
    assert look("built") == ["web: built"], "again: something else was said meanwhile"
    assert [look("paused", "space"), look("paused", "space")] == [[], ["web: paused", "→ space"]]
