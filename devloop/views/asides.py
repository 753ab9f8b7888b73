"""What stands between the log lines of a service: where new code took over, a container began again, something broke.

A fold of the same events that make the state. It says what a reader of the log cannot see in it, and nothing twice.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from devloop.core import events as ev
from devloop.core.failure import FailureCode
from devloop.core.state import ServiceState, SessionState, Want
from devloop.views import Tone, files, phrases, took_over
from devloop.views.band import parted
from devloop.views.board import failed_phase, short_pod
from devloop.views.lastwords import LastWords
from devloop.views.loglines import Line, line_of, note, rule
from devloop.views.rollouts import Rollout, Rollouts

_NOTED = (
    ev.WarningRaised,
    ev.WorkloadDrifted,
    ev.ConnectionChanged,
    ev.LeaseChanged,
    ev.ConfigAccepted,
    ev.ConfigRefused,
    ev.ServiceAdded,
    ev.ServiceChanged,
)
_MARKS = {Tone.BAD: "✘", Tone.WARN: "!", Tone.GOOD: "✔"}


class Asides:
    """Asked what a log line adds, and told every other event."""

    def __init__(self) -> None:
        self._pods: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """Pods of a service that have said something, in the order in which they first did."""
        self._rollouts: defaultdict[str, Rollouts] = defaultdict(Rollouts)
        self._last: defaultdict[str, LastWords] = defaultdict(LastWords)

    @property
    def marked(self) -> int:
        """Grows whenever lines that are shown turn out to be the last that a container wrote."""
        return sum(words.marked for words in self._last.values())

    def of_log(self, time: float, event: ev.Log, state: SessionState) -> Sequence[Line]:
        """What a line of a Pod adds to the log: itself, unless it is shown already, and what comes before it."""
        line, words = line_of(time, event), self._last[event.service]
        # Nothing comes before it nearly always, and this is asked for each line of a flood.
        if event.pod in self._pods[event.service] and not event.dropped and not event.cycle and words.is_plain(line):
            return (line,)
        return [*self._of_unusual(time, event, line, state)]

    def _of_unusual(self, time: float, event: ev.Log, line: Line, state: SessionState) -> Iterator[Line]:
        if event.dropped:
            yield rule(time, f"{event.dropped:,} lines left out")
        if not event.pod or event.running:  # what still runs is followed: its lines are there, or on their way
            return
        service, words = state.services.get(event.service), self._last[event.service]
        if event.pod not in self._pods[event.service]:
            yield from self._of_new_pod(time, event, service) if service else ()
            self._pods[event.service][event.pod] = None
        if not event.cycle:
            yield from (line,) if words.written(line) else ()
            return
        lines, begins = words.last(line)
        if begins:
            yield rule(time, f"{short_pod(event.pod)}: the last lines of the container that ended")
        yield from lines

    def of_event(self, record: ev.Record, before: SessionState, after: SessionState) -> Iterator[tuple[str, Line]]:
        """What an event adds to the logs, each with the service whose log it is."""
        event, time = record.event, record.time
        if isinstance(event, ev.WorkloadDrifted) and event.restored:
            self._rollouts[event.service].end()
        if isinstance(event, _NOTED):
            names = _concerned(event, after)
            told = phrases(event, after)
            # What a crashed container wrote stands right here; how to read it elsewhere need not be said.
            # Nor what becomes of a restored workload, which the band says.
            crashed = isinstance(event, ev.WarningRaised) and event.code == FailureCode.CRASH
            short = crashed or (isinstance(event, ev.WorkloadDrifted) and event.restored)
            for phrase in told[:1] if short else told:
                words = phrase.text.removeprefix("warning: ")
                words = words if words.startswith("→") else f"{_MARKS.get(phrase.tone, '·')} {words}"
                yield from ((name, note(time, words, phrase.tone)) for name in names)
        elif isinstance(event, ev.WorkloadObserved):
            last = self._last[event.service]
            last.end()
            seen = after.services.get(event.service)
            last.keep({row.pod for row in seen.pods} if seen is not None else set())
            for row in _restarted(event, before.services.get(event.service)):
                last.began_again(row.pod)
                yield event.service, rule(time, f"{short_pod(row.pod)} restarted · restart {row.restarts}")
        elif isinstance(event, ev.PhaseStarted) and event.service in before.services:
            self._rollouts[event.service].begins(before.services[event.service])
        elif isinstance(event, ev.WorkloadPatched) and event.service in before.services:
            self._rollouts[event.service].patched(before.services[event.service])
        elif isinstance(event, ev.CycleFinished):
            yield from ((event.service, line) for line in self._of_end(time, event, after))
        elif isinstance(event, ev.ServiceRemoved):
            for known in (self._pods, self._rollouts, self._last):
                known.pop(event.service, None)
            for phrase in phrases(event, after):  # its own log is gone with it
                words = f"· {event.service}: {phrase.text}"
                yield from ((name, note(time, words, phrase.tone)) for name in after.services)

    def _of_new_pod(self, time: float, event: ev.Log, service: ServiceState) -> Iterator[Line]:
        rollouts, known = self._rollouts[event.service], list(self._pods[event.service])
        rollout, replaces = rollouts.of(event.pod, service), _replaced(event.pod, known, service)
        is_past = rollouts.is_past(event.pod, rollout)
        if rollout is not None and not rollout.is_told:
            rollout.is_told = True
            late = f"{short_pod(event.pod)} is still of cycle {rollout.cycle}"
            yield rule(time, late if is_past else _begins(rollout, replaces))
        elif replaces and not is_past:
            yield rule(time, replaces)

    def _of_end(self, time: float, event: ev.CycleFinished, state: SessionState) -> Iterator[Line]:
        service = state.services.get(event.service)
        if event.failure is not None:
            where = failed_phase(service.last) if service and service.last else ""
            what, why = parted(event.failure.message)
            last = service.last if service else None
            saved = f" ({files(last.want.files, last.want.count)})" if last and last.want.count else ""
            yield note(time, f"✘ cycle {event.cycle}{saved} FAILED {where}: {why or what}".replace(" :", ":"), Tone.BAD)
        elif took_over(event, state):
            rollout = self._rollouts[event.service].by(event.cycle)
            if rollout is not None and not rollout.is_told:
                rollout.is_told = True  # nothing of the new code has said a word
                yield rule(time, _begins(rollout, ""))
        elif event.outcome.settles and service and service.last:
            yield note(time, _calm(event, service.last.want), Tone.GOOD)


def _begins(rollout: Rollout, replaces: str) -> str:
    """`new code: server.py · cycle 3 · x2k1 replaces 5f11`."""
    parts = (f"{rollout.code}: {rollout.what}" if rollout.what else rollout.code, f"cycle {rollout.cycle}", replaces)
    return " · ".join(part for part in parts if part)


def _concerned(event: ev.Event, state: SessionState) -> list[str]:
    """Services whose log it belongs to."""
    if isinstance(event, ev.ServiceEvent):
        return [event.service]
    if not isinstance(event, ev.LeaseChanged):
        return list(state.services)
    known = ((name, service.workloads) for name, service in state.services.items())
    return [name for name, workloads in known if not workloads or event.workload in workloads]


def _calm(event: ev.CycleFinished, want: Want) -> str:
    """How a cycle ended after which no new Pods write: else a failure before it would stay the last word."""
    what = f" ({files(want.files, want.count)})" if want.count else ""
    how = {
        ev.Outcome.UNCHANGED: "the Pods already run this image",
        ev.Outcome.APPLIED: "scaled to 0, so there is nothing to prove",
    }.get(event.outcome, want.text)  # it healed, or is there again
    return f"= cycle {event.cycle}{what} {event.outcome}: {how}"


def _replaced(pod: str, known: list[str], service: ServiceState) -> str:
    """`x2k1 replaces 5f11`, where one Pod is wanted and so the one before it is known."""
    wanted = sum(seen.desired for seen in service.workloads.values())
    if not known or wanted != 1:
        return ""
    return f"{short_pod(pod)} replaces {short_pod(known[-1])}"


def _restarted(event: ev.WorkloadObserved, service: ServiceState | None) -> Iterator[ev.PodRow]:
    """Pods in which a container ended and began again."""
    earlier = service.workloads.get(event.workload) if service else None
    known = {row.pod: row.restarts for row in earlier.pods} if earlier else {}
    return (row for row in event.pods if row.restarts > known.get(row.pod, row.restarts))
