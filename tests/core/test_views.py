"""The words of both renderers, event by event."""

import re
from dataclasses import replace

import pytest

from devloop.core import events as ev
from devloop.core.events import Hold, HoldCode, Outcome, Phase, Trigger, Verdict
from devloop.core.failure import Connection, ExitCode, Failure, FailureCode
from devloop.core.problems import Problem
from devloop.core.reducer import fold, reduce
from devloop.core.state import FinishedCycle, ServiceState, SessionState, Want
from devloop.views import Tone, files, phrases, seconds, still_runs
from tests.core.workloads import digest

STARTED = ev.SessionStarted(1, "0.1.0", "kind-dev", "shop", ("db", "web"))
BEGUN = ev.CycleStarted("web", 1, Trigger.FILES, 1, ("src/a.py",))
A = digest("a")
DEV = "localhost:5001/shop/web:dev"


def told(event: ev.Event, *before: ev.Event) -> list[str]:
    """The phrases for an event of a session in which this happened before."""
    return [phrase.text for phrase in phrases(event, after(event, *before))]


def tones(event: ev.Event, *before: ev.Event) -> list[Tone]:
    return [phrase.tone for phrase in phrases(event, after(event, *before))]


def after(event: ev.Event, *before: ev.Event) -> SessionState:
    state = fold(ev.Record(float(second), each) for second, each in enumerate((STARTED, *before)))
    return state if event.lossy else reduce(state, ev.Record(9.0, event))


def over(outcome: Outcome, failure: Failure | None = None, text: str = "") -> ev.CycleFinished:
    return ev.CycleFinished("web", 1, outcome, A, 12.34, failure, text=text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0.00s"),
        (0.03, "0.03s"),
        (0.094, "0.09s"),
        (0.096, "0.1s"),
        (0.44, "0.4s"),
        (12.34, "12.3s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (125.0, "2m 05s"),
        (3600.0, "60m 00s"),
    ],
)
def test_spans_of_time(value: float, words: str) -> None:
    assert seconds(value) == words


@pytest.mark.parametrize(
    ("names", "count", "words"),
    [
        ((), 0, ""),
        ((), 3, "3 files"),
        (("server.py",), 1, "server.py"),
        (("src/web/server.py",), 1, "server.py"),
        (("a/b.py", "c.py"), 2, "b.py +1"),
        (("a.py",), 10_000, "a.py +9999"),
    ],
)
def test_files_in_few_words(names: tuple[str, ...], count: int, words: str) -> None:
    assert files(names, count) == words


def test_the_session_says_where_it_works() -> None:
    assert told(STARTED) == ["devloop 0.1.0 on kind-dev, namespace shop: db, web"]


def test_a_check_is_told_only_when_it_fails() -> None:
    assert told(ev.CheckFinished("builder", True, "ready")) == []
    missing = ev.CheckFinished("builder", False, "the Docker engine does not answer", "start it", "engine_unreachable")
    assert told(missing) == ["FAILED check: the Docker engine does not answer", "→ start it"]
    assert tones(missing) == [Tone.BAD, Tone.BAD]


def test_what_is_watched() -> None:
    assert told(ev.WatchStarted("web", 1)) == ["watching 1 file"]
    assert told(ev.WatchStarted("web", 12_345, "by polling")) == ["watching 12,345 files, by polling"]


CHANGED = ev.ChangeDetected("web", 2, ("src/a.py", "b.py"))


def test_a_change_that_starts_a_cycle_is_told_by_the_cycle() -> None:
    assert told(CHANGED) == []
    started = ev.CycleStarted("web", 1, Trigger.FILES, 2, ("src/a.py", "b.py"))
    assert told(started, CHANGED) == ["cycle 1: a.py +1"]


