"""A restart without a build: what is wanted, when a build is needed after all, and what it waits for."""

from dataclasses import replace

import pytest

from devloop.core import events as ev
from devloop.core.commands import Restart
from devloop.core.events import Outcome, Phase, Trigger
from devloop.core.failure import Connection, Failure, FailureCode
from devloop.core.patch import BuildMark
from devloop.core.reducer import merge
from devloop.core.scheduler import MAX_ECHOES, Limits
from devloop.core.state import FinishedCycle, PhaseSpan, RunningCycle, ServiceState, Want
from tests.core.test_reducer import BUILD_BROKE, PUSHED, after, begun, changed, over
from tests.core.test_scheduler import DRIFT, WANT, Change, decide, echoed, failed, paused, runs, service, wants

WEB, API = service("web"), service("api")
RESTART = Want(Trigger.KEY, 10.0, 10, text="restart", restart=True, build=False)
ASKED = ev.CycleRequested("web", Trigger.KEY, "restart", restart=True)
VERIFIED = (begun(1), PUSHED, over(1))
ROLLED = (PhaseSpan(Phase.ROLLOUT, 1.0, ok=True),)


def pushed(state: ServiceState) -> ServiceState:
    return replace(state, pushed=PUSHED)


def rolls(want: Want = WANT) -> Change:
    """A cycle that waits for what it wrote."""
    return lambda state: replace(state, running=RunningCycle(1, want, 11.0, Phase.VERIFY, phases=ROLLED, pushed=PUSHED))


def wanted(*events: ev.Event) -> Want:
    want = after(*events).want
    assert want is not None
    return want


def running(*events: ev.Event) -> RunningCycle:
    cycle = after(*events).running
    assert cycle is not None
    return cycle


def key(cycle: int, *files: str) -> ev.CycleStarted:
    return begun(cycle, Trigger.KEY, *files)


def test_a_person_asks_for_it() -> None:
    assert Restart("web").trigger is Trigger.KEY


# what is wanted ------------------------------------------------------------------------------------------------------


def test_alone_it_needs_no_build_and_the_cycle_has_the_image_that_was_pushed_before_it() -> None:
    assert not after(*VERIFIED, ASKED).builds
    cycle = running(*VERIFIED, ASKED, key(2))
    assert (cycle.want.restart, cycle.want.build, cycle.pushed) == (True, False, PUSHED)
    assert (cycle.builds, cycle.at_gate) == (False, True)


def test_a_session_that_pushed_nothing_builds() -> None:
    nothing_yet = (begun(1), over(1, Outcome.STOPPED), ASKED)
    assert after(*nothing_yet).builds
    cycle = running(*nothing_yet, key(2))
    assert (cycle.want.restart, cycle.want.build, cycle.builds, cycle.at_gate) == (True, True, True, False)


@pytest.mark.parametrize("build", [changed("a.py"), ev.CycleRequested("web", Trigger.KEY)])
def test_with_anything_else_that_is_wanted_it_is_built_and_restarted_in_any_order(build: ev.Event) -> None:
    for both in ((ASKED, build), (build, ASKED)):
        want = wanted(*VERIFIED, *both)
        assert (want.trigger, want.restart, want.build) == (Trigger.KEY, True, True)
        assert after(*VERIFIED, *both).builds


def test_with_a_proof_it_stays_a_restart() -> None:
    drift = Want(Trigger.DRIFT, 4.0, 4, build=False)
    for merged in (merge(drift, RESTART), merge(RESTART, drift)):
        assert (merged.trigger, merged.restart, merged.build) == (Trigger.KEY, True, False)


def test_where_the_newest_save_did_not_build_it_is_not_called_verified_by_a_restart() -> None:
    broken = (*VERIFIED, changed("a.py"), begun(2), over(2, Outcome.FAILED, BUILD_BROKE), ASKED)
    assert after(*broken).builds
    assert running(*broken, key(3)).want.build


def test_where_the_rollout_failed_it_needs_no_build() -> None:
    crashed = over(1, Outcome.FAILED, Failure(FailureCode.CRASH, "it crashed"))
    assert not after(begun(1), PUSHED, crashed, ASKED).builds


def test_a_failed_restart_can_be_restarted_and_may_heal() -> None:
    crashed = over(2, Outcome.FAILED, Failure(FailureCode.CRASH, "it crashed"))
    state = after(*VERIFIED, ASKED, key(2), crashed)
    assert state.last is not None
    assert state.last.pushed == PUSHED
    assert not after(*VERIFIED, ASKED, key(2), crashed, ASKED).builds


