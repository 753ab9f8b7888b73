"""What a session tells `why` of the newest save, in the states that matter."""

from dataclasses import replace

import pytest

from devloop.core import events as ev
from devloop.core.failure import FailureCode
from devloop.core.why.facts import NewestSave, Settled
from devloop.tui.scene import Scene
from devloop.views.newestsave import standing
from tests.tui.states import STATES, broken_build, verified
from tests.tui.stories import Story


def told(story: Story, service: str = "web") -> NewestSave | None:
    scene = Scene()
    scene.take(story.records)
    found = standing(scene.state.services[service], scene.past, "1a2b", "/work/web", story.now)
    return found if isinstance(found, NewestSave) else None


@pytest.mark.parametrize(
    ("state", "phase", "waits", "code", "fix"),
    [
        ("broken_build", "build", "", FailureCode.BUILD_FAILED, "fix it"),
        ("building", "build", "its cycle 3 is in the phase build", None, "devloop wait web"),
        ("rolling_out", "rollout", "its cycle 3 is in the phase rollout", None, "devloop wait web"),
        ("paused", "", "it is paused, and what was saved is not built", None, "let it go on: space"),
    ],
)
def test_what_is_not_proved(state: str, phase: str, waits: str, code: FailureCode | None, fix: str) -> None:
    found = told(STATES[state]())
    assert found is not None
    assert (found.session, found.service, found.phase, found.waits) == ("1a2b", "web", phase, waits)
    assert (found.failure.code if found.failure else None) is code
    assert found.fix.startswith(fix)
    assert "the cluster runs" in found.meanwhile


def test_where_a_build_failed() -> None:
    found = told(broken_build())
    assert found is not None
    assert (found.what, found.place) == ("jobs.py", "./jobs.py:41")


@pytest.mark.parametrize(
    ("state", "is_done"), [("verified", True), ("broken_build", False), ("building", False), ("looking_on", False)]
)
def test_a_session_says_when_nothing_is_left_to_do(state: str, is_done: bool) -> None:
    scene = Scene()
    scene.take(STATES[state]().records)
    found = standing(scene.state.services["web"], scene.past, "1a2b", "/work/web", 0.0)
    assert isinstance(found, Settled) is is_done


def test_a_session_says_that_what_was_there_before_it_is_back() -> None:
    scene = Scene()
    drift = ev.WorkloadDrifted("web", "deployment/web", "devloop restore", "restored", restored=True)
    scene.take(verified().wait(20).tell(drift).records)
    web = scene.state.services["web"]
    told = standing(web, scene.past, "1a2b", "/work/web", 0.0)
    assert isinstance(told, Settled)
    assert told.restored == web.drifted > 0
    assert not told.paused
    told = standing(replace(web, paused=True), scene.past, "1a2b", "/work/web", 0.0)
    assert isinstance(told, Settled)
    assert told.paused


def test_a_build_that_was_asked_for_is_no_newer_save() -> None:
    story = Story("web").whole("web", "app.py")
    saved = story.wait(60).whole("web", "Dockerfile").wait(60)
    scene = Scene()
    scene.take(saved.records)
    before = standing(scene.state.services["web"], scene.past, "1a2b", "/work/web", story.now)
    assert isinstance(before, Settled)
    assert before.what == "Dockerfile"
    scene.take(saved.begin("web", trigger=ev.Trigger.KEY).built("web", 0.1, 0.1).verified("web", 3, 0.1, 0.1).records)
    assert standing(scene.state.services["web"], scene.past, "1a2b", "/work/web", story.now) == before


def test_of_many_saves_the_time_is_that_of_the_newest() -> None:
    story = verified().wait(60).saved("web", "app.py").wait(10)
    newest = story.now
    found = told(story.begin("web", "app.py").phase("web", ev.Phase.BUILD))
    assert found is not None
    assert (found.what, found.since) == ("app.py", round(newest, 3))


@pytest.mark.parametrize("state", ["verified", "looking_on"])
def test_nothing_where_all_is_proved_or_another_session_knows(state: str) -> None:
    assert told(STATES[state]()) is None


def test_a_save_whose_cycle_was_stopped_is_not_live() -> None:
    story = verified()
    story.begin("web", "late.py").phase("web", ev.Phase.BUILD)
    story.ended("web", ev.Phase.BUILD, 0.1, ok=False)
    story.finished("web", ev.Outcome.STOPPED)
    found = told(story)
    assert found is not None
    assert (found.what, found.waits, found.fix) == ("late.py", "its cycle was stopped", "devloop trigger web")


def test_what_is_saved_while_the_registry_is_away_is_the_newest_save() -> None:
    story = verified().begin("web", "early.py").phase("web", ev.Phase.BUILD).ended("web", ev.Phase.BUILD, 0.1)
    story.phase("web", ev.Phase.PUSH).ended("web", ev.Phase.PUSH, 0.1, ok=False)
    story.failed("web", FailureCode.REGISTRY_UNREACHABLE, "the registry is away", "")
    assert (early := told(story)) is not None
    assert early.what == "early.py"
    found = told(story.wait(5).saved("web", "late.py"))
    assert found is not None
    assert (found.what, found.failure is not None, found.phase) == ("late.py +1", True, "push")


def test_a_save_that_waits_for_another_service() -> None:
    found = told(STATES["waiting"](), "web")
    assert found is not None
    assert (found.failure, found.waits) == (None, "waiting for api")


@pytest.mark.parametrize(
    ("files", "there", "deleted"),
    [
        (["page.html"], [], 1),
        (["a.py", "b.py"], [], 2),
        (["a.py", "b.py"], ["b.py"], 0),
        (["page.html"], ["page.html"], 0),
    ],
)
def test_a_save_of_which_nothing_is_there_is_a_deletion(files: list[str], there: list[str], deleted: int) -> None:
    settled = Story("web").whole("web", *files)
    failed = Story("web").whole("web", "x.py").begin("web", *files).failed("web", FailureCode.CRASH, "it ended", "")
    for story in (settled, failed):
        scene = Scene()
        scene.take(story.records)
        found = standing(scene.state.services["web"], scene.past, "1a2b", "/work/web", story.now, there.__contains__)
        assert isinstance(found, Settled if story is settled else NewestSave)
        assert found.deleted == deleted


def test_what_was_asked_for_without_a_save_is_no_deletion() -> None:
    scene = Scene()
    asked = Story("web").begin("web", trigger=ev.Trigger.START).built("web", 0.1, 0.1).verified("web", 3, 0.1, 0.1)
    scene.take(asked.records)
    found = standing(scene.state.services["web"], scene.past, "1a2b", "/work/web", 0.0, lambda name: False)
    assert isinstance(found, Settled)
    assert found.deleted == 0
