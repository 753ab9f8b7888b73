"""The state of a session in words: the row of a service, the headline of a single one, the counts, the title."""

import time
from collections.abc import Callable, Iterator
from dataclasses import astuple

import pytest

from devloop.core import events as ev
from devloop.core.events import HoldCode, Outcome, Phase, StepState, Trigger
from devloop.core.failure import Connection, FailureCode
from devloop.views import Tone
from devloop.views.board import Row, headline, others, overall, phases_line, row, rows, title, trouble
from tests.core.folding import folded
from tests.tui.states import NOT_READY, STATES, held_up
from tests.tui.stories import Story


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def row_of(story: Story, service: str = "web") -> Row:
    state, past = folded(story)
    return row(state.services[service], past, story.now)


def said(story: Story) -> str:
    """The headline where there is room for all of it."""
    state, past = folded(story)
    parts, _ = headline(state.services["web"], past, story.now)
    return " · ".join(text for text, _ in parts)


def _live() -> Story:
    return Story("web").whole("web").wait(60).whole("web", "server.py", "a.py", "b.py").wait(30)


def _started() -> Story:
    return Story("web").begin("web")


def test_where_a_rollout_does_not_get_on_the_row_says_why_before_what_is_usual_or_which_pod() -> None:
    story = held_up(_live()).wait(2)
    assert row_of(story).detail == f"2.4s · not ready: {NOT_READY}"


def _none_runs_it() -> Story:
    story = _live().begin("web", "x.py").built("web").patched("web").pods("web", 1, 1)
    story.ended("web", Phase.ROLLOUT, 1.2).phase("web", Phase.VERIFY)
    image, pod = "sha256:5f2ac8017b7e", story.pod("web")
    for verdict in (ev.Verdict.MATCH, ev.Verdict.MISMATCH):  # one of its containers is enough
        story.tell(ev.PodVerified("web", 3, "deployment/web", pod, "node1", "web", image, verdict))
    return story.ended("web", Phase.VERIFY, 0.1, ok=False).failed("web", FailureCode.MISMATCH, "x", "")


def _held(code: HoldCode, text: str) -> Story:
    return _live().saved("web", "x.py").hold("web", code, "", text).wait(2)


def _restored_without_a_registry() -> Story:
    story = _live().wait(300).begin("web", "jobs.py").phase("web", Phase.BUILD, 0.4, ok=False)
    story.failed("web", FailureCode.REGISTRY_UNREACHABLE, "localhost:5001 cannot be reached: connection refused", "")
    story.hold("web", HoldCode.CONNECTION, "registry", "waiting for the registry").wait(1)
    what = "restored to what it was before devloop"
    return story.tell(ev.WorkloadDrifted("web", "deployment/web", "devloop restore", what, restored=True))


def _broken_and_paused() -> Story:
    return STATES["broken_build"]().tell(ev.ServicePaused("web", True)).wait(2)


def _broken_and_mended_while_paused() -> Story:
    return _broken_and_paused().saved("web", "server.py").hold("web", HoldCode.PAUSED, "", "paused").wait(2)


def _asked_while_paused() -> Story:
    story = _live().tell(ev.ServicePaused("web", True)).begin("web", "x.py", trigger=Trigger.KEY)
    return story.built("web").patched("web").pods("web", 1, 3, reason="pulling")


def _paused_with_what_is_mended_elsewhere() -> Story:
    story = _started().failed("web", FailureCode.DEPENDENCY_FAILED, "db, which it depends on, failed", "")
    return story.tell(ev.ServicePaused("web", True))