def test_a_change_that_meets_a_hold_is_told_by_the_hold_and_a_later_one_by_itself() -> None:
    held = ev.CycleHeld("web", Hold(HoldCode.BUILD_SLOT, "build", "waiting for a build slot"))
    assert told(held, BEGUN, over(Outcome.VERIFIED), CHANGED) == ["waiting for a build slot (a.py +1)"]
    assert told(CHANGED, held) == ["changed: a.py +1"]


def test_a_change_during_a_cycle_is_told() -> None:
    assert told(CHANGED, BEGUN) == ["changed: a.py +1"]


@pytest.mark.parametrize(
    ("hold", "words"),
    [
        (Hold(HoldCode.DEPENDENCY, "db", "waiting for db"), ["waiting for db"]),
        (Hold(HoldCode.LOOP, "gen.py", "stopped: each build changes gen.py"), ["stopped: each build changes gen.py"]),
        (Hold(HoldCode.SUPERSEDING, "web", "superseding"), []),
        (None, []),
    ],
)
def test_why_a_service_waits(hold: Hold | None, words: list[str]) -> None:
    assert told(ev.CycleHeld("web", hold), BEGUN) == words


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (Trigger.START, "cycle 1: start"),
        (Trigger.FILES, "cycle 1: files"),
        (Trigger.KEY, "cycle 1: asked for by key"),
        (Trigger.COMMAND, "cycle 1: asked for by command"),
        (Trigger.DRIFT, "cycle 1: verifying again"),
        (Trigger.CONFIG, "cycle 1: the configuration changed"),
        (Trigger.BACKGROUND, "cycle 1: full build in the background"),
    ],
)
def test_why_a_cycle_runs(trigger: Trigger, words: str) -> None:
    assert told(ev.CycleStarted("web", 1, trigger)) == [words]


def test_a_cycle_names_its_files_beside_another_reason() -> None:
    started = ev.CycleStarted("web", 1, Trigger.KEY, 1, ("a.py",), "all of it")
    assert told(started) == ["cycle 1: asked for by key (a.py): all of it"]


def test_a_push() -> None:
    assert told(ev.ImagePushed("web", 1, DEV, DEV, A, (A,))) == [f"pushed {DEV} as aaaaaaaaaaaa"]


def patch(*changes: tuple[str, str, str], workload: str = "deployment/web") -> ev.WorkloadPatched:
    return ev.WorkloadPatched("web", 1, workload, tuple(ev.Change(path, old, new, "why") for path, old, new in changes))


def field(container: str, key: str, kind: str = "containers") -> str:
    return f"spec.template.spec.{kind}[{container}].{key}"


def test_a_patch_is_one_line_for_each_container() -> None:
    event = patch(
        (field("migrate", "image", "initContainers"), "localhost:5001/shop/web:v1", DEV),
        (field("web", "image"), "ghcr.io/shop/web:v1", DEV),
        (field("web", "imagePullPolicy"), "IfNotPresent", "Always"),
        ("spec.template.metadata.annotations[devloop/build]", "", "{}"),
        ("metadata.labels[devloop/active]", "", "true"),
    )
    assert told(event) == [
        f"patched deployment/web (container migrate): image {DEV} (was :v1)",
        f"patched deployment/web: image {DEV} (was ghcr.io/shop/web:v1), pull policy Always (was IfNotPresent)",
    ]


def test_a_patch_of_a_pinned_image_keeps_the_digest_short() -> None:
    event = patch((field("web", "image"), f"{DEV}@{digest('b')}", f"{DEV}@{A}"))
    assert told(event) == [f"patched deployment/web: image {DEV}@aaaaaaaaaaaa (was :dev@bbbbbbbbbbbb)"]


def test_a_patch_of_nothing_but_the_mark_is_a_restart() -> None:
    mark = ("spec.template.metadata.annotations[devloop/build]", "{}", "{}")
    assert told(patch(mark)) == ["restarted deployment/web"]


def test_a_field_that_this_version_does_not_know_is_told_in_the_changes_own_words() -> None:
    assert told(patch((field("web", "command"), "", "x"))) == ["patched deployment/web: why"]


