"""Themes: dark and light at a key, sixteen colours, none; and what is told where the keys stand."""

import asyncio

import pytest
from textual.app import App

from devloop.tui.app import DevloopApp
from devloop.tui.talk import Ended
from tests.tui.snapshot import rows_of
from tests.tui.stage import on_stage, quick
from tests.tui.states import STATES


def colours(app: DevloopApp) -> set[str]:
    found = [c for row in rows_of(app) for s in row if s.style for c in (s.style.color, s.style.bgcolor)]
    return {colour.name for colour in found if colour}


async def test_one_key_makes_everything_light_and_dark_again() -> None:
    async with on_stage(STATES["mixed"]()) as stage:
        dark = colours(stage.app)
        await stage.press("T")
        light = colours(stage.app)
        assert dark.isdisjoint(light - {"#ffffff"})
        await stage.press("T")
        assert colours(stage.app) == dark


async def test_other_panes_change_too() -> None:
    async with on_stage(STATES["mixed"]()) as stage:
        await stage.press("p")
        dark = colours(stage.app)
        await stage.press("T")
        assert dark.isdisjoint(colours(stage.app) - {"#ffffff"})


async def test_a_terminal_of_sixteen_colours_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "")
    monkeypatch.setenv("TERM", "xterm")
    async with on_stage(STATES["mixed"]()) as stage:
        assert stage.app.theme == "ansi-dark"
        used = colours(stage.app)
        assert not {name for name in used if name.startswith("#")}
        await stage.press("T")
        assert stage.app.theme == "ansi-light"


async def test_without_colours_there_are_none_in_either_theme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with on_stage(STATES["mixed"]()) as stage:
        for _ in range(2):
            assert colours(stage.app) <= {"default"}
            await stage.press("T")


async def test_what_is_told_stands_where_the_keys_stand_for_a_while() -> None:
    async def run(app: DevloopApp) -> Ended:
        await asyncio.Event().wait()
        raise AssertionError

    app = DevloopApp(run)
    with quick(app):
        async with app.run_test(size=(80, 24)) as pilot:
            app.notify("copied: x\ny", timeout=0.01)
            assert _foot(app) == "copied: x y"
            while "copied" in _foot(app):
                await asyncio.sleep(0.01)
            assert _foot(app).endswith("q quit")
            app.notify("first", timeout=0.01)
            app.notify("second", timeout=60)
            await asyncio.sleep(0.05)
            await pilot.pause()
            assert _foot(app) == "second"


def _foot(app: App[Ended]) -> str:
    return str(app.screen_stack[0].query_one("#keys").said).strip()  # type: ignore[attr-defined]
