"""What comes into the log while another pane is shown is in it as if it had been seen to come."""

import pytest

from devloop.core.failure import FailureCode
from tests.tui.stage import Stage, on_stage
from tests.tui.states import MEND, STATES
from tests.tui.stories import Story

CAUSE = "the sandbox has no engine and runs no program in a build: line 5 asks for RUN make"


def fail(story: Story) -> None:
    story.wait(5).begin("web", "Dockerfile")
    story.failed("web", FailureCode.BUILD_FAILED, f"Dockerfile, line 5: {CAUSE}", MEND)


def pane(stage: Stage) -> list[str]:
    region = stage.app.log_view.region
    return [row.rstrip() for row in stage.screen[region.y : region.bottom]]


@pytest.mark.parametrize("size", [(80, 24), (100, 30)])
@pytest.mark.parametrize("key", ["p", "d"])
async def test_lines_that_come_while_it_is_hidden_are_shown_once(size: tuple[int, int], key: str) -> None:
    async with on_stage(STATES["verified"](), size) as stage:
        fail(stage.story)
        await stage.go_on()
        seen = pane(stage)
    async with on_stage(STATES["verified"](), size) as stage:
        await stage.press(key)
        fail(stage.story)
        await stage.go_on()
        await stage.press("l")
        assert pane(stage) == seen
        assert " ".join(" ".join(seen).split()).count("no engine") == 1


async def test_another_width_while_it_is_hidden_is_the_one_that_it_is_wrapped_for() -> None:
    async with on_stage(STATES["verified"](), (140, 30)) as stage:
        fail(stage.story)
        await stage.go_on()
        await stage.press("p")
        await stage.resize(80, 30)
        fail(stage.story)
        await stage.go_on()
        await stage.press("l")
        after = pane(stage)
        await stage.press("w", "w")
        assert after == pane(stage)
