"""What rarely happens: parts that say less than usual, looks that lag, and ends in the middle of something."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from devloop.core import events as ev
from devloop.core.commands import Rebuild
from devloop.core.failure import Connection, Failure, FailureCode
from devloop.core.image import ImageRef, ResolvedImage
from devloop.core.picture import Picture
from devloop.core.ports import BuildProgress, BuildRequest, Built, PushStarted
from devloop.core.scheduler import Limits
from devloop.core.service import Service, WorkloadKey
from devloop.core.workload import Snapshot
from tests.engine.conftest import RunScenario
from tests.engine.test_conductor import finished, session
from tests.engine.world import Bench, World, service

WEB = WorkloadKey("shop", "deployment", "web")


class QuietBuilder(World):
    """Its builder never says that it began to push."""

    async def build(self, request: BuildRequest, progress: Callable[[BuildProgress], None]) -> Built | Failure:
        return await super().build(request, lambda item: None if isinstance(item, PushStarted) else progress(item))


def test_a_builder_that_does_not_tell_of_its_push_still_gets_its_image_rolled_out(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench(QuietBuilder((service("web"),)))

        async def act() -> None:
            await asyncio.sleep(30)

        await session(bench, act)
        assert finished(bench, "web") == ["verified"]
        phases = [r.event.phase for r in bench.records if isinstance(r.event, ev.PhaseStarted)]
        assert phases == [ev.Phase.BUILD, ev.Phase.PUSH, ev.Phase.ROLLOUT, ev.Phase.VERIFY]

    run(scenario)


def test_what_somebody_changed_a_moment_ago_counts_although_the_watch_has_not_shown_it(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(20)
            world.observed = lambda snapshot: None
            _let_somebody_change(world, imagePullPolicy="IfNotPresent")
            bench.conductor.post(Rebuild("web"))
            await asyncio.sleep(2)
            world.observed = bench.conductor.post
            world.report(WEB)
            await asyncio.sleep(20)
            assert _container(world)["imagePullPolicy"] == "Always"

        await session(bench, act)
        assert finished(bench, "web") == ["verified", "verified"]

    run(scenario)


def test_a_workload_that_was_made_anew_a_moment_ago_is_waited_for(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(20)
            world.observed = lambda snapshot: None
            world.deployments[WEB]["metadata"]["uid"] = "uid-anew"
            world.sets[WEB].clear()
            bench.save("web")
            await asyncio.sleep(2)
            world.observed = bench.conductor.post
            world.report(WEB)
            await asyncio.sleep(20)

        await session(bench, act)
        assert finished(bench, "web") == ["verified", "verified"]

    run(scenario)


def test_once_does_not_wait_for_ever_for_a_watch_that_shows_nothing(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench(World((service("web"),)), Limits(once=True))
        bench.log.emit(ev.SessionStarted(1, "0", "test", "shop", ("web",)))
        await asyncio.wait_for(bench.conductor.run(), 1000)
        failure = bench.log.state.services["web"].failure
        assert failure is not None
        assert failure.code is FailureCode.CLUSTER_UNREACHABLE

    run(scenario)


def _container(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.deployments[WEB]["spec"]["template"]["spec"]["containers"][0]
    return found


def _let_somebody_change(world: World, **fields: str) -> None:
    """Change the container, and roll that out at once."""
    _container(world).update(fields)
    world.deployments[WEB]["metadata"]["generation"] += 1
    world._new_revision(WEB)
    world._make_ready(WEB)
    world.report(WEB)


def test_what_others_change_is_told_also_while_the_source_does_not_build(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(20)
            world.broken.add("web")
            bench.save("web")
            await asyncio.sleep(0.5)
            _let_somebody_change(world, image="registry.test/web:v9")
            await asyncio.sleep(20)
            world.report(WEB)
            await asyncio.sleep(1)

        await session(bench, act)
        assert finished(bench, "web") == ["verified", "failed"]
        drifts = [r.event.what for r in bench.records if isinstance(r.event, ev.WorkloadDrifted)]
        assert drifts[0] == "image of app was changed from registry.test/web:dev to registry.test/web:v9"

    run(scenario)


def test_a_patch_that_was_rejected_is_not_taken_for_healed(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench = Bench(world)

        async def reject(key: WorkloadKey, body: Any, *, json_patch: bool = False) -> Failure:
            return Failure(FailureCode.PATCH_REJECTED, "a policy objects")

        async def act() -> None:
            await asyncio.sleep(20)
            world.patch = reject  # type: ignore[method-assign]
            _let_somebody_change(world, imagePullPolicy="IfNotPresent")
            bench.conductor.post(Rebuild("web"))
            await asyncio.sleep(20)
            world.report(WEB)
            await asyncio.sleep(20)

        await session(bench, act)
        assert finished(bench, "web") == ["verified", "failed"]

    run(scenario)


@pytest.mark.parametrize("conflicts", [1, 4, 5])
def test_a_patch_that_meets_a_change_by_somebody_else_is_decided_anew(run: RunScenario, conflicts: int) -> None:
    """A few times: what was saved must not wait for another save."""

    async def scenario() -> None:
        world = World((service("web"),))
        bench, patch, met = Bench(world), world.patch, iter(range(conflicts))

        async def conflict(key: WorkloadKey, body: Any, *, json_patch: bool = False) -> Any:
            if next(met, None) is not None:
                return Failure(FailureCode.WORKLOAD_CHANGED, "somebody else changed it")
            return await patch(key, body)

        world.patch = conflict  # type: ignore[method-assign]

        async def act() -> None:
            await asyncio.sleep(20)

        await session(bench, act)
        assert finished(bench, "web") == ["verified" if conflicts < 5 else "failed"]

    run(scenario)


def test_a_login_that_expires_runs_the_cycle_again_when_it_is_renewed(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench, patch, met = Bench(world), world.patch, iter(range(1))

        async def logged_out(key: WorkloadKey, body: Any, *, json_patch: bool = False) -> Any:
            if next(met, None) is not None:
                return Failure(FailureCode.CLUSTER_LOGIN, "the API server does not accept the credentials")
            return await patch(key, body)

        world.patch = logged_out  # type: ignore[method-assign]

        async def act() -> None:
            await asyncio.sleep(20)

        await session(bench, act)
        assert finished(bench, "web") == ["failed", "verified"]

    run(scenario)


def test_a_save_that_missed_its_workload_reaches_the_one_that_is_made_again(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(20)
            gone = world.deployments.pop(WEB)
            bench.conductor.post(Snapshot(WEB, None))
            bench.save("web")
            await asyncio.sleep(20)
            assert finished(bench, "web") == ["verified", "failed"]
            gone["metadata"]["uid"] = "uid-anew"
            world.deployments[WEB] = gone
            world.sets[WEB].clear()
            world.report(WEB)
            await asyncio.sleep(20)
            world.report(WEB)
            await asyncio.sleep(20)

        await session(bench, act)
        assert finished(bench, "web") == ["verified", "failed", "verified"]
        assert len(bench.world.builds) == 2

    run(scenario)


class HalfOfARegistry(World):
    """Its registry takes everything but what `db` pushes, and is never back."""

    async def build(self, request: BuildRequest, progress: Callable[[BuildProgress], None]) -> Built | Failure:
        built = await super().build(request, progress)
        if request.spec.context.name == "db":
            return Failure(FailureCode.REGISTRY_UNREACHABLE, "the disk is full")
        return built

    async def until_back(self, to: Connection) -> str:
        await asyncio.Event().wait()
        return ""


def test_a_session_without_a_reader_ends_although_a_dependency_is_not_built_again(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench(HalfOfARegistry((service("db"), service("api", depends_on=["db"]))))
        bench.log.emit(ev.SessionStarted(1, "0", "test", "shop", ("db", "api")))
        bench.world.boot()
        running = asyncio.ensure_future(bench.conductor.run())
        await asyncio.sleep(20)
        assert bench.log.state.services["api"].running is not None
        bench.conductor.drain()
        await asyncio.wait_for(running, 1000)
        assert finished(bench, "api") == ["stopped"]

    run(scenario)


class LookedAtEarly(World):
    """Its registry confirms a push only after somebody has looked at the workload."""

    def __init__(self, services: tuple[Service, ...]) -> None:
        super().__init__(services)
        self.looked = asyncio.Event()
        self.reads = 0
        self.digests_asked: list[str] = []

    async def read(self, key: WorkloadKey) -> Mapping[str, Any] | Failure | None:
        self.reads += 1
        self.looked.set()
        return await super().read(key)

    async def resolve(self, ref: ImageRef, *, configs: bool = True) -> ResolvedImage | Failure | None:
        if ref.digest:
            self.digests_asked.append(ref.digest)
        elif configs:
            await self.looked.wait()
        return await super().resolve(ref, configs=configs)


def test_what_a_patch_is_decided_upon_is_asked_while_the_registry_confirms_the_push(run: RunScenario) -> None:
    async def scenario() -> None:
        world = LookedAtEarly((service("web"),))
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(20)
            bench.save("web", "a.py")
            await asyncio.sleep(20)
            assert finished(bench, "web") == ["verified", "verified"]
            assert world.reads == 2, "one look at the workload serves a whole cycle"
            assert not set(world.digests_asked) & {*world.tags.values()}, "the session pushed that itself"

        await session(bench, act)

    run(scenario)


def test_the_source_is_looked_at_again_when_the_rollout_is_over(run: RunScenario) -> None:
    """Not beside it: many files take a while, and the cluster may run on the same machine."""
    patched: list[bool] = []

    class Looking(World):
        async def picture(self, service: str) -> Picture:
            patched.append(bool([r for r in bench.records if isinstance(r.event, ev.WorkloadPatched)]))
            return await super().picture(service)

    bench: Bench

    async def scenario() -> None:
        nonlocal bench
        bench = Bench(Looking((service("web"),)))

        async def act() -> None:
            await asyncio.sleep(20)

        await session(bench, act)
        assert finished(bench, "web") == ["verified"]
        assert patched == [True]

    run(scenario)