def verified(verdict: Verdict, text: str = "", container: str = "web", pull: float | None = None) -> ev.PodVerified:
    image_id = f"localhost:5001/shop/web@{A}"
    return ev.PodVerified("web", 1, "deployment/web", "web-1", "node1", container, image_id, verdict, pull, text)


@pytest.mark.parametrize(
    ("event", "words", "tone"),
    [
        (verified(Verdict.MATCH), "proved: web-1 on node1 runs aaaaaaaaaaaa", Tone.GOOD),
        (verified(Verdict.MATCH, pull=0.0), "proved: web-1 on node1 runs aaaaaaaaaaaa", Tone.GOOD),
        (verified(Verdict.MATCH, pull=0.03), "proved: web-1 on node1 runs aaaaaaaaaaaa, pulled in 0.03s", Tone.GOOD),
        (
            verified(Verdict.MATCH, "reports cc, of the same config", "migrate"),
            "proved: web-1 (container migrate) on node1 runs aaaaaaaaaaaa, reports cc, of the same config",
            Tone.GOOD,
        ),
        (
            verified(Verdict.MISMATCH, "runs aaaaaaaaaaaa, not the pushed bb: why"),
            "MISMATCH: web-1 on node1 runs aaaaaaaaaaaa, not the pushed bb: why",
            Tone.BAD,
        ),
        (
            verified(Verdict.UNKNOWN, "reports no digest"),
            "UNPROVEN: web-1 on node1 reports no digest",
            Tone.WARN,
        ),
    ],
)
def test_what_a_pod_proves(event: ev.PodVerified, words: str, tone: Tone) -> None:
    assert (told(event), tones(event)) == ([words], [tone])


def test_what_may_heal_is_a_warning_with_its_next_step() -> None:
    warned = ev.WarningRaised("web", "crash", "container web ended", "see its log")
    assert told(warned) == ["warning: container web ended", "→ see its log"]
    assert tones(warned) == [Tone.WARN, Tone.WARN]


def test_drift_is_told_with_who_did_it_if_somebody_did() -> None:
    assert told(ev.WorkloadDrifted("web", "deployment/web", "helm", "scaled from 1 to 2")) == [
        "deployment/web is no longer as it was proved: scaled from 1 to 2, by helm"
    ]
    assert told(ev.WorkloadDrifted("web", "deployment/web", "", "it was deleted")) == [
        "deployment/web is no longer as it was proved: it was deleted"
    ]


def test_what_was_restored_is_told_as_that_with_what_devloop_does_next() -> None:
    what = "restored to what it was before devloop: web:v1 under Always"
    restored = ev.WorkloadDrifted("web", "deployment/web", "devloop restore", what, restored=True)
    assert told(restored) == [
        "RESTORED deployment/web to what it was before devloop: web:v1 under Always",
        "→ the next save, or a build that is asked for, lets devloop take over again",
    ]
    assert not {Tone.WARN, Tone.BAD} & {*tones(restored)}
    assert told(restored, ev.ServicePaused("web", True))[1:] == [
        "→ a save after resuming it, or a build that is asked for, lets devloop take over again"
    ]


def test_connections() -> None:
    lost = ev.ConnectionChanged(Connection.CLUSTER, False, "the API server refuses the connection")
    assert told(lost) == ["LOST cluster: the API server refuses the connection"]
    assert told(ev.ConnectionChanged(Connection.CLUSTER, True, "the API server answers again"), lost) == [
        "the API server answers again"
    ]


def _lease(change: ev.LeaseChange, before: str = "", since: float = 0.0) -> ev.LeaseChanged:
    return ev.LeaseChanged("shop", "deployment/web", change, "jo@laptop/4711", since, before)


