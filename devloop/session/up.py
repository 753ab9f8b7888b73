"""`devloop up`: one session from its first line to its exit code."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devloop import __version__
from devloop.adapters.clock import SystemClock
from devloop.adapters.statefolder import FileStateFolder, default_root
from devloop.core import events as ev
from devloop.core.commands import Command, Quit
from devloop.core.config import OnExit
from devloop.core.failure import Connection, ExitCode, Failure
from devloop.core.ports import Builder, LogTail
from devloop.core.scheduler import Limits
from devloop.core.service import Service, WorkloadKey
from devloop.core.why.facts import Told
from devloop.core.workload import Snapshot
from devloop.engine.builds import SharedBuilds
from devloop.engine.conductor import Conductor, ConnectionSeen, FilesChanged
from devloop.engine.cycle import run_cycle
from devloop.engine.eventlog import EventLog
from devloop.engine.leaseholder import Leaseholder
from devloop.engine.observations import Observations
from devloop.engine.tools import CycleResult, Emit, Gate, Order, Ports, SessionFacts
from devloop.session import say
from devloop.session.leases import hold, leaseholder, let_go
from devloop.session.nowatcher import NoWatcher
from devloop.session.podlogs import FollowedLogs
from devloop.session.preparing import prepare
from devloop.session.project import Project
from devloop.session.remote import Remote, open_to_others
from devloop.session.renderers import STDERR, STDOUT, Output, Renderers, last_words, lines_for
from devloop.session.reports import keep
from devloop.session.signals import LAST_WORDS, SAME, Signals, cancel_everything
from devloop.session.telling import Telling
from devloop.session.tidying import Tidying
from devloop.session.undo import undo_line
from devloop.views import exit_code, summary

if TYPE_CHECKING:
    from devloop.adapters.watcher import FileWatcher
    from devloop.session.assembly import Assembly
    from devloop.session.trial import Trial

Feed = Callable[[list[ev.Record]], None]
"""Takes what happened, batch by batch."""
Look = Callable[[], Awaitable[None]]
"""Takes in what the configuration says at this moment."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to run a session."""

    output: Output
    once: bool = False
    pod_logs: bool = True
    on_exit: OnExit | None = None
    """None: what the configuration says at the end."""
    take_over: bool = False
    """Whether workloads that somebody else works on are taken over."""
    trial: "Trial | None" = None


async def up(project: Project, options: Options) -> ExitCode:
    """Run a session until it is interrupted, or (`once`) until each service had its cycle."""
    return await Session(project, options).run()


