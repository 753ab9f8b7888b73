"""A Docker engine that is restarted or hangs, idle and in the middle of a build; what needs it waits for it."""

import time

import pytest

from tests.faults.control import Control
from tests.faults.session import FaultSession
from tests.faults.stage import FULL, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.faults, pytest.mark.breaks, pytest.mark.timeout(300)]


@pytest.fixture
def slow(stage: Stage) -> Stage:
    """Every build takes some seconds, and needs the engine."""
    stage.build, stage.steps = FULL, [f"RUN echo building && sleep 5 # {stage.scene.namespace}"]
    return stage


def build_slowly(session: FaultSession, word: str) -> None:
    """Save a program whose build takes some seconds, and come back in the middle of them."""
    session.save(word)
    session.until("log", source="build", text="building")


def test_restarted_in_the_middle_of_a_build(slow: Stage, control: Control) -> None:
    """However soon it is back: nobody saves again."""
    with slow.session() as session:
        build_slowly(session, "two")
        control.stop("dockerd")
        control.mend("dockerd")
        session.ends_with("two")


def test_restarted_while_nobody_saves(slow: Stage, control: Control) -> None:
    """Nothing is asked of it, so nothing need be told; the next save is built."""
    with slow.session() as session:
        control.stop("dockerd")
        control.mend("dockerd")
        session.save("two")
        session.ends_with("two")


def test_hung_for_10_seconds_when_somebody_saves(slow: Stage, control: Control) -> None:
    """A build that hangs goes on when the engine does."""
    with slow.session() as session:
        control.pause("dockerd")
        session.save("two")
        time.sleep(10)  # it hangs that long, whatever is told meanwhile
        control.mend("dockerd")
        session.ends_with("two")


def test_a_save_supersedes_a_build_that_hangs(slow: Stage, control: Control) -> None:
    with slow.session() as session:
        build_slowly(session, "two")
        control.pause("dockerd")
        session.save("three")
        session.until("cycle_finished", outcome="superseded", cycle=2)
        control.mend("dockerd")
        session.ends_with("three")