ROWS: list[tuple[str, Callable[[], Story], tuple[object, ...]]] = [
    ("before anything", lambda: Story("web"), ("starting", Tone.QUIET, "", "", "", "")),
    ("build", lambda: _started().phase("web", Phase.BUILD).wait(1.5), ("building", Tone.BUSY, "", "", "", "1.5s")),
    ("step", lambda: _started().phase("web", Phase.BUILD).step("web", "RUN make", StepState.STARTED).wait(1),
     ("building", Tone.BUSY, "", "", "", "1.0s · RUN make")),
    ("push", lambda: _live().begin("web", "x.py").phase("web", Phase.BUILD, 1).phase("web", Phase.PUSH).wait(1),
     ("pushing", Tone.BUSY, "", "x.py", "saved 14:01:33", "2.0s, usually 1.7s")),
    ("rollout", lambda: _live().begin("web", "x.py").built("web").patched("web").pods("web", 1, 3, reason="pulling"),
     ("rolling out", Tone.BUSY, "1/3", "x.py", "saved 14:01:33", "0.4s, usually 1.7s · c48xr: pulling on node2")),
    ("at the gate", lambda: _live().begin("web").built("web").hold("web", HoldCode.DEPENDENCY, "db", "waiting for db"),
     ("waiting for db", Tone.BUSY, "", "", "", "0.4s · built and pushed")),
    ("verified", _live, ("VERIFIED", Tone.GOOD, "3/3", "server.py +2", "saved 14:01:01", "live 14:01:03 (1.8s)")),
    ("at the start", lambda: Story("web").whole("web"), ("VERIFIED", Tone.GOOD, "3/3", "", "", "live 14:00:01")),
    ("unchanged", lambda: _started().pods("web", 1, 1).finished("web", Outcome.UNCHANGED),
     ("VERIFIED", Tone.GOOD, "1/1", "", "", "proved 14:00:00")),
    ("scaled to 0", lambda: _started().built("web").patched("web").finished("web", Outcome.APPLIED),
     ("APPLIED", Tone.GOOD, "", "", "", "scaled to 0: there is nothing to prove")),
    ("broken", STATES["broken_build"],
     ("FAILED build", Tone.BAD, "", "jobs.py", "saved 14:06:04", "cluster still runs your 14:01 save")),
    ("nothing serves", STATES["crash_loop"],
     ("FAILED rollout", Tone.BAD, "", "server.py", "saved 14:06:04", "no Pod is ready")),
    ("mismatch", STATES["mismatch"],
     ("FAILED verify", Tone.BAD, "", "server.py", "saved 14:01:01", "1 of 3 Pods runs another image")),
    ("no Pod runs it", _none_runs_it,
     ("FAILED verify", Tone.BAD, "", "x.py", "saved 14:01:33", "no Pod runs the new image")),
    ("never ran", lambda: _started().phase("web", Phase.BUILD, 1, ok=False).failed(
        "web", FailureCode.BUILD_FAILED, "x", ""),
     ("FAILED build", Tone.BAD, "", "", "", "cluster still runs what it ran before")),
    ("drift", STATES["drifted"],
     ("NOT AS PROVED", Tone.WARN, "3/3", "server.py", "saved 14:01:01", "was live 14:01:03")),
    ("restored", STATES["restored"],
     ("RESTORED", Tone.PLAIN, "3/3", "", "", "as it was before devloop, since 14:06:25 · cycle 3 had FAILED build")),
    ("restored while it waits for what is away", lambda: _restored_without_a_registry(),
     ("RESTORED", Tone.PLAIN, "3/3", "jobs.py", "saved 14:06:33",
      "as it was before devloop, since 14:06:35 · cycle 3 had FAILED build · waiting for the registry")),
    ("restored and paused", lambda: STATES["restored"]().tell(ev.ServicePaused("web", True)),
     ("PAUSED", Tone.WARN, "", "jobs.py", "saved 14:06:04", "the workload is as it was before devloop")),
    ("paused", lambda: _live().tell(ev.ServicePaused("web", True)),
     ("PAUSED", Tone.WARN, "", "server.py +2", "saved 14:01:01", "the cluster runs your 14:01:01 save")),
    ("paused with a save", STATES["paused"],
     ("PAUSED", Tone.WARN, "", "server.py +1", "saved 14:01:11",
      "2 saved files wait; the cluster runs your 14:01:01 save")),
    ("failed and paused", _broken_and_paused,
     ("FAILED, paused", Tone.BAD, "", "jobs.py", "saved 14:06:04", "cluster still runs your 14:01 save")),
    ("failed and paused with a save", _broken_and_mended_while_paused,
     ("FAILED, paused", Tone.BAD, "", "server.py", "saved 14:06:07",
      "1 saved file waits; the cluster runs your 14:01 save")),
    ("paused after a dependency failed", _paused_with_what_is_mended_elsewhere,
     ("PAUSED", Tone.WARN, "", "", "", "a cycle waits; the cluster runs what it ran before")),
    ("stopped and paused", lambda: _broken_and_paused().begin("web", "x.py").finished("web", Outcome.STOPPED),
     ("PAUSED", Tone.WARN, "", "jobs.py", "saved 14:06:04", "the cluster runs your 14:01 save")),
    ("asked for while paused", lambda: _asked_while_paused(),
     ("rolling out", Tone.BUSY, "1/3", "x.py", "saved 14:01:33",
      "0.4s, usually 1.7s · paused · c48xr: pulling on node2")),
    ("asked for while paused, and saved since", lambda: _asked_while_paused().saved("web", "y.py"),
     ("rolling out", Tone.BUSY, "1/3", "x.py", "saved 14:01:33",
      "0.4s, usually 1.7s · paused: 1 saved file waits · c48xr: pulling on node2")),
    ("lost", lambda: _held(HoldCode.CONNECTION, "waiting for the cluster"),
     ("waiting for the cluster", Tone.BUSY, "", "x.py", "saved 14:01:33", "the cluster runs your 14:01:01 save")),
    ("a hold that is a sentence", lambda: _held(HoldCode.LOOP, "stopped: each build changes x.py; ignore it"),
     ("stopped", Tone.BUSY, "", "x.py", "saved 14:01:33",
      "stopped: each build changes x.py; ignore it · the cluster runs your 14:01:01 save")),
    ("looking on", STATES["looking_on"],
     ("READ-ONLY", Tone.WARN, "", "server.py", "saved 14:00:05",
      "jo@laptop/4711 works on deployment/web · 1 saved file waits; the cluster runs what it ran before")),
    ("stopped", lambda: _live().begin("web", "x.py").phase("web", Phase.BUILD, 1).finished("web", Outcome.STOPPED),
     ("STOPPED", Tone.WARN, "", "x.py", "", "the cluster runs your 14:01:01 save")),
]  # fmt: skip
"""What happened; word, tone, Pods, files, save and detail of the row."""


