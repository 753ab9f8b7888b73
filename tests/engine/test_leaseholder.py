"""Two people on one workload, scenario by scenario, over scripted Leases and fake time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from devloop.core.failure import Failure, FailureCode
from devloop.core.lease import DURATION, RENEWED_EVERY, Lease
from devloop.core.service import WorkloadKey
from devloop.engine.leaseholder import LOOK_EVERY
from tests.engine.conftest import RunScenario
from tests.engine.leaseworld import ANN, AWAY, DENIED, JO, LOGGED_OUT, LeaseWorld, Person
from tests.engine.world import LoopClock

WEB, API = WorkloadKey("shop", "deployment", "web"), WorkloadKey("shop", "deployment", "api")
Meeting = Callable[[LeaseWorld, Person, Person], Awaitable[None]]
A_WHILE = LOOK_EVERY + 0.1


def meet(run: RunScenario, act: Meeting) -> None:
    """Ann and Jo, who both let go at the end."""

    async def scenario() -> None:
        world = LeaseWorld()
        ann, jo = Person(world, ANN), Person(world, JO)
        try:
            await act(world, ann, jo)
        finally:
            await ann.holder.end()
            await jo.holder.end()

    run(scenario)


def test_the_first_one_holds_it_and_removes_it_at_the_end(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB, API])
        assert {lease.holder for lease in world.leases.values()} == {ANN}
        assert ann.changes == ["acquired", "acquired"]
        assert await ann.holder.may_write(WEB) is None
        await ann.holder.end()
        assert world.leases == {}

    meet(run, act)


def test_it_is_renewed_for_as_long_as_the_session_runs(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB])
        await jo.holder.add([WEB])
        first = world.leases[WEB]
        await asyncio.sleep(10 * DURATION)
        assert world.leases[WEB].holder == ANN
        assert world.leases[WEB].acquired == first.acquired
        assert LoopClock().now() - world.leases[WEB].renewed <= RENEWED_EVERY + 1
        assert jo.changes == ["held"]

    meet(run, act)


def test_a_renewal_costs_one_request(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB])
        world.asked.clear()
        await asyncio.sleep(10 * RENEWED_EVERY + 1)
        assert world.asked == {"write": 10}

    meet(run, act)


def test_the_second_one_hears_who_and_since_when_and_may_not_write(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB])
        await jo.holder.add([WEB])
        (told,) = jo.told
        assert (told.change, told.holder, told.before) == ("held", "ann@desk/12", "")
        assert told.since == world.leases[WEB].acquired
        refused = await jo.holder.may_write(WEB)
        assert refused is not None
        assert refused.code is FailureCode.WORKLOAD_HELD
        assert "ann@desk/12" in refused.message

    meet(run, act)


def test_it_gets_going_when_the_first_one_ends(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB])
        await jo.holder.add([WEB])
        await ann.holder.end()
        await asyncio.sleep(A_WHILE)
        assert jo.changes == ["held", "acquired"]
        assert jo.told[-1].before == "ann@desk/12"
        assert await jo.holder.may_write(WEB) is None

    meet(run, act)


def test_whoever_is_taken_over_hears_it_before_the_next_write(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB])
        await jo.holder.add([WEB], take_over=True)
        assert jo.changes == ["taken_over"]
        assert jo.told[0].before == "ann@desk/12"
        assert ann.changes == ["acquired"], "no time has passed in which it could look"
        refused = await ann.holder.may_write(WEB)
        assert refused is not None
        assert "jo@laptop/4711" in refused.message
        assert (ann.told[-1].change, ann.told[-1].holder) == ("lost", "jo@laptop/4711")

    meet(run, act)


def test_and_without_a_write_at_the_next_sign_of_life(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB])
        await jo.holder.add([WEB], take_over=True)
        await asyncio.sleep(RENEWED_EVERY + 1)
        assert ann.changes == ["acquired", "lost"]
        assert world.leases[WEB].holder == JO, "it does not write over who took it"
        await asyncio.sleep(2 * DURATION)
        assert (ann.changes, jo.changes) == (["acquired", "lost"], ["taken_over"])

    meet(run, act)


def test_what_was_asked_for_once_is_not_done_again(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB])
        await jo.holder.add([WEB], take_over=True)
        ann.holder.take_over(WEB)
        await asyncio.sleep(RENEWED_EVERY + 1)
        assert ann.changes == ["acquired", "lost"], "nobody asked for it who knew of Jo"
        ann.holder.take_over(WEB)
        await asyncio.sleep(0.5)
        assert ann.changes == ["acquired", "lost", "taken_over"], "it is done at once"
        await asyncio.sleep(2 * DURATION)
        assert jo.changes == ["taken_over", "lost"]
        assert world.leases[WEB].holder == ANN

    meet(run, act)


def test_one_that_gives_no_sign_is_waited_for_as_long_as_it_said(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        # Going by two clocks it should be over for an hour: that decides nothing.
        world.put(WEB, Lease(ANN, 0.0, LoopClock().now() - 3600))
        await jo.holder.add([WEB])
        await asyncio.sleep(DURATION - 1)
        assert jo.changes == ["held"]
        await asyncio.sleep(1 + A_WHILE)
        assert jo.changes == ["held", "acquired"]
        assert jo.told[-1].before == "ann@desk/12"

    meet(run, act)


def test_a_clock_that_is_far_behind_costs_nobody_the_workload(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        lease = world.put(WEB, Lease(ANN, 0.0, 1000.0))
        await jo.holder.add([WEB])
        settling = asyncio.ensure_future(jo.holder.settle())
        for _ in range(12):
            await asyncio.sleep(RENEWED_EVERY)
            lease = world.put(WEB, replace(lease, renewed=lease.renewed + RENEWED_EVERY))
        assert settling.done(), "one sign of life is enough"
        assert jo.changes == ["held"]

    meet(run, act)


def test_who_wants_an_answer_now_waits_only_for_who_seems_gone(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB])
        world.put(API, Lease(ANN, 0.0, LoopClock().now() - 3600))
        began = asyncio.get_running_loop().time()
        await jo.holder.add([WEB])
        await jo.holder.settle()
        assert asyncio.get_running_loop().time() - began < 1
        assert jo.holder.held_by(WEB) is not None
        late = Person(world, replace(JO, session="s3"))
        await late.holder.add([API])
        await late.holder.settle()
        assert late.holder.held_by(API) is None
        assert late.changes == ["held", "acquired"]
        await late.holder.end()

    meet(run, act)


def test_a_dead_process_of_this_machine_is_taken_over_at_once(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        world.put(WEB, Lease(ANN, 0.0, LoopClock().now()))
        jo.dead.add(ANN)
        await jo.holder.add([WEB])
        assert jo.changes == ["acquired"]
        assert jo.told[0].before == "ann@desk/12"

    meet(run, act)


def test_without_the_right_there_is_one_warning_and_it_goes_on(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        world.failing = DENIED
        await ann.holder.add([WEB, API])
        assert await ann.holder.may_write(WEB) is None
        await asyncio.sleep(2 * DURATION)
        assert ann.warned == [DENIED]
        assert ann.changes == ["unguarded", "unguarded"]
        world.failing = None
        await asyncio.sleep(RENEWED_EVERY + 1)
        assert world.leases[WEB].holder == ANN, "a right that is granted is used"

    meet(run, act)


def test_a_right_that_was_missing_for_a_while_does_not_hide_a_take_over(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB])
        world.failing = DENIED
        await asyncio.sleep(RENEWED_EVERY + 1)
        world.failing = None
        world.put(WEB, Lease(JO, 0.0, LoopClock().now()))
        assert await ann.holder.may_write(WEB) is not None

    meet(run, act)


@pytest.mark.parametrize("away", [AWAY, LOGGED_OUT], ids=["away", "logged out"])
def test_nothing_is_written_while_nobody_can_say_whose_it_is(run: RunScenario, away: Failure) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB])
        world.failing = away
        await asyncio.sleep(2 * DURATION)
        assert await ann.holder.may_write(WEB) == away, "as a cluster that is away, whose cycles are wanted again"
        world.failing = None
        assert await ann.holder.may_write(WEB) is None
        assert (ann.changes, ann.warned) == (["acquired"], [])

    meet(run, act)


def test_two_who_begin_in_the_same_moment(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await asyncio.gather(ann.holder.add([WEB]), jo.holder.add([WEB]))
        assert sorted([*ann.changes, *jo.changes]) == ["acquired", "held"]

    meet(run, act)


def test_one_that_somebody_deleted_is_made_again(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB])
        del world.leases[WEB]
        await asyncio.sleep(RENEWED_EVERY + 1)
        assert world.leases[WEB].holder == ANN
        assert ann.changes == ["acquired"]

    meet(run, act)


def test_the_end_removes_nothing_of_anybody_else_s(run: RunScenario) -> None:
    async def act(world: LeaseWorld, ann: Person, jo: Person) -> None:
        await ann.holder.add([WEB])
        taken = Lease(JO, 0.0, LoopClock().now())
        # It is taken between the last look and the removal.
        world.between = lambda key: None if world.leases[key].holder == JO else void(world.put(key, taken))
        await ann.holder.end()
        assert world.leases[WEB].holder == JO

    meet(run, act)


def void(_: object) -> None: ...
