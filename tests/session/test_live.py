"""Edits of `devloop.toml` and its overlay: what comes into force, what is refused, and what is told of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devloop.adapters import kubeconfig
from devloop.adapters.configwatch import ConfigWatch
from devloop.adapters.kubeconfig import PinnedContext
from devloop.core.config import Problems
from devloop.core.events import ConfigAccepted, ConfigRefused, Event
from devloop.core.problems import Problem
from devloop.session import live
from devloop.session.live import Edit, LiveConfig
from devloop.session.project import Project, Refusal, open_project
from devloop.session.request import Request

LOCAL = PinnedContext("kind-dev", "https://127.0.0.1:6443", "shop", "")
WEB = '[services.web]\nimage = "localhost:5000/web"\nbuild = "src"\n'
API = '[services.api]\nimage = "localhost:5000/api"\nbuild = "src"\n'


class Session:
    """What follows the configuration, and everything it did."""

    def __init__(self, opened: Project) -> None:
        self.told: list[Event] = []
        self.edits: list[Edit] = []
        self.in_the_way: Problems | None = None
        self.happened = asyncio.Event()
        self.project = opened
        self.live = LiveConfig(opened, self.tell, self.go_over)

    def tell(self, event: Event) -> None:
        self.told.append(event)
        self.happened.set()

    async def go_over(self, edit: Edit, before: Project) -> Problems | None:
        if self.in_the_way is not None:
            return self.in_the_way
        self.edits.append(edit)
        self.project = edit.project
        self.tell(edit.accepted)
        return None

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not met():
                self.happened.clear()
                await self.happened.wait()

    @property
    def services(self) -> list[str]:
        return [service.name for service in self.project.services]

    def refusals(self) -> list[ConfigRefused]:
        return [event for event in self.told if isinstance(event, ConfigRefused)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kubeconfig, "resolve", lambda name: LOCAL)

    async def addresses(server: str) -> tuple[str, ...]:
        return ("127.0.0.1",)

    monkeypatch.setattr(kubeconfig, "server_addresses", addresses)
    monkeypatch.setattr(live, "_AGAIN", 0.05)
    monkeypatch.setattr(live, "_PATIENCE", 0.05)
    monkeypatch.setattr(live, "_ASKED_PATIENCE", 0.05)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "devloop.toml").write_text(WEB)
    return tmp_path


@asynccontextmanager
async def session(*names: str, namespace: str = "") -> AsyncIterator[Session]:
    opened = await open_project(Request(names, namespace=namespace))
    assert not isinstance(opened, Refusal), opened
    found = Session(opened)
    async with found.live.following():
        yield found


def write(folder: Path, text: str, name: str = "devloop.toml") -> None:
    (folder / "fresh").write_text(text)
    (folder / "fresh").replace(folder / name)


def test_an_edit_comes_into_force_and_what_means_the_same_does_not(folder: Path) -> None:
    async def scenario() -> None:
        async with session() as found:
            write(folder, WEB + API)
            await found.until(lambda: len(found.edits) == 1)
            assert [each.name for each in found.edits[0].services.added] == ["api"]
            at_length = WEB.replace('"src"', '{ context = "./src" }')
            write(folder, f"# in another order\n{API}{at_length}")
            await found.live.look()
            write(folder, WEB)
            await found.until(lambda: len(found.edits) == 2)
            assert [each.name for each in found.edits[1].services.removed] == ["api"]
        assert found.told == [ConfigAccepted("devloop.toml")] * 2

    asyncio.run(scenario())


def test_what_was_saved_while_the_session_began_is_an_edit(folder: Path) -> None:
    async def scenario() -> None:
        opened = await open_project(Request())
        assert not isinstance(opened, Refusal)
        write(folder, WEB + API)
        found = Session(opened)
        async with found.live.following():
            await found.until(lambda: found.services == ["web", "api"])

    asyncio.run(scenario())


BROKEN = [
    ("[services.web\n", "is no valid TOML"),
    (WEB + "wacth = 'src'\n", "wacth"),
    (WEB + "ignore = 3\n", "must be a string or a list"),
    (WEB + "depends_on = 'db'\n", "there is no service `db`"),
    (WEB.replace('"src"', '"absent"'), "there is no folder `absent`"),
    (WEB + "[loop]\nparallel_builds = 0\n", "`0` is too small"),
    ("", "no service is defined"),
    (WEB.replace("localhost:5000/web", "${NOWHERE_SET}/web"), "the variable `NOWHERE_SET` is not set"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_a_broken_file_is_refused_once_and_mending_it_ends_that(folder: Path, text: str, said: str) -> None:
    async def scenario() -> None:
        async with session() as found:
            write(folder, text)
            await found.until(lambda: bool(found.refusals()))
            (refused,) = found.refusals()
            assert any(said in str(problem) for problem in refused.problems), refused
            assert all(problem.file == "devloop.toml" and problem.fix for problem in refused.problems)
            for _ in range(3):
                await found.live.look()
            assert (found.refusals(), found.edits, found.services) == ([refused], [], ["web"])
            write(folder, WEB)
            await found.until(lambda: found.told[-1] == ConfigAccepted("devloop.toml"))
        assert [edit.services for edit in found.edits if edit.services] == []

    asyncio.run(scenario())


def test_all_problems_are_told_at_once_and_another_content_once_more(folder: Path) -> None:
    async def scenario() -> None:
        async with session() as found:
            write(folder, WEB + "ignore = 3\n[loop]\nparallel_builds = 0\n")
            await found.until(lambda: len(found.refusals()) == 1)
            keys = [(each.line, each.key) for each in found.refusals()[0].problems]
            assert keys == [(4, "services.web.ignore"), (6, "loop.parallel_builds")]
            write(folder, WEB + "ignore = 3\n")
            await found.until(lambda: len(found.refusals()) == 2)
            assert len(found.refusals()[1].problems) == 1

    asyncio.run(scenario())


def test_a_file_that_is_gone_is_refused_until_it_is_back(folder: Path) -> None:
    async def scenario() -> None:
        async with session() as found:
            (folder / "devloop.toml").unlink()
            await found.until(lambda: bool(found.refusals()))
            assert found.refusals()[0].problems == (Problem("devloop.toml", None, "", "is gone", "put it back"),)
            write(folder, WEB)
            await found.until(lambda: isinstance(found.told[-1], ConfigAccepted))

    asyncio.run(scenario())


def test_a_folder_that_is_made_later_mends_the_file_that_names_it(folder: Path) -> None:
    async def scenario() -> None:
        async with session() as found:
            write(folder, WEB + API.replace("src", "api"))
            await found.until(lambda: bool(found.refusals()))
            (folder / "api").mkdir()
            (folder / "api" / "Dockerfile").write_text("FROM scratch\n")
            await found.until(lambda: found.services == ["web", "api"])

    asyncio.run(scenario())


def test_what_the_cluster_lacks_is_asked_for_again(folder: Path) -> None:
    async def scenario() -> None:
        async with session() as found:
            absent = Problem("devloop.toml", None, "", "there is no deployment/api", "create it")
            found.in_the_way = Problems([absent])
            write(folder, WEB + API)
            await found.until(lambda: bool(found.refusals()))
            assert found.refusals()[0].problems == (absent,)
            found.in_the_way = None
            await found.until(lambda: found.services == ["web", "api"])
        assert len(found.refusals()) == 1

    asyncio.run(scenario())


def test_an_overlay_that_comes_and_goes(folder: Path) -> None:
    async def scenario() -> None:
        async with session() as found:
            write(folder, '[services.web]\ntag = "mine"\n', "devloop.local.toml")
            await found.until(lambda: len(found.edits) == 1)
            assert found.edits[0].services.changed[0].keys == ("tag",)
            write(folder, "[services.web]\ntag = 3\n", "devloop.local.toml")
            await found.until(lambda: bool(found.refusals()))
            assert found.refusals()[0].problems[0].file == "devloop.local.toml"
            (folder / "devloop.local.toml").unlink()
            await found.until(lambda: len(found.edits) == 2)
            assert found.project.services[0].image.tag == "dev"

    asyncio.run(scenario())


def test_names_of_the_command_line_still_apply(folder: Path) -> None:
    async def scenario() -> None:
        write(folder, WEB + API)
        async with session("web") as found:
            write(folder, WEB + "depends_on = 'db'\n" + API + API.replace("api", "db") + API.replace("api", "more"))
            await found.until(lambda: found.services == ["db", "web"])
            write(folder, API)
            await found.until(lambda: bool(found.refusals()))
            assert "none of those that devloop was started with is there: `web`" in str(found.refusals()[0].problems)
            write(folder, WEB + API)
            await found.until(lambda: found.services == ["web"])

    asyncio.run(scenario())


def test_a_namespace_of_the_command_line_still_applies(folder: Path) -> None:
    async def scenario() -> None:
        async with session(namespace="mine") as found:
            write(folder, WEB + API)
            await found.until(lambda: found.services == ["web", "api"])
            assert {key.namespace for each in found.project.services for key in each.workloads} == {"mine"}

    asyncio.run(scenario())


def test_what_cannot_change_while_devloop_runs_is_told_once(folder: Path) -> None:
    async def scenario() -> None:
        async with session() as found:
            write(folder, '[cluster]\nnamespace = "other"\n[loop]\naudit = true\n' + WEB)
            await found.until(lambda: len(found.told) == 1)
            assert found.told == [ConfigAccepted("devloop.toml", ("loop.audit",), ("cluster.namespace",))]
            assert found.project.services[0].workloads[0].namespace == "shop"
            write(folder, '[cluster]\nnamespace = "other"\n' + WEB)
            await found.until(lambda: len(found.told) == 2)
            assert found.told[1] == ConfigAccepted("devloop.toml", ("loop.audit",))

    asyncio.run(scenario())


def test_an_edit_allows_nothing_that_the_guard_refuses(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The context was allowed by its namespace, and the edit goes to another one."""
    remote = PinnedContext("prod", "https://prod.example.com", "shop", "")
    monkeypatch.setattr(kubeconfig, "resolve", lambda name: remote)

    async def addresses(server: str) -> tuple[str, ...]:
        return ("203.0.113.7",)

    monkeypatch.setattr(kubeconfig, "server_addresses", addresses)
    allowed = '[cluster]\nallow = [{ context = "prod", namespace = "shop" }]\n'
    write(folder, allowed + WEB)

    async def scenario() -> None:
        async with session() as found:
            write(folder, allowed + WEB + 'namespace = "other"\n')
            await found.until(lambda: bool(found.refusals()))
            assert "nothing allows devloop to write to it" in found.refusals()[0].problems[0].message
            way = found.refusals()[0].problems[0].fix
            assert 'namespace = "other" }]` under `[cluster]` in ' in way, "a session keeps its context"
            assert found.edits == []

    asyncio.run(scenario())


