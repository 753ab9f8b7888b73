"""What sessions that run say of the newest save for a workload: the cluster knows nothing of one that never came."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from devloop.adapters.sessionsocket import Message, Running, ask, running
from devloop.adapters.statefolder import default_root
from devloop.core.failure import Failure, FailureCode
from devloop.core.service import WorkloadKey
from devloop.core.why.facts import NewestSave, Settled, Told

Newest = Callable[[WorkloadKey], Awaitable[Told]]
_PATIENCE = 2.0
"""Seconds in which a session answers that is not stopped itself."""


def of_sessions(server: str) -> Newest:
    """Of any session of this user that works on that server; each is asked once, however many workloads there are."""
    asked: list[asyncio.Future[Mapping[WorkloadKey, Told]]] = []

    async def newest(key: WorkloadKey) -> Told:
        if not asked:
            asked.append(asyncio.ensure_future(_of_all(server)))
        return (await asked[0]).get(key, Told())

    return newest


async def _of_all(server: str) -> Mapping[WorkloadKey, Told]:
    """The newest session counts where several work on one workload."""
    question = {"ask": "newest", "server": server}
    answers = await asyncio.gather(*(_answer(session, question) for session in running(default_root())))
    found: dict[WorkloadKey, Told] = {}
    for key, told in ((key, told) for answer in answers for key, told in answer):
        before = found.get(key, Told())
        found[key] = Told((*before.saves, *told.saves), (*before.settled, *told.settled))
    return found


async def _answer(session: Running, question: Message) -> list[tuple[WorkloadKey, Told]]:
    """Nothing also of a session of another version, which does not know the question, or not all of the answer."""
    try:
        async with asyncio.timeout(_PATIENCE):
            answer = await ask(session, question) or {}
        saves = [(WorkloadKey(**workload), Told((_decoded(saved),))) for workload, saved in answer.get("newest", ())]
        done = [(WorkloadKey(**key), Told((), (Settled(**one),))) for key, one in answer.get("settled", ())]
        return [*saves, *done]
    except (TimeoutError, KeyError, TypeError, ValueError):
        return []


async def promptly(told: Awaitable[Told]) -> Told:
    """Of one's own session; nothing where the files that it looks at first are on a server that does not answer."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await told
    except TimeoutError:
        return Told()


def _decoded(told: Any) -> NewestSave:
    """Out of its JSON."""
    failure = told["failure"]
    if failure is not None:
        failure = Failure(FailureCode(failure["code"]), failure["message"], failure["hint"])
    return NewestSave(**{**told, "failure": failure})
