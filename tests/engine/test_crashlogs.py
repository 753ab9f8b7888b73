"""What a container wrote before it ended: read at once, told once."""

from collections.abc import Sequence
from typing import cast

from devloop.core.failure import Failure, FailureCode
from devloop.core.ports import Cluster
from devloop.core.status import ContainerRef
from devloop.engine.crashlogs import CrashLogs

CURRENT = ContainerRef("web-1", "web")
BEFORE = ContainerRef("web-1", "web", previous=True)


class Kubelet:
    """Has the logs that it is given."""

    def __init__(self) -> None:
        self.has: dict[ContainerRef, Sequence[str] | Failure] = {}

    async def logs(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, tail: int = 20
    ) -> Sequence[str] | Failure:
        return self.has.get(ContainerRef(pod, container, previous), ())


def reader(kubelet: Kubelet) -> tuple[CrashLogs, list[str]]:
    told: list[str] = []
    return CrashLogs(cast(Cluster, kubelet), "shop", lambda ref, line: told.append(line)), told


async def test_the_first_log_outlives_its_container() -> None:
    kubelet = Kubelet()
    logs, told = reader(kubelet)
    kubelet.has = {CURRENT: ["first"]}
    logs.read((CURRENT,))
    assert await logs.explain(()) == {BEFORE: ["first"]}
    kubelet.has = {CURRENT: ["second"]}
    assert await logs.explain((CURRENT, BEFORE)) == {CURRENT: ["second"], BEFORE: ["first"]}
    assert told == ["first", "second"]


async def test_a_log_that_both_names_lead_to_is_told_once() -> None:
    kubelet = Kubelet()
    logs, told = reader(kubelet)
    kubelet.has = {CURRENT: ["only"], BEFORE: ["only"]}
    assert await logs.explain((CURRENT, BEFORE)) == {CURRENT: ["only"]}
    assert told == ["only"]


async def test_without_an_early_look_both_are_told_in_order() -> None:
    kubelet = Kubelet()
    logs, told = reader(kubelet)
    kubelet.has = {CURRENT: ["second"], BEFORE: ["first"]}
    assert await logs.explain((CURRENT, BEFORE)) == {CURRENT: ["second"], BEFORE: ["first"]}
    assert told == ["first", "second"]


async def test_a_log_that_may_not_be_read_is_left_out() -> None:
    kubelet = Kubelet()
    logs, told = reader(kubelet)
    kubelet.has = {CURRENT: Failure(FailureCode.CLUSTER_DENIED, "no"), BEFORE: ["first"]}
    logs.read(())
    assert await logs.explain((CURRENT, BEFORE)) == {BEFORE: ["first"]}
    logs.close()
    assert told == ["first"]
