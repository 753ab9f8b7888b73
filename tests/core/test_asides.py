"""What stands between the log lines of a service."""

import gc

import pytest

from devloop.core import events as ev
from devloop.core.events import HoldCode, Phase
from devloop.core.failure import Connection, FailureCode
from devloop.core.reducer import reduce
from devloop.core.state import SessionState
from devloop.tui.scene import Scene
from devloop.views.asides import Asides
from devloop.views.lastwords import LastWords
from devloop.views.loglines import Kind, Line
from tests.headless.sessions import recorded
from tests.tui.states import STATES
from tests.tui.stories import Story, digest


def log_of(story: Story, service: str = "web") -> list[str]:
    """The log of a service: rules after `── `, notes as they are, lines with their Pod."""
    scene = Scene()
    scene.take(story.records)
    heads = {Kind.RULE: "── ", Kind.NOTE: ""}
    return [f"{heads.get(line.kind, line.pod.rpartition('-')[2] + ' ')}{line.text}" for line in scene.ring(service)]


def _rolled(pods: int = 1) -> Story:
    """Old code runs and has said something; new code is rolled out."""
    story = Story("web").whole("web", pods=pods).log("web", "old")
    return story.begin("web", "a.py").built("web").patched("web").pods("web", 0, pods, old=pods)


def _from_the_new_code(story: Story) -> list[str]:
    log = log_of(story)
    return log[log.index("k9d0s old") + 1 :]


def test_new_code_is_announced_by_its_first_line() -> None:
    story = _rolled().log("web", "listening")
    assert _from_the_new_code(story) == ["── new code: a.py · cycle 2 · zz81p replaces k9d0s", "zz81p listening"]


def test_of_several_pods_it_is_announced_once_and_nothing_is_said_of_which_replaces_which() -> None:
    story = _rolled(3).log("web", "listening").log("web", "listening", pod=1)
    log = _from_the_new_code(story)
    assert log == ["── new code: a.py · cycle 2", "zz81p listening", "h2jd7 listening"]


def test_what_says_nothing_is_announced_when_it_is_proved() -> None:
    story = Story("web").whole("web").whole("web", "a.py", "b.py")
    assert log_of(story) == ["── new code · cycle 1", "── new code: a.py +1 · cycle 2"]


def test_what_was_announced_is_not_announced_again_when_it_is_proved() -> None:
    story = _rolled().log("web", "listening").pods("web", 1, 1).ended("web", Phase.ROLLOUT, 1.0)
    assert "── new code: a.py · cycle 2" not in log_of(story.finished("web", ev.Outcome.VERIFIED))


def test_what_was_mended_by_putting_it_back_does_not_leave_a_failure_as_the_last_word() -> None:
    story = STATES["broken_build"]().wait(5).begin("web", "jobs.py").finished("web", ev.Outcome.UNCHANGED)
    assert log_of(story)[-2:] == [
        "✘ cycle 3 (jobs.py) FAILED build: SyntaxError: '(' was never closed",
        "= cycle 4 (jobs.py) unchanged: the Pods already run this image",
    ]


def test_what_came_right_by_itself_is_said_with_what_did() -> None:
    story = STATES["crash_loop"]()
    cycle, why = story.number("web") + 1, "the workload healed"
    story.tell(ev.CycleStarted("web", cycle, ev.Trigger.DRIFT, text=why))
    story.tell(ev.CycleFinished("web", cycle, ev.Outcome.VERIFIED, digest(3), 0.1, None))
    assert log_of(story)[-1] == "= cycle 4 verified: the workload healed"


def _again(story: Story, image: str) -> list[str]:
    """A build that pushes this image and is rolled out, and the rules that it adds."""
    before = len(log_of(story))
    story.begin("web", trigger=ev.Trigger.KEY).phase("web", Phase.BUILD, 1).phase("web", Phase.PUSH, 1)
    story.tell(ev.ImagePushed("web", story.number("web"), "web:dev", "web:dev", image, (image,))).patched("web")
    story.pods("web", 1, 1).log("web", "listening").ended("web", Phase.ROLLOUT, 1).finished("web", ev.Outcome.VERIFIED)
    return [line for line in log_of(story)[before:] if line.startswith("── ")]


def test_the_image_that_was_proved_last_is_no_new_code_when_it_is_rolled_out_again() -> None:
    story = Story("web").whole("web", pods=1).log("web", "hello").whole("web", "a.py", pods=1).log("web", "hello")
    (rule,) = _again(story, digest(2))
    assert rule.startswith("── the image of cycle 2 again · cycle 3 · ")
    (rule,) = _again(story, digest(9))
    assert rule.startswith("── new code · cycle 4 · ")


