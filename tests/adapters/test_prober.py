"""When a lost connection counts as back."""

import asyncio

import looptime

from devloop.adapters.prober import FIRST_REST, LONGEST_REST, RELAPSE, BackoffProber
from devloop.core.failure import Connection, Failure, FailureCode

AWAY = Failure(FailureCode.REGISTRY_UNREACHABLE, "away")
TO = Connection.REGISTRY


async def _rested(prober: BackoffProber) -> float:
    began = asyncio.get_running_loop().time()
    assert await prober.until_back(TO) == "the registry answers again"
    return asyncio.get_running_loop().time() - began


def test_it_is_asked_until_it_answers() -> None:
    answers = [AWAY, AWAY, None]

    async def ping() -> Failure | None:
        return answers.pop(0)

    loop = looptime.new_event_loop(start=0)
    loop.run_until_complete(_rested(BackoffProber({TO: ping})))
    loop.close()
    assert answers == []


def test_one_that_answers_and_is_lost_again_and_again_is_believed_less_and_less() -> None:
    async def ping() -> Failure | None:
        return None

    async def scenario() -> None:
        prober = BackoffProber({TO: ping})
        rests = [await _rested(prober) for _ in range(7)]
        assert rests == [0, FIRST_REST, 4, 8, 16, LONGEST_REST, LONGEST_REST]
        await asyncio.sleep(RELAPSE)
        assert await _rested(prober) == 0

    loop = looptime.new_event_loop(start=0)
    loop.run_until_complete(scenario())
    loop.close()