def test_a_restart_that_ends_a_rollout_does_not_build_again_what_was_pushed() -> None:
    rolling = (begun(1, Trigger.FILES, "a.py"), PUSHED, ev.PhaseStarted("web", 1, Phase.ROLLOUT))
    want = wanted(*rolling, ASKED, over(1, Outcome.SUPERSEDED))
    assert (want.restart, want.build, want.files) == (True, False, ("a.py",))
    with_a_save = wanted(*rolling, ASKED, changed("b.py"), over(1, Outcome.SUPERSEDED))
    assert (with_a_save.restart, with_a_save.build, set(with_a_save.files)) == (True, True, {"a.py", "b.py"})


def test_a_save_that_ends_a_restart_is_built_and_restarts() -> None:
    want = wanted(*VERIFIED, ASKED, key(2), changed("a.py"), over(2, Outcome.SUPERSEDED))
    assert (want.restart, want.build, want.files) == (True, True, ("a.py",))


def test_what_a_restart_wrote_and_did_not_prove_is_remembered() -> None:
    patched = ev.WorkloadPatched("web", 2, "deployment/web", ())
    assert after(*VERIFIED, ASKED, key(2), patched, over(2, Outcome.STOPPED)).unproved == PUSHED


# when it starts ------------------------------------------------------------------------------------------------------


def test_it_takes_no_build_slot_and_counts_as_none() -> None:
    one = Limits(parallel_builds=1)
    assert decide(WEB, API, web=(pushed, wants(RESTART)), api=runs(), limits=one).start == ("web",)
    assert decide(WEB, API, web=(pushed, wants(RESTART)), api=wants(), limits=one).start == ("web", "api")


@pytest.mark.parametrize("to", list(Connection))
def test_it_waits_for_the_cluster_alone_as_a_proof_does(to: Connection) -> None:
    for want in (RESTART, DRIFT):
        decision = decide(WEB, web=(pushed, wants(want)), lost=to)
        assert decision.start == (() if to is Connection.CLUSTER else ("web",))


def test_it_waits_neither_for_a_paused_service_nor_for_a_loop_of_builds() -> None:
    assert decide(WEB, web=(pushed, wants(RESTART), paused)).start == ("web",)
    assert decide(WEB, web=(pushed, wants(RESTART), echoed(completed=MAX_ECHOES))).start == ("web",)


def test_where_it_builds_it_waits_like_any_build() -> None:
    assert decide(WEB, web=wants(RESTART), lost=Connection.ENGINE).start == ()
    assert decide(WEB, web=(pushed, failed, wants(RESTART)), lost=Connection.ENGINE).start == ()


def test_an_image_on_its_way_is_waited_for_and_a_rollout_is_not() -> None:
    assert decide(WEB, web=(runs(), wants(RESTART))).cancel == ()
    assert decide(WEB, web=(rolls(), wants(RESTART))).cancel == ("web",)
    assert decide(WEB, web=(rolls(), wants(RESTART), paused)).cancel == ()


def test_it_is_let_onto_its_workloads_like_any_other() -> None:
    def restarts(state: ServiceState) -> ServiceState:
        return replace(state, running=RunningCycle(2, RESTART, 11.0, pushed=PUSHED))

    side = service("side", workload="web")
    assert decide(WEB, web=restarts).admit == ("web",)
    assert decide(side, WEB, side=rolls(), web=restarts).holds["web"].on == "side"


# the mark ------------------------------------------------------------------------------------------------------------

NOW = BuildMark("sha256:aa", 200.0, "s1")


@pytest.mark.parametrize(
    ("there", "mark"),
    [
        (BuildMark("sha256:aa", 100.0, "s1"), BuildMark("sha256:aa", 100.0, "s1", 200.0)),
        (BuildMark("sha256:aa", 100.0, "s1", 150.0), BuildMark("sha256:aa", 100.0, "s1", 200.0)),
        (BuildMark("sha256:bb", 100.0, "s1"), NOW),
        (BuildMark("sha256:aa", 100.0, "s2"), NOW),
        (None, NOW),
    ],
)
def test_the_mark_keeps_when_the_image_was_pushed(there: BuildMark | None, mark: BuildMark) -> None:
    assert NOW.restarting(there.encode() if there else "") == mark


def test_a_finished_restart_names_its_reason() -> None:
    last = after(*VERIFIED, ASKED, replace(key(2), text="restart"), over(2)).last
    assert isinstance(last, FinishedCycle)
    assert (last.want.trigger, last.want.text, last.want.build) == (Trigger.KEY, "restart", False)
