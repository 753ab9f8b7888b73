"""Two sessions on one Deployment: who builds, who looks on, and what becomes of saves; over scripted ports."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from devloop.core import events as ev
from devloop.core.commands import Quit, TakeOver
from devloop.core.failure import Connection, Failure, FailureCode
from devloop.core.image import ImageRef, ResolvedImage
from devloop.core.lease import RENEWED_EVERY
from devloop.core.reducer import fold
from devloop.core.scheduler import Limits
from devloop.core.service import WorkloadKey
from devloop.core.workload import Snapshot
from tests.engine.conftest import RunScenario
from tests.engine.leaseworld import ANN, AWAY, JO, LeaseWorld
from tests.engine.test_conductor import finished, holds
from tests.engine.world import Bench, World, digest_of_source, service

WEB = WorkloadKey("shop", "deployment", "web")


class Meeting:
    """One world, one API server, and the sessions that come and go."""

    def __init__(self, world: World | None = None, limits: Limits | None = None) -> None:
        self.world = world or World((service("web"),))
        self.leases = LeaseWorld()
        limits = limits or Limits()
        self.ann = Bench(self.world, limits, leases=self.leases, me=ANN)
        self.jo = Bench(self.world, limits, leases=self.leases, me=JO)
        self._running: dict[str, asyncio.Task[None]] = {}
        self.world.observed = self._observed
        self.world.boot()

    def _observed(self, snapshot: Snapshot) -> None:
        for bench in (self.ann, self.jo):
            bench.conductor.post(snapshot)

    async def comes(self, bench: Bench, *, take_over: bool = False) -> None:
        names = tuple(each.name for each in self.world.services)
        bench.log.emit(ev.SessionStarted(1, "0", "test", "shop", names))
        assert bench.holder is not None
        await bench.holder.add(self.world.deployments, take_over=take_over)
        self._running[bench.me.session] = asyncio.ensure_future(bench.conductor.run())

    async def goes(self, bench: Bench) -> None:
        bench.conductor.post(Quit())
        await self._running.pop(bench.me.session)
        assert bench.holder is not None
        await bench.holder.end()

    async def over(self) -> None:
        for bench in (self.ann, self.jo):
            if bench.me.session in self._running:
                await self.goes(bench)
            assert fold(bench.records) == bench.log.state
            assert bench.reports == []
        await asyncio.gather(*self.world.tasks)
        assert self.leases.leases == {}


Act = Callable[[Meeting], Awaitable[None]]


def meet(run: RunScenario, act: Act, make: Callable[[], Meeting] = Meeting) -> None:
    async def scenario() -> None:
        meeting = make()
        try:
            await act(meeting)
        finally:
            await meeting.over()

    run(scenario)


def changes(bench: Bench) -> list[str]:
    return [str(r.event.change) for r in bench.records if isinstance(r.event, ev.LeaseChanged)]


def patched(bench: Bench) -> int:
    return sum(isinstance(r.event, ev.WorkloadPatched) for r in bench.records)


def observed(bench: Bench) -> list[ev.WorkloadObserved]:
    return [r.event for r in bench.records if isinstance(r.event, ev.WorkloadObserved)]


def test_the_second_one_looks_on_and_builds_what_it_saved_when_the_first_one_ends(run: RunScenario) -> None:
    async def act(now: Meeting) -> None:
        await now.comes(now.ann)
        await now.comes(now.jo)
        await asyncio.sleep(20)
        assert finished(now.ann, "web") == ["verified"]
        assert (finished(now.jo, "web"), now.world.builds) == ([], ["web"])
        assert holds(now.jo, "web") == ["read-only: ann@desk/12 works on deployment/web"]
        assert observed(now.jo)[-1].ready == 1, "it sees what goes on"
        now.world.versions["web"] = 7
        now.jo.save("web", "theirs.py")
        await asyncio.sleep(20)
        assert now.world.builds == ["web"]
        await now.goes(now.ann)
        await asyncio.sleep(20)
        assert finished(now.jo, "web") == ["verified"]
        (started,) = [r.event for r in now.jo.records if isinstance(r.event, ev.CycleStarted)]
        assert started.files == ("theirs.py",)
        assert now.world.running(WEB) == [digest_of_source("web", 8)]

    meet(run, act)


def test_whoever_is_taken_over_writes_no_more_and_keeps_its_saves(run: RunScenario) -> None:
    async def act(now: Meeting) -> None:
        await now.comes(now.ann)
        await asyncio.sleep(20)
        assert now.jo.holder is not None
        await now.jo.holder.add([WEB], take_over=True)
        now.ann.save("web", "a.py")  # at once: no sign of life was due since then
        await asyncio.sleep(20)
        assert (now.world.builds, now.world.patches) == (["web", "web"], ["web"])
        assert changes(now.ann) == ["acquired", "lost"]
        now.ann.save("web", "b.py")
        await asyncio.sleep(20)
        assert now.world.builds == ["web", "web"], "what cannot be rolled out is not pushed either"
        await now.jo.holder.end()
        await asyncio.sleep(20)
        assert changes(now.ann) == ["acquired", "lost", "acquired"]
        assert finished(now.ann, "web")[-1] == "verified"
        started = [r.event for r in now.ann.records if isinstance(r.event, ev.CycleStarted)][-1]
        assert set(started.files) == {"a.py", "b.py"}
        assert now.world.running(WEB) == [digest_of_source("web", 2)]

    meet(run, act)


def test_a_cycle_that_runs_ends_when_the_workload_is_taken_over(run: RunScenario) -> None:
    async def act(now: Meeting) -> None:
        now.world.build_seconds = 3 * RENEWED_EVERY
        await now.comes(now.ann)
        await asyncio.sleep(RENEWED_EVERY / 2)
        await now.comes(now.jo, take_over=True)
        await asyncio.sleep(RENEWED_EVERY)
        assert finished(now.ann, "web") == ["superseded"]
        assert now.ann.log.state.services["web"].want is not None
        await asyncio.sleep(4 * RENEWED_EVERY)
        assert (patched(now.ann), patched(now.jo)) == (0, 1)

    meet(run, act)


def test_it_is_taken_over_by_command_while_both_run(run: RunScenario) -> None:
    async def act(now: Meeting) -> None:
        await now.comes(now.ann)
        await now.comes(now.jo)
        await asyncio.sleep(20)
        now.jo.conductor.post(TakeOver("web"))
        await asyncio.sleep(20)
        assert changes(now.jo) == ["held", "taken_over"]
        assert changes(now.ann) == ["acquired", "lost"]
        assert len(finished(now.jo, "web")) == 1

    meet(run, act)


def test_under_once_the_cycle_fails_before_its_patch(run: RunScenario) -> None:
    async def act(now: Meeting) -> None:
        await now.comes(now.ann)
        await asyncio.sleep(0.5)
        assert now.jo.holder is not None
        await now.jo.holder.add([WEB], take_over=True)
        await asyncio.sleep(20)
        assert finished(now.ann, "web") == ["failed"]
        last = now.ann.log.state.services["web"].last
        assert last is not None
        assert last.failure is not None
        assert last.failure.code is FailureCode.WORKLOAD_HELD
        assert patched(now.ann) == 0
        await now.jo.holder.end()

    meet(run, act, lambda: Meeting(limits=Limits(once=True)))


def test_a_save_is_not_lost_while_nobody_can_say_whose_the_workload_is(run: RunScenario) -> None:
    async def act(now: Meeting) -> None:
        await now.comes(now.ann)
        await asyncio.sleep(20)
        now.leases.failing = AWAY
        now.world.away.add(Connection.CLUSTER)
        now.ann.save("web", "a.py")
        await asyncio.sleep(20)
        assert finished(now.ann, "web") == ["verified", "failed"]
        now.leases.failing = None
        now.world.give_back(Connection.CLUSTER)
        await asyncio.sleep(20)
        assert finished(now.ann, "web") == ["verified", "failed", "verified"]
        assert now.world.running(WEB) == [digest_of_source("web", 1)]

    meet(run, act)


def test_leases_alone_that_cannot_be_asked_for_are_a_cluster_that_is_away(run: RunScenario) -> None:
    async def act(now: Meeting) -> None:
        await now.comes(now.ann)
        await asyncio.sleep(20)
        now.leases.failing = AWAY
        now.ann.save("web", "a.py")
        await asyncio.sleep(5)
        now.leases.failing = None
        await asyncio.sleep(20)
        assert patched(now.ann) == 2
        assert now.world.running(WEB) == [digest_of_source("web", 1)]

    meet(run, act)


def test_two_services_on_one_workload_share_its_lease(run: RunScenario) -> None:
    def make() -> Meeting:
        shared = (service("web", container="web"), service("side", workload="web", container="side"))
        return Meeting(World(shared))

    async def act(now: Meeting) -> None:
        await now.comes(now.ann)
        await now.comes(now.jo)
        await asyncio.sleep(20)
        assert len(now.leases.leases) == 1
        assert finished(now.ann, "web") == finished(now.ann, "side") == ["verified"]
        assert changes(now.jo) == ["held"]
        assert finished(now.jo, "web") == finished(now.jo, "side") == []

    meet(run, act, make)


def test_a_dependency_that_somebody_else_works_on_holds_up_nobody(run: RunScenario) -> None:
    def make() -> Meeting:
        return Meeting(World((service("api"), service("web", depends_on=("api",)))))

    async def act(now: Meeting) -> None:
        assert now.ann.holder is not None
        await now.ann.holder.add([WorkloadKey("shop", "deployment", "api")])
        await now.comes(now.jo)
        await asyncio.sleep(20)
        assert finished(now.jo, "api") == []
        assert finished(now.jo, "web") == ["verified"]
        await now.ann.holder.end()

    meet(run, act, make)


def test_nothing_is_written_after_a_take_over_while_the_registry_was_asked(run: RunScenario) -> None:
    asked: list[ImageRef] = []

    class Slow(World):
        async def resolve(self, ref: ImageRef, *, configs: bool = True) -> ResolvedImage | Failure | None:
            if ref.digest:
                asked.append(ref)
                await asyncio.sleep(4)
            found = await super().resolve(ref, configs=configs)
            # Without configs, what was pushed is asked for once more before the next patch.
            return replace(found, manifests=()) if isinstance(found, ResolvedImage) and not ref.digest else found

    async def act(now: Meeting) -> None:
        await now.comes(now.ann)
        await asyncio.sleep(20)
        assert patched(now.ann) == 1
        asked.clear()
        now.ann.save("web", "a.py")
        while not asked:
            await asyncio.sleep(0.01)
        assert now.jo.holder is not None
        await now.jo.holder.add([WEB], take_over=True)
        await asyncio.sleep(20)
        assert patched(now.ann) == 1
        assert changes(now.ann) == ["acquired", "lost"]
        await now.jo.holder.end()

    meet(run, act, lambda: Meeting(Slow((service("web"),))))


def test_nothing_is_written_after_a_take_over_that_made_a_patch_conflict(run: RunScenario) -> None:
    async def act(now: Meeting) -> None:
        await now.comes(now.ann)
        await asyncio.sleep(20)
        patch = now.world.patch
        met: list[WorkloadKey] = []

        async def conflict(key: WorkloadKey, body: Any, *, json_patch: bool = False) -> Any:
            if met:
                return await patch(key, body, json_patch=json_patch)
            met.append(key)
            assert now.jo.holder is not None
            await now.jo.holder.add([WEB], take_over=True)
            return Failure(FailureCode.WORKLOAD_CHANGED, "the object has been modified")

        now.world.patch = conflict  # type: ignore[method-assign]
        now.ann.save("web", "a.py")
        await asyncio.sleep(20)
        assert met == [WEB]
        assert patched(now.ann) == 1
        assert changes(now.ann) == ["acquired", "lost"]
        assert now.jo.holder is not None
        await now.jo.holder.end()

    meet(run, act)
