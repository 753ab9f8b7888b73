"""What each event does to the state, and what it leaves alone."""

from dataclasses import replace

import pytest

from devloop.core import events as ev
from devloop.core.events import MAX_FILES, Outcome, Phase, Trigger, Verdict
from devloop.core.failure import Connection, ExitCode, Failure, FailureCode
from devloop.core.problems import Problem
from devloop.core.reducer import fold, merge, reduce
from devloop.core.service import WorkloadKey
from devloop.core.state import Echo, PhaseSpan, ServiceState, SessionState, Want

STARTED = ev.SessionStarted(1, "0.1.0", "kind", "shop", ("db", "web"), "s1")
PUSHED = ev.ImagePushed("web", 1, "r/web:dev", "r/web:dev", "sha256:aa", ("sha256:aa",))
BUILD_BROKE = Failure(FailureCode.BUILD_FAILED, "it does not compile")


def log(*events: ev.Event, start: float = 0.0) -> list[ev.Record]:
    """One event a second."""
    return [ev.Record(start + second, event) for second, event in enumerate(events)]


def after(*events: ev.Event) -> ServiceState:
    """The state of `web` in a session in which this happened, one event a second after the start at 0."""
    return fold(log(STARTED, *events)).services["web"]


def begun(cycle: int = 1, trigger: Trigger = Trigger.FILES, *files: str) -> ev.CycleStarted:
    return ev.CycleStarted("web", cycle, trigger, len(files), files)


def changed(*files: str) -> ev.ChangeDetected:
    return ev.ChangeDetected("web", len(files), files)


def over(cycle: int = 1, outcome: Outcome = Outcome.VERIFIED, failure: Failure | None = None) -> ev.CycleFinished:
    return ev.CycleFinished("web", cycle, outcome, "sha256:aa", 2.0, failure)


def failed(code: FailureCode = FailureCode.BUILD_FAILED) -> ev.CycleFinished:
    return over(1, Outcome.FAILED, Failure(code, "why"))


# the session ---------------------------------------------------------------------------------------------------------


def test_a_session_begins_with_every_service_wanted() -> None:
    state = fold(log(STARTED, start=5.0))
    assert (state.version, state.context, state.namespace, state.session) == ("0.1.0", "kind", "shop", "s1")
    assert state.started == 5.0
    assert list(state.services) == ["db", "web"]
    assert all(service.want == Want(Trigger.START, 5.0) for service in state.services.values())
    assert state.exit_code is None


def test_a_session_ends_with_its_exit_code() -> None:
    assert fold(log(STARTED, ev.SessionFinished(ExitCode.BUILD))).exit_code is ExitCode.BUILD


def test_checks_add_up() -> None:
    checks = (ev.CheckFinished("builder", True, "ready"), ev.CheckFinished("registry", False, "away", "start it"))
    assert fold(log(STARTED, *checks)).checks == checks


def test_connections_go_and_come_back() -> None:
    lost = ev.ConnectionChanged(Connection.CLUSTER, False, "no answer")
    engine = ev.ConnectionChanged(Connection.ENGINE, False, "no engine")
    back = ev.ConnectionChanged(Connection.CLUSTER, True, "it answers")
    assert fold(log(STARTED, lost, engine)).lost == {Connection.CLUSTER: "no answer", Connection.ENGINE: "no engine"}
    assert fold(log(STARTED, lost, engine, back)).lost == {Connection.ENGINE: "no engine"}


def test_who_works_on_each_workload_is_known() -> None:
    mine = ev.LeaseChanged("shop", "deployment/web", ev.LeaseChange.ACQUIRED, "ann@desk/1", 1.0)
    lost = ev.LeaseChanged("shop", "deployment/web", ev.LeaseChange.LOST, "jo@laptop/2", 2.0, "ann@desk/1")
    other = ev.LeaseChanged("ops", "deployment/web", ev.LeaseChange.UNGUARDED, "", 0.0)
    web = [WorkloadKey(namespace, "deployment", "web") for namespace in ("shop", "ops")]
    assert fold(log(STARTED, mine, other)).elsewhere(web) is None
    assert fold(log(STARTED, mine, other, lost)).elsewhere(web) == lost
    assert fold(log(STARTED, mine, other, lost)).elsewhere(web[1:]) is None
    assert fold(log(STARTED, lost, mine)).elsewhere(web) is None


