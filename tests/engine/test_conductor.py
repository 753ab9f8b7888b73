"""What the loop does, scenario by scenario, over scripted ports and fake time."""

import asyncio
from collections.abc import Awaitable, Callable

from devloop.core import events as ev
from devloop.core.commands import Pause, Quit, Rebuild, Stop
from devloop.core.failure import Connection, ExitCode, FailureCode
from devloop.core.reducer import fold
from devloop.core.scheduler import Limits
from devloop.core.service import WorkloadKey
from devloop.views import exit_code
from tests.engine.conftest import RunScenario
from tests.engine.world import Bench, World, digest_of_source, service


async def session(bench: Bench, act: Callable[[], Awaitable[None]]) -> None:
    """Run a session, act in it, and quit."""
    bench.log.emit(ev.SessionStarted(1, "0", "test", "shop", tuple(s.name for s in bench.world.services)))
    bench.world.boot()
    running = asyncio.ensure_future(bench.conductor.run())
    try:
        await act()
        assert fold(bench.records) == bench.log.state
    finally:
        bench.conductor.post(Quit())
        await running
        await asyncio.gather(*bench.world.tasks)
    assert bench.reports == []


def finished(bench: Bench, name: str) -> list[str]:
    return [
        record.event.outcome
        for record in bench.records
        if isinstance(record.event, ev.CycleFinished) and record.event.service == name
    ]


def holds(bench: Bench, name: str) -> list[str]:
    events = [r.event for r in bench.records if isinstance(r.event, ev.CycleHeld) and r.event.service == name]
    return [event.hold.text for event in events if event.hold]


