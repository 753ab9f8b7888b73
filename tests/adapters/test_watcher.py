"""The watcher on real folders: what is told, once, and what is not.

That nothing is told is shown by a second, real change: it must be the next thing that arrives, and alone.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devloop.adapters import pictures, watched_tree
from devloop.adapters.inotify import NoEventsError, Touched
from devloop.adapters.recursive_events import RecursiveEvents
from devloop.adapters.scope import Context
from devloop.adapters.watched_tree import Events, OpenEvents, TouchedSink, system_events
from devloop.adapters.watcher import FileWatcher
from devloop.core.failure import Failure
from devloop.core.image import ImageRef
from devloop.core.ports import Watched, Watcher
from devloop.core.service import BuildSpec, Pin, Service, WorkloadKey
from tests.adapters.memory import Memory
from tests.dockerignore import make_tree

REF = ImageRef("registry", "app", "dev")


def service(
    context: Path,
    *,
    name: str = "web",
    dockerfile: Path | None = None,
    watch: tuple[Path, ...] = (),
    ignore: tuple[str, ...] = (),
) -> Service:
    build = BuildSpec(context, dockerfile or context / "Dockerfile")
    key = WorkloadKey("default", "deployment", name)
    return Service(name, REF, REF, Pin.TAG, (key,), (), build, watch or (context,), ignore)


@dataclass
class Told:
    """What a watcher told, in order."""

    watcher: Watcher
    changes: "asyncio.Queue[tuple[str, tuple[str, ...]]]"
    notices: list[tuple[str, str, str]]

    async def next(self) -> tuple[str, ...]:
        return (await self.next_of())[1]

    async def next_of(self) -> tuple[str, tuple[str, ...]]:
        async with asyncio.timeout(20):
            return await self.changes.get()

    async def until(self, *names: str) -> set[str]:
        """Collect until all of these were told; where two changes may be told together or one by one."""
        told: set[str] = set()
        while not told.issuperset(names):
            told.update(await self.next())
        return told


@asynccontextmanager
async def watching(
    *services: Service, memory: Memory | None = None, open_events: OpenEvents = system_events, debounce: float = 0.03
) -> AsyncIterator[Told]:
    changes: asyncio.Queue[tuple[str, tuple[str, ...]]] = asyncio.Queue()
    notices: list[tuple[str, str, str]] = []
    watcher = FileWatcher(
        lambda name, files: changes.put_nowait((name, files)),
        memory or Memory(),
        debounce=debounce,
        notice=lambda *notice: notices.append(notice),
        open_events=open_events,
    )
    for each in services:
        assert isinstance(await watcher.add(each), Watched)
    try:
        yield Told(watcher, changes, notices)
    finally:
        await watcher.close()
    assert changes.empty(), f"told as well: {changes.get_nowait()}"


async def whole_trees(folders: Collection[str], touched: TouchedSink, lost: Callable[[], None]) -> Events:
    """The events of systems without inotify."""
    events = RecursiveEvents(folders, touched, lost)
    await events.armed()
    return events


def limited(folders_at_most: int) -> OpenEvents:
    """A system whose limit of watched folders is reached after so many."""

    @dataclass
    class Limited:
        inner: Events
        entered: set[str] = field(default_factory=set)

        def enter(self, path: str) -> None:
            self.entered.add(path)
            if len(self.entered) > folders_at_most:
                raise NoEventsError("the limit of watched folders is reached", "sudo sysctl x=y")
            self.inner.enter(path)

        def retain(self, paths: Collection[str]) -> None:
            self.inner.retain(paths)

        def close(self) -> None:
            self.inner.close()

    async def open_events(folders: Collection[str], touched: TouchedSink, lost: Callable[[], None]) -> Events:
        return Limited(await system_events(folders, touched, lost))

    return open_events


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_tree(tmp_path, ["context/Dockerfile", "context/a", "context/src/b"])
    return tmp_path / "context"


EVENTS = pytest.mark.parametrize("open_events", [system_events, whole_trees, limited(0)], ids=["own", "trees", "poll"])


@EVENTS
async def test_a_saved_file_is_told(root: Path, open_events: OpenEvents) -> None:
    async with watching(service(root), open_events=open_events) as told:
        (root / "a").write_text("new")
        assert await told.next_of() == ("web", ("a",))
        (root / "src/b").write_text("new")
        assert await told.next() == ("src/b",)


async def test_a_file_that_is_closed_after_the_first_look_is_not_waited_for(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a file that stays open has to be quiet for long."""
    sinks: list[TouchedSink] = []

    async def open_events(folders: Collection[str], touched: TouchedSink, lost: Callable[[], None]) -> Events:
        sinks.append(touched)
        return await system_events(folders, lambda _: None, lost)

    monkeypatch.setattr(watched_tree, "_OPEN_QUIET", 3600)
    monkeypatch.setattr(watched_tree, "_LONGEST_WAIT", 3600)
    async with watching(service(root), open_events=open_events) as told:
        (root / "a").write_text("new")
        sinks[0]([Touched(str(root / "a"), still_open=True)])
        asyncio.get_running_loop().call_later(0.2, sinks[0], [Touched(str(root / "a"))])
        assert await told.next() == ("a",)


