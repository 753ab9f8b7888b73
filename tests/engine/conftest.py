"""Runs a scenario on an event loop whose time passes as fast as nothing happens in it."""

import asyncio
from collections.abc import Awaitable, Callable

import looptime
import pytest

from tests.engine.eager import eager_factory

Scenario = Callable[[], Awaitable[None]]
RunScenario = Callable[[Scenario], None]


def run_in_fake_time(scenario: Scenario, *, eager: bool) -> None:
    loop = looptime.new_event_loop(start=0)
    if eager:
        loop.set_task_factory(eager_factory())

    async def whole() -> None:
        await scenario()

    try:
        loop.run_until_complete(whole())
        left = asyncio.all_tasks(loop)
        assert not left, f"tasks were left behind: {left}"
    finally:
        loop.close()


@pytest.fixture(params=[False, True], ids=["lazy", "eager"])
def run(request: pytest.FixtureRequest) -> RunScenario:
    """Runs a scenario under the lazy and the eager task factory."""
    return lambda scenario: run_in_fake_time(scenario, eager=request.param)
