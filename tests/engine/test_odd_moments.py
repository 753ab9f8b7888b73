"""What rarely happens: parts that say less than usual, looks that lag, and ends in the middle of something."""

import asyncio
from collections.abc import Callable

from devloop.core import events as ev
from devloop.core.failure import Failure
from devloop.core.ports import BuildProgress, BuildRequest, Built, PushStarted
from devloop.core.service import WorkloadKey
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
