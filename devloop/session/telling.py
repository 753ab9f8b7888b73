"""What the parts of a session have to tell beside its cycles, as events of the services that it concerns."""

from collections.abc import Callable, Iterable
from pathlib import Path

from devloop.core import events as ev
from devloop.core.failure import Failure
from devloop.core.ports import BuildRequest
from devloop.core.service import Service, WorkloadKey
from devloop.engine.tools import Emit
from devloop.session.leases import unguarded
from devloop.views import AUDITED, audit_words


class Telling:
    """One method for each part; `services` are those of the configuration that is in force."""

    def __init__(self, services: Callable[[], Iterable[Service]], emit: Emit) -> None:
        self._services, self._emit = services, emit

    def watch_notice(self, service: str, message: str, hint: str) -> None:
        """Of the watcher."""
        self._warn(service, ev.WarningCode.WATCH, message, hint)

    def pod_line(self, service: str, pod: str, container: str, text: str, written: float) -> None:
        """What a container wrote."""
        self._emit(ev.Log(service, ev.LogSource.POD, text, pod=pod, container=container, written=written))

    def audited(self, request: BuildRequest, differing: tuple[str, ...]) -> None:
        """Tell every service that is built so what the audit of its newest layer found."""
        for service in self._services():
            if (service.build, service.push) != (request.spec, request.push):
                continue
            if differing:
                self._warn(service.name, ev.WarningCode.AUDIT, *audit_words(differing))
            else:
                self._emit(ev.Log(service.name, ev.LogSource.BUILD, AUDITED))

    def unreadable(self, text: str) -> None:
        """What the cluster answered and devloop cannot read."""
        for service in self._services():
            self._warn(service.name, ev.WarningCode.UNREADABLE, text)

    def unguarded(self, key: WorkloadKey, failure: Failure) -> None:
        """That nobody can tell whose the workload is."""
        for service in [each for each in self._services() if key in each.workloads][:1]:
            self._warn(service.name, ev.WarningCode.LEASE, *unguarded(key, failure))

    def recording_ends(self, recording: Path | None, why: str) -> None:
        """The session goes on: nothing depends on its recording."""
        for service in [*self._services()][:1]:
            message = f"the recording {recording} ends here: {why}"
            self._warn(service.name, ev.WarningCode.RECORDING, message, "free space there")

    def _warn(self, service: str, code: ev.WarningCode, message: str, hint: str = "") -> None:
        self._emit(ev.WarningRaised(service, code, message, hint))