@pytest.mark.parametrize(("story", "expected"), [each[1:] for each in ROWS], ids=[each[0] for each in ROWS])
def test_row(story: Callable[[], Story], expected: tuple[object, ...]) -> None:
    _, *found = astuple(row_of(story()))
    assert tuple(found[:6]) == expected


HEADLINES: list[tuple[Callable[[], Story], str]] = [
    (_live, "VERIFIED server.py +2 · saved 14:01:01 · live 14:01:03 (1.8s) · 3/3 Pods"),
    (STATES["broken_build"],
     "NOT LIVE: build failed; the cluster runs your 14:01 save · jobs.py · saved 14:06:04 · failed 14:06:05"),
    (STATES["crash_loop"],
     "DOWN: rollout failed; no Pod is ready · server.py · saved 14:06:04 · failed 14:06:06"),
    (STATES["mismatch"],
     "PARTLY LIVE: verify failed; 1 of 3 Pods runs another image"
     " · server.py · saved 14:01:01 · failed 14:01:03"),
    (lambda: _started().failed("web", FailureCode.BUG, "x", ""),
     "NOT LIVE: the last cycle has failed; the cluster runs what it ran before · failed 14:00:00"),
    (STATES["building"],
     "building routes.py · saved 14:01:04 · 1.4s, usually 1.7s · [3/3] RUN pip install -r requirements.txt"),
    (STATES["paused"],
     "PAUSED · server.py +1 · saved 14:01:11 · 2 saved files wait; the cluster runs your 14:01:01 save"),
    (_broken_and_mended_while_paused,
     "NOT LIVE, paused: build failed; the cluster runs your 14:01 save"
     " · 1 saved file waits · server.py · saved 14:06:07 · failed 14:06:05"),
    (lambda: STATES["crash_loop"]().tell(ev.ServicePaused("web", True)),
     "DOWN, paused: rollout failed; no Pod is ready · server.py · saved 14:06:04 · failed 14:06:06"),
    (STATES["drifted"], "NOT AS PROVED · server.py · saved 14:01:01 · was live 14:01:03 · 3/3 Pods"),
    (STATES["restored"],
     "RESTORED · as it was before devloop, since 14:06:25 · cycle 3 had FAILED build · 3/3 Pods"),
]  # fmt: skip