@EVENTS
async def test_an_editors_save_by_renaming_is_one_change(root: Path, open_events: OpenEvents) -> None:
    async with watching(service(root), open_events=open_events) as told:
        for content in ("one", "two"):
            (root / "src/.b.swp").write_text("swap")
            (root / "src/4913").write_text("")
            (root / "src/4913").unlink()
            (root / "src/b~").write_text("new")
            (root / "src/b~").write_text(content)
            (root / "src/b~").replace(root / "src/b")
            assert await told.next() == ("src/b",)


@EVENTS
async def test_new_folders_and_what_is_in_them(root: Path, open_events: OpenEvents) -> None:
    async with watching(service(root), open_events=open_events) as told:
        make_tree(root, ["new/deep/er/file"])
        assert await told.until("new/deep/er/file") == {"new", "new/deep", "new/deep/er", "new/deep/er/file"}
        (root / "new/deep/er/file").write_text("again")
        assert await told.next() == ("new/deep/er/file",)


@EVENTS
async def test_a_tree_moved_in_moved_on_and_moved_out(root: Path, tmp_path: Path, open_events: OpenEvents) -> None:
    make_tree(tmp_path, ["elsewhere/sub/x"])
    async with watching(service(root), open_events=open_events) as told:
        (tmp_path / "elsewhere").rename(root / "in")
        assert await told.until("in/sub/x") == {"in", "in/sub", "in/sub/x"}
        (root / "in").rename(root / "on")
        assert await told.until("in/sub/x", "on/sub/x") >= {"in", "on"}
        (root / "on/sub/x").write_text("seen under its new name")
        assert await told.next() == ("on/sub/x",)
        (root / "on").rename(tmp_path / "out")
        assert await told.until("on/sub/x") == {"on", "on/sub", "on/sub/x"}


@EVENTS
async def test_a_folder_deleted_and_made_again(root: Path, open_events: OpenEvents) -> None:
    async with watching(service(root), open_events=open_events) as told:
        shutil.rmtree(root / "src")
        make_tree(root, ["src/c"])
        assert await told.until("src/c", "src/b") <= {"src", "src/c", "src/b"}
        (root / "src/c").write_text("new")
        assert await told.next() == ("src/c",)


@EVENTS
async def test_a_root_deleted_and_made_again(root: Path, open_events: OpenEvents) -> None:
    async with watching(service(root), open_events=open_events) as told:
        shutil.rmtree(root)
        assert await told.until("a", "src/b", "Dockerfile") >= {"src"}
        make_tree(root, ["a", "src/b", "Dockerfile"])
        await told.until("a", "src/b", "Dockerfile")
        (root / "src/b").write_text("new")
        assert await told.next() == ("src/b",)


