"""Which Pods' logs a session follows, and from when on."""

from collections.abc import Callable, Iterable

from devloop.core.containers import choose
from devloop.core.failure import Failure
from devloop.core.ports import LogTail
from devloop.core.service import Service, WorkloadKey
from devloop.core.workload import Snapshot


class FollowedLogs:
    """Of the services' own containers. Before `begin` what is seen is only remembered.

    A command that ends because a check failed has one thing to say: lines that were written long before stand below it
    and move it off the screen.
    """

    def __init__(self, tail: LogTail, services: Callable[[], Iterable[Service]], *, begun: bool) -> None:
        self._tail, self._services = tail, services
        self._seen: dict[WorkloadKey, Snapshot] | None = None if begun else {}

    def look(self, snapshot: Snapshot) -> None:
        """Follow what is new in it."""
        if self._seen is not None:
            self._seen[snapshot.key] = snapshot
        elif snapshot.deployment:
            for service in self._services():
                chosen = choose(service, snapshot.deployment.template)
                if snapshot.key in service.workloads and not isinstance(chosen, Failure):
                    self._tail.follow(service.name, snapshot, chosen)

    def begin(self) -> None:
        """From now on, with what was seen so far."""
        seen, self._seen = self._seen or {}, None
        for snapshot in seen.values():
            self.look(snapshot)