def test_the_image_that_the_pods_run_when_the_session_begins_is_no_new_code() -> None:
    story = Story("web").pods("web", 1, 1)
    assert _again(story, digest(0)) == ["── the same image again · cycle 1"]
    assert _again(Story("web").pods("web", 1, 1), digest(9)) == ["── new code · cycle 1"]


def test_old_code_that_speaks_late_is_not_called_new() -> None:
    story = Story("web").whole("web", pods=2)
    late = story.pod("web", 1)
    story.log("web", "old").begin("web", "a.py").built("web").patched("web").pods("web", 0, 2, old=2)
    story.tell(ev.Log("web", ev.LogSource.POD, "bye", pod=late, container="web"))
    assert log_of(story)[-1].endswith("bye")
    assert not any("a.py" in line for line in log_of(story))


def test_a_pod_that_comes_without_a_cycle_replaces_the_one_before() -> None:
    story = Story("web").whole("web", pods=1).log("web", "old")
    story.tell(ev.Log("web", ev.LogSource.POD, "moved", pod="web-01c8d577-zzzzz", container="web"))
    assert log_of(story)[-2:] == ["── zzzzz replaces k9d0s", "zzzzz moved"]


def _superseded(story: Story) -> Story:
    """During its rollout, by a save; the next cycle is being built."""
    story.ended("web", Phase.ROLLOUT, 1.0, ok=False).finished("web", ev.Outcome.SUPERSEDED)
    return story.begin("web", "b.py").phase("web", Phase.BUILD)


def _says(story: Story, pod: str, line: str) -> Story:
    return story.tell(ev.Log("web", ev.LogSource.POD, line, pod=pod, container="web"))


def _rules(story: Story) -> list[str]:
    return [line.removeprefix("── ") for line in log_of(story) if line.startswith("── ")]


def test_a_pod_of_a_superseded_cycle_that_speaks_during_the_next_build_stands_under_a_rule_of_its_own() -> None:
    story = _rolled(2)
    first = story.pod("web")
    _says(_superseded(story), first, "Multi 1")
    assert log_of(story)[-2:] == ["── new code: a.py · cycle 2", "zz81p Multi 1"]
    _says(story.ended("web", Phase.BUILD, 0.3).phase("web", Phase.PUSH, 0.1).pushed("web").patched("web"), first, "2")
    _says(story.pods("web", 2, 2), story.pod("web"), "Multi 2")
    assert _rules(story)[-2:] == ["new code: a.py · cycle 2", "new code: b.py · cycle 3"]


def test_a_pod_of_a_superseded_cycle_that_speaks_after_newer_code_is_told_apart() -> None:
    story = _rolled(2)
    late = story.pod("web")
    _superseded(story).ended("web", Phase.BUILD, 0.3).phase("web", Phase.PUSH, 0.1).pushed("web").patched("web")
    _says(story.pods("web", 2, 2).log("web", "Multi 2"), late, "Multi 1")
    assert _rules(story)[-2:] == ["new code: b.py · cycle 3", "zz81p is still of cycle 2"]


def test_a_pod_that_is_seen_before_the_answer_to_its_patch_stands_below_the_rule() -> None:
    story = Story("web").whole("web", pods=1).begin("web", "a.py").built("web").phase("web", Phase.ROLLOUT)
    story.pods("web", 0, 1).tell(ev.WorkloadPatched("web", 2, "deployment/web", ())).log("web", "listening")
    assert [line.partition(" · ")[0] for line in log_of(story)[-2:]] == ["── new code: a.py", "zz81p listening"]


def test_a_crash_of_the_old_pod_does_not_take_the_rule_from_the_new_one() -> None:
    story = _rolled(1)
    new = story.pod("web")
    _superseded(story).tell(ev.WorkloadDrifted("web", "deployment/web", "", "container web ended and was restarted"))
    _says(story, new, "hello")
    assert _rules(story)[-1].startswith("new code: a.py · cycle 2")


def _crashes(story: Story, image: str) -> Story:
    """A build that pushes this image, whose Pod says so and ends."""
    story.begin("web", trigger=ev.Trigger.KEY).phase("web", Phase.BUILD, 1).phase("web", Phase.PUSH, 1)
    story.tell(ev.ImagePushed("web", story.number("web"), "web:dev", "web:dev", image, (image,))).patched("web")
    story.pods("web", 0, 1, reason="CrashLoopBackOff", restarts=1).log("web", "boom")
    return story.ended("web", Phase.ROLLOUT, 1, ok=False).failed("web", FailureCode.CRASH, "it ended", "")