class Session:
    """From its first event to its exit code; told line by line, or to a `feed` that draws."""

    def __init__(self, project: Project, options: Options, feed: Feed | None = None) -> None:
        self._project = project
        self._options = options
        self._feed = feed
        self._id = secrets.token_hex(4)
        self._clock = SystemClock()
        self._log = EventLog(self._clock)
        self._state = FileStateFolder(default_root(), lambda text: say.err(f"devloop: {text}"))
        self._recording = self._state.session_file(self._id)
        self._telling = Telling(self._services, self._log.emit)
        self._observations = Observations()
        self._conductor: Conductor | None = None
        self._task: asyncio.Task[ExitCode] | None = None
        self._assembly: Assembly | None = None
        self._holder: Leaseholder | None = None
        self._tail: LogTail | None = None
        self._logs: FollowedLogs | None = None
        self._tidying: Tidying | None = None
        self._running = False
        self._signalled: ExitCode | None = None
        self._asked_to_end: float | None = None
        self._deaf = False
        """Whether nobody reads stdout any more."""
        self._unrecorded = ""
        """Why the recording is cut off."""
        self._remote: Remote | None = None
        self._last_words: list[str] = []
        self._left: set[WorkloadKey] = set()
        """Workloads of services that came and went."""
        self.reconfigured: Callable[[Project], None] = lambda project: None
        """Hears of every edit of the configuration that is in force."""

    async def run(self) -> ExitCode:
        renderers = Renderers(self._log, self._reader_gone)
        if self._feed:
            renderers.to_screen(self._feed)
        else:
            renderers.to_stdout(lines_for(self._options.output, pod_logs=self._options.pod_logs))
        if self._recording:
            renderers.to_recording(self._recording, self._cut_off)
        task = self._task = asyncio.ensure_future(self._run())
        if not self._feed:  # who draws has the terminal to think of, and asks for the end
            Signals(self.quit, _leave_at_once).catch()
        code = ExitCode.BUG
        try:
            code = await task
        except asyncio.CancelledError:
            code = ExitCode.INTERRUPTED if self._signalled is None else self._signalled
        finally:
            self._log.emit(ev.SessionFinished(code))
            with contextlib.suppress(asyncio.CancelledError):  # a second Ctrl-C waits for no reader
                await self._say_goodbye(heard=await renderers.close())
        return code

    @property
    def last_words(self) -> tuple[str, ...]:
        """What there is to say when it is over: how the services are left, the undo, the recording."""
        return tuple(self._last_words)

    @property
    def project(self) -> Project:
        """What it works by at this moment."""
        return self._project

    @property
    def recording(self) -> Path | None:
        return self._recording

    def send(self, command: Command) -> None:
        """Into the conductor's inbox; nothing before there is one."""
        if self._conductor:
            self._conductor.post(command)

    def quit(self, code: ExitCode | None) -> None:
        """End it, and when asked again at once; None: with the code that it would have by itself.

        `ExitCode.BUG` is for whoever can go on no longer: then nothing more is written to the cluster.
        """
        asked, self._asked_to_end = self._asked_to_end, asyncio.get_running_loop().time()
        again = asked is not None and self._asked_to_end - asked >= SAME
        if code is not None:
            self._signalled = code
        if self._running and self._conductor and not again:
            self._conductor.post(Quit())
        elif self._task:
            self._signalled = self._signalled or ExitCode.DONE
            self._task.cancel()

    def observed(self, service: str) -> tuple[ev.WorkloadObserved, ...]:
        """The workloads of a service as they were seen last."""
        found = self._log.state.services.get(service)
        return tuple(found.workloads.values()) if found else ()

    async def newest(self, service: str) -> Told:
        """How it stands with what was saved last."""
        return await self._remote.newest(service) if self._remote is not None else Told()

    async def restore(self, service: str) -> list[str]:
        """Put the workloads of one service back; what was done, in words."""
        found = next((each for each in self._project.services if each.name == service), None)
        if found is None or self._assembly is None:
            return []
        done = [await self._restore(self._assembly, key) for key in found.workloads]
        return [line for lines, _ in done for line in lines]

    async def _restore(self, assembly: "Assembly", key: WorkloadKey) -> tuple[list[str], Failure | None]:
        """Nothing that somebody else works on."""
        if self._holder and (failure := await self._holder.may_write(key)):
            return [f"{key} is left as it is: {failure.message}"], failure
        return await assembly.restore(key, self._observations, self._project.place.config.loop.rollout_timeout)

    async def _run(self) -> ExitCode:
        project = self._project
        names = tuple(service.name for service in project.services)
        context = project.place.pinned.name
        namespace, command = project.place.namespace, project.command
        self._log.emit(ev.SessionStarted(ev.PROTOCOL, __version__, context, namespace, names, self._id, command))
        await asyncio.sleep(0)  # the first line is on its way before anything heavy is imported
        from devloop.session.assembly import assemble

        assembly = self._assembly = assemble(
            project, self._observed, self._connection, self._telling.unreadable, self._services, self._state
        )  # fmt: skip
        self._tidying = Tidying(assembly.old_images, self._services, self._log.emit)
        try:
            return await self._loop(assembly)
        finally:
            try:
                await self._tidying.close()
                await let_go(self._holder)
            finally:
                await assembly.close()

    async def _loop(self, assembly: "Assembly") -> ExitCode:
        watcher = self._watcher()
        self._holder = leaseholder(assembly.leases, self._id, tell=self._log.emit, warn=self._telling.unguarded)
        again = f"{self._project.command} --once" if self._options.once else ""
        facts = SessionFacts(self._id, self._project.place.config.loop.rollout_timeout, again=again)
        conductor = self._conductor = self._conduct(assembly, watcher, facts)
        if self._deaf:
            conductor.drain()
        if self._options.pod_logs or not self._options.once:
            self._tail = assembly.tail(self._telling.pod_line)
            self._logs = FollowedLogs(self._tail, self._services, begun=not self._options.once)
        for key in self._keys():
            assembly.observer.follow(key)
        builder = self._builder(assembly, watcher)
        code = await prepare(self._project.services, watcher, builder, assembly, facts, self._log.emit)
        if code is ExitCode.DONE:
            take_over, wait = self._options.take_over, not self._options.once
            code = await hold(self._holder, self._keys(), self._log.emit, take_over, wait=wait)
        if code is not ExitCode.DONE:
            return code
        if self._logs:
            self._logs.begin()
        self._running = True
        async with (
            self._following_edits(assembly, watcher, conductor, facts) as look,
            self._open_to_others(watcher, conductor, look),
        ):
            await conductor.run()
        self._running, self._conductor = False, None
        await watcher.close()
        return await self._leave(assembly)

    def _services(self) -> Sequence[Service]:
        """Those of the configuration that is in force."""
        return self._project.services

    def _keys(self) -> set[WorkloadKey]:
        return {key for service in self._services() for key in service.workloads}

    @contextlib.asynccontextmanager
    async def _following_edits(
        self, assembly: "Assembly", watcher: "NoWatcher | FileWatcher", conductor: Conductor, facts: SessionFacts
    ) -> AsyncIterator[Look]:
        """Edits of the configuration come into force while the conductor runs, where it was read from a file."""
        if isinstance(watcher, NoWatcher) or not self._project.files or self._tail is None or self._holder is None:
            yield nothing_to_look_at
            return
        from devloop.session.live import LiveConfig
        from devloop.session.switchover import Switchover

        builder = assembly.appending(watcher, self._state, None)
        switchover = Switchover(
            assembly, builder, watcher, conductor, self._observations, self._holder, facts, self._tail,
            self._log.emit, self._observed, self._telling.audited, self._work_by,
        )  # fmt: skip
        live = LiveConfig(self._project, self._log.emit, switchover.go_over)
        async with live.following():
            yield live.look

    def _work_by(self, project: Project) -> None:
        self._left |= {key for key in self._keys() if self._holder is None or self._holder.held_by(key) is None}
        self._project = project
        if self._remote is not None:
            self._remote.project = project
        self.reconfigured(project)

    @contextlib.asynccontextmanager
    async def _open_to_others(
        self, watcher: "NoWatcher | FileWatcher", conductor: Conductor, look: Look
    ) -> AsyncIterator[None]:
        """Other terminals may ask while the conductor runs; nobody needs to while `--once` does."""
        if self._options.once:
            yield
            return

        async def caught_up(service: str) -> None:
            await watcher.picture(service)
            await conductor.caught_up()

        remote = self._remote = Remote(
            self._project, self._log, self._id, conductor.post, caught_up, look, on_screen=bool(self._feed)
        )
        async with open_to_others(remote):
            yield

    def _conduct(self, assembly: "Assembly", watcher: "NoWatcher | FileWatcher", facts: SessionFacts) -> Conductor:
        builds = SharedBuilds(self._builder(assembly, watcher), lambda: self._log.state.wanted)
        assert self._holder is not None
        ports = Ports(
            builds, assembly.registry, assembly.cluster, watcher, self._observations, self._clock,
            self._holder.may_write,
        )  # fmt: skip

        async def run(order: Order, *, emit: Emit, gate: Gate) -> CycleResult:
            return await run_cycle(order, ports, facts, emit=emit, gate=gate)

        limits = Limits(self._project.place.config.loop.parallel_builds, self._options.once)
        return Conductor(
            self._services(), limits, self._log, run, self._observations, assembly.prober,
            lambda error: keep(error, self._recording), self._holder.take_over,
        )  # fmt: skip

    def _builder(self, assembly: "Assembly", watcher: "NoWatcher | FileWatcher") -> Builder:
        """What a save becomes a layer of is known where the source is watched."""
        if isinstance(watcher, NoWatcher):
            return assembly.full
        return assembly.appending(
            watcher, self._state, self._telling.audited if self._project.place.config.loop.audit else None
        )

    # files -------------------------------------------------------------------------------------------------------

    def _watcher(self) -> "NoWatcher | FileWatcher":
        if self._options.once:
            return NoWatcher()
        from devloop.adapters.watcher import FileWatcher

        debounce = self._project.place.config.loop.debounce
        return FileWatcher(self._changed, self._state, debounce=debounce, notice=self._telling.watch_notice)

    def _changed(self, service: str, files: tuple[str, ...]) -> None:
        if self._conductor:
            self._conductor.post(FilesChanged(service, files))

    # cluster -----------------------------------------------------------------------------------------------------

    def _observed(self, snapshot: Snapshot) -> None:
        if self._conductor:
            self._conductor.post(snapshot)
        else:  # nobody decides any more, but a restore still waits for what it put back
            self._observations.observe(snapshot)
        if self._tidying and self._conductor:
            self._tidying.look(snapshot)
        if self._logs:
            self._logs.look(snapshot)

    def _connection(self, ok: bool, text: str) -> None:
        if self._conductor:
            self._conductor.post(ConnectionSeen(Connection.CLUSTER, ok, text))

    # the end -----------------------------------------------------------------------------------------------------

    async def _leave(self, assembly: "Assembly") -> ExitCode:
        """Say how the services are left; put their workloads back if that is wanted."""
        keys, on_exit = self._keys(), self._options.on_exit or self._project.place.config.loop.on_exit
        code = self._signalled or (exit_code(self._log.state) if self._options.once else ExitCode.DONE)
        self._last_words = [phrase.text for phrase in summary(self._log.state)]
        for key in sorted(keys | self._left) if self._options.trial is None else ():
            deployment = await assembly.as_it_is(key, self._observations)
            if deployment is None or not deployment.is_marked:
                continue
            if lease := self._holder.held_by(key) if self._holder else None:
                self._last_words.append(f"{key} is left to {lease.holder.identity}, who works on it")
            elif on_exit is OnExit.RESTORE and code is not ExitCode.BUG and key in keys:
                words, failure = await self._restore(assembly, key)
                self._last_words += words
                code = max(code, failure.exit_code) if failure else code
            else:
                self._last_words.append(undo_line(deployment, self._project.place.chosen))
        return code

    async def _say_goodbye(self, *, heard: bool) -> None:
        """On stderr when stdout is for events, or nobody `heard` what was written there."""
        if self._recording:
            told = f"the recording is incomplete: {self._unrecorded}: " if self._unrecorded else "recorded in "
            self._last_words.append(f"{told}{self._recording}")
        if self._feed:
            return  # they are said when the screen is gone
        plain = self._options.output is Output.PLAIN
        await last_words(STDOUT if plain and heard else STDERR, say.fitting(*self._last_words))

    def _cut_off(self, error: OSError) -> None:
        self._unrecorded = error.strerror or str(error)
        self._telling.recording_ends(self._recording, self._unrecorded)

    def _reader_gone(self) -> None:
        self._deaf = True
        if self._conductor:
            self._conductor.drain()


async def nothing_to_look_at() -> None:
    """Where the configuration is none that could change."""


def _leave_at_once(code: ExitCode) -> None:
    cancel_everything()
    asyncio.get_running_loop().call_later(LAST_WORDS, os._exit, int(code))
