"""The socket of a session: who may ask, what is left behind, and who asks in vain."""

import asyncio
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devloop.adapters.sessionsocket import SessionSocket, ask, running


async def _echo(question: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"heard": question}


async def test_a_question_is_answered_and_nothing_is_left(tmp_path: Path) -> None:
    socket = SessionSocket(tmp_path, "one", {"root": "/src"}, _echo)
    assert await socket.open() == ""
    (found,) = running(tmp_path)
    assert found.about["root"] == "/src"
    assert stat.S_IMODE(found.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(found.described.parent.stat().st_mode) == 0o700
    assert await ask(found, {"ask": "it"}) == {"heard": {"ask": "it"}}
    await socket.close()
    assert list(running(tmp_path)) == []
    assert await ask(found, {"ask": "it"}) is None


async def test_a_folder_with_a_long_name(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    socket = SessionSocket(deep, "one", {}, _echo)
    assert await socket.open() == ""
    (found,) = running(deep)
    assert await ask(found, {}) == {"heard": {}}
    await socket.close()
    assert not found.socket.parent.exists()


async def test_what_a_killed_session_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "running" / "dead.json"
    left.parent.mkdir()
    left.write_text(json.dumps({"socket": str(tmp_path / "running" / "dead.sock")}))
    (left.parent / "torn.json").write_text("{")
    (found,) = running(tmp_path)
    assert await ask(found, {}) is None
    assert not left.exists()


async def test_whoever_waits_when_the_session_ends_is_told_nothing_and_does_not_hold_it_up(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def never(question: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.set()
        await asyncio.Event().wait()
        return {}

    socket = SessionSocket(tmp_path, "one", {}, never)
    await socket.open()
    (found,) = running(tmp_path)
    waiting = asyncio.ensure_future(ask(found, {}))
    await asked.wait()
    await socket.close()
    assert await waiting is None


async def test_what_others_are_told_of_it_changes_until_it_is_closed(tmp_path: Path) -> None:
    socket = SessionSocket(tmp_path, "one", {"services": ["web"]}, _echo)
    assert await socket.open() == ""
    socket.describe({"services": ["web", "api"]})
    (found,) = running(tmp_path)
    assert found.about["services"] == ["web", "api"]
    assert stat.S_IMODE(found.described.stat().st_mode) == 0o600
    assert await ask(found, {}) == {"heard": {}}
    await socket.close()
    socket.describe({"services": []})
    assert list((tmp_path / "running").iterdir()) == []