def test_who_works_on_a_workload() -> None:
    held = told(_lease(ev.LeaseChange.HELD, since=60.0))
    assert re.fullmatch(
        r"jo@laptop/4711 works on deployment/web since \d\d:\d\d:00: read-only until that session ends", held[0]
    )
    assert held[1:] == ["→ to take it over: devloop up --take-over"]
    typed = replace(STARTED, command="devloop up deployment/web -n shop")
    assert told(_lease(ev.LeaseChange.HELD), typed)[1:] == [
        "→ to take it over: devloop up deployment/web -n shop --take-over"
    ]
    assert told(_lease(ev.LeaseChange.HELD))[0].startswith("jo@laptop/4711 works on deployment/web: read-only")
    assert told(_lease(ev.LeaseChange.LOST)) == [
        "LOST deployment/web: jo@laptop/4711 took it over, and nothing is written to it any more"
    ]
    assert told(_lease(ev.LeaseChange.TAKEN_OVER, "ann@desk/1")) == ["deployment/web is taken over from ann@desk/1"]
    assert told(_lease(ev.LeaseChange.ACQUIRED, "ann@desk/1")) == [
        "deployment/web is this session's now: ann@desk/1 has left it"
    ]
    for quiet in (_lease(ev.LeaseChange.ACQUIRED), _lease(ev.LeaseChange.UNGUARDED)):
        assert told(quiet) == []
    hold = Hold(HoldCode.LEASE, "jo@laptop/4711", "read-only: jo@laptop/4711 works on deployment/web")
    assert told(ev.CycleHeld("web", hold)) == [], "it was told when it changed"


def test_services_that_pause_come_and_go() -> None:
    assert told(ev.ServicePaused("web", True)) == ["paused: saves wait"]
    assert told(ev.ServicePaused("web", False)) == ["resumed"]
    assert told(ev.ServiceAdded("api")) == ["added to the session"]
    assert told(ev.ServiceRemoved("web")) == ["left the session"]
    assert told(ev.ServiceRemoved("web", ("deployment/web",), "shop")) == [
        "left the session",
        "deployment/web stays as it is; undo: devloop restore deployment/web -n shop",
    ]
    assert told(ev.ServiceChanged("web", ("build.args", "ignore"))) == ["configured anew: build.args, ignore"]


def test_an_edit_of_the_configuration() -> None:
    wrong = (Problem("devloop.toml", 3, "loop.audit", "must be true or false, not 1", "write `true`"),)
    assert told(ev.ConfigRefused("devloop.toml", wrong)) == [
        "devloop.toml cannot be used as it is now; what was in force stays:",
        "devloop.toml:3: loop.audit: must be true or false, not 1; write `true`",
    ]
    assert told(ev.ConfigAccepted("devloop.toml", ("loop.audit",), ("cluster.context",))) == [
        "devloop.toml is in force: loop.audit",
        "what was in force stays until devloop is started again: that of cluster.context",
    ]


PHASES = (
    ev.PhaseFinished("web", 1, Phase.BUILD, 8.04, True),
    ev.PhaseFinished("web", 1, Phase.PUSH, 0.3, True),
    ev.PhaseFinished("web", 1, Phase.VERIFY, 0.001, True),
)


@pytest.mark.parametrize(
    ("event", "words", "tone"),
    [
        (over(Outcome.VERIFIED), "VERIFIED aaaaaaaaaaaa in 12.3s (build 8.0 · push 0.3)", Tone.GOOD),
        (
            over(Outcome.UNCHANGED),
            "UNCHANGED aaaaaaaaaaaa in 12.3s (build 8.0 · push 0.3): the Pods provably run it already",
            Tone.GOOD,
        ),
        (
            over(Outcome.APPLIED),
            "APPLIED aaaaaaaaaaaa in 12.3s (build 8.0 · push 0.3): scaled to 0, so there is nothing to prove",
            Tone.GOOD,
        ),
        (over(Outcome.SUPERSEDED), "cycle 1 superseded after 12.3s", Tone.QUIET),
        (over(Outcome.STOPPED), "cycle 1 stopped after 12.3s", Tone.QUIET),
    ],
)
def test_how_a_cycle_ended(event: ev.CycleFinished, words: str, tone: Tone) -> None:
    assert (told(event, BEGUN, *PHASES), tones(event, BEGUN, *PHASES)) == ([words], [tone])