def test_a_build_of_the_same_crashing_code_is_no_new_code() -> None:
    story = Story("web").whole("web", pods=2)
    for number in (2, 2, 3, 2):
        _crashes(story, digest(number))
    assert [rule.partition(" · ")[0] for rule in _rules(story)[1:] if "cycle" in rule.partition(" · ")[2]] == [
        "new code",
        "the same image again",
        "new code",
        "the image of cycle 3 again",
    ]


@pytest.mark.parametrize("restored", [True, False])
def test_what_somebody_went_back_to_is_not_called_the_code_of_a_cycle_of_which_nothing_was_heard(
    restored: bool,
) -> None:
    story = Story("web").whole("web", pods=1).begin("web", "a.py").built("web").patched("web")
    story.ended("web", Phase.ROLLOUT, 1, ok=False).failed("web", FailureCode.IMAGE_PULL, "no image", "")
    drift = ev.WorkloadDrifted("web", "deployment/web", "devloop restore", "restored", restored=True)
    row = ev.PodRow("web-0-after", "node1", "web-0", "Running", "", 0, digest(0), True, True)
    seen = ev.WorkloadObserved("web", "deployment/web", True, 1, 1, 1, 0, (row,))
    story.tell(*([drift] if restored else []), seen)
    _says(story, row.pod, "back")
    assert _rules(story) == ["new code · cycle 1"]


def test_a_container_that_began_again() -> None:
    story = Story("web").whole("web", pods=1).log("web", "one").pods("web", 0, 1, reason="Error", restarts=1)
    story.pods("web", 0, 1, reason="CrashLoopBackOff", restarts=2)
    assert log_of(story)[-1] == "── k9d0s restarted · restart 2"


TRACE = ("Traceback (most recent call last):", '  File "/app/web.py", line 54', "KeyError: 'PROT'")
HEADING = "── zz81p: the last lines of the container that ended"


def _crashed() -> Story:
    """Lines of the new Pod follow."""
    return _rolled().log("web", "listening")


def _restarted(story: Story, restarts: int) -> Story:
    return story.pods("web", 0, 1, reason="CrashLoopBackOff", restarts=restarts)


def _shown(story: Story) -> list[str]:
    """What came after that."""
    log = log_of(story)
    return [line.removeprefix("zz81p ") for line in log[log.index("zz81p listening") + 1 :]]


def test_last_words_are_shown_whole_where_a_part_of_them_was_not_shown_yet() -> None:
    story = _crashed().log("web", *TRACE[:1]).log("web", *TRACE, cycle=2)
    assert _shown(story) == [TRACE[0], HEADING, *TRACE]


def test_last_words_that_stand_right_above_have_no_heading() -> None:
    assert _shown(_crashed().log("web", *TRACE).log("web", *TRACE, cycle=2).log("web", "again")) == [*TRACE, "again"]
    assert _shown(_crashed().log("web", *TRACE).log("web", *TRACE[1:], cycle=2)) == [*TRACE]


def test_what_a_container_wrote_that_still_runs_is_no_last_words_and_stands_once() -> None:
    """Here it comes with the cycle that failed before all of it came as it was written."""
    story = _crashed().log("web", "code 503")
    quoted = ev.Log("web", ev.LogSource.POD, "code 503", 2, story.pod("web"), "web", running=True)
    story.tell(quoted, quoted).log("web", "code 503", "code 503")
    assert _shown(story) == ["code 503"] * 3


def test_last_words_that_came_before_the_lines_themselves_are_shown_once() -> None:
    assert _shown(_crashed().log("web", *TRACE, cycle=2).log("web", *TRACE)) == [HEADING, *TRACE]
    story = _crashed().log("web", *TRACE[:1]).log("web", *TRACE, cycle=2).log("web", *TRACE[1:], "again")
    assert _shown(story) == [TRACE[0], HEADING, *TRACE, "again"]


def test_last_words_like_those_of_the_start_before_are_whole_too() -> None:
    first, second = TRACE, (TRACE[0], TRACE[1].replace("app", "srv"), TRACE[2])
    story = _restarted(_crashed().log("web", *first).log("web", *first, cycle=2), 1)
    again = "── zz81p restarted · restart 1"
    story.log("web", *second, cycle=2).log("web", *second)
    assert _shown(story) == [*first, again, HEADING, *second]
    story = _restarted(_crashed().log("web", *first).log("web", *first, cycle=2), 1)
    assert _shown(story.log("web", *first, cycle=2)) == [*first, again, HEADING, *first]


def test_what_a_container_writes_that_began_again_is_shown_though_it_wrote_that_last() -> None:
    story = _restarted(_restarted(_crashed(), 1).log("web", *TRACE, cycle=2), 2).log("web", *TRACE)
    begins = ["── zz81p restarted · restart 1", "── zz81p restarted · restart 2"]
    assert _shown(story)[-1 - 2 * len(TRACE) - 1 :] == [HEADING, *TRACE, begins[1], *TRACE]


