"""What the demo suggests next, by what was done already."""

from pathlib import Path

import pytest

from devloop.core.events import Outcome, Trigger
from devloop.core.state import FinishedCycle, SessionState, Want
from devloop.session.demo.sandboxed import Sandbox
from devloop.session.demo.words import tip
from devloop.tui.part import Part
from devloop.views.chronicle import Chronicle
from tests.tui.stage import on_stage
from tests.tui.states import STATES

SANDBOX = Sandbox(
    "127.0.0.1:1", "docker", "kubeconfig", "devloop-sandbox", "default", {"web": "http://127.0.0.1:2/"}, 1
)
START, FILES = Trigger.START, Trigger.FILES


class Past(Chronicle):
    """One that is given the cycles of web."""

    def __init__(self, *ended: tuple[Trigger, Outcome]) -> None:
        super().__init__()
        self._ended = tuple(
            FinishedCycle(at, Want(trigger, 0.0), 0.0, 1.0, outcome, "", 1.0, None)
            for at, (trigger, outcome) in enumerate(ended, 1)
        )

    def cycles(self, service: str) -> tuple[FinishedCycle, ...]:
        return self._ended if service == "web" else ()


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ([], "http://127.0.0.1:2/ is stale"),
        ([(START, Outcome.VERIFIED)], "edit GREETING in demo/web/web.py"),
        ([(START, Outcome.VERIFIED), (FILES, Outcome.SUPERSEDED)], "edit GREETING"),
        ([(START, Outcome.VERIFIED), (FILES, Outcome.VERIFIED)], "`RUN make` at the end of demo/web/Dockerfile"),
        ([(START, Outcome.VERIFIED), (FILES, Outcome.FAILED)], "the old page still answers"),
        ([(FILES, Outcome.FAILED), (FILES, Outcome.UNCHANGED)], "R puts back"),
    ],
)
def test_the_next_thing(ended: list[tuple[Trigger, Outcome]], words: str) -> None:
    said = tip(SANDBOX, Path.cwd() / "demo")(SessionState(), Past(*ended))
    assert said.startswith("sandbox, not Kubernetes · ")
    assert words in said


async def test_it_stands_above_the_keys_where_there_is_room() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        part = stage.app.main.query_one("#tip", Part)
        shown = [part.display]
        stage.app.tip = lambda state, past: f"{len(state.services)} to try"
        stage.app.paint()
        shown.append(part.display)
        assert shown == [False, True]