@pytest.mark.parametrize("open_events", [system_events, limited(0)], ids=["own", "poll"])
async def test_a_root_replaced_with_its_parent(root: Path, tmp_path: Path, open_events: OpenEvents) -> None:
    deep = root / "x/y/context"
    make_tree(deep, ["a"])
    async with watching(service(deep), open_events=open_events) as told:
        shutil.rmtree(root / "x")
        assert await told.next() == ("a",)
        make_tree(deep, ["a", "b"])
        await told.until("a", "b")
        (deep / "b").write_text("new")
        assert await told.next() == ("b",)


async def test_a_context_that_is_a_link_pointed_elsewhere(root: Path, tmp_path: Path) -> None:
    make_tree(tmp_path, ["two/a", "two/c"])
    link = tmp_path / "current"
    link.symlink_to("context")
    async with watching(service(link)) as told:
        (root / "a").write_text("through the link")
        assert await told.next() == ("a",)
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").replace(link)
        assert await told.until("a", "c") == {"Dockerfile", "a", "c", "src", "src/b"}
        (tmp_path / "two/c").write_text("new")
        assert await told.next() == ("c",)


@EVENTS
async def test_a_name_that_is_no_utf8(root: Path, open_events: OpenEvents) -> None:
    async with watching(service(root), open_events=open_events) as told:
        odd = Path(os.fsdecode(os.fsencode(root) + b"/src/caf\xe9"))
        odd.write_text("x")
        assert await told.next() == ("src/caf\ufffd",)
        (root / "a").write_text("and the rest is seen still")
        assert await told.until("a") == {"a"}


async def test_a_folder_whose_name_is_no_utf8(root: Path) -> None:
    async with watching(service(root)) as told:
        folder = Path(os.fsdecode(os.fsencode(root) + b"/d\xe9"))
        folder.mkdir()
        assert await told.next() == ("d\ufffd",)
        (folder / "x").write_text("x")
        assert await told.next() == ("d\ufffd/x",)


@EVENTS
async def test_touch_same_content_and_temporary_files_tell_nothing(root: Path, open_events: OpenEvents) -> None:
    (root / "a").write_text("same")
    async with watching(service(root), open_events=open_events) as told:
        os.utime(root / "a")
        (root / "a").write_text("same")
        (root / "copy~").write_text("same")
        (root / "copy~").replace(root / "a")
        for name in (".a.swp", "4913", ".#a", "#a#", "a~", ".DS_Store"):
            (root / name).write_text("temporary")
        make_tree(root, [".git/objects/ab/cd", ".git/HEAD"])
        (root / "src/b").write_text("sentinel")
        assert await told.next() == ("src/b",)


async def test_ignored_files_tell_nothing(root: Path) -> None:
    (root / ".dockerignore").write_text("*.log\nnode_modules\n")
    make_tree(root, ["node_modules/pkg/index.js"])
    async with watching(service(root, ignore=("docs", "**/*.md"))) as told:
        (root / "x.log").write_text("ignored")
        (root / "node_modules/pkg/index.js").write_text("ignored")
        make_tree(root, ["node_modules/new/index.js", "docs/x", "src/README.md"])
        (root / "src/b").write_text("sentinel")
        assert await told.next() == ("src/b",)


async def test_what_is_taken_back_from_an_ignored_folder_is_told(root: Path) -> None:
    (root / ".dockerignore").write_text("build\n!build/**/keep\n")
    make_tree(root, ["build/x"])
    async with watching(service(root)) as told:
        (root / "build/x").write_text("ignored")
        make_tree(root, ["build/new/keep"])
        assert await told.until("build/new/keep") == {"build", "build/new", "build/new/keep"}
        (root / "build/new/other").write_text("ignored")
        (root / "build/new/keep").write_text("sentinel")
        assert await told.next() == ("build/new/keep",)