def test_a_session_without_a_file_follows_none(folder: Path) -> None:
    async def scenario() -> None:
        opened = await open_project(Request(file=folder / "devloop.toml"))
        assert not isinstance(opened, Refusal)
        assert opened.files == (folder / "devloop.toml", folder / "devloop.local.toml")
        assert Project(opened.place, opened.services, "", adopted="[services.web]").files == ()

    asyncio.run(scenario())


async def test_whoever_asks_and_goes_away_leaves_no_edit_half_in_force(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are no events nothing else would look at that content again."""
    monkeypatch.setattr(ConfigWatch, "_open", lambda self: None)
    async with session() as found:
        for _ in range(2):  # the first look of whoever follows the files is over as well
            await found.live.look()
        begun, go_on = asyncio.Event(), asyncio.Event()
        within = found.live._go_over

        async def slowly(edit: Edit, before: Project) -> Problems | None:
            begun.set()
            await go_on.wait()
            return await within(edit, before)

        found.live._go_over = slowly
        write(folder, WEB + API)
        asker = asyncio.ensure_future(found.live.look())
        await begun.wait()
        asker.cancel()
        await asyncio.wait([asker])
        go_on.set()
        await found.until(lambda: found.services == ["web", "api"])
        assert len(found.edits) == 1


async def test_the_folder_that_it_was_started_in_is_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `git checkout` does."""
    within = folder / "within"
    within.mkdir()
    monkeypatch.chdir(within)
    async with session() as found:
        within.rmdir()
        within.mkdir()
        write(folder, WEB + API)
        await found.until(lambda: found.services == ["web", "api"])
