"""Cycles of services whose images are loaded into the nodes: no registry is asked, and none has to be there."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from devloop.core import events as ev
from devloop.core.failure import Failure
from devloop.core.image import ImageRef, PlatformManifest, PushedImage, ResolvedImage
from devloop.core.ports import BuildProgress, BuildRequest, Built
from devloop.core.service import Load, Pin, Service, WorkloadKey
from devloop.engine.preflight import checked
from tests.engine.conftest import RunScenario
from tests.engine.test_conductor import finished, session
from tests.engine.world import Bench, World, digest_of_source, service

WEB = WorkloadKey("shop", "deployment", "web")


@dataclass
class LoadingWorld(World):
    """A world whose builder loads instead of pushing."""

    asked: list[ImageRef] = field(default_factory=list)

    async def build(self, request: BuildRequest, progress: Callable[[BuildProgress], None]) -> Built | Failure:
        built = await super().build(request, progress)
        if isinstance(built, Failure) or not request.load:
            return built
        ref = request.push.with_tag(f"{request.push.tag}-{built.digest[7:19]}")
        self.tags[str(ref)] = built.digest
        resolved = ResolvedImage(built.digest, (PlatformManifest("linux/amd64", "", built.digest),))
        del self.tags[str(request.push)]
        return replace(built, loaded=PushedImage(ref, ref, resolved, "the kind cluster `e2e`"))

    async def resolve(self, ref: ImageRef, *, configs: bool = True) -> ResolvedImage | Failure | None:
        self.asked.append(ref)
        return await super().resolve(ref, configs=configs)


def loaded(name: str) -> Service:
    return replace(service(name), load=Load.KIND, pin=Pin.LOADED)


def test_a_loaded_service_asks_no_registry(run: RunScenario) -> None:
    async def whole() -> None:
        world = LoadingWorld((loaded("web"),))
        bench = Bench(world)

        async def act() -> None:
            await asyncio.sleep(20)
            bench.save("web")
            await asyncio.sleep(20)
            assert world.running(WEB) == [digest_of_source("web", 1)]

        await session(bench, act)
        events = [record.event for record in bench.records]
        digests = [digest_of_source("web", version) for version in (0, 1)]
        assert finished(bench, "web") == ["verified", "verified"]
        assert [e.phase for e in events if isinstance(e, ev.PhaseStarted) and e.cycle == 2] == [
            ev.Phase.BUILD, ev.Phase.LOAD, ev.Phase.ROLLOUT, ev.Phase.VERIFY,
        ]  # fmt: skip
        images = [e for e in events if isinstance(e, ev.ImagePushed)]
        assert [(e.digest, e.loaded_into) for e in images] == [(d, "the kind cluster `e2e`") for d in digests]
        (container,) = world.deployments[WEB]["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"registry.test/web:dev-{digests[1][7:19]}"
        assert container["imagePullPolicy"] == "IfNotPresent"
        assert world.asked == []

    run(whole)


def test_a_loaded_and_a_pushed_service_never_share_a_build(run: RunScenario) -> None:
    async def whole() -> None:
        web = loaded("web")
        api = replace(web, name="api", load=None, pin=Pin.TAG, workloads=(replace(WEB, name="api"),))
        bench = Bench(LoadingWorld((web, api)))
        await session(bench, lambda: asyncio.sleep(20))
        assert sorted(str(request.load) for request in bench.world.requests) == ["None", "kind"]

    run(whole)


def test_the_registry_of_a_loaded_service_is_not_checked(run: RunScenario) -> None:
    async def whole() -> None:
        world = LoadingWorld((loaded("web"),))
        asked: list[str] = []

        class Registry:
            async def resolve(self, ref: object, *, configs: bool = True) -> None: ...

            async def check(self, ref: object) -> None:
                asked.append(str(ref))

        async def there() -> None: ...

        names = dict(await checked(world.services, world, Registry(), world, there, ""))
        assert asked == []
        assert names["builder"] == "ready, and so is the way into the nodes"

    run(whole)