def test_the_seed_of_it_all_is_told_before_the_proof() -> None:
    """Nothing new was pushed, and the Pods ran something else all the same."""
    event = over(Outcome.VERIFIED, text="pull policy of container web is IfNotPresent")
    assert told(event, BEGUN, *PHASES) == [
        "restarted with an image that the registry had already: before, pull policy of container web is IfNotPresent",
        "VERIFIED aaaaaaaaaaaa in 12.3s (build 8.0 · push 0.3)",
    ]


def test_a_failure_is_told_with_its_next_step() -> None:
    failed = over(Outcome.FAILED, Failure(FailureCode.CRASH, "container web ended", "see its log"))
    assert told(failed, BEGUN) == ["FAILED after 12.3s: container web ended", "→ see its log"]
    assert tones(failed, BEGUN) == [Tone.BAD, Tone.BAD]
    assert told(over(Outcome.FAILED, Failure(FailureCode.CRASH, "it ended")), BEGUN) == ["FAILED after 12.3s: it ended"]


@pytest.mark.parametrize(
    "event",
    [
        ev.CycleRequested("web", Trigger.KEY),
        ev.PhaseStarted("web", 1, Phase.BUILD),
        PHASES[0],
        ev.BuildStep("web", 1, "1", "RUN x", ev.StepState.DONE),
        ev.WorkloadObserved("web", "deployment/web", True, 1, 1, 1, 0, ()),
        ev.SessionFinished(ExitCode.DONE),
    ],
    ids=lambda event: str(event.event),
)
def test_what_a_line_by_line_reader_is_spared(event: ev.Event) -> None:
    assert told(event, BEGUN) == []


@pytest.mark.parametrize(
    "event",
    [
        CHANGED,
        BEGUN,
        over(Outcome.VERIFIED),
        verified(Verdict.MATCH),
        patch(),
        ev.CycleHeld("web", Hold(HoldCode.PAUSED, "web", "paused")),
    ],
    ids=lambda event: str(event.event),
)
def test_a_recording_may_begin_in_the_middle(event: ev.Event) -> None:
    assert phrases(event, SessionState())


def pods_of(*rows: tuple[str, bool, str]) -> ev.WorkloadObserved:
    """Image, ready and phase of each Pod."""
    found = tuple(
        ev.PodRow(f"web-{at}", "node1", "web-1", phase, "", 0, image, ready, current=True)
        for at, (image, ready, phase) in enumerate(rows)
    )
    return ev.WorkloadObserved("web", "deployment/web", True, 1, 1, 1, 0, found)


@pytest.mark.parametrize(
    ("seen", "was_live", "words"),
    [
        ([("old", True, "Running"), ("new", False, "Running")], True, "the cluster still runs old of cycle 1"),
        (
            [("old", True, "Terminating"), ("new", False, "Running")],
            True,
            "no Pod is ready; the last that was proved is old",
        ),
        ([("new", False, "Running")], False, "no Pod is ready"),
        ([("other", True, "Running")], True, "the cluster runs what it ran before"),
        ([("other", True, "Running")], False, "the cluster runs what it ran before"),
        (None, True, "the cluster still runs old of cycle 1"),
        (None, False, ""),
    ],
)
def test_what_still_runs_is_told_from_the_pods(
    seen: list[tuple[str, bool, str]] | None, was_live: bool, words: str
) -> None:
    live = FinishedCycle(1, Want(ev.Trigger.START, 1.0), 1.0, 2.0, ev.Outcome.VERIFIED, "old", 1.0, None)
    service = ServiceState("web", live=live if was_live else None)
    if seen is not None:
        service = replace(service, workloads={"deployment/web": pods_of(*seen)})
    assert still_runs(service).startswith(words)
    assert bool(words) == bool(still_runs(service))