def test_services_come_and_go() -> None:
    state = fold(log(STARTED, ev.ServiceRemoved("db"), ev.ServiceAdded("api")))
    assert list(state.services) == ["web", "api"]
    assert state.services["api"].want == Want(Trigger.START, 2.0, newest=1), "builds that began before may lack a save"


def test_a_refused_configuration_is_wrong_until_one_is_accepted() -> None:
    wrong = Problem("devloop.toml", 3, "services.web.image", "is missing", "add it")
    refused = fold(log(STARTED, ev.ConfigRefused("devloop.toml", (wrong,))))
    assert refused.refused == (wrong,)
    assert reduce(refused, ev.Record(9.0, ev.ConfigAccepted("devloop.toml"))) == fold(log(STARTED))


@pytest.mark.parametrize(("keys", "is_settled"), [(("build.args",), True), (("workload",), False)])
def test_a_service_on_another_workload_has_proved_nothing(keys: tuple[str, ...], is_settled: bool) -> None:
    seen = ev.WorkloadObserved("web", "deployment/web", True, 1, 1, 1, 0, ())
    state = fold(log(STARTED, seen, begun(), PUSHED, over(), ev.ServiceChanged("web", keys)))
    web = state.services["web"]
    assert (web.settled, web.live is not None, bool(web.workloads)) == (is_settled,) * 3


@pytest.mark.parametrize("cls", [cls for cls in ev.EVENT_TYPES if cls.lossy])
def test_what_may_be_dropped_changes_nothing(cls: type[ev.Event]) -> None:
    lossy = {
        ev.Log: ev.Log("web", ev.LogSource.POD, "hello"),
        ev.BuildStep: ev.BuildStep("web", 1, "1", "RUN x", ev.StepState.DONE),
    }[cls]
    state = fold(log(STARTED, begun()))
    assert reduce(state, ev.Record(9.0, lossy)) == state


@pytest.mark.parametrize(
    "event",
    [
        ev.ChangeDetected("gone", 1, ("a.py",)),
        ev.CycleStarted("gone", 1, Trigger.KEY),
        ev.CycleFinished("gone", 1, Outcome.VERIFIED, "", 1.0, None),
        ev.ServiceRemoved("gone"),
        ev.WorkloadDrifted("gone", "deployment/gone", "", "it was deleted"),
    ],
)
def test_events_of_an_unknown_service_change_nothing(event: ev.Event) -> None:
    state = fold(log(STARTED))
    assert reduce(state, ev.Record(9.0, event)) == state


def test_a_recording_without_its_beginning_still_folds() -> None:
    assert fold(log(begun(), PUSHED, over())) == SessionState()


# wants ---------------------------------------------------------------------------------------------------------------

FILES = Want(Trigger.FILES, 2.0, 2, 1, ("a.py",), saved=2.0)
KEY = Want(Trigger.KEY, 3.0, 3)
DRIFT = Want(Trigger.DRIFT, 4.0, 4, text="the workload healed", build=False)
START = Want(Trigger.START, 1.0, 1)


@pytest.mark.parametrize(
    ("rule", "earlier", "later", "trigger"),
    [
        ("the later reason names the cycle", START, FILES, Trigger.FILES),
        ("what a person asked for is not forgotten over a save", KEY, FILES, Trigger.KEY),
        ("of two that a person asked for the later counts", KEY, replace(KEY, trigger=Trigger.CONFIG), Trigger.CONFIG),
        ("a save is built although it is also verified again", FILES, DRIFT, Trigger.FILES),
        ("and so is the save that comes after", DRIFT, FILES, Trigger.FILES),
        ("a key asks for a build also after a drift", DRIFT, KEY, Trigger.KEY),
    ],
)
def test_two_reasons_become_one_cycle(rule: str, earlier: Want, later: Want, trigger: Trigger) -> None:
    assert merge(earlier, later).trigger is trigger, rule


