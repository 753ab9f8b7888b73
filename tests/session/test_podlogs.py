"""From when on a session follows the logs of Pods."""

from collections.abc import Collection, Sequence

from devloop.core.service import WorkloadKey
from devloop.core.workload import Snapshot
from devloop.session.podlogs import FollowedLogs
from tests.core.workloads import pod, service, snapshot


class Tail:
    """Notes what it is to follow."""

    def __init__(self) -> None:
        self.followed: list[tuple[str, int, tuple[str, ...]]] = []

    def follow(self, service: str, snapshot: Snapshot, containers: Sequence[str]) -> None:
        self.followed.append((service, len(snapshot.pods), tuple(containers)))

    def forget(self, service: str, kept: Collection[WorkloadKey] = ()) -> None:
        pass


def test_logs_are_followed_from_the_beginning_with_the_newest_that_was_seen() -> None:
    tail = Tail()
    logs = FollowedLogs(tail, lambda: [service()], begun=False)
    logs.look(snapshot())
    logs.look(snapshot(pod("a"), pod("b")))
    assert tail.followed == [], "a check may still fail, and that is then all there is to say"
    logs.begin()
    assert tail.followed == [("web", 2, ("web",))]
    logs.look(snapshot())
    assert tail.followed[1:] == [("web", 1, ("web",))]


def test_a_session_that_goes_on_follows_at_once() -> None:
    tail = Tail()
    FollowedLogs(tail, lambda: [service()], begun=True).look(snapshot())
    assert tail.followed == [("web", 1, ("web",))]
