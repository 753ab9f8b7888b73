"""What images are built for, where nothing says so."""

import asyncio
from typing import Any, cast

from devloop.core.failure import Failure, FailureCode
from devloop.session.assembly import Assembly
from tests.engine.world import service


class Cluster:
    """An API server that never answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def nodes_platforms(self) -> Failure:
        self.asked += 1
        return Failure(FailureCode.CLUSTER_UNREACHABLE, "it does not answer in time")

    async def read(self, key: object) -> Failure:
        return await self.nodes_platforms()


def test_a_cluster_that_does_not_answer_is_asked_once() -> None:
    cluster, nothing = Cluster(), cast(Any, None)
    assembly = Assembly(nothing, nothing, nothing, nothing, cast(Any, cluster), nothing, nothing, nothing)
    assert asyncio.run(assembly.platform([service("a"), service("b")])) == ""
    assert cluster.asked == 1