def test_start_verifies_and_a_second_session_finds_nothing_to_do(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench = Bench(world, Limits(once=True))

        async def once() -> None:
            await asyncio.sleep(30)

        await session(bench, once)
        assert finished(bench, "web") == ["verified"]
        again = Bench(world, Limits(once=True))
        await session_without_boot(again)
        assert finished(again, "web") == ["unchanged"]
        assert world.patches == ["web"]

    run(scenario)


async def session_without_boot(bench: Bench) -> None:
    """A later session over a world that is as an earlier one left it; ends by itself."""
    bench.log.emit(ev.SessionStarted(1, "0", "test", "shop", tuple(s.name for s in bench.world.services)))
    for key in bench.world.deployments:
        bench.world.report(key)
    await bench.conductor.run()
    await asyncio.gather(*bench.world.tasks)


def test_a_save_during_the_build_supersedes_it_and_its_files_join(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench(World((service("web"),)))

        async def act() -> None:
            await asyncio.sleep(20)
            bench.save("web", "a.py")
            await asyncio.sleep(0.5)
            bench.save("web", "b.py")
            await asyncio.sleep(20)
            assert bench.world.running(WorkloadKey("shop", "deployment", "web")) == [digest_of_source("web", 2)]

        await session(bench, act)
        assert finished(bench, "web") == ["verified", "superseded", "verified"]
        last = [r.event for r in bench.records if isinstance(r.event, ev.CycleStarted)][-1]
        assert (set(last.files), last.trigger) == ({"a.py", "b.py"}, ev.Trigger.FILES)

    run(scenario)


def test_a_save_during_the_rollout_supersedes_without_a_second_cycle_at_once(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench(World((service("web"),), rollout_seconds=10))

        async def act() -> None:
            await asyncio.sleep(3)
            bench.save("web")
            await asyncio.sleep(40)
            assert bench.world.running(WorkloadKey("shop", "deployment", "web")) == [digest_of_source("web", 1)]

        await session(bench, act)
        assert finished(bench, "web") == ["superseded", "verified"]

    run(scenario)


def test_dependents_build_at_once_and_roll_out_in_order(run: RunScenario) -> None:
    async def scenario() -> None:
        services = (service("db"), service("api", depends_on=["db"]), service("web", depends_on=["api"]))
        bench = Bench(World(services), Limits(parallel_builds=3))

        async def act() -> None:
            await asyncio.sleep(30)
            bench.save("api")
            await asyncio.sleep(20)

        await session(bench, act)
        assert bench.world.patches == ["db", "api", "web", "api"]
        assert bench.world.builds[3:] == ["api"]
        assert holds(bench, "web") == ["waiting for api"]
        assert bench.world.most_building == 3

    run(scenario)


def test_a_failed_dependency_fails_its_dependents_which_start_again_once_it_is_mended(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("db"), service("api", depends_on=["db"])), broken={"db"})
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(10)
            assert bench.log.state.services["api"].failure is not None
            assert bench.log.state.services["api"].failure.code is FailureCode.DEPENDENCY_FAILED
            assert exit_code(bench.log.state) is ExitCode.BUILD
            world.broken.clear()
            bench.save("db")
            await asyncio.sleep(20)
            assert bench.log.state.services["api"].settled

        await session(bench, act)
        assert finished(bench, "api") == ["failed", "verified"]

    run(scenario)


def test_once_ends_by_itself_with_the_failures_of_all(run: RunScenario) -> None:
    async def scenario() -> None:
        services = (service("db"), service("api", depends_on=["db"]), service("web"))
        bench = Bench(World(services, broken={"db"}), Limits(once=True))
        bench.log.emit(ev.SessionStarted(1, "0", "test", "shop", ("db", "api", "web")))
        bench.world.boot()
        await bench.conductor.run()
        await asyncio.gather(*bench.world.tasks)
        assert [finished(bench, name) for name in ("db", "api", "web")] == [["failed"], ["failed"], ["verified"]]

    run(scenario)


def test_once_gives_up_on_an_engine_that_is_away(run: RunScenario) -> None:
    async def scenario() -> None:
        services = (service("db"), service("api", depends_on=["db"]))
        bench = Bench(World(services, away={Connection.ENGINE}), Limits(once=True, parallel_builds=1))
        bench.log.emit(ev.SessionStarted(1, "0", "test", "shop", ("db", "api")))
        bench.world.boot()
        await asyncio.wait_for(bench.conductor.run(), 100)
        assert exit_code(bench.log.state) is ExitCode.UNREACHABLE

    run(scenario)


def test_a_save_while_anything_is_away_is_built_when_it_is_back(run: RunScenario) -> None:
    async def scenario() -> None:
        for to in Connection:
            bench = Bench(World((service("web"),)))
            bench = await _lose_and_return(bench, to)
            assert bench.world.running(WorkloadKey("shop", "deployment", "web")) == [digest_of_source("web", 1)], to

    run(scenario)


async def _lose_and_return(bench: Bench, to: Connection) -> Bench:
    async def act() -> None:
        await asyncio.sleep(20)
        bench.world.lose(to)
        bench.save("web")
        await asyncio.sleep(30)
        assert to in bench.log.state.lost
        assert holds(bench, "web") == [f"waiting for the {to} to come back"]
        bench.world.give_back(to)
        await asyncio.sleep(30)

    await session(bench, act)
    return bench


def test_builds_wait_for_a_slot_and_say_so(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench(World((service("a"), service("b"), service("c"))), Limits(parallel_builds=1))

        async def act() -> None:
            await asyncio.sleep(30)

        await session(bench, act)
        assert bench.world.most_building == 1
        assert holds(bench, "c") == ["waiting for a build slot"]

    run(scenario)


def test_equal_builds_are_built_once(run: RunScenario) -> None:
    async def scenario() -> None:
        services = (service("web", context="app"), service("worker", context="app"))
        bench = Bench(World(services), Limits(parallel_builds=1))

        async def act() -> None:
            await asyncio.sleep(20)
            bench.save("app")
            await asyncio.sleep(20)

        await session(bench, act)
        assert bench.world.builds == ["app", "app"]
        assert bench.world.patches == ["web", "worker", "web", "worker"]

    run(scenario)


def test_two_services_on_one_workload_never_overlap(run: RunScenario) -> None:
    async def scenario() -> None:
        services = (
            service("app", workload="pod", container="app"),
            service("proxy", workload="pod", container="proxy"),
        )
        bench = Bench(World(services))

        async def act() -> None:
            await asyncio.sleep(30)

        await session(bench, act)
        assert finished(bench, "app") == ["verified"]
        assert finished(bench, "proxy") == ["verified"]
        assert holds(bench, "proxy") == ["waiting for the rollout of app on deployment/pod"]

    run(scenario)


def test_saves_gather_while_paused_and_make_one_cycle(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench(World((service("web"),)))

        async def act() -> None:
            await asyncio.sleep(20)
            bench.conductor.post(Pause("web", paused=True))
            for name in ("a.py", "b.py", "c.py"):
                bench.save("web", name)
                await asyncio.sleep(5)
            assert finished(bench, "web") == ["verified"]
            bench.conductor.post(Pause("web", paused=False))
            await asyncio.sleep(20)

        await session(bench, act)
        assert finished(bench, "web") == ["verified", "verified"]

    run(scenario)


def test_stop_gives_a_cycle_up_and_rebuild_asks_for_one(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench(World((service("web"),)))

        async def act() -> None:
            await asyncio.sleep(0.5)
            bench.conductor.post(Stop("web"))
            await asyncio.sleep(10)
            assert finished(bench, "web") == ["stopped"]
            bench.conductor.post(Rebuild("web"))
            await asyncio.sleep(10)

        await session(bench, act)
        assert finished(bench, "web") == ["stopped", "verified"]

    run(scenario)


def test_a_rollout_that_fails_and_heals_is_verified_without_a_build_or_a_patch(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),), crashing={"web"})
        bench = Bench(world, rollout_timeout=10)
        key = WorkloadKey("shop", "deployment", "web")

        async def act() -> None:
            await asyncio.sleep(30)
            assert finished(bench, "web") == ["failed"]
            world._make_ready(key)
            world.report(key)
            await asyncio.sleep(10)
            assert finished(bench, "web") == ["failed"], "without a readiness probe it has to stay up for a while"
            await asyncio.sleep(10)

        await session(bench, act)
        assert finished(bench, "web") == ["failed", "verified"]
        assert world.builds == ["web"]
        assert world.patches == ["web"]

    run(scenario)


def test_a_crash_loop_that_looks_healed_at_each_start_is_not_verified(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),), crashing={"web"})
        bench = Bench(world, rollout_timeout=10)
        key = WorkloadKey("shop", "deployment", "web")

        async def act() -> None:
            await asyncio.sleep(30)
            world._make_ready(key)
            for restarts in range(1, 6):
                world.pods[key][0]["status"]["containerStatuses"][0]["restartCount"] = restarts
                world.report(key)
                await asyncio.sleep(10)
            assert finished(bench, "web") == ["failed"]
            await asyncio.sleep(10)

        await session(bench, act)
        assert finished(bench, "web") == ["failed", "verified"], "the last start stayed up"

    run(scenario)


def test_a_build_that_changes_its_own_source_is_stopped_with_the_files_name(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench = Bench(world)
        world.on_build = lambda context: bench.save(context, "out/gen.py")

        async def act() -> None:
            await asyncio.sleep(200)

        await session(bench, act)
        assert len(world.builds) < 10
        assert "each build changes out/gen.py" in holds(bench, "web")[-1]

    run(scenario)


def test_someone_who_saves_all_the_time_sees_their_code_run(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench(World((service("web"),), build_seconds=10))

        async def act() -> None:
            for _ in range(60):
                await asyncio.sleep(1.7)
                bench.save("web", "app.py")
            await asyncio.sleep(60)
            assert bench.world.running(WorkloadKey("shop", "deployment", "web")) == [digest_of_source("web", 60)]

        await session(bench, act)
        assert finished(bench, "web").count("verified") > 1

    run(scenario)


def test_quit_stops_what_runs_and_logs_its_end(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench(World((service("web"),)))

        async def act() -> None:
            await asyncio.sleep(0.5)

        await session(bench, act)
        assert finished(bench, "web") == ["stopped"]
        assert bench.log.state.services["web"].running is None

    run(scenario)


def test_a_mistake_in_a_cycle_is_reported_and_the_loop_goes_on(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench = Bench(world)

        def fail(context: str) -> None:
            raise ZeroDivisionError("oops")

        world.on_build = fail

        async def act() -> None:
            await asyncio.sleep(10)
            assert finished(bench, "web") == ["failed"]
            assert len(bench.reports) == 1
            bench.reports.clear()
            world.on_build = lambda context: None
            bench.save("web")
            await asyncio.sleep(10)

        await session(bench, act)
        assert finished(bench, "web") == ["failed", "verified"]

    run(scenario)
