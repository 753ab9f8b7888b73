"""What starts, what is superseded, what waits and why: one table for each rule of `schedule`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from devloop.core.events import Hold, HoldCode, LeaseChange, LeaseChanged, Outcome, Phase, Trigger
from devloop.core.failure import Connection, Failure, FailureCode
from devloop.core.image import ImageRef
from devloop.core.reducer import merge
from devloop.core.scheduler import MAX_ECHOES, MAX_SUPERSEDED, Decision, Limits, schedule
from devloop.core.service import BuildSpec, Pin, Service, WorkloadKey
from devloop.core.state import (
    Echo,
    FinishedCycle,
    PhaseSpan,
    RunningCycle,
    ServiceState,
    SessionState,
    Want,
)

WANT = Want(Trigger.FILES, 10.0, 10, 1, ("a.py",))
DRIFT = Want(Trigger.DRIFT, 10.0, 10, build=False)
BUILT = (PhaseSpan(Phase.BUILD, 1.0, ok=True), PhaseSpan(Phase.PUSH, 1.0, ok=True))
ROLLED = (*BUILT, PhaseSpan(Phase.ROLLOUT, 1.0, ok=True))
NOT_PUSHED = (PhaseSpan(Phase.BUILD, 1.0, ok=True), PhaseSpan(Phase.PUSH, 1.0, ok=False))
BROKEN = Failure(FailureCode.BUILD_FAILED, "it does not compile")

Change = Callable[[ServiceState], ServiceState]


def service(name: str, *depends_on: str, workload: str = "", source: str = "") -> Service:
    ref = ImageRef("registry.test", source or name, "dev")
    folder = Path("/src") / (source or name)
    return Service(
        name, ref, ref, Pin.TAG, (WorkloadKey("shop", "deployment", workload or name),), (),
        BuildSpec(folder, folder / "Dockerfile"), (folder,), depends_on=depends_on,
    )  # fmt: skip


def wants(want: Want = WANT) -> Change:
    return lambda state: replace(state, want=want)


def runs(phase: Phase | None = Phase.BUILD, ended: tuple[PhaseSpan, ...] = (), want: Want = WANT) -> Change:
    return lambda state: replace(state, running=RunningCycle(1, want, 11.0, phase, phases=ended))


def ended(outcome: Outcome = Outcome.VERIFIED, failure: Failure | None = None) -> Change:
    last = FinishedCycle(1, WANT, 0.0, 5.0, outcome, "", 5.0, failure)
    return lambda state: replace(state, last=last, settled=state.settled or outcome.settles)


at_gate = runs(None, BUILT)
"""Its image is pushed, and it asks to be let onto its workloads."""
on_workloads = runs(Phase.VERIFY, ROLLED)
failed = ended(Outcome.FAILED, BROKEN)
blocked = ended(Outcome.FAILED, Failure(FailureCode.DEPENDENCY_FAILED, "db failed"))


def paused(state: ServiceState) -> ServiceState:
    return replace(state, paused=True)


def echoed(superseded: int = 0, completed: int = 0) -> Change:
    return lambda state: replace(state, echo=Echo(frozenset({"gen.py", "out.py"}), superseded, completed))


def decide(
    *services: Service,
    limits: Limits | None = None,
    lost: Connection | None = None,
    elsewhere: str = "",
    **states: Change | tuple[Change, ...],
) -> Decision:
    """Decide over these services, each in the state that its changes make of a service that wants nothing."""
    made = {}
    for each in services:
        state = ServiceState(each.name)
        changes = states.get(each.name, ())
        for change in changes if isinstance(changes, tuple) else (changes,):
            state = change(state)
        made[each.name] = state
    held = LeaseChanged("shop", f"deployment/{elsewhere}", LeaseChange.HELD, "jo@laptop/4711", 9.0)
    leases = {("shop", held.workload): held} if elsewhere else {}
    session = SessionState(made, lost={lost: "away"} if lost else {}, leases=leases)
    return schedule(session, {each.name: each for each in services}, limits or Limits())


def hold_texts(decision: Decision) -> dict[str, str]:
    return {name: hold.text for name, hold in decision.holds.items()}


WEB, API, DB = service("web"), service("api"), service("db")


# start ---------------------------------------------------------------------------------------------------------------


def test_nothing_is_wanted_so_nothing_happens() -> None:
    assert decide(WEB, API) == Decision()


def test_what_is_wanted_starts() -> None:
    assert decide(WEB, API, web=wants()) == Decision(start=("web",))


def test_services_start_in_the_order_of_the_configuration() -> None:
    limits = Limits(parallel_builds=3)
    assert decide(DB, API, WEB, web=wants(), api=wants(), db=wants(), limits=limits).start == ("db", "api", "web")


def test_builds_beyond_the_limit_wait_for_a_slot() -> None:
    decision = decide(DB, API, WEB, db=wants(), api=wants(), web=wants())
    assert decision.start == ("db", "api")
    assert decision.holds == {"web": Hold(HoldCode.BUILD_SLOT, "build", "waiting for a build slot")}


def test_a_cycle_gives_its_build_slot_back_once_its_image_is_pushed() -> None:
    one = Limits(parallel_builds=1)
    assert decide(DB, WEB, db=runs(Phase.BUILD), web=wants(), limits=one).start == ()
    assert decide(DB, WEB, db=runs(Phase.PUSH, BUILT[:1]), web=wants(), limits=one).start == ()
    assert decide(DB, WEB, db=runs(Phase.ROLLOUT, BUILT), web=wants(), limits=one).start == ("web",)


def test_an_equal_build_takes_no_slot_of_its_own() -> None:
    worker = service("worker", source="web")
    decision = decide(WEB, worker, web=wants(), worker=wants(), limits=Limits(parallel_builds=1))
    assert decision.start == ("web", "worker")


def test_a_drift_cycle_neither_takes_a_slot_nor_counts_as_one() -> None:
    one = Limits(parallel_builds=1)
    assert decide(WEB, API, web=wants(DRIFT), api=wants(), limits=one).start == ("web", "api")
    assert decide(WEB, API, web=runs(Phase.VERIFY, want=DRIFT), api=wants(), limits=one).start == ("api",)


def test_once_gives_each_service_one_cycle() -> None:
    once = Limits(once=True)
    assert decide(WEB, web=wants(), limits=once).start == ("web",)
    assert decide(WEB, web=(wants(), failed), limits=once) == Decision()


# holds before the start ----------------------------------------------------------------------------------------------


def test_a_paused_service_gathers_saves() -> None:
    decision = decide(WEB, web=(wants(), paused))
    assert decision == Decision(holds={"web": Hold(HoldCode.PAUSED, "web", "paused")})
    assert decide(WEB, web=paused) == Decision()


@pytest.mark.parametrize("trigger", [Trigger.KEY, Trigger.COMMAND])
def test_what_a_person_asks_for_is_built_also_while_paused_with_the_saves_that_gathered(trigger: Trigger) -> None:
    asked = merge(Want(Trigger.FILES, 10.0, count=1, files=("web.py",)), Want(trigger, 12.0))
    assert decide(WEB, web=(wants(asked), paused)).start == ("web",)
    assert asked.is_save
    assert asked.since == 10.0
    saved_since = merge(asked, Want(Trigger.FILES, 14.0, count=1, files=("api.py",)))
    assert decide(WEB, web=(wants(saved_since), runs(), paused)).cancel == (), "what runs goes on"


def test_a_build_that_changes_its_own_source_is_stopped_with_the_files_name() -> None:
    assert decide(WEB, web=(wants(), echoed(completed=MAX_ECHOES - 1))).start == ("web",)
    decision = decide(WEB, web=(wants(), echoed(completed=MAX_ECHOES)))
    text = "stopped: each build changes gen.py; ignore it, or save another file"
    assert decision == Decision(holds={"web": Hold(HoldCode.LOOP, "gen.py", text)})


@pytest.mark.parametrize("lost", [Connection.CLUSTER, Connection.ENGINE])
def test_no_cycle_starts_without_cluster_or_engine(lost: Connection) -> None:
    decision = decide(WEB, web=wants(), lost=lost)
    assert decision == Decision(holds={"web": Hold(HoldCode.CONNECTION, lost, f"waiting for the {lost} to come back")})


def test_a_registry_that_is_away_holds_only_what_failed_on_it() -> None:
    away = ended(Outcome.FAILED, Failure(FailureCode.REGISTRY_UNREACHABLE, "no answer"))
    decision = decide(WEB, API, web=(wants(), away), api=wants(), lost=Connection.REGISTRY)
    assert decision.start == ("api",)
    assert hold_texts(decision) == {"web": "waiting for the registry to come back"}


def test_once_does_not_wait_for_a_connection() -> None:
    assert decide(WEB, web=wants(), lost=Connection.CLUSTER, limits=Limits(once=True)).start == ("web",)


def test_what_a_dependency_blocked_starts_again_once_that_is_settled() -> None:
    web = service("web", "db")
    held = decide(DB, web, db=failed, web=(wants(), blocked))
    assert held == Decision(holds={"web": Hold(HoldCode.DEPENDENCY, "db", "waiting for db to be mended")})
    assert decide(DB, web, db=ended(), web=(wants(), blocked)).start == ("web",)


def test_an_unsettled_dependency_does_not_keep_a_first_build_waiting() -> None:
    web = service("web", "db")
    assert decide(DB, web, db=runs(), web=wants()).start == ("web",)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ((paused, echoed(completed=MAX_ECHOES), blocked), HoldCode.PAUSED),
        ((echoed(completed=MAX_ECHOES), blocked), HoldCode.LOOP),
        ((blocked,), HoldCode.CONNECTION),
    ],
)
def test_of_several_reasons_to_wait_the_first_rule_is_told(changes: tuple[Change, ...], code: HoldCode) -> None:
    web = service("web", "db")
    decision = decide(DB, web, web=(wants(), *changes), lost=Connection.CLUSTER)
    assert decision.holds["web"].code is code


# supersede -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("running", [runs(), at_gate, runs(Phase.ROLLOUT, BUILT), on_workloads])
def test_a_newer_want_supersedes_the_running_cycle_in_every_phase(running: Change) -> None:
    decision = decide(WEB, web=(running, wants()))
    assert decision.cancel == ("web",)
    assert decision.start == decision.admit == ()
    assert decision.holds["web"] == Hold(HoldCode.SUPERSEDING, "web", "superseding")


@pytest.mark.parametrize(
    ("why", "changes", "limits"),
    [
        ("a drift cycle builds nothing newer", (wants(DRIFT),), Limits()),
        ("saves gather while it is paused", (wants(), paused), Limits()),
        ("there is one cycle under --once", (wants(),), Limits(once=True)),
        ("somebody who saves all the time sees code run", (wants(), echoed(superseded=MAX_SUPERSEDED)), Limits()),
    ],
)
def test_what_supersedes_nothing(why: str, changes: tuple[Change, ...], limits: Limits) -> None:
    assert decide(WEB, web=(runs(), *changes), limits=limits).cancel == (), why


def test_other_services_go_on() -> None:
    decision = decide(WEB, API, web=(runs(), wants()), api=runs())
    assert decision.cancel == ("web",)


# admission to the workloads ------------------------------------------------------------------------------------------


def test_a_pushed_image_is_let_onto_a_free_workload() -> None:
    assert decide(WEB, web=at_gate) == Decision(admit=("web",))


@pytest.mark.parametrize(
    "running",
    [
        *(runs(None), runs(), runs(Phase.PUSH, BUILT[:1]), runs(None, NOT_PUSHED)),
        *(runs(Phase.ROLLOUT, BUILT), on_workloads),
    ],
)
def test_only_a_cycle_at_the_gate_is_admitted(running: Change) -> None:
    assert decide(WEB, web=running).admit == ()


def test_a_dependent_rolls_out_after_its_dependency() -> None:
    web = service("web", "db")
    for under_way in (wants(), runs(), on_workloads, (failed, wants())):
        decision = decide(DB, web, db=under_way, web=at_gate, limits=Limits(parallel_builds=3))
        assert decision.admit == ()
        assert decision.holds["web"] == Hold(HoldCode.DEPENDENCY, "db", "waiting for db")
    for outcome in (Outcome.VERIFIED, Outcome.UNCHANGED, Outcome.APPLIED):
        assert decide(DB, web, db=ended(outcome), web=at_gate).admit == ("web",)


def test_a_dependency_counts_once_for_the_whole_session() -> None:
    web = service("web", "db")
    assert decide(DB, web, db=(ended(), failed), web=at_gate).admit == ("web",)
    assert decide(DB, web, db=failed, web=(ended(), at_gate)).admit == ("web",)


def test_a_dependency_that_is_not_of_this_session_is_not_waited_for() -> None:
    assert decide(service("web", "elsewhere"), web=at_gate).admit == ("web",)


def test_a_failed_dependency_ends_its_dependent_with_its_reason() -> None:
    decision = decide(DB, service("web", "db"), db=failed, web=at_gate)
    assert decision.admit == ()
    assert decision.refuse == {
        "web": Failure(
            FailureCode.DEPENDENCY_FAILED,
            "db, which it depends on, failed: it does not compile",
            "mend db: this one starts again by itself in a session, and with the next `--once`",
        )
    }


def test_a_failure_is_passed_on_through_a_chain() -> None:
    decision = decide(DB, service("api", "db"), service("web", "api"), db=failed, api=(blocked, wants()), web=at_gate)
    assert list(decision.refuse) == ["web"]
    assert hold_texts(decision) == {"api": "waiting for db to be mended"}


def test_under_once_a_failed_dependency_is_final() -> None:
    web, once = service("web", "db"), Limits(once=True)
    assert list(decide(DB, web, db=(failed, wants()), web=at_gate, limits=once).refuse) == ["web"]


def test_rollouts_on_one_workload_never_overlap() -> None:
    side = service("side", workload="web")
    decision = decide(WEB, side, web=on_workloads, side=at_gate)
    assert decision.admit == ()
    assert decision.holds["side"] == Hold(HoldCode.WORKLOAD, "web", "waiting for the rollout of web on deployment/web")


def test_of_two_at_one_gate_the_first_is_admitted() -> None:
    side = service("side", workload="web")
    decision = decide(WEB, side, web=at_gate, side=at_gate)
    assert decision.admit == ("web",)
    assert decision.holds["side"].on == "web"


def test_a_failed_dependency_refuses_nothing_that_is_superseded_anyway() -> None:
    decision = decide(DB, service("web", "db"), db=failed, web=(at_gate, wants()))
    assert (decision.cancel, decision.refuse) == (("web",), {})


def test_a_cycle_that_is_superseded_says_so_rather_than_what_it_waited_for() -> None:
    side = service("side", workload="web")
    decision = decide(WEB, side, web=on_workloads, side=(at_gate, wants()))
    assert decision.cancel == ("side",)
    assert decision.holds["side"].code is HoldCode.SUPERSEDING


# somebody else ----------------------------------------------------------------------------------------------------


def looks_on(state: ServiceState) -> ServiceState:
    return replace(state, hold=Hold(HoldCode.LEASE, "jo@laptop/4711", "read-only"))


@pytest.mark.parametrize(
    ("state", "cancel"),
    [
        ((), ()),
        (wants(), ()),
        ((wants(), paused), ()),
        (runs(), ("web",)),
        (at_gate, ("web",)),
        (on_workloads, ("web",)),
    ],
    ids=["wants nothing", "wants something", "is paused", "builds", "waits at the gate", "has patched"],
)
def test_a_service_whose_workload_somebody_else_works_on_looks_on(
    state: Change | tuple[Change, ...], cancel: tuple[str, ...]
) -> None:
    hold = Hold(HoldCode.LEASE, "jo@laptop/4711", "read-only: jo@laptop/4711 works on deployment/web")
    assert decide(WEB, API, web=state, elsewhere="web") == Decision(cancel=cancel, holds={"web": hold})


def test_so_does_one_of_several_workloads() -> None:
    two = replace(WEB, workloads=(*WEB.workloads, WorkloadKey("shop", "deployment", "worker")))
    assert decide(two, web=wants(), elsewhere="worker").holds["web"].on == "jo@laptop/4711"


def test_another_service_is_held_up_by_it_neither_at_its_start_nor_at_its_gate() -> None:
    web = service("web", "db")
    assert decide(DB, web, db=(wants(), looks_on), web=wants(), elsewhere="db").start == ("web",)
    assert decide(DB, web, db=(wants(), looks_on), web=at_gate, elsewhere="db").admit == ("web",)


def test_under_once_nobody_waits_for_it() -> None:
    assert decide(WEB, web=wants(), elsewhere="web", limits=Limits(once=True)).start == ("web",)


def test_whatever_wants_something_and_may_not_has_a_hold() -> None:
    """Every hold code is met here, so that a reader can learn each from this file."""
    web = service("web", "db")
    met = {
        decide(WEB, web=(wants(), paused)).holds["web"].code,
        decide(WEB, web=(wants(), echoed(completed=MAX_ECHOES))).holds["web"].code,
        decide(WEB, web=wants(), lost=Connection.ENGINE).holds["web"].code,
        decide(DB, web, db=failed, web=(wants(), blocked)).holds["web"].code,
        decide(WEB, web=wants(), limits=Limits(parallel_builds=0)).holds["web"].code,
        decide(WEB, web=(runs(), wants())).holds["web"].code,
        decide(WEB, service("side", workload="web"), web=on_workloads, side=at_gate).holds["side"].code,
        decide(WEB, elsewhere="web").holds["web"].code,
    }
    assert met == set(HoldCode)
