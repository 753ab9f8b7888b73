"""What the demo suggests next, by what was done already."""

from dataclasses import replace
from pathlib import Path

import pytest

from devloop.core.events import Outcome, Trigger, WorkloadDrifted, WorkloadObserved
from devloop.core.failure import FailureCode
from devloop.core.state import FinishedCycle, ServiceState, SessionState, Want
from devloop.session.demo import telling
from devloop.session.demo.sandboxed import Sandbox
from devloop.session.demo.telling import LINES, Telling
from devloop.session.demo.words import TITLE, WIDTH, beginning, elsewhere, suggestions, tip
from devloop.tui.part import Part
from devloop.views import Phrase, Tone
from devloop.views.chronicle import Chronicle
from tests.core.folding import folded
from tests.tui.stage import on_stage
from tests.tui.states import STATES, held_up
from tests.tui.stories import Story

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
        ([(START, Outcome.VERIFIED), (FILES, Outcome.STOPPED)], "the cycle was stopped"),
    ],
)
def test_the_next_thing(ended: list[tuple[Trigger, Outcome]], words: str) -> None:
    said = tip(SANDBOX, Path.cwd() / "demo")(SessionState(), Past(*ended))
    assert said.startswith("sandbox, not Kubernetes · ")
    assert words in said


def test_what_was_restored_is_not_proposed_again() -> None:
    past = Past((FILES, Outcome.FAILED), (FILES, Outcome.UNCHANGED))
    restored = WorkloadDrifted("api", "deployment/api", "devloop restore", "restored", restored=True)
    api = ServiceState("api", drift=restored)
    said = tip(SANDBOX, Path.cwd() / "demo")(SessionState({"web": ServiceState("web"), "api": api}), past)
    assert "R puts back" not in said
    assert "q in the log ends all of it" in said
    assert "the page is new" not in said, "the page is the other one's"


@pytest.mark.parametrize(("ready", "new"), [(2, True), (0, False)])
def test_where_the_page_was_restored_it_is_new_when_its_pods_serve(ready: int, new: bool) -> None:
    """What is put back is the workload, and the tag has moved."""
    restored = WorkloadDrifted("web", "deployment/web", "devloop restore", "restored", restored=True)
    seen = WorkloadObserved("web", "deployment/web", True, 2, 2, ready, 0, ())
    web = ServiceState("web", drift=restored, workloads={"deployment/web": seen})
    said = tip(SANDBOX, Path.cwd() / "demo")(SessionState({"web": web}), Past())
    assert ("the page is new" in said) == new
    assert "b takes over again" in said


def test_while_a_save_is_built_and_rolled_out_nobody_is_told_to_save_or_to_mend() -> None:
    """Until it is known that it does not get on."""
    story = Story("web").whole("web").begin("web", "web.py").failed("web", FailureCode.BUILD_FAILED, "x", "")
    guide = tip(SANDBOX, Path.cwd() / "demo")
    assert "mend what you broke, and save" in guide(*folded(story))
    story.begin("web", "web.py").built("web").patched("web")
    assert guide(*folded(story)).endswith("your save is on its way to http://127.0.0.1:2/")
    assert "mend what you broke, and save" in guide(*folded(held_up(Story("web").whole("web"))))


WAITING = Want(FILES, 0.0, count=1, files=("web.py",))


def test_who_paused_it_is_told_what_lets_it_go_on() -> None:
    web = ServiceState("web", paused=True)
    assert _said_of(web).endswith("space lets it go on")
    assert _said_of(replace(web, want=WAITING)).endswith("space lets it go on, with what was saved meanwhile")


def test_who_paused_it_and_restored_it_is_told_what_takes_over_again() -> None:
    restored = WorkloadDrifted("web", "deployment/web", "devloop restore", "restored", restored=True)
    web = ServiceState("web", paused=True, drift=restored)
    assert _said_of(web).endswith("b takes over again, and so does a save after space")
    waiting = replace(web, want=WAITING)
    assert _said_of(waiting).endswith("b takes over again, and so does space, with what was saved meanwhile")


