"""A restart without a build, scenario by scenario, over scripted ports and fake time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from devloop.core import events as ev
from devloop.core.commands import Pause, Restart, Stop
from devloop.core.failure import Connection
from devloop.core.patch import BuildMark
from devloop.core.scheduler import Limits
from devloop.core.service import WorkloadKey
from devloop.core.workload import BUILD
from tests.engine.conftest import RunScenario
from tests.engine.test_conductor import finished, holds, session
from tests.engine.world import Bench, World, digest_of_source, service

WEB = WorkloadKey("shop", "deployment", "web")


def phases(bench: Bench, cycle: int) -> list[str]:
    events = [record.event for record in bench.records]
    return [event.phase for event in events if isinstance(event, ev.PhaseStarted) and event.cycle == cycle]


def last_started(bench: Bench) -> ev.CycleStarted:
    return [record.event for record in bench.records if isinstance(record.event, ev.CycleStarted)][-1]


def mark(bench: Bench) -> BuildMark:
    found = bench.world.deployments[WEB]["spec"]["template"]["metadata"]["annotations"][BUILD]
    decoded = BuildMark.decode(found)
    assert decoded is not None
    return decoded


def scenario(bench: Bench, act: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """What follows once the first cycle is verified."""

    async def verified_first() -> None:
        await asyncio.sleep(20)
        assert finished(bench, "web") == ["verified"]
        await act()

    return lambda: session(bench, verified_first)


def test_a_restart_makes_a_new_revision_of_the_image_that_runs_and_proves_it(run: RunScenario) -> None:
    async def whole() -> None:
        bench = Bench(World((service("web"),)))

        async def act() -> None:
            pushed = mark(bench)
            revisions = len(bench.world.sets[WEB])
            bench.conductor.post(Restart("web"))
            await asyncio.sleep(20)
            assert len(bench.world.sets[WEB]) == revisions + 1
            assert bench.world.running(WEB) == [digest_of_source("web", 0)]
            again = mark(bench)
            assert (again.digest, again.pushed_at) == (pushed.digest, pushed.pushed_at)
            assert again.patched_at > pushed.pushed_at

        await scenario(bench, act)()
        assert finished(bench, "web") == ["verified", "verified"]
        assert (bench.world.builds, bench.world.patches) == (["web"], ["web", "web"])
        assert phases(bench, 2) == ["rollout", "verify"]
        started = last_started(bench)
        assert (started.trigger, started.text, started.files) == (ev.Trigger.KEY, "restart", ())
        ended = [record.event for record in bench.records if isinstance(record.event, ev.CycleFinished)][-1]
        assert (ended.digest, ended.text) == (digest_of_source("web", 0), "")

    run(whole)


def test_two_restarts_are_two_revisions(run: RunScenario) -> None:
    async def whole() -> None:
        bench = Bench(World((service("web"),)))

        async def act() -> None:
            for _ in range(2):
                bench.conductor.post(Restart("web"))
                await asyncio.sleep(20)

        await scenario(bench, act)()
        assert finished(bench, "web") == ["verified"] * 3
        assert bench.world.patches == ["web"] * 3

    run(whole)


def test_a_save_in_the_same_moment_makes_one_ordinary_cycle(run: RunScenario) -> None:
    async def whole() -> None:
        bench = Bench(World((service("web"),)))

        async def act() -> None:
            bench.conductor.post(Restart("web"))
            bench.save("web", "a.py")
            await asyncio.sleep(20)
            assert bench.world.running(WEB) == [digest_of_source("web", 1)]

        await scenario(bench, act)()
        assert finished(bench, "web") == ["verified", "verified"]
        assert phases(bench, 2) == ["build", "push", "rollout", "verify"]
        started = last_started(bench)
        assert (started.trigger, started.text, started.files) == (ev.Trigger.KEY, "restart", ("a.py",))

    run(whole)


def test_a_build_that_changes_nothing_restarts_in_any_case(run: RunScenario) -> None:
    async def whole() -> None:
        bench = Bench(World((service("web"),)))

        async def act() -> None:
            bench.conductor.post(Pause("web", paused=True))
            bench.save("web", "a.py")
            bench.world.versions["web"] = 0
            await asyncio.sleep(5)
            assert holds(bench, "web") == ["paused"]
            bench.conductor.post(Restart("web"))  # asked for by a person: not held, and with the save that gathered
            await asyncio.sleep(20)

        await scenario(bench, act)()
        assert finished(bench, "web") == ["verified", "verified"], "without the restart it would be unchanged"
        assert bench.world.builds == ["web", "web"]

    run(whole)


def test_a_restart_during_the_first_build_waits_for_its_image_and_takes_over_its_rollout(run: RunScenario) -> None:
    async def whole() -> None:
        bench = Bench(World((service("web"),)))

        async def act() -> None:
            await asyncio.sleep(0.5)
            bench.conductor.post(Restart("web"))
            await asyncio.sleep(40)

        await session(bench, act)
        assert finished(bench, "web") == ["superseded", "verified"]
        assert (bench.world.builds, bench.world.patches) == (["web"], ["web"])

    run(whole)


def test_a_restart_during_a_rollout_ends_it_and_builds_nothing(run: RunScenario) -> None:
    async def whole() -> None:
        world = World((service("web"),), crashing={"web"})
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(10)
            assert bench.log.state.services["web"].running is not None
            world.crashing.clear()
            bench.conductor.post(Restart("web"))
            await asyncio.sleep(20)

        await session(bench, act)
        assert finished(bench, "web") == ["superseded", "verified"]
        assert world.builds == ["web"]

    run(whole)


def test_a_session_that_pushed_nothing_builds_for_a_restart(run: RunScenario) -> None:
    async def whole() -> None:
        bench = Bench(World((service("web"),)))

        async def act() -> None:
            await asyncio.sleep(0.5)
            bench.conductor.post(Stop("web"))
            await asyncio.sleep(5)
            bench.conductor.post(Restart("web"))
            await asyncio.sleep(20)

        await session(bench, act)
        assert finished(bench, "web") == ["stopped", "verified"]
        assert phases(bench, 2) == ["build", "push", "rollout", "verify"]

    run(whole)


@pytest.mark.parametrize("to", [Connection.ENGINE, Connection.REGISTRY])
def test_a_restart_needs_neither_engine_nor_registry(run: RunScenario, to: Connection) -> None:
    async def whole() -> None:
        bench = Bench(World((service("web"),)))

        async def act() -> None:
            bench.world.lose(to)
            bench.conductor.post(Restart("web"))
            await asyncio.sleep(20)
            bench.world.give_back(to)

        await scenario(bench, act)()
        assert finished(bench, "web") == ["verified", "verified"]

    run(whole)


def test_a_restart_waits_for_the_cluster_and_stays_a_restart(run: RunScenario) -> None:
    async def whole() -> None:
        bench = Bench(World((service("web"),)))

        async def act() -> None:
            bench.world.lose(Connection.CLUSTER)
            bench.conductor.post(Restart("web"))
            await asyncio.sleep(10)
            assert finished(bench, "web") == ["verified", "failed"], "nobody had noticed that it was away"
            assert holds(bench, "web") == ["waiting for the cluster to come back"]
            bench.world.give_back(Connection.CLUSTER)
            await asyncio.sleep(20)

        await scenario(bench, act)()
        assert finished(bench, "web") == ["verified", "failed", "verified"]
        assert bench.world.builds == ["web"]

    run(whole)


def test_two_services_on_one_workload_restart_one_after_the_other(run: RunScenario) -> None:
    async def whole() -> None:
        shared = (service("web", container="web"), service("side", workload="web", container="side"))
        bench = Bench(World(shared), Limits(parallel_builds=2))

        async def act() -> None:
            await asyncio.sleep(20)
            bench.conductor.post(Restart("web"))
            bench.conductor.post(Restart("side"))
            await asyncio.sleep(40)

        await scenario(bench, act)()
        assert finished(bench, "web") == finished(bench, "side") == ["verified", "verified"]
        assert holds(bench, "side")[-1] == "waiting for the rollout of web on deployment/web"
        assert bench.world.patches == ["web"] * 4

    run(whole)
