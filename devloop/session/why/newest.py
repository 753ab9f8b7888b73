"""What sessions that run say of the newest save for a workload: the cluster knows nothing of one that never came."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from devloop.adapters.sessionsocket import Message, Running, ask, running
from devloop.adapters.statefolder import default_root
from devloop.core.failure import Failure, FailureCode
from devloop.core.service import WorkloadKey
from devloop.core.why.facts import NewestSave

Newest = Callable[[WorkloadKey], Awaitable[NewestSave | None]]
_PATIENCE = 2.0
"""Seconds in which a session answers that is not stopped itself."""


def of_sessions(server: str) -> Newest:
    """Of any session of this user that works on that server."""

    async def newest(key: WorkloadKey) -> NewestSave | None:
        question = {"ask": "newest", "server": server, "workload": asdict(key)}
        answers = await asyncio.gather(*(_answer(session, question) for session in running(default_root())))
        return next((each for each in answers if each is not None), None)

    return newest


async def _answer(session: Running, question: Message) -> NewestSave | None:
    """None also of a session of another version, which does not know the question."""
    try:
        async with asyncio.timeout(_PATIENCE):
            answer = await ask(session, question)
        return decoded((answer or {}).get("newest"))
    except (TimeoutError, KeyError, TypeError, ValueError):
        return None


def decoded(told: Any) -> NewestSave | None:
    """Out of its JSON."""
    if told is None:
        return None
    failure = told["failure"]
    if failure is not None:
        failure = Failure(FailureCode(failure["code"]), failure["message"], failure["hint"])
    return NewestSave(**{**told, "failure": failure})