def test_merged_wants_keep_the_first_and_the_last_moment_and_all_files() -> None:
    later = Want(Trigger.FILES, 5.0, 6, 2, ("b.py", "a.py"), saved=5.0)
    assert merge(FILES, later) == Want(Trigger.FILES, 2.0, 6, 2, ("b.py", "a.py"), saved=5.0)
    assert merge(None, later) == later


def test_no_more_than_the_cap_of_files_is_named_and_the_count_is_a_bound() -> None:
    many = tuple(f"{number}.py" for number in range(MAX_FILES))
    capped = Want(Trigger.FILES, 1.0, 1, 500, many)
    merged = merge(capped, FILES)
    assert merged.files == ("a.py", *many[:-1])
    assert merged.count == 501
    assert merge(Want(Trigger.FILES, 1.0, 1, MAX_FILES, many), FILES).count == MAX_FILES + 1


def test_saves_and_requests_gather_until_a_cycle_takes_them() -> None:
    gathered = after(begun(), over(), changed("a.py"), changed("b.py"), ev.CycleRequested("web", Trigger.KEY, "r"))
    assert gathered.want == Want(Trigger.KEY, 3.0, 3, 2, ("b.py", "a.py"), "r", saved=4.0)
    taken = reduce(fold(log(STARTED, changed("a.py"))), ev.Record(9.0, begun(1, Trigger.FILES, "a.py")))
    web = taken.services["web"]
    assert web.want is None
    assert web.running is not None
    assert web.running.want == Want(Trigger.FILES, 0.0, 1, 1, ("a.py",), saved=1.0)
    assert web.running.started == 9.0


# holds, pauses and watches -------------------------------------------------------------------------------------------


def test_a_hold_lasts_until_it_is_taken_back_or_a_cycle_starts_or_ends() -> None:
    held = ev.CycleHeld("web", ev.Hold(ev.HoldCode.BUILD_SLOT, "build", "waiting for a build slot"))
    assert after(held).hold == held.hold
    assert after(held, ev.CycleHeld("web", None)).hold is None
    assert after(held, begun()).hold is None
    assert after(begun(), held, over()).hold is None


def test_pause_and_watch_are_remembered() -> None:
    assert after(ev.ServicePaused("web", True)).paused
    assert not after(ev.ServicePaused("web", True), ev.ServicePaused("web", False)).paused
    assert after(ev.WatchStarted("web", 12)).files == 12


# a cycle -------------------------------------------------------------------------------------------------------------


def test_a_cycle_gathers_its_phases_its_image_its_verdicts_and_its_warnings() -> None:
    verified = ev.PodVerified("web", 1, "deployment/web", "web-1", "node1", "web", "x@sha256:aa", Verdict.MATCH)
    warned = ev.WarningRaised("web", "crash", "it ended once", cycle=1)
    events = (
        begun(),
        ev.PhaseStarted("web", 1, Phase.BUILD),
        ev.PhaseFinished("web", 1, Phase.BUILD, 1.5, True),
        PUSHED,
        ev.PhaseStarted("web", 1, Phase.VERIFY),
        warned,
        verified,
    )
    running = after(*events).running
    assert running is not None
    assert (running.phase, running.phase_started) == (Phase.VERIFY, 5.0)
    assert running.phases == (PhaseSpan(Phase.BUILD, 1.5, True),)
    assert (running.pushed, running.verdicts, running.warnings) == (PUSHED, (verified,), (warned,))

    last = after(*events, ev.PhaseFinished("web", 1, Phase.VERIFY, 0.5, True), over()).last
    assert last is not None
    assert (last.number, last.started, last.finished, last.seconds) == (1, 1.0, 9.0, 2.0)
    assert last.phases == (PhaseSpan(Phase.BUILD, 1.5, True), PhaseSpan(Phase.VERIFY, 0.5, True))
    assert (last.pushed, last.verdicts, last.digest) == (PUSHED, (verified,), "sha256:aa")


