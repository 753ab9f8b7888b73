"""What is said of a rollout that was measured in part, or not at all."""

import pytest

from devloop.core.why.slow import Found, Slowness, Wait, WaitCode
from devloop.views.slow import Answer, answer_lines
from tests.core.workloads import KEY


def said(found: Slowness) -> list[str]:
    return [phrase.text for phrase in answer_lines(Answer(KEY, "kind", found, "devloop why deployment/web -n shop"))]


@pytest.mark.parametrize(
    ("unready", "later", "words"),
    [
        (1, 0, ["1 Pod is not ready: what it waits for is not in it"]),
        (3, 0, ["3 Pods are not ready: what they wait for is not in it"]),
        (0, 1, ["1 Pod was made, started or ready anew since: it is no part of it"]),
        (0, 2, ["2 Pods were made, started or ready anew since: they are no part of it"]),
        (0, 0, []),
    ],
)
def test_what_is_left_out(unready: int, later: int, words: list[str]) -> None:
    lines = said(Slowness(Found.SOME, "web-new", 1, 0.0, 4.0, unready=unready, later=later))
    assert [line for line in lines if line.endswith((" of it", " in it"))] == words


def test_what_is_less_than_the_times_are_kept_in_is_not_told_to_the_hundredth() -> None:
    (line,) = [line for line in said(Slowness(Found.ALL, "web-new", 2)) if "took" in line]
    assert line == "its newest rollout (web-new) took under 1s until its 2 Pods were available"
    wait = Wait(WaitCode.GRACE, 4.0, "it ends slowly", "end faster")
    assert said(Slowness(Found.ALL, "web-new", 2, 0.0, 4.0, (wait,)))[-1].startswith("   < 1s  the rest")
    assert " took 1.0s until" in said(Slowness(Found.ALL, "web-new", 2, 0.0, 1.0))[2]


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (0, "how long its newest rollout takes is not known yet: none of its Pods is ready"),
        (
            2,
            "how long its newest rollout took is not known: all its ready Pods were made anew or started again since "
            "then (after a crash, for example)",
        ),
    ],
)
def test_nothing_to_measure_says_what_tells_why(later: int, words: str) -> None:
    *_, why, instead = said(Slowness(Found.NOTHING, later=later))
    assert why == words
    assert instead == "→ devloop why deployment/web -n shop"