async def test_ignored_folders_are_not_watched(root: Path) -> None:
    (root / ".dockerignore").write_text("node_modules\n")
    make_tree(root, ["node_modules/pkg/index.js", ".git/objects/x", "docs/x"])
    entered: list[str] = []

    async def open_events(folders: Collection[str], touched: TouchedSink, lost: Callable[[], None]) -> Events:
        events = await system_events(folders, touched, lost)
        enter = events.enter
        events.enter = lambda path: (entered.append(path), enter(path))[1]  # type: ignore[method-assign,func-returns-value]
        return events

    async with watching(service(root, ignore=("docs",)), open_events=open_events):
        assert sorted(set(entered)) == [str(root.parent), str(root), str(root / "src")]


async def test_the_ignore_file_counts_and_is_followed(root: Path) -> None:
    make_tree(root, ["x.log"])
    async with watching(service(root)) as told:
        (root / ".dockerignore").write_text("*.log\n")
        assert await told.next() == (".dockerignore", "x.log")
        (root / "x.log").write_text("ignored now")
        (root / "Dockerfile.dockerignore").write_text("src\n")
        assert await told.next() == ("Dockerfile.dockerignore", "src", "src/b", "x.log")
        (root / "src/b").write_text("ignored now")
        (root / "Dockerfile.dockerignore").unlink()
        (root / ".dockerignore").unlink()
        assert await told.next() == (".dockerignore", "Dockerfile.dockerignore", "src", "src/b")


@EVENTS
async def test_a_dockerfile_elsewhere_counts(root: Path, tmp_path: Path, open_events: OpenEvents) -> None:
    make_tree(tmp_path, ["docker/Dockerfile"])
    dockerfile = tmp_path / "docker/Dockerfile"
    async with watching(service(root, dockerfile=dockerfile), open_events=open_events) as told:
        dockerfile.write_text("FROM scratch")
        assert await told.next() == ("../docker/Dockerfile",)
        (tmp_path / "docker/new").write_text("FROM busybox")
        (tmp_path / "docker/new").replace(dockerfile)
        assert await told.next() == ("../docker/Dockerfile",)
        (tmp_path / "docker/other").write_text("no part of it")
        (tmp_path / "docker/Dockerfile.dockerignore").write_text("a\n")
        assert await told.next() == ("../docker/Dockerfile.dockerignore", "a")


async def test_a_dockerfile_that_is_a_link_counts(root: Path, tmp_path: Path) -> None:
    (root / "Dockerfile").unlink()
    make_tree(tmp_path, ["real/Dockerfile"])
    (root / "Dockerfile").symlink_to("../real/Dockerfile")
    async with watching(service(root)) as told:
        (tmp_path / "real/Dockerfile").write_text("FROM scratch")
        assert await told.next() == ("Dockerfile",)


