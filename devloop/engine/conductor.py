"""The conductor: the only one who decides. Everything arrives in its inbox; it logs, schedules and carries out.

Facts from outside (changed files, snapshots, lost connections), commands, and the ends of cycles are items of one
queue. After each the conductor asks `schedule` what follows from the state, and starts, supersedes and admits cycles.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from devloop.core import events as ev
from devloop.core.commands import Command, Pause, Quit, Rebuild, Reconfigure, Restart, Stop, TakeOver
from devloop.core.failure import CONNECTION_LOST, Connection, Failure, FailureCode
from devloop.core.ports import Prober
from devloop.core.scheduler import Decision, Limits, schedule
from devloop.core.service import Service, WorkloadKey
from devloop.core.state import ServiceState
from devloop.core.workload import Snapshot
from devloop.engine.eventlog import EventLog
from devloop.engine.observations import Observations
from devloop.engine.switch import Switch
from devloop.engine.tools import CycleResult, Emit, Gate, Order
from devloop.engine.watchman import Watchman


class RunCycle(Protocol):
    """Runs one cycle; `devloop.engine.cycle.run_cycle` with its ports and facts bound."""

    def __call__(self, order: Order, *, emit: Emit, gate: Gate) -> Coroutine[None, None, CycleResult]: ...


@dataclass(frozen=True, slots=True)
class FilesChanged:
    """Watched files of a service have new content."""

    service: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConnectionSeen:
    """Something that talks to the cluster, the engine or a registry lost it, or has it back."""

    to: Connection
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class _CycleEnded:
    service: str
    cycle: int
    task: "asyncio.Task[CycleResult]"


@dataclass(frozen=True, slots=True)
class _Mark:
    """Behind everything that was posted before it."""

    reached: "asyncio.Future[None]"


Item = FilesChanged | ConnectionSeen | Snapshot | Command | _CycleEnded | _Mark


@dataclass(slots=True)
class _Live:
    """A cycle that runs."""

    number: int
    task: "asyncio.Task[CycleResult]"
    gate: "asyncio.Future[Failure | None]"
    started: float
    ending: ev.Outcome | None = None
    """Why it was cancelled."""


class Conductor:
    """Runs the cycles of a session until it is stopped, or (`once`) until each service had one."""

    def __init__(
        self,
        services: Sequence[Service],
        limits: Limits,
        log: EventLog,
        run_cycle: RunCycle,
        observations: Observations,
        prober: Prober,
        report: Callable[[BaseException], str],
        take_over: Callable[[WorkloadKey], None] = lambda key: None,
    ) -> None:
        """`report` keeps what a mistake of devloop's left, and returns a phrase that says where.

        `take_over` takes a workload from whoever else works on it; that it is done comes back as an event.
        """
        self._services: dict[str, Service] = {service.name: service for service in services}
        self._limits = limits
        self._log = log
        self._run_cycle = run_cycle
        self._observations = observations
        self._watchman = Watchman(observations, self._look_again)
        self._switch = Switch(observations, self._watchman, lambda key: self._log.state.elsewhere([key]) is not None)
        self._prober = prober
        self._report = report
        self._take_over = take_over
        self._inbox: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._live: dict[str, _Live] = {}
        self._probes: dict[Connection, asyncio.Task[None]] = {}
        self._quitting = False
        self._draining = False
        log.on_append(self._on_record)

    # what comes in -----------------------------------------------------------------------------------------------

    def post(self, item: Item) -> None:
        """Put an item into the inbox; called from the event loop's own thread."""
        self._inbox.append(item)
        self._wake.set()

    async def caught_up(self) -> None:
        """Wait until everything that was posted before is decided upon; a conductor that has ended decides nothing."""
        mark = _Mark(asyncio.get_running_loop().create_future())
        self.post(mark)
        await mark.reached

    async def reconfigure(self, command: Reconfigure) -> None:
        """Post it, and wait until no service works by what was before."""
        self._switch.clear()
        self.post(command)
        await self._switch.done()

    def drain(self) -> None:
        """Let running cycles end, start no more, and then finish (the reader of stdout is gone)."""
        self._draining = True
        self._wake.set()

    def _on_record(self, record: ev.Record) -> None:
        if not record.event.lossy:
            self._wake.set()

    # the loop ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until `Quit`, until drained, or (`once`) until every service had its cycle; ends what still runs."""
        try:
            while not self._is_over():
                await self._wake.wait()
                self._wake.clear()
                self._handle_inbox()
                self._go_over()
                if not self._quitting:
                    self._carry_out(self._decide())
        finally:
            await self._end_all()

    def _is_over(self) -> bool:
        if self._quitting:
            return True
        if self._live or self._inbox:
            return False
        states = self._log.state.services.values()
        return self._draining or (self._limits.once and all(s.last is not None for s in states))

    def _go_over(self) -> None:
        """Before anything is decided: nothing begins by settings that do not hold any more."""
        for event in self._switch.step(self._services, self._live):
            self._log.emit(event)

    def _decide(self) -> Decision:
        decision = schedule(self._log.state, self._services, self._limits)
        if not self._draining:
            return decision
        self._give_up(decision.holds)
        return Decision(admit=decision.admit, refuse=decision.refuse)

    def _give_up(self, holds: Mapping[str, ev.Hold]) -> None:
        """Where nothing is started any more, nobody waits for a service that does not run."""
        for name, live in self._live.items():
            hold = holds.get(name)
            if hold and hold.code is ev.HoldCode.DEPENDENCY and hold.on not in self._live:
                self._cancel(name, live, ev.Outcome.STOPPED)

    async def _end_all(self) -> None:
        for probe in self._probes.values():
            probe.cancel()
        for name, live in self._live.items():
            self._cancel(name, live, ev.Outcome.STOPPED)
        tasks = [live.task for live in self._live.values()]
        if tasks:
            await asyncio.wait(tasks)
        self._handle_inbox()

    # what follows ------------------------------------------------------------------------------------------------

    def _carry_out(self, decision: Decision) -> None:
        for name in decision.cancel:
            self._cancel(name, self._live[name], ev.Outcome.SUPERSEDED)
        for name, failure in decision.refuse.items():
            self._open_gate(name, failure)
        for name in decision.admit:
            self._admit(name)
        for name in decision.start:
            self._start(name)
        self._tell_holds(decision.holds)

    def _start(self, name: str) -> None:
        current = self._log.state.services[name]
        want = current.want
        if want is None:
            return
        number = current.cycles + 1
        self._log.emit(ev.CycleStarted(name, number, want.trigger, want.count, want.files, want.text))
        running = self._log.state.services[name].running
        order = Order(self._services[name], number, running.want if running else want)
        gate: asyncio.Future[Failure | None] = asyncio.get_running_loop().create_future()

        async def admitted() -> Failure | None:
            return await gate

        cycle = self._run_cycle(order, emit=self._log.emit, gate=admitted)
        task = asyncio.create_task(cycle, name=f"cycle {number} of {name}")
        self._live[name] = _Live(number, task, gate, asyncio.get_running_loop().time())
        task.add_done_callback(lambda done: self.post(_CycleEnded(name, number, done)))

    def _cancel(self, name: str, live: _Live, why: ev.Outcome) -> None:
        if live.ending is None:
            live.ending = why
            live.task.cancel()

    def _admit(self, name: str) -> None:
        """Admission and the start of the rollout phase are one step, so that the next decision knows of it."""
        if self._live[name].ending is not None:
            return
        self._open_gate(name, None)
        self._log.emit(ev.PhaseStarted(name, self._live[name].number, ev.Phase.ROLLOUT))

    def _open_gate(self, name: str, answer: Failure | None) -> None:
        gate = self._live[name].gate
        if not gate.done():
            gate.set_result(answer)

    def _tell_holds(self, holds: Mapping[str, ev.Hold]) -> None:
        for name, current in self._log.state.services.items():
            if current.hold != holds.get(name):
                self._log.emit(ev.CycleHeld(name, holds.get(name)))

    # one item of the inbox ---------------------------------------------------------------------------------------

    def _handle_inbox(self) -> None:
        while self._inbox:
            self._handle(self._inbox.popleft())

    def _handle(self, item: Item) -> None:
        match item:
            case FilesChanged(service, files):
                if service in self._services:
                    self._log.emit(ev.ChangeDetected(service, len(files), files[: ev.MAX_FILES]))
            case Snapshot():
                self._observe(item)
            case _CycleEnded():
                self._finish(item)
            case ConnectionSeen():
                self._connection(item.to, item.ok, item.text)
            case _Mark(reached):
                if not reached.done():
                    reached.set_result(None)
            case _:
                self._obey(item)

    def _obey(self, command: Command) -> None:
        match command:
            case Rebuild(service, trigger) if service in self._services:
                self._log.emit(ev.CycleRequested(service, trigger))
            case Restart(service, trigger) if service in self._services:
                self._log.emit(ev.CycleRequested(service, trigger, "restart", restart=True))
            case Pause(service, paused) if service in self._services:
                self._log.emit(ev.ServicePaused(service, paused))
            case Stop(service) if service in self._live:
                self._cancel(service, self._live[service], ev.Outcome.STOPPED)
            case TakeOver(service) if service in self._services:
                for key in self._services[service].workloads:
                    self._take_over(key)
            case Reconfigure():
                self._reconfigure(command)
            case Quit():
                self._quitting = True

    def _reconfigure(self, wanted: Reconfigure) -> None:
        """Cycles that are of no use any more die; those that patched already only stop looking."""
        self._limits = replace(self._limits, parallel_builds=wanted.parallel_builds)
        outdated = self._switch.begin(self._services, wanted.services).outdated
        kept = {service.name for service in wanted.services}
        for name, live in self._live.items():
            if name in outdated:
                self._cancel(name, live, ev.Outcome.SUPERSEDED if name in kept else ev.Outcome.STOPPED)

    def _look_again(self, key: WorkloadKey, seconds: float) -> None:
        def look() -> None:
            snapshot = self._observations.latest(key)
            if snapshot:
                self.post(snapshot)

        asyncio.get_running_loop().call_later(seconds, look)

    def _observe(self, snapshot: Snapshot) -> None:
        self._observations.observe(snapshot)
        for event in self._watchman.look(snapshot, self._services.values(), self._log.state):
            self._log.emit(event)

    def _finish(self, ended: _CycleEnded) -> None:
        live = self._live.pop(ended.service)
        result = self._result_of(ended.task, live)
        self._close_phase(self._log.state.services[ended.service], live)
        seconds = round(asyncio.get_running_loop().time() - live.started, 3)
        failure = result.failure
        self._log.emit(
            ev.CycleFinished(
                ended.service, ended.cycle, result.outcome, result.digest, seconds, failure, result.builder, result.text
            )
        )
        self._watchman.cycle_ended(self._services[ended.service], self._log.state.services[ended.service])
        lost = CONNECTION_LOST.get(failure.code) if failure else None
        if lost and failure:
            self._connection(lost, ok=False, text=failure.message)

    def _result_of(self, task: "asyncio.Task[CycleResult]", live: _Live) -> CycleResult:
        if task.cancelled():
            return CycleResult(live.ending or ev.Outcome.STOPPED)
        error = task.exception()
        if error:
            message = f"devloop made a mistake in this cycle: {type(error).__name__}: {error}"
            return CycleResult(ev.Outcome.FAILED, failure=Failure(FailureCode.BUG, message, self._report(error)))
        return task.result()

    def _close_phase(self, current: ServiceState, live: _Live) -> None:
        """A task that is cancelled before its first step never runs its own `finally`: its phase is closed here."""
        running = current.running
        if running and running.phase:
            seconds = round(max(0.0, asyncio.get_running_loop().time() - live.started), 3)
            self._log.emit(ev.PhaseFinished(current.name, live.number, running.phase, seconds, ok=False))

    # connections -------------------------------------------------------------------------------------------------

    def _connection(self, to: Connection, ok: bool, text: str) -> None:
        if ok != (to in self._log.state.lost):
            return
        self._log.emit(ev.ConnectionChanged(to, ok, text))
        if ok:
            probe = self._probes.pop(to, None)
            if probe:
                probe.cancel()
        elif not self._limits.once:
            self._probes[to] = asyncio.create_task(self._probe(to), name=f"wait for the {to}")

    async def _probe(self, to: Connection) -> None:
        text = await self._prober.until_back(to)
        self.post(ConnectionSeen(to, ok=True, text=text))