def test_last_words_of_new_code_stand_below_its_rule() -> None:
    story = _rolled().log("web", *TRACE, cycle=2).log("web", *TRACE)
    rule = "── new code: a.py · cycle 2 · zz81p replaces k9d0s"
    assert _from_the_new_code(story) == [rule, HEADING, *(f"zz81p {line}" for line in TRACE)]


def test_lines_are_marked_as_the_last_also_where_they_were_shown_before() -> None:
    for story in (_crashed().log("web", *TRACE).log("web", *TRACE, cycle=2), _crashed().log("web", *TRACE, cycle=2)):
        scene = Scene()
        scene.take(story.records)
        assert [line.text for line in scene.ring("web") if line.is_last] == [*TRACE]


def _remembered(crashes: int) -> int:
    """How many lines are kept for comparing, after so many Pods crashed and were replaced one by another."""
    story = Story("web").whole("web", pods=1)
    for at in range(crashes):
        story.begin("web", "a.py").pods("web", 0, 1).log("web", *(f"line {at}" for at in range(50)), cycle=at + 2)
    asides, state = Asides(), SessionState()
    for record in story.records:
        before, event = state, record.event
        state = reduce(state, record)
        _ = [*asides.of_log(record.time, event, state)] if isinstance(event, ev.Log) else []
        _ = [*asides.of_event(record, before, state)]
    gc.collect()
    return sum(isinstance(each, Line) for each in gc.get_objects())


def test_last_words_are_not_remembered_once_their_pod_is_gone() -> None:
    assert _remembered(20) == _remembered(3)


def test_with_nothing_left_to_compare_a_line_is_plain_again() -> None:
    words, line = LastWords(), Line(0.0, Kind.POD, "boom", "web-1", "web")
    words.last(line)
    assert not words.is_plain(line)
    assert not words.written(line)
    assert words.is_plain(line)


def test_last_words_of_a_recorded_crash_repeat_nothing() -> None:
    story = Story()
    story.records = recorded("crash_loop")
    log = log_of(story)
    assert [line for line in log if "KeyError" in line] == [
        "vcjn8 KeyError: 'DATABASE_URL'",
        "vcjn8 KeyError: 'DATABASE_URL'",
        "✘ cycle 2 (server.py) FAILED rollout: KeyError: 'DATABASE_URL'",
    ]
    assert [line for line in log if line.startswith("── ")][-1] == "── vcjn8 restarted · restart 1"


def test_what_is_left_out_is_counted() -> None:
    story = Story("web").whole("web").log("web", "one")
    story.tell(ev.Log("web", ev.LogSource.POD, "two", pod=story.pod("web"), container="web", dropped=1234))
    assert log_of(story)[-2:] == ["── 1,234 lines left out", "k9d0s two"]


def test_a_warning_is_noted_with_its_hint_but_not_with_how_to_read_what_stands_here() -> None:
    story = Story("web").begin("web")
    story.tell(ev.WarningRaised("web", "not_ready", "no probe", "look at it"))
    story.tell(ev.WarningRaised("web", FailureCode.CRASH, "it ended", "`kubectl logs` shows all it wrote"))
    assert log_of(story) == ["! no probe", "→ look at it", "! it ended"]


def test_a_lost_connection_is_noted_in_every_log() -> None:
    story = Story("web", "api").lost(Connection.CLUSTER, "no answer")
    story.tell(ev.ConnectionChanged(Connection.CLUSTER, True, "the cluster is back"))
    assert log_of(story) == log_of(story, "api") == ["✘ LOST cluster: no answer", "✔ the cluster is back"]


def test_who_works_on_a_workload_is_noted_in_the_logs_of_its_services() -> None:
    story = Story("web", "api").pods("web", 1, 1).pods("api", 1, 1)
    story.tell(ev.LeaseChanged("shop", "deployment/web", ev.LeaseChange.LOST, "jo@laptop/4711", 0.0, "ann@desk/1"))
    (noted,) = log_of(story)
    assert noted.startswith("✘ LOST deployment/web: jo@laptop/4711 took it over")
    assert log_of(story, "api") == []


def test_a_failure_is_noted_by_what_tells_why() -> None:
    story = Story("web").begin("web").phase("web", Phase.BUILD, 1.0, ok=False)
    story.failed("web", FailureCode.BUILD_FAILED, "`RUN make` failed: main.c:3: expected ;", "mend it")
    assert log_of(story) == ["✘ cycle 1 FAILED build: main.c:3: expected ;"]


def test_what_only_waits_is_not_noted() -> None:
    story = Story("web").saved("web", "a.py").hold("web", HoldCode.PAUSED, "", "paused")
    assert log_of(story) == []