def test_who_paused_all_is_told_the_key_that_lets_all_go_on() -> None:
    web, api = ServiceState("web", paused=True), ServiceState("api", paused=True)
    assert _said_of(web, api).endswith("all is paused: A lets it go on")
    waiting = replace(api, want=WAITING)
    assert _said_of(web, waiting).endswith("all is paused: A lets it go on, with what was saved meanwhile")
    assert "web is paused: space" in _said_of(web, replace(api, paused=False))
    restored = WorkloadDrifted("web", "deployment/web", "devloop restore", "restored", restored=True)
    assert _said_of(replace(web, drift=restored), api).endswith("and so does a save after A")


def _said_of(web: ServiceState, *others: ServiceState) -> str:
    services = {each.name: each for each in (web, *others)}
    return tip(SANDBOX, Path.cwd() / "demo")(SessionState(services), Past((FILES, Outcome.FAILED)))


def test_before_a_session_runs_nobody_is_told_to_ask_for_its_status() -> None:
    before, after = (elsewhere(Path("demo"), Path("demo/env"), in_session=each) for each in (False, True))
    assert not [line for line in before if "devloop status" in line]
    assert [line for line in after if "devloop status" in line]


async def test_all_of_it_is_there_on_a_narrow_screen() -> None:
    """The long one names a file at its end."""
    past = Past((START, Outcome.VERIFIED), (FILES, Outcome.VERIFIED))
    async with on_stage(STATES["verified"](), (80, 24)) as stage:
        stage.app.tip = lambda state, _: tip(SANDBOX, Path.cwd() / "devloop-demo")(state, past)
        stage.app.paint()
        await stage.settle()
        assert " ".join(" ".join(stage.screen[-3:-1]).split()).endswith("at the end of devloop-demo/web/Dockerfile")
        assert " quit " in stage.screen[-1]


async def test_it_stands_above_the_keys_where_there_is_room() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        part = stage.app.main.query_one("#tip", Part)
        shown = [part.display]
        stage.app.tip = lambda state, past: f"{len(state.services)} to try"
        stage.app.paint()
        shown.append(part.display)
        assert shown == [False, True]


LONG = " ".join(f"word{at}" for at in range(200))


@pytest.mark.parametrize("columns", [70, 100, WIDTH, 300])
def test_what_is_told_fits_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    Telling().step("An edit", "is saved", LONG)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].rstrip() == f"{'1  An edit':{TITLE}}is saved"
    assert [line[:TITLE].strip() for line in lines[1:]] == [""] * (len(lines) - 1)
    room = min(columns, WIDTH)
    assert room - len("word10") - 1 <= len(lines[1]) <= room
    assert max(len(line) for line in [*lines[:-1], *beginning(Path("/demo"))]) <= room
    assert lines[-1].endswith(" …")
    assert (len(lines) == LINES) == (columns >= WIDTH), "in a narrow one there is room for as much"


def test_on_a_terminal_tones_are_colours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for colour in (False, True):
        monkeypatch.setattr(telling, "wants_colour", lambda *_, so=colour: so)
        Telling().step("An edit", Phrase("verified", Tone.GOOD))
    plain, coloured = capsys.readouterr().out.splitlines()
    assert "\x1b" not in plain
    assert coloured.endswith("\x1b[32mverified\x1b[0m")


@pytest.mark.parametrize("columns", [80, WIDTH])
def test_what_there_is_to_try_fits_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is broken within a word, and a command stays one."""
    monkeypatch.setenv("COLUMNS", str(columns))
    folder, environment = Path("/tmp/somewhere/devloop-demo"), Path("/tmp/somewhere/devloop-demo/.sandbox/env")
    lines = suggestions(SANDBOX, folder, environment)
    assert max(len(line) for line in lines) <= columns
    assert [line[:TITLE].strip() for line in lines if line[:TITLE].strip()] == ["to try", "in another terminal"]
    said = [line[TITLE:] for line in lines]
    commands = [f". {environment}", f"cd {folder}"]
    assert [line for line in said if line.startswith((". ", "cd "))] == (
        commands if columns == 80 else ["; ".join(commands)]
    )
