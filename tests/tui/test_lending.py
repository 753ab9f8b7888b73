"""An editor or a shell gets the terminal for a while; the session, and the state on the screen, go on meanwhile."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tui.stage import Recorder, Stage, on_stage
from tests.tui.states import STATES


@contextmanager
def _lent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Notes when the terminal is given away and taken back."""
    noted: list[str] = []

    @contextmanager
    def suspend() -> Iterator[None]:
        noted.append("given")
        try:
            yield
        finally:
            noted.append("back")

    monkeypatch.setattr(stage.app, "suspend", suspend)
    yield noted


def _until_there(path: Path) -> tuple[str, ...]:
    return ("sh", "-c", f"while [ ! -e {path} ]; do sleep 0.01; done")


async def _until(stage: Stage, away: bool) -> None:
    while stage.app.is_away is not away:
        await asyncio.sleep(0.01)


async def test_the_session_goes_on_while_somebody_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story, saved = STATES["broken_build"](), tmp_path / "saved"
    async with on_stage(story, session=Recorder(editor_is=_until_there(saved))) as stage:
        with _lent(stage, monkeypatch) as noted:
            await stage.press("e")
            await _until(stage, away=True)
            before = stage.said("status")
            story.begin("web", "jobs.py").built("web").verified("web")
            await stage.go_on()
            assert stage.app.state.services["web"].failure is None
            assert stage.said("status") == before, "nothing is drawn over the editor"
            saved.touch()
            await _until(stage, away=False)
            await stage.settle()
            assert noted == ["given", "back"]
            assert "VERIFIED jobs.py" in stage.said("status")


async def test_the_end_of_the_session_ends_what_was_lent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Recorder(shell_is=_until_there(tmp_path / "never"))
    async with on_stage(STATES["verified"](), session=session) as stage:
        with _lent(stage, monkeypatch) as noted:
            await stage.press("S")
            await _until(stage, away=True)
            session.over.set()
            while noted != ["given", "back"]:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(("keys", "told"), [("S", "no Pod of web is ready"), ("e", "no editor")])
async def test_why_there_is_none(keys: str, told: str) -> None:
    async with on_stage(STATES["broken_build"]()) as stage:
        await stage.press(keys)
        assert stage.app.told == [told]


@pytest.mark.parametrize("here", [True, False])
async def test_only_a_file_that_is_here_is_offered_to_be_opened(here: bool) -> None:
    async with on_stage(STATES["crash_loop"](), session=Recorder(files_are_here=here)) as stage:
        assert any("server.py:3  KeyError" in line for line in stage.screen)
        assert any(" e edit " in line for line in stage.screen) is here


async def test_a_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage(STATES["verified"](), session=Recorder(shell_is=("/no/such/kubectl",))) as stage:
        with _lent(stage, monkeypatch):
            await stage.press("S")
            while not stage.app.told:
                await asyncio.sleep(0.01)
            assert stage.app.told == ["/no/such/kubectl cannot be started: No such file or directory"]
