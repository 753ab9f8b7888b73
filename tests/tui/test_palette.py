"""The command palette and `?`: every action by its name, those that mean something here, and none of Textual's own."""

import pytest
from textual.command import CommandPalette
from textual.events import Key

from devloop.core.commands import Command, Pause, Rebuild, Stop
from devloop.tui.dialogs import Sure
from devloop.tui.helptext import help_text
from devloop.tui.keys import KEYS, Group, Where, meaning
from tests.tui.stage import Stage, on_stage
from tests.tui.states import STATES


def _titles(stage: Stage) -> set[str]:
    return {command.title for command in stage.app.get_system_commands(stage.app.screen)}


async def test_every_action_has_a_name_there() -> None:
    async with on_stage(STATES["broken_build"]()) as stage:
        await stage.press("slash", "x", "enter")
        titles = _titles(stage)
        where = stage.app.where
        assert {title for key in KEYS if key.means(where) and (title := key.title(where))} == titles
        assert {"Build now", "Open the failing file", "Put the workload back as it was"} <= titles


async def test_nothing_of_textuals_own() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        assert {"Screenshot", "Maximize", "Keys", "Theme", "Quit"}.isdisjoint(_titles(stage))


async def test_what_means_nothing_now_is_not_there() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        assert {"Stop the running cycle", "Open the failing file", "Next match, upwards"}.isdisjoint(_titles(stage))


async def test_services_by_their_names() -> None:
    async with on_stage(STATES["mixed"]()) as stage:
        titles = _titles(stage)
        assert {"Go to api", "Build worker", "Pause web", "Stop api", "Stop cron"} <= titles
        assert {"Stop web", "Go on with web"}.isdisjoint(titles)


TYPED: list[tuple[str, Command]] = [
    ("build now", Rebuild("web")),
    ("build worker", Rebuild("worker")),
    ("pause cron", Pause("cron", True)),
    ("stop api", Stop("api")),
]


@pytest.mark.parametrize(("words", "command"), TYPED)
async def test_a_command_by_its_name(words: str, command: Command) -> None:
    async with on_stage(STATES["mixed"]()) as stage:
        await stage.press("colon")
        assert isinstance(stage.app.screen, CommandPalette)
        await stage.press(*("space" if letter == " " else letter for letter in words))
        await stage.found(words)
        await stage.press("enter")
        await stage.settle()
        assert stage.session.sent == [command]


@pytest.mark.parametrize(("words", "sent"), [("q!", []), ("zzz", []), ("stop api", [Stop("api")])])
async def test_enter_right_after_the_last_letter_runs_what_was_typed(words: str, sent: list[Command]) -> None:
    async with on_stage(STATES["mixed"]()) as stage:
        for letter in f":{words}":
            stage.app.post_message(Key({":": "colon", " ": "space"}.get(letter, letter), letter))
        stage.app.post_message(Key("enter", None))
        await stage.settle()
        while any(isinstance(worker.node, CommandPalette) for worker in stage.app.workers):
            await stage.settle()
        assert stage.session.sent == sent
        assert isinstance(stage.app.screen, CommandPalette) is not bool(sent)


async def test_quit_by_its_name_is_the_one_that_asks() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        assert {title for title in _titles(stage) if "quit" in title.lower()} == {"Quit devloop"}
        await stage.press("colon", *"quit")
        await stage.found("quit")
        await stage.press("enter")
        await stage.settle()
        assert isinstance(stage.app.screen, Sure)


async def test_go_to_a_service_by_its_name() -> None:
    async with on_stage(STATES["mixed"]()) as stage:
        await stage.press("colon", *"cron")
        await stage.found("cron")
        await stage.press("enter")
        assert stage.app.chosen == "cron"


def _groups(where: Where) -> list[Group]:
    return list(meaning(where))


def test_help_begins_with_where_one_is() -> None:
    assert _groups(Where())[0] is Group.LOG
    assert Group.LOG not in _groups(Where(pane="pods"))


def test_help_has_every_key_that_means_something() -> None:
    where = Where(
        chosen="web",
        broken="api",
        several=True,
        busy=True,
        read_only=True,
        editable=True,
        finding=True,
        pods=True,
        containers=True,
    )
    text = help_text(meaning(where), 100).plain
    for key in KEYS:
        assert key.words in text, key


@pytest.mark.parametrize("width", [50, 100])
def test_help_keeps_within_its_width(width: int) -> None:
    lines = help_text(meaning(Where(several=True)), width).plain.split("\n")
    assert max(map(len, lines)) <= width
    assert len(lines) < (60 if width < 90 else 28)


async def test_help_is_closed_by_whatever_opened_it() -> None:
    async with on_stage(STATES["verified"](), (80, 12)) as stage:
        for key in ("question_mark", "escape", "q"):
            await stage.press("question_mark", "j", "j", "k", key)
            assert len(stage.app.screen_stack) == 1