async def test_a_file_that_cannot_be_read_is_told_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BuildKit makes an empty file of it without a word."""
    hash_of, denied = pictures._hash, {"secret"}

    def refuse(path: str, follow: bool) -> bytes:
        if Path(path).name in denied:
            raise PermissionError
        return hash_of(path, follow)

    monkeypatch.setattr(pictures, "_hash", refuse)
    async with watching(service(root)) as told:
        assert not told.notices
        (root / "secret").write_text("x")
        assert await told.next() == ("secret",)
        (root / "a").write_text("new")
        assert await told.next() == ("a",)
        assert [message for _, message, _ in told.notices] == [
            "secret cannot be read: a COPY makes an empty file of it, or fails"
        ]
        denied.clear()
        (root / "secret").chmod(0o640)
        assert await told.next() == ("secret",)
        assert len(told.notices) == 1
    denied.add("secret")
    (root / "secret").chmod(0o600)
    async with watching(service(root)) as told:
        assert len(told.notices) == 1


async def test_a_bad_pattern_is_a_problem_and_stops_nothing(root: Path) -> None:
    (root / ".dockerignore").write_text("[a\n")
    async with watching(service(root)) as told:
        assert [message for _, message, _ in told.notices] == [
            "BuildKit refuses the ignore pattern `[a`: a `[` class in it is not closed"
        ]
        (root / "a").write_text("new")
        assert await told.next() == ("a",)
        assert len(told.notices) == 1


@EVENTS
async def test_watched_folders_and_files_elsewhere(root: Path, tmp_path: Path, open_events: OpenEvents) -> None:
    make_tree(tmp_path, ["lib/x", "one/file", "one/other"])
    watch = (root / "src", tmp_path / "lib", tmp_path / "one/file")
    async with watching(service(root, watch=watch), open_events=open_events) as told:
        (root / "a").write_text("in the context, but not watched")
        (tmp_path / "one/other").write_text("not watched")
        (tmp_path / "one/new").write_text("new")
        (tmp_path / "one/new").replace(tmp_path / "one/file")
        assert await told.next() == ("../one/file",)
        make_tree(tmp_path, ["lib/deep/y"])
        assert await told.until("../lib/deep/y") == {"../lib/deep", "../lib/deep/y"}
        (root / "src/b").write_text("new")
        assert await told.next() == ("src/b",)
        shutil.rmtree(tmp_path / "lib")
        assert await told.until("../lib/x") == {"../lib", "../lib/deep", "../lib/deep/y", "../lib/x"}
        make_tree(tmp_path, ["lib/z"])
        assert await told.until("../lib/z") == {"../lib", "../lib/z"}


async def test_a_linked_folder_counts_as_the_link(root: Path, tmp_path: Path) -> None:
    make_tree(tmp_path, ["outside/x"])
    (root / "link").symlink_to(tmp_path / "outside")
    async with watching(service(root)) as told:
        (tmp_path / "outside/x").write_text("BuildKit sends the link alone")
        (tmp_path / "new").symlink_to("elsewhere")
        (tmp_path / "new").replace(root / "link")
        assert await told.next() == ("link",)


async def test_a_file_that_is_still_written_is_told_when_it_is_closed(root: Path) -> None:
    async with watching(service(root)) as told:
        with (root / "big").open("w") as file:
            for _ in range(10):
                file.write("x" * 1000)
                file.flush()
                await asyncio.sleep(0.05)
        assert await told.next() == ("big",)


async def test_a_file_that_is_never_closed_is_told_too(root: Path) -> None:
    async with watching(service(root)) as told:
        with (root / "a").open("a") as file:
            file.write("line\n")
            file.flush()
            assert await told.next() == ("a",)


@pytest.mark.parametrize("open_events", [system_events, whole_trees], ids=["own", "trees"])
async def test_a_checkout_of_10_000_files_is_one_change(root: Path, open_events: OpenEvents) -> None:
    def git(*words: str) -> None:
        config = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *config, *words], cwd=root, check=True, capture_output=True)

    git("init", "-q", "-b", "one")
    names = [f"pkg{number % 100}/file{number}" for number in range(10_000)]
    for content in ("one", "two"):
        make_tree(root, names)
        for name in names:
            (root / name).write_text(content)
        git("checkout", "-q", "-B", content)
        git("add", ".")
        git("commit", "-q", "-m", content)
    async with watching(service(root), open_events=open_events) as told:
        await asyncio.to_thread(git, "checkout", "-q", "one")
        assert await told.next() == tuple(sorted(names))


async def test_what_the_kernel_dropped_is_found(root: Path) -> None:
    names = [f"many/file{number}" for number in range(8_000)]
    (root / "many").mkdir()
    async with watching(service(root)) as told:
        # The event loop does not run meanwhile, and the kernel keeps 16,384 events.
        make_tree(root, names)
        assert await told.until(*names) == set(names)
        (root / "many/file0").write_text("new")
        assert await told.next() == ("many/file0",)


async def test_a_cancelled_look_leaves_the_watch_alone(root: Path) -> None:
    async with watching(service(root)) as told:
        looking = asyncio.ensure_future(told.watcher.picture("web"))
        await asyncio.sleep(0)
        make_tree(root, ["new/file"])
        looking.cancel()
        assert await told.until("new/file") == {"new", "new/file"}
        (root / "new/file").write_text("again")
        assert await told.next() == ("new/file",)


async def test_nothing_is_told_while_git_holds_the_index(root: Path) -> None:
    make_tree(root, [".git/HEAD", ".git/index.lock"])
    async with watching(service(root)) as told:
        (root / "a").write_text("first")
        (root / "src/b").write_text("and second")
        lock = asyncio.get_running_loop().call_later(0.3, (root / ".git/index.lock").unlink)
        assert await told.next() == ("a", "src/b")
        assert lock.when() < asyncio.get_running_loop().time()


async def test_a_lock_that_git_left_behind_holds_up_nothing(root: Path) -> None:
    make_tree(root, [".git/index.lock"])
    os.utime(root / ".git/index.lock", (1, 1))
    async with watching(service(root)) as told:
        (root / "a").write_text("new")
        assert await told.next() == ("a",)


async def test_the_picture_is_what_is_on_disk_and_tells_what_was_not_told(root: Path) -> None:
    async with watching(service(root), debounce=30) as told:
        before = await told.watcher.picture("web")
        (root / "a").write_text("new")
        after = await told.watcher.picture("web")
        assert after is not None
        assert before is not None
        assert after.changed_since(before) == ("a",)
        assert told.changes.get_nowait() == ("web", ("a",))


async def test_there_is_no_picture_of_a_service_that_is_not_watched(root: Path) -> None:
    """Whoever asks may not have heard yet that it has left, or that the session ends."""
    async with watching(service(root), service(root / "src", name="api")) as told:
        assert await told.watcher.picture("worker") is None
        await told.watcher.remove("api")
        assert await told.watcher.picture("api") is None
        asked = asyncio.ensure_future(told.watcher.picture("web"))
        await asyncio.sleep(0)  # it is under way
        await told.watcher.remove("web")
        assert await asked is None
        assert await told.watcher.picture("web") is None


async def test_a_picture_outlives_the_session(root: Path) -> None:
    memory = Memory()
    async with watching(service(root), memory=memory):
        pass
    (root / "a").write_text("while nobody watched")
    (root / "src/b").unlink()
    watcher = FileWatcher(lambda *_: None, memory, debounce=0.03, notice=lambda *_: None)
    watched = await watcher.add(service(root))
    await watcher.close()
    assert watched == Watched(2, ("a", "src/b"))


async def test_the_first_session_has_nothing_to_compare_with(root: Path) -> None:
    watcher = FileWatcher(lambda *_: None, Memory(), debounce=0.03, notice=lambda *_: None)
    assert await watcher.add(service(root)) == Watched(3, ())
    await watcher.close()


async def test_services_of_one_tree_share_it_and_are_told_each(root: Path) -> None:
    opened: list[Collection[str]] = []

    async def open_events(folders: Collection[str], touched: TouchedSink, lost: Callable[[], None]) -> Events:
        opened.append(folders)
        return await system_events(folders, touched, lost)

    async with watching(service(root), service(root, name="worker"), open_events=open_events) as told:
        (root / "a").write_text("new")
        assert [await told.next_of(), await told.next_of()] == [("web", ("a",)), ("worker", ("a",))]
        await told.watcher.remove("web")
        (root / "a").write_text("again")
        assert await told.next_of() == ("worker", ("a",))
    assert len(opened) == 1


async def test_a_missing_context_is_a_failure(tmp_path: Path) -> None:
    watcher = FileWatcher(lambda *_: None, Memory(), debounce=0.03, notice=lambda *_: None)
    failure = await watcher.add(service(tmp_path / "nowhere"))
    assert isinstance(failure, Failure)
    assert failure.message == f"web: the build context {tmp_path / 'nowhere'} is no folder"


@pytest.mark.parametrize("folders_at_most", [0, 2])
async def test_a_reached_limit_is_told_and_files_are_polled(root: Path, folders_at_most: int) -> None:
    async with watching(service(root), open_events=limited(folders_at_most)) as told:
        assert told.notices == [
            (
                "web",
                "no change events: the limit of watched folders is reached; the files are looked at every few seconds"
                " instead",
                "sudo sysctl x=y",
            )
        ]
        (root / "src/b").write_text("new")
        assert await told.next() == ("src/b",)


async def test_a_limit_reached_later_is_told_and_files_are_polled(root: Path) -> None:
    async with watching(service(root), open_events=limited(3)) as told:
        assert told.notices == []
        make_tree(root, ["new/file"])
        assert await told.until("new/file") == {"new", "new/file"}
        assert len(told.notices) == 1
        (root / "new/file").write_text("again")
        assert await told.next() == ("new/file",)


async def test_what_does_not_count_holds_up_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devloop.adapters.watched_tree._LONGEST_WAIT", 1000.0)
    (root / ".dockerignore").write_text("*.log\n")

    async def log() -> None:
        while True:
            (root / "busy.log").write_text("line")
            await asyncio.sleep(0.01)

    async with watching(service(root), debounce=0.1) as told:
        logging = asyncio.ensure_future(log())
        for content in ("one", "two"):
            (root / "a").write_text(content)
            assert await told.next() == ("a",)
        logging.cancel()


# ahead of the debounce -----------------------------------------------------------------------------------------------


async def test_what_is_being_saved_is_shown_before_it_is_told(root: Path) -> None:
    async with watching(service(root)) as told:
        shown = _shown_ahead(told)
        (root / "a").write_text("as it is in the end")
        async with asyncio.timeout(20):
            context = await shown.get()
        assert told.changes.empty()
        assert await told.next() == ("a",)
        there = await told.watcher.picture("web")
        assert there is not None
        assert not context.picture.changed_since(there)


async def test_a_file_that_is_still_written_is_not_shown(root: Path) -> None:
    async with watching(service(root)) as told:
        shown = _shown_ahead(told)
        with (root / "a").open("w") as file:
            file.write("half")
            file.flush()
            assert await told.next() == ("a",)
            assert shown.empty()


async def test_nothing_is_shown_of_many_files(root: Path) -> None:
    async with watching(service(root), debounce=0.2) as told:
        shown, names = _shown_ahead(told), [f"src/many-{number}" for number in range(100)]
        for name in names:  # before the event loop hears of the first of them
            (root / name).write_text("1")
        await told.until(*names)
        assert shown.empty()


def _shown_ahead(told: Told) -> "asyncio.Queue[Context]":
    shown: asyncio.Queue[Context] = asyncio.Queue()
    assert isinstance(told.watcher, FileWatcher)
    told.watcher.ahead = shown.put_nowait
    return shown


async def test_a_service_that_is_watched_elsewhere_from_now_on(tmp_path: Path) -> None:
    """The old files are let go, another service that is there goes on, and what is ignored follows."""
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "Dockerfile").write_text("FROM scratch")
    async with watching(service(old), service(old, name="stays")) as told:
        assert isinstance(await told.watcher.add(service(new, ignore=("*.md",))), Watched)
        (old / "a.py").write_text("a")
        assert await told.next_of() == ("stays", ("a.py",))
        (new / "quiet.md").write_text("a")
        (new / "b.py").write_text("b")
        assert await told.next_of() == ("web", ("b.py",))
        await told.watcher.remove("stays")
        (old / "c.py").write_text("c")
        (new / "d.py").write_text("d")
        assert await told.next_of() == ("web", ("d.py",))


async def test_the_debounce_can_change_while_it_watches(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    async with watching(service(tmp_path), debounce=3600.0) as told:
        assert isinstance(told.watcher, FileWatcher)
        told.watcher.debounce(0.01)
        (tmp_path / "a.py").write_text("a")
        assert await told.next() == ("a.py",)
