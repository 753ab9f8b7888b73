"""What `devloop why` hears of sessions that run: over their own sockets, and from none that does not answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devloop.adapters.sessionsocket import Answer, Message, SessionSocket
from devloop.core.events import HoldCode
from devloop.core.failure import FailureCode
from devloop.core.why.facts import Settled, Told
from devloop.session.project import Project
from devloop.session.remote import Remote
from devloop.session.why import newest
from tests.core.workloads import KEY, service
from tests.session.test_remote import Asked
from tests.tui.states import broken_build
from tests.tui.stories import Story

SERVER = "https://127.0.0.1:6443"


def session(story: Story) -> Remote:
    """One that works on deployment/web there, and was told this story."""
    remote = Asked(story).remote
    place = remote.project.place
    remote.project = Project(replace(place, pinned=replace(place.pinned, server=SERVER)), (service(),), "")
    return remote


@asynccontextmanager
async def running(root: Path, *answers: Answer) -> AsyncIterator[None]:
    sockets = [SessionSocket(root, str(at), {}, answer) for at, answer in enumerate(answers)]
    assert [await socket.open() for socket in sockets] == [""] * len(sockets)
    try:
        yield
    finally:
        for socket in sockets:
            await socket.close()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEVLOOP_STATE_DIR", str(tmp_path))
    return tmp_path


async def test_a_failed_build_is_heard_of_by_the_workload(root: Path) -> None:
    remote = session(broken_build())
    async with running(root, remote.answer):
        told = await newest.of_sessions(SERVER)(KEY)
        assert told == await remote.newest("web")
        assert told.settled == ()
        (found,) = told.saves
        assert found.failure is not None
        assert (found.failure.code, found.place) == (FailureCode.BUILD_FAILED, "./jobs.py:41")
        assert await newest.of_sessions(SERVER)(replace(KEY, namespace="other")) == Told()
        assert await newest.of_sessions("https://127.0.0.1:1")(KEY) == Told(), "another cluster"


async def test_what_a_build_said_goes_to_others_without_secrets(root: Path) -> None:
    story = Story("web").begin("web", "app.py")
    story.failed(
        "web", FailureCode.BUILD_FAILED, "cannot fetch https://jo:hunter2@example.com/x", "see https://a:b@c.d"
    )
    async with running(root, session(story).answer):
        (found,) = (await newest.of_sessions(SERVER)(KEY)).saves
    assert "cannot fetch https://" in str(found.failure)
    assert "hunter2" not in str(found)
    assert "a:b" not in str(found)


async def test_what_a_save_waits_for_goes_to_others_without_secrets(root: Path) -> None:
    story = Story("web").whole("web").saved("web", "app.py")
    story.hold("web", HoldCode.CONNECTION, "registry", "waiting for https://jo:hunter2@example.com/x")
    async with running(root, session(story).answer):
        (found,) = (await newest.of_sessions(SERVER)(KEY)).saves
    assert found.waits.startswith("waiting for https://")
    assert "hunter2" not in str(found)


async def test_however_many_workloads_are_asked_about_each_session_is_asked_once(root: Path) -> None:
    asked: list[Message] = []
    remote = session(broken_build())

    async def counted(question: Message) -> Message:
        asked.append(question)
        return await remote.answer(question)

    others = [replace(KEY, name=f"other-{at}") for at in range(500)]  # more than wait for a socket at once
    async with running(root, counted):
        of_sessions = newest.of_sessions(SERVER)
        *_, found = await asyncio.gather(*(of_sessions(key) for key in (*others, KEY)))
    assert found == await remote.newest("web")
    assert len(asked) == 1


async def test_each_service_of_a_workload_is_told_of_its_own_save(root: Path) -> None:
    """One's build failed, and the other crashes: neither is the other's newest save."""
    story = Story("worker", "api", "web").whole("web").begin("worker", "Dockerfile")
    story.failed("worker", FailureCode.BUILD_FAILED, "nothing.py is not there", "mend it").begin("api", "app.py")
    remote = session(story)
    services = tuple(replace(service(), name=name) for name in ("worker", "api", "web"))
    remote.project = replace(remote.project, services=services)
    async with running(root, remote.answer):
        told = await newest.of_sessions(SERVER)(KEY)
    worker, api = told.saved_for("worker", {"api", "web"}), told.saved_for("api", {"worker", "web"})
    assert worker is not None
    assert api is not None
    assert [worker.what, api.what] == ["Dockerfile", "app.py"]
    assert worker.failure is not None
    assert api.failure is None
    assert told.saved_for("web", {"api", "worker"}) is None, "it is done"
    assert told.saved_for("web", ()) is None, "whatever the others are called"
    assert told.saved_for("mail", {"api", "worker"}) is None
    assert told.saved_for("backend", ()) == worker, "another checkout calls it otherwise"
    assert told.saved_for("", ()) == worker, "without a devloop.toml"


async def test_that_all_is_proved_is_something_else_than_that_nobody_is_there(root: Path) -> None:
    assert await newest.of_sessions(SERVER)(KEY) == Told()
    async with running(root, session(Story("web").whole("web", "app.py")).answer):
        told = await newest.of_sessions(SERVER)(KEY)
    (settled,) = told.settled
    assert (told.saves, settled.service, settled.what) == ((), "web", "app.py")
    assert told.settled_for("web", str(service().build.context.resolve())) == settled
    assert told.settled_for("web", "/another/checkout/web") is None


async def test_saves_before_the_question_count(root: Path) -> None:
    remote = session(Story("web").whole("web", "app.py"))
    late = Story("web").whole("web", "app.py")
    known = len(late.records)
    late.begin("web", "late.py")

    async def caught_up(_: str) -> None:
        for record in late.records[known:]:
            remote.log.emit(record.event)

    remote.caught_up = caught_up
    async with running(root, remote.answer):
        told = await newest.of_sessions(SERVER)(KEY)
    (saved,) = told.saves
    assert (saved.what, told.settled) == ("late.py", ())


async def test_an_answer_without_what_this_version_asks_for_is_one(root: Path) -> None:
    async def earlier(_: Message) -> Message:
        return {"newest": []}

    async with running(root, earlier):
        assert await newest.of_sessions(SERVER)(KEY) == Told()


async def test_sessions_that_say_nothing_of_use_are_passed_over(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: Message) -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def refuses(_: Message) -> Message:
        return {"error": "this session is of another version of devloop"}

    async def otherwise(_: Message) -> Message:
        return {"newest": {"failure": {"code": "unheard-of"}}}

    async with running(root, refuses, otherwise, session(broken_build()).answer):
        assert (await newest.of_sessions(SERVER)(KEY)).saves
    monkeypatch.setattr(newest, "_PATIENCE", 0.05)
    async with running(root, never):
        assert await newest.of_sessions(SERVER)(KEY) == Told()


async def test_files_that_cannot_be_looked_at_hold_up_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest, "_PATIENCE", 0.05)
    answer: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
    assert await newest.promptly(asyncio.shield(answer)) == Told()
    answer.set_result(Told(settled=(Settled("s1", "web", "/src", "", 0.0),)))
    assert (await newest.promptly(answer)).settled


@pytest.mark.parametrize("there", [True, False])
async def test_a_session_looks_whether_what_was_saved_last_is_there(root: Path, there: bool) -> None:
    remote = session(Story("web").whole("web", "sub/app.py"))
    web = service()
    context = root / "source"
    (context / "sub").mkdir(parents=True)
    if there:
        (context / "sub" / "app.py").touch()
    web = replace(web, build=replace(web.build, context=context))
    remote.project = replace(remote.project, services=(web,))
    async with running(root, remote.answer):
        (settled,) = (await newest.of_sessions(SERVER)(KEY)).settled
    assert (settled.what, settled.deleted) == ("app.py", 0 if there else 1)
