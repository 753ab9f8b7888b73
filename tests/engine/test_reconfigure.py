"""Services that come, change and go while the session runs, over scripted ports and fake time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from devloop.core import events as ev
from devloop.core.commands import Pause, Rebuild, Reconfigure
from devloop.core.service import BuildSpec, Service, WorkloadKey
from tests.engine.conftest import RunScenario
from tests.engine.test_conductor import finished, holds, session
from tests.engine.world import Bench, World, digest_of_source, service

Act = Callable[[Bench], Awaitable[None]]


def built_with(one: Service, **args: str) -> Service:
    """The same service with other build arguments."""
    return replace(one, build=replace(one.build, args=tuple(sorted(args.items()))))


async def edit(bench: Bench, *services: Service) -> None:
    """The configuration has these services now; returns when all of it is carried out."""
    bench.world.adopt(*services)
    await bench.conductor.reconfigure(Reconfigure(services, 2))


def play(run: RunScenario, bench: Callable[[], Bench], act: Act) -> Bench:
    benches: list[Bench] = []

    async def scenario() -> None:
        made = bench()
        benches.append(made)
        await session(made, lambda: act(made))

    run(scenario)
    return benches[-1]


def told(bench: Bench, name: str, *types: type[ev.Event]) -> list[ev.Event]:
    events = (record.event for record in bench.records)
    return [e for e in events if isinstance(e, types) and isinstance(e, ev.ServiceEvent) and e.service == name]


def two() -> Bench:
    return Bench(World((service("web"), service("api"))))


def one() -> Bench:
    return Bench(World((service("web"),)))


def test_an_added_service_is_built_and_verified_and_the_running_cycle_of_another_goes_on(run: RunScenario) -> None:
    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        bench.save("web", "a.py")
        await asyncio.sleep(0.5)
        await edit(bench, service("web"), service("worker"))
        await asyncio.sleep(20)

    bench = play(run, one, act)
    assert finished(bench, "web") == ["verified", "verified"]
    assert finished(bench, "worker") == ["verified"]
    assert bench.world.builds == ["web", "web", "worker"]
    first = told(bench, "worker", ev.ServiceAdded, ev.CycleStarted)
    assert [type(each) for each in first] == [ev.ServiceAdded, ev.CycleStarted]


@pytest.mark.parametrize("wait", [0.5, 1.02, 1.5, 2.5, 20])
def test_a_changed_service_goes_over_from_wherever_it_is(run: RunScenario, wait: float) -> None:
    """In the build, in the push, in the rollout, in the proof, and when nothing runs."""

    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        bench.save("web", "a.py")
        await asyncio.sleep(wait)
        await edit(bench, built_with(service("web"), MODE="new"), service("api"))
        await asyncio.sleep(20)

    bench = play(run, two, act)
    assert finished(bench, "web")[-1] == "verified"
    assert bench.world.requests[-1].spec.args == (("MODE", "new"),)
    assert bench.world.running(WorkloadKey("shop", "deployment", "web")) == [digest_of_source("web", 1, MODE="new")]
    changed = told(bench, "web", ev.ServiceChanged)
    assert changed == [ev.ServiceChanged("web", ("build.args",))]
    after = bench.records[[r.event for r in bench.records].index(changed[0]) :]
    assert [r.event.trigger for r in after if isinstance(r.event, ev.CycleStarted)] == [ev.Trigger.CONFIG]
    assert finished(bench, "api") == ["verified"], "nothing of the other one ran again"


def test_after_the_patch_a_changed_service_only_stops_looking(run: RunScenario) -> None:
    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        bench.save("web")
        await asyncio.sleep(1.5)
        assert len([name for name in bench.world.patches if name == "web"]) == 2, "it is in its rollout"
        await edit(bench, built_with(service("web"), MODE="new"), service("api"))
        await asyncio.sleep(20)

    bench = play(run, two, act)
    assert finished(bench, "web") == ["verified", "superseded", "verified"]
    assert bench.world.patches.count("web") == 3


def test_a_save_during_the_switch_is_not_lost(run: RunScenario) -> None:
    """Every save from just before the edit until just after it is in the image that runs at the end."""

    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        for step in range(6):
            bench.save("web", f"{step}.py")
            await asyncio.sleep(0.3)
            bench.save("web", "before.py")
            switching = asyncio.ensure_future(edit(bench, built_with(service("web"), STEP=str(step))))
            bench.save("web", "during.py")
            await switching
            bench.save("web", "after.py")
            await asyncio.sleep(0.4 * step)
        await asyncio.sleep(30)
        assert bench.world.running(WorkloadKey("shop", "deployment", "web")) == [
            digest_of_source("web", bench.world.versions["web"], STEP="5")
        ]
        assert bench.world.requests[-1].spec.args == (("STEP", "5"),)

    play(run, one, act)


def test_a_service_that_joins_gets_no_build_that_lacks_what_was_saved_before(run: RunScenario) -> None:
    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        await edit(bench, service("web"), service("slow", depends_on=("web",)))
        await asyncio.sleep(20)
        bench.save("web", "a.py")
        await asyncio.sleep(0.5)
        bench.world.versions["web"] += 1  # a save that the joining service's watch saw before it was one
        await edit(bench, service("web"), service("twin", context="web"))
        await asyncio.sleep(20)
        assert bench.world.running(WorkloadKey("shop", "deployment", "twin")) == [digest_of_source("web", 2)]

    play(run, one, act)


@pytest.mark.parametrize(("wait", "patched"), [(0.5, 1), (1.5, 2)])
def test_a_removed_service_stops_and_the_other_goes_on(run: RunScenario, wait: float, patched: int) -> None:
    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        bench.save("web")
        bench.save("api")
        await asyncio.sleep(wait)
        await edit(bench, service("api"))
        bench.save("web")
        bench.conductor.post(Rebuild("web"))
        await asyncio.sleep(20)

    bench = play(run, two, act)
    assert finished(bench, "web") == ["verified", "stopped"]
    assert finished(bench, "api") == ["verified", "verified"]
    assert bench.world.patches.count("web") == patched
    assert list(bench.log.state.services) == ["api"]
    last = told(bench, "web", ev.Event)[-1]
    assert last == ev.ServiceRemoved("web", ("deployment/web",), "shop"), "nothing is said of it afterwards"


def test_a_workload_that_another_service_takes_over_is_not_left(run: RunScenario) -> None:
    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        bench.save("web")
        await asyncio.sleep(1.5)
        site = replace(service("site", context="web", workload="web"), image=service("web").image)
        await edit(bench, site)
        await asyncio.sleep(20)

    bench = play(run, one, act)
    assert finished(bench, "web") == ["verified", "stopped"]
    assert finished(bench, "site")[-1] in {"verified", "unchanged"}
    assert told(bench, "web", ev.ServiceRemoved) == [ev.ServiceRemoved("web")]


def test_a_service_that_moves_to_another_workload_leaves_the_first_as_it_is(run: RunScenario) -> None:
    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        await edit(bench, replace(service("web"), workloads=(WorkloadKey("shop", "deployment", "web2"),)))
        await asyncio.sleep(20)

    bench = play(run, one, act)
    assert told(bench, "web", ev.ServiceChanged) == [
        ev.ServiceChanged("web", ("workload",), ("deployment/web",), "shop")
    ]
    assert bench.world.patches == ["web", "web2"]
    assert set(bench.log.state.services["web"].workloads) == {"deployment/web2"}


def test_what_only_orders_services_ends_no_cycle_and_begins_none(run: RunScenario) -> None:
    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        bench.save("web")
        await asyncio.sleep(0.5)
        await edit(bench, service("api"), service("web", depends_on=("api",)))
        await asyncio.sleep(20)

    bench = play(run, two, act)
    assert finished(bench, "web") == ["verified", "verified"]
    assert finished(bench, "api") == ["verified"]
    assert told(bench, "web", ev.ServiceChanged) == [ev.ServiceChanged("web", ("depends_on",))]


def test_an_added_service_waits_for_what_it_depends_on(run: RunScenario) -> None:
    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        db, web = service("db"), service("web")
        await edit(bench, db, service("worker", depends_on=("db",)), web)
        await asyncio.sleep(20)

    bench = play(run, one, act)
    assert holds(bench, "worker") == ["waiting for db"]
    assert bench.world.patches == ["web", "db", "worker"]


def test_a_paused_service_goes_over_and_stays_paused(run: RunScenario) -> None:
    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        bench.conductor.post(Pause("web", paused=True))
        await edit(bench, built_with(service("web"), MODE="new"))
        await asyncio.sleep(20)
        assert bench.world.builds == ["web"]
        bench.conductor.post(Pause("web", paused=False))
        await asyncio.sleep(20)

    bench = play(run, one, act)
    assert len(finished(bench, "web")) == 2
    assert bench.world.requests[-1].spec.args == (("MODE", "new"),)


def test_a_service_that_comes_back_begins_anew(run: RunScenario) -> None:
    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        await edit(bench, service("api"))
        bench.world.versions["web"] += 1
        await edit(bench, service("web"), service("api"))
        await asyncio.sleep(20)

    bench = play(run, two, act)
    started = [e.cycle for e in told(bench, "web", ev.CycleStarted) if isinstance(e, ev.CycleStarted)]
    assert started == [1, 1]
    assert bench.world.running(WorkloadKey("shop", "deployment", "web")) == [digest_of_source("web", 1)]


def test_more_builds_at_once(run: RunScenario) -> None:
    async def act(bench: Bench) -> None:
        names = [service(name) for name in ("a", "b", "c", "d")]
        bench.world.adopt(*names)
        await bench.conductor.reconfigure(Reconfigure((service("web"), *names), 4))
        await asyncio.sleep(20)

    bench = play(run, one, act)
    assert bench.world.most_building == 4


def test_the_end_of_the_session_waits_for_no_switch(run: RunScenario) -> None:
    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        bench.save("web")
        await asyncio.sleep(0.5)
        bench.conductor.post(Reconfigure((service("api"),), 2))

    bench = play(run, two, act)
    assert finished(bench, "web") == ["verified", "stopped"]


def test_what_was_noticed_of_a_removed_service_is_not_told_of_a_new_one_of_its_name(run: RunScenario) -> None:
    """Its workload was scaled while nobody looked: that is no drift from what the new one proves."""

    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        await edit(bench, service("api"))
        bench.world.deployments[WorkloadKey("shop", "deployment", "web")]["spec"]["replicas"] = 3
        bench.world.broken.add("web")
        await edit(bench, service("web"), service("api"))
        await asyncio.sleep(5)
        bench.world.report(WorkloadKey("shop", "deployment", "web"))
        await asyncio.sleep(5)

    bench = play(run, two, act)
    assert finished(bench, "web") == ["verified", "failed"]
    assert told(bench, "web", ev.WorkloadDrifted) == []


def test_a_context_that_moves(run: RunScenario) -> None:
    async def act(bench: Bench) -> None:
        await asyncio.sleep(20)
        moved = replace(
            service("web"), build=BuildSpec(service("other").build.context, service("other").build.dockerfile)
        )
        await edit(bench, moved)
        await asyncio.sleep(20)

    bench = play(run, one, act)
    assert bench.world.builds == ["web", "other"]
