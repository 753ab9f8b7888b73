"""Failure codes and exit codes: none is without the other."""

from dataclasses import replace

import pytest

from devloop.core.events import CheckFinished, CycleFinished, CycleStarted, Outcome, Record, SessionStarted, Trigger
from devloop.core.failure import BUILDS_AGAIN, CONNECTION_LOST, EXIT_CODES, Connection, ExitCode, Failure, FailureCode
from devloop.core.reducer import fold
from devloop.views import exit_code

STARTED = (
    SessionStarted(1, "0", "kind", "shop", ("api", "web")),
    CycleStarted("api", 1, Trigger.START),
    CycleStarted("web", 1, Trigger.START),
)


def ended(service: str, code: FailureCode | None) -> CycleFinished:
    failure = Failure(code, "why") if code else None
    return CycleFinished(service, 1, Outcome.FAILED if failure else Outcome.VERIFIED, "", 1.0, failure)


def test_every_failure_belongs_to_an_exit_code() -> None:
    assert set(EXIT_CODES) == set(FailureCode)
    assert {Failure(code, "why").exit_code for code in FailureCode} == {code for code in ExitCode if code < 129}


def test_exit_codes_of_signals_are_those_of_a_shell() -> None:
    assert {code: code - 128 for code in ExitCode if code > 128} == {
        ExitCode.HANGUP: 1,
        ExitCode.INTERRUPTED: 2,
        ExitCode.TERMINATED: 15,
    }


def test_only_what_is_unreachable_comes_back_by_itself() -> None:
    assert set(CONNECTION_LOST.values()) == set(Connection)
    assert {EXIT_CODES[code] for code in CONNECTION_LOST} == {ExitCode.UNREACHABLE}


@pytest.mark.parametrize(
    ("api", "web", "expected"),
    [
        (None, None, ExitCode.DONE),
        (FailureCode.BUILD_FAILED, None, ExitCode.BUILD),
        (FailureCode.BUILD_FAILED, FailureCode.CRASH, ExitCode.ROLLOUT),
        (FailureCode.MISMATCH, FailureCode.CRASH, ExitCode.UNPROVEN),
        (FailureCode.BUILD_FAILED, FailureCode.DEPENDENCY_FAILED, ExitCode.BUILD),
        (FailureCode.BUG, FailureCode.REGISTRY_DENIED, ExitCode.UNREACHABLE),
    ],
)
def test_of_several_failures_the_highest_exit_code_counts(
    api: FailureCode | None, web: FailureCode | None, expected: ExitCode
) -> None:
    state = fold(Record(0.0, event) for event in [*STARTED, ended("api", api), ended("web", web)])
    assert exit_code(state) is expected


def test_what_no_cycle_failed_with_does_not_count() -> None:
    check = CheckFinished("builder", False, "away", code=FailureCode.ENGINE_UNREACHABLE)
    assert exit_code(fold(Record(0.0, event) for event in [*STARTED, check])) is ExitCode.DONE


def test_where_nobody_waits_for_a_save_the_hint_names_the_command() -> None:
    broken = Failure(FailureCode.BUILD_FAILED, "no", f"fix it; {BUILDS_AGAIN}")
    assert broken.once("devloop up web --once").hint == "fix it, then: devloop up web --once"
    moved = replace(broken, hint="keep helm from changing it while devloop runs, then save again")
    assert moved.once("devloop up --once").hint == (
        "keep helm from changing it while devloop runs, then `devloop up --once` again"
    )
    other = replace(broken, hint="`docker login`")
    assert other.once("devloop up web --once") == other
