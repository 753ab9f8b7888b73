"""Pictures of the screen that stand still, of made-up sessions."""

from tests.pictures.frames import Shown, frame_of
from tests.pictures.svg import animated
from tests.tui.snapshot import rows_of
from tests.tui.stage import on_stage
from tests.tui.states import STATES

SIZE = (100, 22)
STILLS = {
    "verified": ("verified", "One service, verified: the headline, its phases, and the logs of its Pods"),
    "crash": ("crash_loop", "A service that crashes at its start: the line that matters in a band, above the logs"),
}
"""The state of `tests.tui.states`, and what is seen, in words."""


async def draw(name: str) -> str:
    state, said = STILLS[name]
    async with on_stage(STATES[state](), SIZE) as stage:
        shown = [Shown(frame_of(rows_of(stage.app)), 1.0)]
    return animated(shown, title="devloop", said=said, columns=SIZE[0])
