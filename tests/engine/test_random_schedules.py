"""Random schedules of saves and faults: no save is lost, no two cycles of a service run, and the log is the state."""

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devloop.core import events as ev
from devloop.core.commands import Pause, Quit, Rebuild, Reconfigure, Restart, Stop
from devloop.core.failure import Connection
from devloop.core.reducer import fold
from devloop.core.scheduler import Limits
from devloop.core.service import Service
from devloop.headless.ndjson import decode_all, encode
from tests.engine.conftest import run_in_fake_time
from tests.engine.world import Bench, World, digest_of_source, service

NAMES = ("db", "api", "web")
names = st.sampled_from(NAMES)
connections = st.sampled_from(list(Connection))
actions = st.one_of(
    st.tuples(st.just("save"), names),
    st.tuples(st.just("break"), names),
    st.tuples(st.just("mend"), names),
    st.tuples(st.just("lose"), connections),
    st.tuples(st.just("return"), connections),
    st.tuples(st.just("pause"), names),
    st.tuples(st.just("resume"), names),
    st.tuples(st.just("rebuild"), names),
    st.tuples(st.just("restart"), names),
    st.tuples(st.just("stop"), names),
)
schedules = st.lists(st.tuples(st.floats(0, 3), actions), max_size=25)


TIES = [
    (0.0, ("save", "db")),
    (0.0, ("break", "api")),
    (3.0, ("save", "db")),
    (0.0, ("rebuild", "api")),
    (0.0, ("save", "db")),
]
"""A build begins and a save of its source follows in the same millisecond."""


@pytest.mark.parametrize("eager", [False, True], ids=["lazy", "eager"])
@example(schedule=TIES, slots=1, shared=True)
@settings(max_examples=60, deadline=None)
@given(schedule=schedules, slots=st.integers(1, 3), shared=st.booleans())
def test_no_save_is_lost(eager: bool, schedule: list[tuple[float, tuple[str, str]]], slots: int, shared: bool) -> None:
    async def scenario() -> None:
        context = "app" if shared else ""
        services = (service("db"), service("api", depends_on=["db"], context=context), service("web", context=context))
        bench = Bench(World(services), Limits(parallel_builds=slots))
        await _play(bench, schedule)
        _check_log(bench)
        for one in services:
            source = one.build.context.name
            for key in one.workloads:
                assert bench.world.running(key) == [digest_of_source(source, bench.world.versions[source])], one.name

    run_in_fake_time(scenario, eager=eager)


subsets = st.sets(names, min_size=1).map(lambda found: " ".join(sorted(found)))
edits = st.one_of(actions, st.tuples(st.just("have"), subsets), st.tuples(st.just("argue"), names))


@pytest.mark.parametrize("eager", [False, True], ids=["lazy", "eager"])
@settings(max_examples=60, deadline=None)
@given(schedule=st.lists(st.tuples(st.floats(0, 3), edits), max_size=25), shared=st.booleans())
def test_no_save_is_lost_while_services_come_change_and_go(
    eager: bool, schedule: list[tuple[float, tuple[str, str]]], shared: bool
) -> None:
    """Whatever was configured meanwhile: at the end each service runs what was saved last, by what is said last."""

    async def scenario() -> None:
        context = "app" if shared else ""
        every = (service("db"), service("api", context=context), service("web", context=context))
        bench = Bench(World(every), Limits(parallel_builds=2))
        await _play(bench, [*schedule, (0.0, ("have", " ".join(NAMES)))])
        _check_log(bench)
        for one in bench.world.services:
            source, args = one.build.context.name, dict(one.build.args)
            for key in one.workloads:
                digest = digest_of_source(source, bench.world.versions[source], **args)
                assert bench.world.running(key) == [digest], one.name

    run_in_fake_time(scenario, eager=eager)


async def _edit(bench: Bench, action: str, target: str, known: dict[str, Service]) -> None:
    """`have` these services from now on, or `argue` otherwise in the build of one of them, and of its twin."""
    if action == "argue":
        context, step = known[target].build.context, str(len(bench.records))
        for name, one in known.items():
            if one.build.context == context:
                known[name] = replace(one, build=replace(one.build, args=(("STEP", step),)))
        target = " ".join(one.name for one in bench.world.services)
    bench.world.services = tuple(known[name] for name in target.split())
    await bench.conductor.reconfigure(Reconfigure(bench.world.services, 2))


async def _play(bench: Bench, schedule: list[tuple[float, tuple[str, str]]]) -> None:
    known = {one.name: one for one in bench.world.services}
    bench.log.emit(ev.SessionStarted(1, "0", "test", "shop", NAMES))
    bench.world.boot()
    running = asyncio.ensure_future(bench.conductor.run())
    stopped = set()
    for pause, (action, target) in schedule:
        await asyncio.sleep(pause)
        if action in {"have", "argue"}:
            await _edit(bench, action, target, known)
        else:
            _act(bench, action, target)
        if action == "stop":
            stopped.add(target)
    _mend(bench)
    for name in stopped:  # what a person stopped is given up; one more save brings it all
        bench.save(next(s for s in bench.world.services if s.name == name).build.context.name)
    await asyncio.sleep(300)
    bench.conductor.post(Quit())
    await running
    await asyncio.gather(*bench.world.tasks)


def _act(bench: Bench, action: str, target: str) -> None:
    world = bench.world
    context = next((s.build.context.name for s in world.services if s.name == target), "")
    match action:
        case "save":
            bench.save(context)
        case "break":
            world.broken.add(context)
            bench.save(context)
        case "mend":
            world.broken.discard(context)
            bench.save(context)
        case "lose" if target == Connection.CLUSTER:
            bench.lose_cluster()
        case "lose":
            world.lose(Connection(target))
        case "return":
            world.give_back(Connection(target))
        case "pause" | "resume":
            bench.conductor.post(Pause(target, paused=action == "pause"))
        case "rebuild":
            bench.conductor.post(Rebuild(target))
        case "restart":
            bench.conductor.post(Restart(target))
        case "stop":
            bench.conductor.post(Stop(target))


def _mend(bench: Bench) -> None:
    """Everything is well again; only sources that did not build are saved once more, as a person would."""
    for to in Connection:
        bench.world.give_back(to)
    for name in NAMES:
        bench.conductor.post(Pause(name, paused=False))
    for context in tuple(bench.world.broken):
        bench.world.broken.discard(context)
        bench.save(context)


def _check_log(bench: Bench) -> None:
    assert bench.reports == []
    assert fold(bench.records) == bench.log.state
    assert fold(decode_all(encode(record) for record in bench.records)) == bench.log.state
    running: Counter[str] = Counter()
    for record in bench.records:
        if isinstance(record.event, ev.CycleStarted):
            running[record.event.service] += 1
        elif isinstance(record.event, ev.CycleFinished):
            running[record.event.service] -= 1
        assert max(running.values(), default=0) <= 1
    assert not any(running.values())
    assert all(earlier.time <= later.time for earlier, later in pairwise(bench.records))