@pytest.mark.parametrize(("story", "words"), HEADLINES)
def test_headline(story: Callable[[], Story], words: str) -> None:
    assert said(story()) == words


def _burst(gap: float) -> Story:
    """A file that is saved over and over: the first cycles are superseded, and the last contains all of it."""
    story = Story("web").whole("web").wait(60)
    for _ in range(3):
        story.begin("web", "page.html").phase("web", Phase.BUILD).wait(gap).saved("web", "page.html").wait(0.1)
        story.ended("web", Phase.BUILD, gap + 0.1, ok=False).finished("web", Outcome.SUPERSEDED).wait(gap)
    return story.whole("web", "page.html").wait(30)


def test_of_many_saves_the_newest_that_a_cycle_contains_is_told_and_seconds_count_from_it() -> None:
    """Else the last one would look as if it were not in it."""
    story = _burst(10)
    newest = max(record.time for record in story.records if isinstance(record.event, ev.ChangeDetected))
    stamp = time.strftime("%H:%M:%S", time.gmtime(newest))
    assert said(story).startswith(f"VERIFIED page.html · saved {stamp} · live ")
    assert "(1.8s)" in said(story)
    story.wait(300).begin("web", "other.py").phase("web", Phase.BUILD, 1, ok=False)
    assert f"your {stamp[:5]} save" in row_of(story.failed("web", FailureCode.BUILD_FAILED, "x", "")).detail


def test_a_save_while_the_session_begins_has_its_own_time() -> None:
    story = Story("web").wait(20).saved("web", "a.py").wait(5).begin("web", count=1, trigger=Trigger.START)
    assert row_of(story).saved == "saved 14:00:20"


def test_a_save_of_yesterday_is_told_with_its_day() -> None:
    story = _live().wait(86_400)
    assert said(story) == "VERIFIED server.py +2 · saved Sat 14:01 · live Sat 14:01 (1.8s) · 3/3 Pods"


PHASES: list[tuple[Callable[[], Story], str]] = [
    (_live, "build 0.3 · push 0.1 · rollout 1.2 · verify 0.1"),
    (STATES["broken_build"], "build 0.4 ✘"),
    (STATES["rolling_out"], "build 0.3 · push 0.1 · rollout 1.4 …"),
    (lambda: _live().whole("web", "c.py"), "build 0.3 · push 0.1 · rollout 1.2 · verify 0.1   ▅▅▅ usually 1.7s"),
    (STATES["drifted"], "last: build 0.3 · push 0.1 · rollout 1.2 · verify 0.1"),
    (STATES["restored"], "last: build 0.4 ✘"),
    (lambda: Story("web"), ""),
]


@pytest.mark.parametrize(("story", "words"), PHASES)
def test_where_the_time_goes(story: Callable[[], Story], words: str) -> None:
    told = story()
    state, past = folded(told)
    assert phases_line(state.services["web"], past, told.now) == words


COUNTS = [
    ("mixed", ["1 FAILED", "1 rolling out", "1 waiting", "1 verified"]),
    ("five_verified", ["5 verified"]),
    ("waiting", ["1 rolling out", "2 waiting"]),
    ("drifted", ["1 NOT AS PROVED"]),
    ("restored", ["1 restored"]),
    ("thirty", ["1 FAILED", "1 building", "28 verified"]),
]


@pytest.mark.parametrize(("state", "counts"), COUNTS)
def test_counts_begin_with_the_worst(state: str, counts: list[str]) -> None:
    story = STATES[state]()
    assert [text for text, _ in overall(*folded(story), story.now)] == counts


