"""The app with a made-up session behind it that writes down what is asked of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from textual.app import App
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.widgets import OptionList

from devloop.core.commands import Command
from devloop.core.failure import ExitCode
from devloop.tui.app import DevloopApp, Run
from devloop.tui.part import Part
from devloop.tui.talk import Ended
from devloop.views import Phrase, Tone
from tests.tui.stories import Story

_ROUNDS = 10
"""Turns of the loop without a message: what a worker does between two of them takes a few."""


@dataclass
class Recorder:
    """Implements `talk.Session`."""

    sent: list[Command] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """What else was asked for: `why web`."""
    why_is: Sequence[Phrase] = ()
    """The answer of `why`; empty: that the newest image runs."""
    shell_is: Sequence[str] | str = "no Pod of web is ready"
    editor_is: Sequence[str] | str = "no editor"
    files_are_here: bool = True
    over: asyncio.Event = field(default_factory=asyncio.Event)
    code: ExitCode = ExitCode.DONE

    def send(self, command: Command) -> None:
        self.sent.append(command)

    def quit(self, code: ExitCode | None) -> None:
        self.asked.append(f"quit {code}")
        self.code = code or ExitCode.DONE
        self.over.set()

    async def why(self, service: str) -> Sequence[Phrase]:
        self.asked.append(f"why {service}")
        return self.why_is or (Phrase(f"the newest image of {service} runs", Tone.GOOD),)

    async def restore(self, service: str) -> Sequence[str]:
        self.asked.append(f"restore {service}")
        return (f"deployment/{service} is as it was",)

    def shell(self, service: str) -> Sequence[str] | str:
        self.asked.append(f"shell {service}")
        return self.shell_is

    def has_file(self, service: str, file: str) -> bool:
        return self.files_are_here

    def editor(self, service: str, file: str, line: int) -> Sequence[str] | str:
        self.asked.append(f"editor {service} {file}:{line}")
        return self.editor_is


class Noted(DevloopApp):
    """Keeps what the person is told."""

    def __init__(self, run: Run, *, plain: bool, clock: Callable[[], float]) -> None:
        super().__init__(run, plain=plain, clock=clock)
        self.told: list[str] = []
        self.fed = 0
        """Records of the story that were fed."""

    def notify(self, message: str, **_: Any) -> None:
        self.told.append(message)


@dataclass(frozen=True)
class Stage:
    """An app that runs."""

    app: Noted
    pilot: Pilot[Ended]
    session: Recorder
    story: Story

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self) -> None:
        """Until everything that was asked for is on the screen."""
        for _ in range(3):  # what is painted may need another layout, and that another painting
            self.app.paint()
            await self.pilot.pause()

    async def resize(self, width: int, height: int) -> None:
        await self.pilot.resize_terminal(width, height)
        while [len(self.screen), len(self.screen[0])] != [height, width]:
            await self.pilot.pause()
        await self.settle()

    async def go_on(self) -> None:
        """Feed what the story told since it was fed last."""
        self.app.feed(self.story.records[self.app.fed :])
        self.app.fed = len(self.story.records)
        await self.settle()

    async def found(self, words: str) -> None:
        """Until the command palette has what was typed, and it comes first."""
        options = self.app.screen.query_one(OptionList)
        while not options.option_count or words not in str(options.get_option_at_index(0).prompt).lower():
            await asyncio.sleep(0.01)
        await self.settle()

    def said(self, part: str) -> str:
        """The words of `status`, `services`, `band`, `tabs` or `keys`; empty where it takes no room."""
        found = self.app.main.query_one(f"#{part}", Part)
        return found.said if found.display else ""

    @property
    def screen(self) -> list[str]:
        """The rows of the screen, as text."""
        return ["".join(segment.text for segment in strip) for strip in self.app.screen._compositor.render_strips()]


@asynccontextmanager
async def on_stage(
    story: Story, size: tuple[int, int] = (110, 30), *, plain: bool = False, session: Recorder | None = None
) -> AsyncIterator[Stage]:
    """The app, fed with the story so far; its clock is the story's."""
    behind = session or Recorder()

    async def run(app: DevloopApp) -> Ended:
        app.session = behind
        await behind.over.wait()
        return Ended(behind.code)

    app = Noted(run, plain=plain, clock=lambda: story.now)

    with quick(app):
        async with app.run_test(size=size) as pilot:
            while app.session is None:
                await pilot.pause()
            stage = Stage(app, pilot, behind, story)
            await stage.go_on()
            yield stage


@contextmanager
def quick(app: App[Any]) -> Iterator[None]:
    """Textual's own tests wait until the process did nothing for 20 ms; these would wait 400 times."""

    async def wait(*_: float) -> None:
        await until_quiet(app)

    with patch("textual.app.wait_for_idle", wait), patch("textual.pilot.wait_for_idle", wait):
        yield


async def until_quiet(app: App[Any]) -> None:
    """Until no widget has a message left, and nobody who waits for one came back with another."""
    quiet, pumps = 0, _pumps(app)
    while quiet < _ROUNDS and app.is_running:
        await asyncio.sleep(0)
        if any(pump.message_queue_size or pump._next_callbacks for pump in pumps):
            quiet = 0
        else:
            quiet += 1
        if quiet in {1, _ROUNDS}:
            pumps = _pumps(app)  # what happened may have opened or closed a screen


def _pumps(app: App[Any]) -> list[MessagePump]:
    return [app, *(each for screen in app.screen_stack for each in (screen, *screen.walk_children()))]