@pytest.mark.parametrize(
    "late",
    [
        ev.PhaseStarted("web", 1, Phase.BUILD),
        ev.PhaseFinished("web", 1, Phase.BUILD, 1.0, False),
        PUSHED,
        ev.PodVerified("web", 1, "deployment/web", "web-1", "node1", "web", "", Verdict.MISMATCH),
        ev.WarningRaised("web", "crash", "it ended once", cycle=1),
        over(1, Outcome.FAILED, BUILD_BROKE),
    ],
)
def test_events_of_a_cycle_that_is_over_change_nothing(late: ev.Event) -> None:
    assert after(begun(1), over(1), late) == after(begun(1), over(1))
    assert after(begun(1), over(1), begun(2), late) == after(begun(1), over(1), begun(2))


@pytest.mark.parametrize(
    ("outcome", "settled", "live"),
    [
        (Outcome.VERIFIED, True, True),
        (Outcome.UNCHANGED, True, True),
        (Outcome.APPLIED, True, False),
        (Outcome.FAILED, False, False),
    ],
)
def test_what_an_outcome_says_of_the_workloads(outcome: Outcome, settled: bool, live: bool) -> None:
    failure = BUILD_BROKE if outcome is Outcome.FAILED else None
    state = after(begun(), over(1, outcome, failure))
    assert state.running is None
    assert state.last is not None
    assert state.last.outcome is outcome
    assert (state.settled, state.live == state.last) == (settled, live)


def test_a_failure_forgets_neither_what_is_live_nor_that_it_once_settled() -> None:
    state = after(begun(1), over(1), begun(2), over(2, Outcome.FAILED, BUILD_BROKE))
    assert state.failure == BUILD_BROKE
    assert state.settled
    assert state.live is not None
    assert state.live.number == 1


def test_a_superseded_cycle_is_no_last_one_and_its_files_join_the_next() -> None:
    state = after(begun(1, Trigger.FILES, "a.py"), changed("b.py"), over(1, Outcome.SUPERSEDED))
    assert (state.last, state.cycles) == (None, 1)
    assert state.want is not None
    assert (set(state.want.files), state.want.count) == ({"a.py", "b.py"}, 2)


def test_what_a_stopped_cycle_was_for_is_given_up() -> None:
    assert after(begun(1, Trigger.FILES, "a.py"), over(1, Outcome.STOPPED)).want is None
    kept = after(begun(1, Trigger.FILES, "a.py"), changed("b.py"), over(1, Outcome.STOPPED)).want
    assert kept is not None
    assert kept.files == ("b.py",)


@pytest.mark.parametrize("code", list(FailureCode))
def test_only_what_mends_by_itself_is_wanted_again(code: FailureCode) -> None:
    """A broken build waits for a save; a lost connection or a failed dependency does not."""
    again = {
        FailureCode.CLUSTER_UNREACHABLE,
        FailureCode.CLUSTER_LOGIN,
        FailureCode.ENGINE_UNREACHABLE,
        FailureCode.REGISTRY_UNREACHABLE,
        FailureCode.DEPENDENCY_FAILED,
        FailureCode.WORKLOAD_HELD,
    }
    want = after(begun(1, Trigger.FILES, "a.py"), failed(code)).want
    assert (want is not None) == (code in again)
    if want:
        assert (want.trigger, want.files) == (Trigger.FILES, ("a.py",))


def test_a_save_during_a_cycle_that_lost_its_connection_joins_it() -> None:
    want = after(begun(1, Trigger.FILES, "a.py"), changed("b.py"), failed(FailureCode.ENGINE_UNREACHABLE)).want
    assert want is not None
    assert set(want.files) == {"a.py", "b.py"}