def test_a_failure_is_counted_as_one_whoever_is_paused() -> None:
    story = STATES["mixed"]().tell(ev.ServicePaused("worker", True)).tell(ev.ServicePaused("web", True))
    known = folded(story)
    told = ["1 FAILED, paused", "1 rolling out", "1 waiting", "1 paused"]
    assert [text for text, _ in overall(*known, story.now)] == told
    assert title(*known, story.now) == "✘ 1 FAILED, paused · devloop"
    assert rows(*known, story.now)[0].service == "worker"
    story.tell(ev.ServicePaused("worker", False))
    assert overall(*folded(story), story.now)[0] == ("1 FAILED", Tone.BAD)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (FailureCode.BUILD_FAILED, "FAILED, paused"),
        (FailureCode.CLUSTER_UNREACHABLE, "PAUSED"),
        (FailureCode.WORKLOAD_HELD, "PAUSED"),
        (FailureCode.DEPENDENCY_FAILED, "PAUSED"),
    ],
)
def test_what_is_mended_elsewhere_is_no_failure_of_what_is_paused(code: FailureCode, word: str) -> None:
    story = Story("web").whole("web", "a.py").wait(5).begin("web", "b.py").wait(1)
    story.failed("web", code, "it is away", "").tell(ev.ServicePaused("web", True))
    assert rows(*folded(story), story.now)[0].word == word


NAMED = [
    ("mixed", "web", 80, ["worker FAILED build", "api rolling out 1/3", "1 waiting", "1 verified"]),
    ("mixed", "web", 90, ["worker FAILED build", "api rolling out 1/3", "cron waiting for worker", "1 verified"]),
    ("mixed", "worker", 80, ["1 FAILED", "api rolling out 1/3", "cron waiting for worker", "1 verified"]),
    ("mixed", "web", 20, ["1 FAILED", "1 rolling out", "1 waiting", "1 verified"]),
    ("five_verified", "web", 80, ["5 verified"]),
]


@pytest.mark.parametrize(("state", "chosen", "room", "told"), NAMED)
def test_the_others_are_named_as_far_as_there_is_room(state: str, chosen: str, room: int, told: list[str]) -> None:
    story = STATES[state]()
    assert [text for text, _ in others(*folded(story), story.now, chosen, room)] == told


def test_failures_are_first_and_the_others_stay_where_they_are() -> None:
    story = STATES["mixed"]()
    assert [each.service for each in rows(*folded(story), story.now)] == ["worker", "web", "api", "cron"]
    story.begin("worker", "jobs.py")
    assert [each.service for each in rows(*folded(story), story.now)] == ["web", "api", "worker", "cron"]


TITLES = [
    ("verified", "✔ web verified · devloop"),
    ("broken_build", "✘ web FAILED · devloop"),
    ("building", "… web building · devloop"),
    ("drifted", "! web NOT AS PROVED · devloop"),
    ("restored", "web restored · devloop"),
    ("mixed", "✘ 1 FAILED · devloop"),
    ("five_verified", "✔ 5 verified · devloop"),
]


@pytest.mark.parametrize(("state", "words"), TITLES)
def test_title(state: str, words: str) -> None:
    story = STATES[state]()
    assert title(*folded(story), story.now) == words


def test_title_before_anything() -> None:
    assert title(*folded(Story()), 0.0) == "devloop"


def test_what_is_away() -> None:
    story = Story("web").lost(Connection.CLUSTER, "x").lost(Connection.REGISTRY, "y")
    assert trouble(folded(story)[0]) == "cluster away · registry away"
    story.tell(ev.ConnectionChanged(Connection.CLUSTER, True, "back"))
    assert trouble(folded(story)[0]) == "registry away"


def test_a_cycle_for_another_reason_than_a_save_has_no_save() -> None:
    found = row_of(_live().begin("web", trigger=Trigger.KEY).built("web").verified("web"))
    assert (found.saved, found.files) == ("", "")
