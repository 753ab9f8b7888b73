"""Builds that several services share."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef
from devloop.core.ports import BuildProgress, BuildRequest, Built, OutputLine, PushStarted
from devloop.core.service import BuildSpec
from devloop.engine.builds import SharedBuilds
from tests.engine.conftest import RunScenario

BUILT = Built("sha256:aa", "buildx")


def request(source: str = "web", tag: str = "dev", platform: str = "linux/amd64") -> BuildRequest:
    folder = Path("/src") / source
    return BuildRequest(BuildSpec(folder, folder / "Dockerfile"), ImageRef("registry.test", source, tag), platform)


class Builder:
    """Builds for 10 s, the last two of which are the push."""

    name = "fake"

    def __init__(self, answer: Built | Failure = BUILT) -> None:
        self.answer = answer
        self.started: list[BuildRequest] = []
        self.cancelled = 0

    async def build(self, request: BuildRequest, progress: Callable[[BuildProgress], None]) -> Built | Failure:
        self.started.append(request)
        progress(OutputLine("building"))
        try:
            await asyncio.sleep(8)
            progress(PushStarted())
            await asyncio.sleep(2)
        except asyncio.CancelledError:
            self.cancelled += 1
            await asyncio.sleep(0.5)  # what it started takes a moment to end
            raise
        return self.answer

    async def check(self, request: BuildRequest) -> Failure | None:
        return None


class Bench:
    """Shared builds over a builder, and what each of those who wait was told."""

    def __init__(self, answer: Built | Failure = BUILT) -> None:
        self.builder = Builder(answer)
        self.wanted = 0
        self.builds = SharedBuilds(self.builder, lambda: self.wanted)
        self.told: dict[str, list[BuildProgress]] = {}

    def ask(self, name: str, newest: int = 0, wanted: BuildRequest | None = None) -> "asyncio.Task[Built | Failure]":
        told = self.told.setdefault(name, [])
        return asyncio.create_task(self.builds.build(wanted or request(), newest, told.append))


def test_equal_builds_at_the_same_time_are_one(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench()
        assert list(await asyncio.gather(bench.ask("web"), bench.ask("worker"))) == [BUILT, BUILT]
        assert len(bench.builder.started) == 1
        assert bench.told["web"] == [OutputLine("building"), PushStarted()]
        assert asyncio.get_running_loop().time() == 10

    run(scenario)


def test_each_failure_reaches_all_who_wait(run: RunScenario) -> None:
    async def scenario() -> None:
        failure = Failure(FailureCode.BUILD_FAILED, "it does not compile")
        bench = Bench(failure)
        assert list(await asyncio.gather(bench.ask("web"), bench.ask("worker"))) == [failure, failure]

    run(scenario)


def test_what_is_not_equal_is_built_apart(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench()
        others = (request("api"), request(tag="v2"), request(platform="linux/arm64"))
        tasks = [bench.ask("web"), *(bench.ask("other", wanted=other) for other in others)]
        await asyncio.gather(*tasks)
        assert set(bench.builder.started) == {request(), *others}

    run(scenario)


def test_who_joins_late_hears_that_the_push_runs(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench()
        first = bench.ask("web")
        await asyncio.sleep(5)
        middle = bench.ask("worker")
        await asyncio.sleep(4)
        late = bench.ask("cron")
        await asyncio.gather(first, middle, late)
        assert len(bench.builder.started) == 1
        assert bench.told["worker"] == bench.told["cron"] == [PushStarted()]

    run(scenario)


def test_what_was_saved_after_the_build_began_is_not_in_it(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.wanted = 1
        first = bench.ask("web", newest=1)
        await asyncio.sleep(3)
        bench.wanted = 3
        saved_before = bench.ask("worker", newest=1)
        saved_later = bench.ask("cron", newest=2)
        joins_the_second = bench.ask("queue", newest=3)
        await asyncio.sleep(5)
        assert len(bench.builder.started) == 1, "two builds never push to one tag at once"
        await asyncio.gather(first, saved_before)
        assert asyncio.get_running_loop().time() == 10
        await asyncio.gather(saved_later, joins_the_second)
        assert asyncio.get_running_loop().time() == 20
        assert len(bench.builder.started) == 2

    run(scenario)


def test_a_build_that_is_over_is_not_joined(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench()
        await bench.ask("web")
        await bench.ask("web")
        assert len(bench.builder.started) == 2

    run(scenario)


def test_one_who_leaves_disturbs_nobody(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench()
        leaves, stays = bench.ask("web"), bench.ask("worker")
        await asyncio.sleep(3)
        leaves.cancel()
        assert await stays == BUILT
        assert bench.builder.cancelled == 0
        assert bench.told["web"] == [OutputLine("building")], "nothing is told to who has left"

    run(scenario)


def test_the_last_one_who_leaves_ends_the_build_and_waits_for_its_end(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench()
        tasks = [bench.ask("web"), bench.ask("worker")]
        await asyncio.sleep(3)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        assert bench.builder.cancelled == 1
        assert asyncio.get_running_loop().time() == 3.5

    run(scenario)


def test_who_comes_while_an_abandoned_build_ends_gets_one_of_their_own(run: RunScenario) -> None:
    async def scenario() -> None:
        bench = Bench()
        leaves = bench.ask("web")
        await asyncio.sleep(3)
        leaves.cancel()
        await asyncio.sleep(0.1)
        assert await bench.ask("worker") == BUILT
        assert len(bench.builder.started) == 2
        assert leaves.cancelled()

    run(scenario)
