"""The configuration's files under watch: saved in place or replaced, created, deleted, behind a link."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from devloop.adapters import configwatch
from devloop.adapters.configwatch import ConfigWatch
from devloop.adapters.inotify import NoEventsError

Save = Callable[[Path], None]


def in_place(folder: Path) -> None:
    (folder / "devloop.toml").write_text("two")


def replaced(folder: Path) -> None:
    (folder / ".devloop.toml.swp").write_text("two")
    (folder / ".devloop.toml.swp").replace(folder / "devloop.toml")


def moved_away_and_written_anew(folder: Path) -> None:
    (folder / "devloop.toml").rename(folder / "devloop.toml~")
    (folder / "devloop.toml").write_text("two")


def deleted(folder: Path) -> None:
    (folder / "devloop.toml").unlink()


def overlay_created(folder: Path) -> None:
    (folder / "devloop.local.toml").write_text("two")


def overlay_replaced_by_a_move(folder: Path) -> None:
    (folder / "new").write_text("two")
    (folder / "new").rename(folder / "devloop.local.toml")


SAVES = [in_place, replaced, moved_away_and_written_anew, deleted, overlay_created, overlay_replaced_by_a_move]


def watch(folder: Path) -> ConfigWatch:
    return ConfigWatch([folder / "devloop.toml", folder / "devloop.local.toml"])


def contents(folder: Path) -> tuple[bytes | None, ...]:
    files = [folder / "devloop.toml", folder / "devloop.local.toml"]
    return tuple(file.read_bytes() if file.exists() else None for file in files)


async def until_changed(watching: ConfigWatch) -> None:
    async with asyncio.timeout(20):
        await watching.changed(None)


@pytest.fixture(params=["events", "polling"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a file, where events come and where they do not."""
    if request.param == "polling":

        def none(*_: object) -> None:
            raise NoEventsError("there are none")

        monkeypatch.setattr(configwatch, "Inotify", none)
        monkeypatch.setattr(configwatch, "_POLL", 0.02)
    (tmp_path / "devloop.toml").write_text("one")
    return tmp_path


@pytest.mark.parametrize("save", SAVES)
def test_every_way_to_save_is_told_twice_in_a_row(folder: Path, save: Save) -> None:
    """The second time, what is watched is no longer the file that was there at first."""

    async def scenario() -> None:
        watching = watch(folder)
        try:
            save(folder)
            await until_changed(watching)
            assert watching.seen == contents(folder)
            waiting = asyncio.ensure_future(until_changed(watching))
            await asyncio.sleep(0)
            (folder / "devloop.toml").write_text("three")
            await waiting
            assert watching.seen == contents(folder)
        finally:
            watching.close()

    asyncio.run(scenario())


def test_the_same_content_is_no_change(folder: Path) -> None:
    async def scenario() -> None:
        watching = watch(folder)
        try:
            waiting = asyncio.ensure_future(watching.changed(None))
            (folder / "devloop.toml").touch()
            (folder / "devloop.toml").write_text("one")
            (folder / "another.toml").write_text("one")
            await asyncio.wait([waiting], timeout=0.3)
            assert not waiting.done()
            (folder / "devloop.toml").write_text("two")
            async with asyncio.timeout(20):
                await waiting
        finally:
            watching.close()

    asyncio.run(scenario())


def test_the_file_behind_a_link_counts(folder: Path) -> None:
    async def scenario() -> None:
        (folder / "elsewhere").mkdir()
        (folder / "elsewhere" / "real.toml").write_text("one")
        (folder / "devloop.toml").unlink()
        (folder / "devloop.toml").symlink_to("elsewhere/real.toml")
        watching = watch(folder)
        try:
            waiting = asyncio.ensure_future(until_changed(watching))
            await asyncio.sleep(0.05)
            (folder / "elsewhere" / "fresh").write_text("two")
            (folder / "elsewhere" / "fresh").replace(folder / "elsewhere" / "real.toml")
            await waiting
            assert watching.seen[0] == b"two"
        finally:
            watching.close()

    asyncio.run(scenario())


def test_a_folder_that_is_replaced_is_found_again(folder: Path) -> None:
    async def scenario() -> None:
        project = folder / "project"
        project.mkdir()
        (project / "devloop.toml").write_text("one")
        watching = watch(project)
        try:
            waiting = asyncio.ensure_future(until_changed(watching))
            await asyncio.sleep(0.05)
            project.rename(folder / "old")
            await waiting
            assert watching.seen == (None, None)
            project.mkdir()
            (project / "devloop.toml").write_text("two")
            async with asyncio.timeout(20):
                while watching.seen[0] != b"two":
                    await watching.changed(0.1)  # as of a file that was refused
        finally:
            watching.close()

    asyncio.run(scenario())


def test_patience_ends(folder: Path) -> None:
    async def scenario() -> None:
        watching = watch(folder)
        try:
            async with asyncio.timeout(20):
                await watching.changed(0.01)
            assert watching.seen == contents(folder)
        finally:
            watching.close()

    asyncio.run(scenario())
