"""What is asked before it is sent: a restart, the first time in a session; and what is sent for all services."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from devloop.core.commands import Command, Pause, Restart
from devloop.core.events import Event, Record, ServicePaused
from devloop.tui.app import DevloopApp
from devloop.tui.talk import Ended, Session
from tests.headless.sessions import recorded


class Sent:
    """A session that only takes commands."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    def send(self, command: Command) -> None:
        self.commands.append(command)


async def pressed(name: str, keys: Sequence[str], *then: Event) -> list[Command]:
    """What is sent for these keys at the end of a recorded session after which this happened."""
    sent, session = Sent(), recorded(name)[:-1]
    last, begun = session[-1].time, asyncio.Event()

    async def run(app: DevloopApp) -> Ended:
        app.session = cast(Session, sent)
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    app = DevloopApp(run, clock=lambda: last)
    async with app.run_test(size=(110, 30)) as pilot:
        app.feed([*session, *(Record(last, event) for event in then)])
        app.paint()
        await begun.wait()
        await pilot.press(*keys)
        await pilot.pause()
    return sent.commands


@pytest.mark.parametrize(
    ("keys", "restarts"),
    [(("r",), 0), (("r", "n"), 0), (("r", "escape", "r", "y"), 1), (("r", "y"), 1), (("r", "y", "r"), 2)],
)
async def test_a_restart_is_asked_about_until_somebody_said_yes(keys: tuple[str, ...], restarts: int) -> None:
    assert await pressed("start_and_save", keys) == [Restart("web")] * restarts


@pytest.mark.parametrize(
    ("already", "sent"),
    [
        ("", [Pause("db", True), Pause("api", True), Pause("web", True)]),
        ("db web", [Pause("api", True)]),
        ("db api web", [Pause("db", False), Pause("api", False), Pause("web", False)]),
    ],
)
async def test_all_are_paused_that_are_not_and_go_on_when_all_are(already: str, sent: list[Command]) -> None:
    assert await pressed("three_services", ("A",), *(ServicePaused(name, True) for name in already.split())) == sent
