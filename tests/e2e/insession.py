"""A session inside the test: what it says can be awaited, and it takes commands as from the keyboard."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from devloop.core import events as ev
from devloop.core.failure import ExitCode
from devloop.session.project import Project, open_project
from devloop.session.renderers import Output
from devloop.session.request import Request
from devloop.session.up import Options, Session
from tests.e2e.harness import PATIENCE


class Heard:
    """What a session said so far, and a way to wait for more of it."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self._more = asyncio.Event()

    def feed(self, records: list[ev.Record]) -> None:
        self.events += [record.event for record in records]
        self._more.set()

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not met():
                self._more.clear()
                await self._more.wait()

    async def ends(self, count: int) -> list[ev.CycleFinished]:
        """So many cycles' ends."""
        await self.until(lambda: len(self._ends()) >= count)
        return self._ends()

    def phases(self, cycle: int) -> list[str]:
        return [event.phase for event in self.events if isinstance(event, ev.PhaseStarted) and event.cycle == cycle]

    def _ends(self) -> list[ev.CycleFinished]:
        return [event for event in self.events if isinstance(event, ev.CycleFinished)]


@asynccontextmanager
async def in_session(folder: Path) -> AsyncIterator[tuple[Session, Heard]]:
    """The session of the folder's `devloop.toml`; it is quit at the end of the block."""
    project = await open_project(Request(file=folder / "devloop.toml"))
    assert isinstance(project, Project), project
    heard = Heard()
    session = Session(project, Options(Output.PLAIN), heard.feed)
    whole = asyncio.ensure_future(session.run())
    try:
        yield session, heard
    finally:
        session.quit(None)
        code = await whole
    assert code is ExitCode.DONE
