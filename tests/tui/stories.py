"""Made-up sessions: what the events of one are, in the words of a test. Times begin at 14:00:00 UTC."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from devloop.core import events as ev
from devloop.core.failure import Connection, Failure, FailureCode

START = datetime(2026, 3, 14, 14, 0, tzinfo=UTC).timestamp()
_TAILS = (
    "x2k1q", "b7zz4", "5f11c", "k9d0s", "qq3tw", "m4n8v", "zz81p", "h2jd7", "w0wl3", "t6bbn", "c48xr", "v9s2d",
    "pl5mz", "g7fqk", "d3hhw", "2nn8j", "r5t9c", "s8vlx", "6kw4b", "jz7gd",
)  # fmt: skip
_KINDS = (ev.Phase.BUILD, ev.Phase.PUSH, ev.Phase.ROLLOUT, ev.Phase.VERIFY)
TOOK = (0.3, 0.1, 1.2, 0.1)
"""Seconds of build, push, rollout and verify, where a test does not care."""


def _tail(cycle: int, at: int) -> str:
    return _TAILS[(3 * cycle + at) % len(_TAILS)]


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


class Story:
    """Writes down what happens, and what time it is meanwhile."""

    def __init__(self, *services: str, context: str = "kind-dev", namespace: str = "shop") -> None:
        self.records: list[ev.Record] = []
        self.now = START
        self._cycles = dict.fromkeys(services, 0)
        self._pods: dict[str, list[ev.PodRow]] = {}
        self.tell(ev.SessionStarted(ev.PROTOCOL, "0.1.0", context, namespace, services, "1b6732b5"))

    def tell(self, *events: ev.Event) -> "Story":
        self.records += [ev.Record(round(self.now, 3), event) for event in events]
        return self

    def wait(self, seconds: float) -> "Story":
        self.now += seconds
        return self

    def number(self, service: str) -> int:
        """Of the running cycle, or of the last."""
        return self._cycles[service]

    # the start ---------------------------------------------------------------------------------------------------

    def check(self, name: str, message: str = "answers", hint: str = "") -> "Story":
        """One that is fine, or that failed if there is a hint."""
        return self.tell(ev.CheckFinished(name, not hint, message, hint, "" if not hint else "cluster_denied"))

    def watching(self, files: int = 12) -> "Story":
        return self.tell(*(ev.WatchStarted(name, files) for name in self._cycles))

    # cycles ------------------------------------------------------------------------------------------------------

    def saved(self, service: str, *files: str, count: int = 0) -> "Story":
        return self.tell(ev.ChangeDetected(service, count or len(files), files))

    def begin(self, service: str, *files: str, count: int = 0, trigger: ev.Trigger | None = None) -> "Story":
        """A cycle, after the save that it is for."""
        if files:
            self.saved(service, *files, count=count)
            self.wait(0.1)
        self._cycles[service] += 1
        why = trigger or (ev.Trigger.FILES if files else ev.Trigger.START)
        return self.tell(ev.CycleStarted(service, self._cycles[service], why, count or len(files), files))

    def phase(self, service: str, phase: ev.Phase, seconds: float | None = None, *, ok: bool = True) -> "Story":
        """One that ended after so long; None: one that has only begun."""
        self.tell(ev.PhaseStarted(service, self.number(service), phase))
        if seconds is None:
            return self
        return self.wait(seconds).ended(service, phase, seconds, ok=ok)

    def ended(self, service: str, phase: ev.Phase, seconds: float, *, ok: bool = True) -> "Story":
        return self.tell(ev.PhaseFinished(service, self.number(service), phase, seconds, ok))

    def step(
        self, service: str, name: str, state: ev.StepState, seconds: float | None = None, *, cached: bool = False
    ) -> "Story":
        return self.tell(ev.BuildStep(service, self.number(service), name, name, state, cached, seconds))

    def pushed(self, service: str) -> "Story":
        cycle, ref = self.number(service), f"localhost:5001/{service}:dev"
        return self.tell(ev.ImagePushed(service, cycle, ref, ref, digest(cycle), (digest(cycle),)))

    def built(self, service: str, build: float = TOOK[0], push: float = TOOK[1]) -> "Story":
        """As far as the registry."""
        self.phase(service, ev.Phase.BUILD)
        for name in ("[internal] load build definition from Dockerfile", "[1/3] FROM docker.io/library/python:3"):
            self.step(service, name, ev.StepState.DONE, 0.0, cached=name.startswith("[1/3]"))
        self.step(service, "[2/3] COPY . /app", ev.StepState.DONE, 0.1)
        self.step(service, "[3/3] RUN python -m compileall .", ev.StepState.DONE, 0.2)
        self.wait(build).ended(service, ev.Phase.BUILD, build)
        return self.phase(service, ev.Phase.PUSH, push).pushed(service)

    def patched(self, service: str) -> "Story":
        patched = ev.WorkloadPatched(service, self.number(service), f"deployment/{service}", ())
        return self.phase(service, ev.Phase.ROLLOUT).tell(patched)

    def pods(self, service: str, ready: int, desired: int, *, old: int = 0, reason: str = "", restarts: int = 0,
             node: str = "node") -> "Story":  # fmt: skip
        """What the cluster shows: the newest revision, so many of it ready; and old ones that end."""
        revision = f"{service}-{self.number(service):02d}c8d577"
        shown = [
            ev.PodRow(
                f"{revision}-{_tail(self.number(service), at)}", f"{node}{at % 3 + 1}", revision,
                "Running" if at < ready or restarts else "Pending", "" if at < ready else reason or "ContainerCreating",
                0 if at < ready else restarts, digest(self.number(service)) if at < ready else "", at < ready, True,
            )
            for at in range(desired)
        ]  # fmt: skip
        before = [
            replace(row, phase="Terminating", ready=False, current=False) for row in self._pods.get(service, [])[:old]
        ]
        if ready == desired:
            self._pods[service] = shown
        rows = (*shown, *before)
        return self.tell(
            ev.WorkloadObserved(service, f"deployment/{service}", True, desired, desired, ready, len(before), rows)
        )

    def pod(self, service: str, at: int = 0) -> str:
        """The name of a Pod of the running cycle's revision."""
        number = self.number(service)
        return f"{service}-{number:02d}c8d577-{_tail(number, at)}"

    def verified(self, service: str, pods: int = 3, rollout: float = TOOK[2], verify: float = TOOK[3]) -> "Story":
        """The rest of a cycle, from the registry to the proof."""
        self.patched(service).wait(rollout).pods(service, pods, pods).ended(service, ev.Phase.ROLLOUT, rollout)
        self.phase(service, ev.Phase.VERIFY)
        number = self.number(service)
        for at in range(pods):
            pod, key = self.pod(service, at), f"deployment/{service}"
            match = ev.Verdict.MATCH
            self.tell(
                ev.PodVerified(service, number, key, pod, f"node{at % 3 + 1}", service, digest(number), match, 0.4)
            )
        self.wait(verify).ended(service, ev.Phase.VERIFY, verify)
        return self.finished(service, ev.Outcome.VERIFIED)

    def whole(self, service: str, *files: str, pods: int = 3, took: Sequence[float] = TOOK, count: int = 0) -> "Story":
        """A cycle from the save to the proof."""
        build, push, rollout, verify = took
        return self.begin(service, *files, count=count).built(service, build, push).verified(
            service, pods, rollout, verify
        )  # fmt: skip

    def finished(self, service: str, outcome: ev.Outcome, failure: Failure | None = None) -> "Story":
        number = self.number(service)
        began = [r.time for r in self.records if isinstance(r.event, ev.CycleStarted) and r.event.service == service]
        seconds = round(self.now - began[-1], 3)
        shown = digest(number) if outcome.settles else ""
        return self.tell(ev.CycleFinished(service, number, outcome, shown, seconds, failure))

    def failed(self, service: str, code: FailureCode, message: str, hint: str) -> "Story":
        return self.finished(service, ev.Outcome.FAILED, Failure(code, message, hint))

    # what else there is ------------------------------------------------------------------------------------------

    def log(self, service: str, *lines: str, pod: int = 0, container: str = "", cycle: int = 0) -> "Story":
        name = self.pod(service, pod)
        for line in lines:
            self.tell(ev.Log(service, ev.LogSource.POD, line, cycle, name, container or service))
            self.wait(0.01)
        return self

    def output(self, service: str, *lines: str) -> "Story":
        """What the build wrote."""
        return self.tell(*(ev.Log(service, ev.LogSource.BUILD, line, self.number(service)) for line in lines))

    def hold(self, service: str, code: ev.HoldCode, on: str, text: str) -> "Story":
        return self.tell(ev.CycleHeld(service, ev.Hold(code, on, text)))

    def lost(self, to: Connection, text: str) -> "Story":
        return self.tell(ev.ConnectionChanged(to, False, text))
