"""What rarely happens: parts that say less than usual, looks that lag, and ends in the middle of something."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from devloop.core import events as ev
from devloop.core.commands import Rebuild, Stop
from devloop.core.failure import Connection, Failure, FailureCode
from devloop.core.image import ImageRef, PlatformManifest, ResolvedImage
from devloop.core.manifest import deployment
from devloop.core.picture import Picture
from devloop.core.ports import BuildProgress, BuildRequest, Built, PushStarted
from devloop.core.restore import plan_restore
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


async def _restore(world: World, key: WorkloadKey = WEB) -> None:
    plan = plan_restore(deployment(world.deployments[key]))
    assert plan.body is not None
    await world.patch(key, plan.body)


BEFORE = {"": 0, "build": 20, "rollout": 20, "while it is rolled out": 5}
"""How the last cycle went before the restore, and for how many seconds of it nobody does anything."""


@pytest.mark.parametrize("broken", BEFORE)
def test_what_is_restored_is_told_once_whatever_the_last_cycle_was_and_the_next_save_takes_over(
    broken: str, run: RunScenario
) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench = Bench(world, rollout_timeout=10)

        async def act() -> None:
            await asyncio.sleep(20)
            if broken:
                (world.broken if broken == "build" else world.crashing).add("web")
                bench.save("web")
                await asyncio.sleep(BEFORE[broken])
            world.crashing.clear()
            await _restore(world)
            await asyncio.sleep(20)
            restored = bench.log.state.services["web"].restored
            assert restored is not None
            assert restored.what.endswith("registry.test/web:v1 under IfNotPresent")
            world.broken.clear()
            bench.save("web")
            await asyncio.sleep(20)
            assert bench.log.state.services["web"].drift is None

        await session(bench, act)
        assert finished(bench, "web") == ["verified", *(["failed"] if broken else []), "verified"]
        drifts = [r.event.restored for r in bench.records if isinstance(r.event, ev.WorkloadDrifted)]
        assert drifts == [True]

    run(scenario)


def test_what_somebody_changes_after_a_restore_is_told_as_well(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(20)
            await _restore(world)
            await asyncio.sleep(20)
            _let_somebody_change(world, image="registry.test/web:v9")
            await asyncio.sleep(1)
            assert bench.log.state.services["web"].restored is None

        await session(bench, act)
        drifts = [r.event.what for r in bench.records if isinstance(r.event, ev.WorkloadDrifted)]
        assert drifts[1] == "image of app was changed from registry.test/web:v1 to registry.test/web:v9"

    run(scenario)


@pytest.mark.parametrize("after", ["a build that fails", "a change by somebody", "a stopped build"])
def test_the_pods_of_what_was_restored_are_no_news_whatever_comes_after(after: str, run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(20)
            await _restore(world)
            await asyncio.sleep(0.5)  # its Pods are not there yet
            if after == "a build that fails":
                world.broken.add("web")
                bench.save("web")
            elif after == "a change by somebody":
                world.deployments[WEB]["spec"]["paused"] = True
                world.report(WEB)
            else:
                bench.save("web")
                await asyncio.sleep(0.4)
                bench.conductor.post(Stop("web"))
            await asyncio.sleep(20)
            world.report(WEB)
            await asyncio.sleep(1)

        await session(bench, act)
        told = [r.event.what for r in bench.records if isinstance(r.event, ev.WorkloadDrifted)]
        assert told[0].startswith("restored")
        assert [what for what in told if "was not pushed from here" in what] == []

    run(scenario)


def test_what_is_restored_while_a_build_runs_that_fails_is_told_after_it(run: RunScenario) -> None:
    async def scenario() -> None:
        world = World((service("web"),))
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(20)
            world.build_seconds = 10.0
            world.broken.add("web")
            bench.save("web")
            await asyncio.sleep(2)
            await _restore(world)
            await asyncio.sleep(20)
            assert bench.log.state.services["web"].restored is not None

        await session(bench, act)
        assert finished(bench, "web") == ["verified", "failed"]

    run(scenario)


def test_a_service_is_restored_when_all_its_workloads_are(run: RunScenario) -> None:
    async def scenario() -> None:
        other = replace(WEB, name="web-jobs")
        world = World((replace(service("web"), workloads=(WEB, other)),))
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(20)
            await _restore(world)
            await asyncio.sleep(5)
            assert bench.log.state.services["web"].restored is None
            assert bench.log.state.services["web"].drift is not None
            await _restore(world, other)
            await asyncio.sleep(5)
            assert bench.log.state.services["web"].restored is not None

        await session(bench, act)
        assert finished(bench, "web") == ["verified"]

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


class Asked(World):
    """Its registry remembers the digests that it was asked for."""

    def __init__(self, services: tuple[Service, ...]) -> None:
        super().__init__(services)
        self.digests: list[str] = []

    async def resolve(self, ref: ImageRef, *, configs: bool = True) -> ResolvedImage | Failure | None:
        if ref.digest:
            self.digests.append(ref.digest)
        return await super().resolve(ref, configs=configs)


def test_the_registry_is_not_asked_for_what_the_session_pushed_itself(run: RunScenario) -> None:
    async def scenario() -> None:
        world = Asked((service("web"),))
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(20)
            world.digests.clear()  # what ran before the session is nothing that it pushed
            bench.save("web", "a.py")
            await asyncio.sleep(20)
            assert finished(bench, "web") == ["verified", "verified"]
            assert not world.digests

        await session(bench, act)

    run(scenario)


def test_a_push_that_only_the_engine_could_read_is_asked_for_once_more(run: RunScenario) -> None:
    """Its configs were not told: whether the next push is the same content shows when the registry is there again."""

    class Away(World):
        is_away = True
        first = ""

        async def resolve(self, ref: ImageRef, *, configs: bool = True) -> ResolvedImage | Failure | None:
            if ref.digest and ref.digest == self.first:
                return ResolvedImage(ref.digest, (PlatformManifest("linux/amd64", ref.digest, "same"),))
            found = await super().resolve(ref, configs=configs)
            if not isinstance(found, ResolvedImage) or not configs:
                return found
            return replace(found, manifests=(PlatformManifest("linux/amd64", "", "" if self.is_away else "same"),))

    async def scenario() -> None:
        world = Away((service("web"),))
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(20)
            world.is_away, world.first = False, next(iter(world.tags.values()))
            bench.save("web", "a.py")
            await asyncio.sleep(60)
            assert finished(bench, "web") == ["verified", "unchanged"]

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


@pytest.mark.parametrize(("config", "ends"), [("what was built", "verified"), ("another", "failed"), ("", "verified")])
def test_a_tag_that_shows_another_content_than_was_built_is_not_believed(
    run: RunScenario, config: str, ends: str
) -> None:
    """Although its digest is what the builder reports: the engine asks the registry for that, as devloop does."""

    class Told(World):
        async def build(self, request: BuildRequest, progress: Callable[[BuildProgress], None]) -> Built | Failure:
            built = await super().build(request, progress)
            assert isinstance(built, Built)
            return replace(built, config=f"{built.digest}c" if config == "what was built" else config)

    async def scenario() -> None:
        bench = Bench(Told((service("web"),)))

        async def act() -> None:
            await asyncio.sleep(20)

        await session(bench, act)
        assert finished(bench, "web") == [ends]
        (end,) = [r.event for r in bench.records if isinstance(r.event, ev.CycleFinished)]
        if ends == "failed":
            assert end.failure is not None
            assert end.failure.code is FailureCode.REGISTRY_MOVED
            assert "not what was built" in end.failure.message
            assert not bench.world.patches

    run(scenario)
