"""What the screen is about: the state of the session, its past, and the last log lines of every service.

Folds the events that it is fed with the reducer that the conductor and the headless output use, so that none of them
can disagree. Knows no toolkit.
"""

from collections.abc import Sequence

from devloop.core import events as ev
from devloop.core.reducer import reduce
from devloop.core.state import ServiceState, SessionState
from devloop.tui.ring import Ring
from devloop.views.asides import Asides
from devloop.views.chronicle import Chronicle
from devloop.views.loglines import Line


class Scene:
    """A fold of the log, and which service of it is looked at."""

    def __init__(self) -> None:
        self.state = SessionState()
        self.past = Chronicle()
        self.chosen = ""
        """The service that the panes are about."""
        self._asides = Asides()
        self._rings: dict[str, Ring] = {}
        self._fresh = Ring()

    @property
    def service(self) -> ServiceState | None:
        """The chosen one."""
        return self.state.services.get(self.chosen)

    @property
    def has_begun(self) -> bool:
        """Whether any service had a cycle, or looks on: until then there are only checks to be seen."""
        return self.state.has_begun

    def ring(self, service: str) -> Ring:
        """The last lines of a service's Pods."""
        found = self._rings.get(service)
        if found is None:
            found = self._rings[service] = Ring()
        return found

    def fresh(self) -> list[Line]:
        """The lines of the chosen service that were not asked for yet."""
        return self._fresh.take()

    @property
    def marked(self) -> int:
        """Grows whenever lines that were handed out turn out to be the last that a container wrote."""
        return self._asides.marked

    def choose(self, service: str) -> None:
        self.chosen, self._fresh = service, Ring()

    def take(self, records: Sequence[ev.Record]) -> None:
        for record in records:
            if isinstance(record.event, ev.Log):
                self._take_log(record.time, record.event)
                continue
            before = self.state
            if not record.event.lossy:
                self.state = reduce(self.state, record)
            self.past.take(record, self.state)
            if self.chosen not in self.state.services:
                self.choose(next(iter(self.state.services), ""))
            if isinstance(record.event, ev.ServiceRemoved):
                self._rings.pop(record.event.service, None)
            for service, line in self._asides.of_event(record, before, self.state):
                self._add(service, line)

    def _take_log(self, time: float, event: ev.Log) -> None:
        if event.source is ev.LogSource.BUILD or event.cycle:
            self.past.take_line(event)
        if event.source is ev.LogSource.POD:
            for line in self._asides.of_log(time, event, self.state):
                self._add(event.service, line)

    def _add(self, service: str, line: Line) -> None:
        if service not in self.state.services:
            return  # what its Pods wrote last comes after it has left
        self.ring(service).append(line)
        if service == self.chosen:
            self._fresh.append(line)
