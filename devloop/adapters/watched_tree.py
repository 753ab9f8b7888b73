"""One source tree under watch: events say where to look, and only what differs on disk is told."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from devloop.adapters.filesystems import git_folder, git_is_writing, silent_filesystem
from devloop.adapters.inotify import Inotify, NoEventsError, Touched
from devloop.adapters.pictures import Taken, refresh, take
from devloop.adapters.recursive_events import RecursiveEvents
from devloop.adapters.scope import Area, Context, Scope, name_of, shown
from devloop.adapters.threads import in_daemon_thread
from devloop.core.picture import Picture

_OPEN_QUIET = 0.25
"""Seconds of quiet while a file is written and not closed: its writer may be slow, or keep it open for good."""
_AHEAD = 0.003
"""Seconds after the first event when it is looked ahead: an editor has written a file by then."""
_LOOKS = 4
"""How often that is waited for."""
_LONGEST_WAIT = 2.0
"""Seconds after which changes are told although more arrive."""
_GIT_STEP = 0.02
_GIT_FEW, _GIT_MANY, _FEW = 10.0, 120.0, 50
_MANY = 2000
"""From so many touched names on, looking at everything is simpler and no slower."""
_STORE_QUIET = 2.0
_POLL_SHARE, _POLL_MIN, _POLL_MAX = 20, 1.0, 30.0
"""Without events the whole tree is looked at, for a twentieth of the time."""


class Events(Protocol):
    """Where change events come from; see `Inotify`."""

    def enter(self, path: str) -> None: ...

    def retain(self, paths: Collection[str]) -> None: ...

    def close(self) -> None: ...


class NoEvents:
    """The source that tells nothing: the tree is polled."""

    def enter(self, path: str) -> None: ...

    def retain(self, paths: Collection[str]) -> None: ...

    def close(self) -> None: ...


TouchedSink = Callable[[list[Touched]], None]
OpenEvents = Callable[[Collection[str], TouchedSink, Callable[[], None]], Awaitable[Events]]
"""Opens a source for these folders; the last argument is called when anything may have happened."""


async def system_events(folders: Collection[str], touched: TouchedSink, lost: Callable[[], None]) -> Events:
    """The change events of this operating system; raises `NoEventsError`."""
    for folder in folders:
        if kind := silent_filesystem(folder):
            raise NoEventsError(f"{folder} is on {kind}, which does not tell of all changes")
    if os.uname().sysname == "Linux":
        return Inotify(touched, lost)
    events = RecursiveEvents(folders, touched, lost)
    await events.armed()
    return events


class _ClosedError(Exception):
    """Ends a walk that nobody waits for any longer."""


class WatchedTree:
    """The tree of one area. Differences are told as sorted names for people, each exactly once."""

    def __init__(
        self,
        area: Area,
        tell: Callable[[tuple[str, ...]], None],
        notice: Callable[[str, str], None],
        store: Callable[[Picture], None],
        *,
        debounce: float,
        ahead: Callable[[Context], None] | None = None,
        open_events: OpenEvents = system_events,
    ) -> None:
        """`notice` takes a message and a hint; `store` is called in a thread, at quiet times. `ahead` is shown what is
        there at the beginning of the debounce, of which nothing was told yet: more may come."""
        self.text = ""
        """How the tree is watched, when not by events."""
        self._area, self._tell, self._notice, self._store = area, tell, notice, store
        self.debounce, self._ahead, self._open_events = debounce, ahead, open_events
        self._context = str(area.context)
        self._roots = tuple(f"{path}/" for path in (area.context, *area.watch) if path.is_dir() or path == area.context)
        self._events: Events = NoEvents()
        self._poll: float | None = None
        self._taken: Taken | None = None
        self._targets: frozenset[str] = frozenset()
        self._names: set[str] = set()
        self._open: set[str] = set()
        self._everything = False
        self._last = 0.0
        self._pending = asyncio.Event()
        self._lock = asyncio.Lock()
        self._unstored = False
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._problems: tuple[str, ...] = ()
        self._unreadable: frozenset[str] = frozenset()

    async def open(self, stored: Picture | None) -> tuple[str, ...]:
        """Begin to watch; returns what differs from the stored picture, if there is one."""
        try:
            self._events = await self._open_events(self._area.folders(), self._on_touched, self._on_lost)
        except NoEventsError as error:
            self._poll_because(error)
        async with self._lock:
            differing = await self._look(None, stored)
        self._unstored = True
        self._task = asyncio.create_task(self._run(), name=f"watch {self._context}")
        self._task.add_done_callback(_report)
        return self._shown(differing) if stored is not None else ()

    async def picture(self) -> Picture | None:
        """The whole tree as it is on disk now; differences that were not told yet are told first. None once closed."""
        # A caller that is cancelled does not end the walk: two at once would undo each other's watches.
        return await asyncio.shield(asyncio.ensure_future(self._picture()))

    async def _picture(self) -> Picture | None:
        await self._until_git_is_done()
        async with self._lock:
            try:
                self._tell_if(await self._look(None))
            except _ClosedError:
                return None
            assert self._taken is not None
            return self._taken.picture

    @property
    def latest(self) -> Context | None:
        """As it was seen last: every change that was told is in it."""
        return Context(self._taken.scope, self._taken.picture) if self._taken is not None else None

    @property
    def files(self) -> int:
        return self._taken.picture.files if self._taken is not None else 0

    async def close(self) -> None:
        self._closed = True
        self._events.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._store_if()

    async def _run(self) -> None:
        with suppress(_ClosedError):
            await self._go_on_looking()

    async def _go_on_looking(self) -> None:
        while True:
            if await self._something_happens():
                await self._look_ahead()
                await self._until_quiet()
                names = self._take_names()
            elif self._poll is not None:
                names = None
            else:
                await self._store_if()
                continue
            async with self._lock:
                self._tell_if(await self._look(names))

    async def _something_happens(self) -> bool:
        """Wait for an event; False when it is time to poll, or to store what was seen."""
        patience = self._poll if self._poll is not None else _STORE_QUIET if self._unstored else None
        try:
            async with asyncio.timeout(patience):
                await self._pending.wait()
        except TimeoutError:
            return False
        return True

    async def _look_ahead(self) -> None:
        """Show a small change before it is certain that it is all."""
        if self._ahead is None or self.debounce <= _AHEAD:
            return
        for _ in range(_LOOKS):
            await asyncio.sleep(_AHEAD)
            if not self._open:
                break
        if self._everything or self._open or len(self._names) > _FEW:
            return
        async with self._lock:
            seen = await in_daemon_thread(partial(self._glance, frozenset(self._names)))
        if seen is not None:
            self._ahead(seen)

    def _glance(self, names: Collection[str]) -> Context | None:
        """As it is now with these names looked at, which are to be looked at again."""
        known = self._taken
        if known is None or not Scope.read(self._area).same_as(known.scope):
            return None
        if any(pattern.takes_back for pattern in known.scope.ignore_file.matcher.patterns):
            return None  # then everything is looked at, which would hold up the save
        try:
            return Context(known.scope, refresh(known, names, self._enter).picture)
        except (NoEventsError, _ClosedError):  # the next look meets it too, and says so
            return None

    async def _until_quiet(self) -> None:
        now = asyncio.get_running_loop().time
        give_up = now() + _LONGEST_WAIT
        while True:
            due = min(self._last + (_OPEN_QUIET if self._open else self.debounce), give_up)
            if due <= now():
                break
            # Looked at again before that: a file that is still open now may be closed in a moment.
            await asyncio.sleep(min(due - now(), self.debounce or due - now()))
        if not await self._until_git_is_done():
            await self._until_quiet()

    async def _until_git_is_done(self) -> bool:
        """Wait for a running checkout; False when there was one."""
        git, began = git_folder(self._area.context), asyncio.get_running_loop().time()
        waited = 0.0
        while waited < (longest := self._git_patience()) and git_is_writing(git, time.time(), longest):
            await asyncio.sleep(_GIT_STEP)
            waited = asyncio.get_running_loop().time() - began
        return waited == 0 or waited >= longest

    def _git_patience(self) -> float:
        """Seconds that a lock may hold things up: one that was left behind for few files, a big checkout for many."""
        return _GIT_MANY if self._everything or len(self._names) > _FEW else _GIT_FEW

    def _take_names(self) -> set[str] | None:
        names = None if self._everything or len(self._names) > _MANY else self._names
        self._names, self._everything = set(), False
        self._open.clear()
        self._pending.clear()
        return names

    async def _look(self, names: Collection[str] | None, stored: Picture | None = None) -> tuple[str, ...]:
        """Look at these names, or at everything; returns what differs from what was known. `_ClosedError` ends it."""
        before = self._taken or stored
        started = time.monotonic()
        try:
            after, differing = await in_daemon_thread(partial(self._take, names, before))
        except NoEventsError as error:
            self._poll_because(error)
            after, differing = await in_daemon_thread(partial(self._take, None, before))
        if self._poll is not None:
            self._poll = min(max(_POLL_SHARE * (time.monotonic() - started), _POLL_MIN), _POLL_MAX)
        self._taken = after
        self._tell_problems(after.scope.ignore_file.matcher.problems)
        if differing or not isinstance(before, Taken):
            self._tell_unreadable(after.picture.unreadable)
        return differing

    def _take(self, names: Collection[str] | None, before: Taken | Picture | None) -> tuple[Taken, tuple[str, ...]]:
        scope = Scope.read(self._area)
        known = before if isinstance(before, Taken) else None
        if known is not None and scope.same_as(known.scope):
            scope = known.scope
        outposts = self._outposts(scope)
        for path in outposts:
            self._enter(path)
        if known is None or names is None or scope is not known.scope:
            after = take(scope, before, self._enter)
        else:
            after = refresh(known, names, self._enter)
        if known is None or known.folders.keys() != after.folders.keys():
            wanted = {scope.path_of(folder) for folder in after.folders if scope.wants_events(folder)}
            self._events.retain(wanted | outposts)
        earlier = known.picture if known is not None else before
        return after, after.picture.changed_since(earlier) if isinstance(earlier, Picture) else ()

    def _enter(self, path: str) -> None:
        if self._closed:
            raise _ClosedError
        self._events.enter(path)

    def _outposts(self, scope: Scope) -> set[str]:
        """Folders around the tree from where it is seen when the tree, or a part of it, vanishes and comes back."""
        steering = [scope.path_of(name) for name in scope.steering]
        # A Dockerfile that is a link changes where the link leads.
        self._targets = frozenset(os.path.realpath(path) for path in steering) - frozenset(steering)
        roots = (self._context, *map(scope.path_of, scope.beside), *self._targets, *steering)
        return {_nearest_folder(os.path.dirname(root)) for root in roots}  # noqa: PTH120

    def _on_touched(self, touched: list[Touched]) -> None:
        counting = self._everything
        for path, still_open in touched:
            if self._everything or (name := self._name(path)) is None:
                continue
            counting = True
            self._everything = not name or len(self._names) > _MANY
            self._names.add(name)
            if still_open:
                self._open.add(name)
            else:
                self._open.discard(name)
        # What does not count must not hold up what does.
        if counting:
            self._last = asyncio.get_running_loop().time()
            self._pending.set()

    def _on_lost(self) -> None:
        self._everything = True
        self._last = asyncio.get_running_loop().time()
        self._pending.set()

    def _name(self, path: str) -> str | None:
        """The name of a path if what happens there may count; empty when everything may have changed."""
        if path in self._targets or any(root.startswith(f"{path}/") for root in self._roots):
            return ""
        below = path.startswith(self._context + "/")
        name = path[len(self._context) + 1 :] if below else name_of(path, self._area.context)
        if self._taken is None or self._taken.scope.counts(name, is_folder=False):
            return name
        if not self._taken.scope.counts(name, is_folder=True):
            return None
        return name if name in self._taken.folders or os.path.isdir(path) else None  # noqa: PTH112

    def _poll_because(self, error: NoEventsError) -> None:
        self._events.close()
        self._events, self._poll = NoEvents(), _POLL_MIN
        self.text = f"no change events: {error.strerror}; the files are looked at every few seconds instead"
        self._notice(self.text, error.hint)

    def _tell_unreadable(self, names: Sequence[str]) -> None:
        """Each once: BuildKit says nothing, and makes an empty file of one that it cannot read (seen)."""
        if fresh := [name for name in names if name not in self._unreadable]:
            more = f" and {len(fresh) - 1} more" if len(fresh) > 1 else ""
            text = f"{fresh[0]}{more} cannot be read: a COPY makes an empty file of it, or fails"
            self._notice(text, "let yourself read it (`ls -l` shows whose it is), or name it in .dockerignore")
        self._unreadable = frozenset(names)

    def _tell_problems(self, problems: tuple[str, ...]) -> None:
        for problem in problems:
            if problem not in self._problems:
                self._notice(problem, "Correct or remove that line; until then every build fails.")
        self._problems = problems

    def _tell_if(self, differing: tuple[str, ...]) -> None:
        if differing:
            self._unstored = True
            self._tell(self._shown(differing))

    def _shown(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(shown(name, self._area.context) for name in names)

    async def _store_if(self) -> None:
        if self._unstored and self._taken is not None:
            self._unstored = False
            await in_daemon_thread(partial(self._store, self._taken.picture))


def _nearest_folder(path: str) -> str:
    while not os.path.isdir(path):  # noqa: PTH112
        path = os.path.dirname(path)  # noqa: PTH120
    return path


def _report(task: asyncio.Task[None]) -> None:
    """A watch that ends by itself is a bug; it must not go unnoticed."""
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler({"message": "the watch of a source tree ended", "exception": error})
