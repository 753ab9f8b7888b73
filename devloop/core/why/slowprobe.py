"""What a Pod whose containers run waits for until it is ready: delays of its probes, its program, their periods."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from devloop.core.why.fixes import POD, patch
from devloop.core.why.wait import Ready, Wait, WaitCode
from devloop.core.workload import ClusterEvent, ContainerStatus, Deployment, Running

Raw = Mapping[str, Any]
_FAILED = {"startupProbe": "Startup probe", "readinessProbe": "Readiness probe"}
"""The probes that are waited for, in the order in which they ask, and how the kubelet's Events call them."""
_PERIOD = 10.0
"""Seconds; `periodSeconds` of a probe when it is not written."""
_ROUNDED = 1.0
"""Seconds by which a time that is made of two of them may be too long."""


@dataclass(frozen=True, slots=True)
class _Gate:
    """The probes that one container has to pass."""

    name: str
    started: float
    probes: Mapping[str, Raw]
    failed: float
    """When one of them failed last before the Pod was ready; 0.0 when none is known to have."""
    asks: tuple[str, ...]
    """Those that could still ask then."""

    @property
    def delay(self) -> float:
        return max(float(probe.get("initialDelaySeconds") or 0) for probe in self.probes.values())

    @property
    def slowest(self) -> str:
        """The probe that may take the longest to see that all is well."""
        return max(self.asks, key=self.takes)

    @property
    def unseen(self) -> float:
        """Seconds for which a container may be well before its probes say so."""
        return sum(self.takes(key) for key in self.asks)

    def takes(self, key: str) -> float:
        return self.period(key) * self.wanted(key)

    def period(self, key: str) -> float:
        return float(self.probes[key].get("periodSeconds") or _PERIOD)

    def wanted(self, key: str) -> int:
        return int(self.probes[key].get("successThreshold") or 1)


def readiness(deployment: Deployment, ready: Ready, started: float, events: tuple[ClusterEvent, ...]) -> Iterator[Wait]:
    """`initial-delay`, `slow-start` and `probe-period` share the time from the start of its last container on."""
    gates = list(_gates(deployment, ready, events))
    if not gates:
        return
    # A Pod does not say when each of its containers was ready: the one that failed last, or may ask last, held it up.
    gate = max(gates, key=lambda each: (each.failed, each.started + each.delay, each.unseen))
    took = ready.at - started
    delay = min(max(0.0, gate.started + gate.delay - started), took)
    failing = min(max(0.0, gate.failed - started - delay), took - delay)
    asked = _of_period(gate, took - delay - failing)
    yield from _delayed(deployment, gate, delay)
    yield _program(gate, took - delay - asked)
    yield _asked(deployment, gate, asked)


def _of_period(gate: _Gate, left: float) -> float:
    """What of the time that is left is that of the periods; the rest is failures which no Event tells of any more."""
    key = gate.slowest
    if gate.period(key) <= 1 and gate.wanted(key) == 1:
        return 0.0
    return left if left <= gate.unseen + _ROUNDED else gate.unseen


def _gates(deployment: Deployment, ready: Ready, events: tuple[ClusterEvent, ...]) -> Iterator[_Gate]:
    template: Raw = deployment.raw.get("spec", {}).get("template", {}).get("spec", {})
    for raw in template.get("containers") or ():
        probes = {key: raw[key] for key in _FAILED if raw.get(key)}
        started = _started(ready.pod.container(raw["name"]))
        if probes and 0.0 < started <= ready.at:  # one that was started again later tells nothing of the rollout
            failures = {key: _last_failure(ready, raw["name"], _FAILED[key], events) for key in probes}
            passed = failures.get("readinessProbe", 0.0) > 0  # readiness is asked only when startup is over
            asks = ("readinessProbe",) if passed else tuple(probes)
            yield _Gate(raw["name"], started, probes, max(failures.values()), asks)


def _started(status: ContainerStatus | None) -> float:
    return status.state.started_at if status is not None and isinstance(status.state, Running) else 0.0


def _last_failure(ready: Ready, container: str, said: str, events: tuple[ClusterEvent, ...]) -> float:
    about = (e for e in events if e.reason == "Unhealthy" and e.field_path == f"spec.containers{{{container}}}")
    return max((e.last for e in about if e.message.startswith(said) and e.last <= ready.at), default=0.0)


def _delayed(deployment: Deployment, gate: _Gate, delay: float) -> Iterator[Wait]:
    late = {key: {"initialDelaySeconds": 0} for key, probe in gate.probes.items() if probe.get("initialDelaySeconds")}
    if late:
        named = " and ".join(late)
        message = (
            f"nobody asks container {gate.name} whether it is ready before that (initialDelaySeconds of its {named})"
        )
        yield Wait(WaitCode.INITIAL_DELAY, delay, message, _patch(deployment, gate, late))


def _program(gate: _Gate, seconds: float) -> Wait:
    fix = f"find what {gate.name} does before it serves, and do it later"
    if gate.failed:
        message = f"container {gate.name} answered its probes with failures for so long after its start"
    else:
        every = f"every {gate.period(gate.slowest):.0f} s"
        message = f"container {gate.name} was not ready for so long after its start, though it is asked {every}"
    return Wait(WaitCode.SLOW_START, seconds, message, fix)


def _asked(deployment: Deployment, gate: _Gate, seconds: float) -> Wait:
    key = gate.slowest
    period, wanted = gate.period(key), gate.wanted(key)
    again = f", {wanted} times (successThreshold)" if wanted > 1 else ""
    message = (
        f"container {gate.name} is asked every {period:.0f} s{again} whether it is ready (periodSeconds of its {key})"
    )
    change = {"periodSeconds": 1, **({"successThreshold": 1} if wanted > 1 else {})}
    return Wait(WaitCode.PROBE_PERIOD, seconds, message, _patch(deployment, gate, {key: change}))


def _patch(deployment: Deployment, gate: _Gate, probes: Mapping[str, Any]) -> str:
    spec, key = deployment.template.container(gate.name), deployment.key
    if "startupProbe" in probes:
        # Its delay, period and failureThreshold are the time that the program has before it is killed.
        edit = f"kubectl edit {key} -n {key.namespace}"
        return f"ask its startupProbe more often, and raise failureThreshold as much: {edit}"
    if spec is None or key.kind == POD:
        return f"change the {' and '.join(probes)} of container {gate.name} where the Pod comes from"
    return patch(key, spec, probes)