def test_the_newest_look_at_each_workload_and_the_drift_since_the_last_cycle_are_kept() -> None:
    first = ev.WorkloadObserved("web", "deployment/web", True, 1, 0, 0, 0, ())
    second = replace(first, ready=1)
    other = replace(first, workload="deployment/worker")
    drifted = ev.WorkloadDrifted("web", "deployment/web", "kubectl", "scaled from 1 to 2")
    state = after(first, other, second, drifted)
    assert state.workloads == {"deployment/web": second, "deployment/worker": other}
    assert state.drift == drifted
    assert after(drifted, begun()).drift is None


# builds that change their own source ---------------------------------------------------------------------------------


def built(cycle: int, *echo: str, outcome: Outcome = Outcome.VERIFIED) -> tuple[ev.Event, ...]:
    """A cycle during whose build these files changed."""
    saves = (changed(*echo),) if echo else ()
    return (begun(cycle), ev.PhaseStarted("web", cycle, Phase.BUILD), *saves, over(cycle, outcome))


def test_builds_in_a_row_that_the_same_file_changed_under_are_counted() -> None:
    assert after(*built(1, "gen.py")).echo == Echo(frozenset({"gen.py"}), 0, 1)
    assert after(*built(1, "gen.py"), *built(2, "gen.py", "b.py")).echo == Echo(frozenset({"gen.py"}), 0, 2)
    superseded = after(*built(1, "gen.py", outcome=Outcome.SUPERSEDED), *built(2, "gen.py"))
    assert superseded.echo == Echo(frozenset({"gen.py"}), 1, 1)


def test_a_build_under_which_another_file_changed_begins_the_count_anew() -> None:
    assert after(*built(1, "gen.py"), *built(2, "b.py")).echo == Echo(frozenset({"b.py"}), 0, 1)


def test_a_build_under_which_nothing_changed_ends_the_count() -> None:
    assert after(*built(1, "gen.py"), *built(2)).echo == Echo()


def test_a_save_between_two_builds_is_a_persons() -> None:
    assert after(*built(1, "gen.py"), changed("gen.py")).echo == Echo()


def test_a_save_after_the_push_is_no_echo_of_the_build() -> None:
    rolling = (
        begun(1),
        ev.PhaseFinished("web", 1, Phase.BUILD, 1.0, True),
        ev.PhaseFinished("web", 1, Phase.PUSH, 1.0, True),
        changed("gen.py"),
        over(1, Outcome.SUPERSEDED),
    )
    assert after(*rolling).echo == Echo()


def test_a_drift_cycle_builds_nothing_and_says_nothing_about_it() -> None:
    verified_again = (begun(2, Trigger.DRIFT), over(2))
    assert after(*built(1, "gen.py"), *verified_again).echo == Echo(frozenset({"gen.py"}), 0, 1)


# what was rolled out but not proved ----------------------------------------------------------------------------------

ROLLING = (
    begun(1),
    PUSHED,
    ev.PhaseStarted("web", 1, Phase.ROLLOUT),
    ev.WorkloadPatched("web", 1, "deployment/web", ()),
    ev.PhaseFinished("web", 1, Phase.ROLLOUT, 1.0, False),
)


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.SUPERSEDED])
def test_a_patch_whose_cycle_proved_nothing_is_remembered(outcome: Outcome) -> None:
    rolled_out = after(*ROLLING, over(1, outcome))
    assert rolled_out.unproved == PUSHED
    assert after(*ROLLING, over(1, outcome), begun(2), failed_build(2)).unproved == PUSHED


@pytest.mark.parametrize("end", [over(1), over(1, Outcome.FAILED, Failure(FailureCode.CRASH, "it crashed"))])
def test_a_rollout_that_was_judged_is_no_longer_unproved(end: ev.CycleFinished) -> None:
    assert after(*ROLLING, end).unproved is None


def failed_build(cycle: int) -> ev.CycleFinished:
    return over(cycle, Outcome.FAILED, BUILD_BROKE)
