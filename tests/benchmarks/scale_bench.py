"""Many services: what start-up, a cycle and a service cost, with 100 of them scripted and 20 on the real cluster."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.idle_bench import cpu_seconds, memory_mib
from tests.benchmarks.rig import Cluster, spread
from tests.e2e.harness import Devloop
from tests.e2e.proxies import ways
from tests.e2e.scene import Scene
from tests.e2e.shop import Shop
from tests.faults.httpproxy import HttpProxy
from tests.faults.stage import Stage

SCRIPTED = (1, 10, 100)
REAL = (1, 5, 20)
CYCLES = 20
IDLE_SECONDS = 30.0
_PATIENCE = 240.0


@dataclass(frozen=True)
class Real:
    """Of a session over so many services on the cluster."""

    services: int
    start: float
    start_cpu: float
    cycle: list[float]
    """Seconds of each, from the save to its end."""
    cpu: float
    """Of a cycle."""
    requests: list[int]
    """Of each cycle to the API server that name its service; renewals of Leases left out."""
    kinds: Counter[str]
    """Of one cycle in the middle."""
    idle: float
    """Requests a minute while nothing happens."""
    memory: float


def report(cluster: Cluster | None) -> list[str]:
    lines = ["many services, scripted ports: CPU until all are verified, CPU a cycle, memory"]
    lines += [_scripted(count) for count in SCRIPTED]
    if cluster:
        lines.append("many services, real cluster")
        lines += [line for count in REAL for line in _real(_measured(cluster, count))]
    return lines


def _scripted(count: int) -> str:
    command = [sys.executable, "-m", "tests.benchmarks.scripted_scale", str(count)]
    figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    start, cycle = figures["start_cpu"] * 1000, figures["cycle_cpu"] * 1000
    memory = figures["memory"] / 2**10
    return (
        f"  {count:>3} services  start {start:.0f} ms ({start / count:.1f} each), cycle {cycle:.1f} ms, "
        f"{memory:.0f} KiB ({memory / count:.0f} each)"
    )


def _real(found: Real) -> list[str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.kinds.items()))
    low, middle, high = min(found.requests), statistics.median(found.requests), max(found.requests)
    return [
        f"  {found.services:>3} services  all verified after {found.start:.1f} s ({found.start_cpu:.1f} s CPU)",
        f"       {found.memory:.0f} MiB; idle: {found.idle:.0f} requests a minute",
        f"       a cycle: {spread(found.cycle)}, {found.cpu * 1000:.0f} ms CPU",
        f"       requests of a cycle: {middle:g} ({low}-{high}), of one: {kinds}",
    ]


def _measured(cluster: Cluster, count: int) -> Real:
    with tempfile.TemporaryDirectory() as root, cluster.namespace() as namespace:
        shop = Shop(Path(root), cluster.kubectl, namespace, cluster.registry)
        names = [f"s{index}" for index in range(count)]
        with ways(Path(root), cluster.kubectl, cluster.registry) as way:
            stage = Stage(Scene(shop.folder, cluster.kubectl, namespace, cluster.registry), way)
            api = stage.api
            try:
                _prepare(shop, names)
                env = {**way.env, "DEVLOOP_STATE_DIR": f"{root}/state"}
                began = time.monotonic()
                with Devloop.start(shop.folder, env=env) as devloop:
                    return _session(devloop, shop, names, api, began)
            finally:
                stage.close()


def _prepare(shop: Shop, names: list[str]) -> None:
    for name in names:
        shop.source(name, message=f"{name} start")
        container = shop.container(name)
        del container["readinessProbe"]  # a kubelet with twenty commands a second is another thing to measure
        shop.deploy(name, container)
    shop.configure(*(shop.service(name) for name in names))


def _session(devloop: Devloop, shop: Shop, names: list[str], api: HttpProxy, began: float) -> Real:
    pid = devloop.process.pid
    while {event["service"] for event in devloop.of("cycle_finished", outcome="verified")} != set(names):
        devloop.wait_for("cycle_finished", _PATIENCE)
    start, start_cpu = time.monotonic() - began, cpu_seconds(pid)
    time.sleep(5)  # what is looked at when nobody saves
    before, cycles = cpu_seconds(pid), [_cycle(devloop, shop, names[n % len(names)], n, api) for n in range(CYCLES)]
    cpu = (cpu_seconds(pid) - before) / CYCLES
    seen = len(api.seen)
    time.sleep(IDLE_SECONDS)
    idle = (len(api.seen) - seen) * 60 / IDLE_SECONDS
    memory = memory_mib(pid)
    devloop.stop()
    requests = [counts.total() for _, counts in cycles]
    seconds = [took for took, _ in cycles]
    return Real(len(names), start, start_cpu, seconds, cpu, requests, cycles[CYCLES // 2][1], idle, memory)


def _cycle(devloop: Devloop, shop: Shop, name: str, number: int, api: HttpProxy) -> tuple[float, Counter[str]]:
    """One save until it is verified; the requests in this time."""
    seen, saved = len(api.seen), time.monotonic()
    (shop.folder / name / "message.txt").write_text(f"{name} {number}")
    devloop.wait_for("cycle_finished", _PATIENCE, service=name, outcome="verified")
    took = time.monotonic() - saved
    return took, Counter(_kind(request) for request in api.seen[seen:] if _is_of(request, name))


def _is_of(request: str, name: str) -> bool:
    """Whether it names the service's Deployment, one of its Pods or its Lease, and no clock made it."""
    parts = request.partition("?")[0].split("/")
    named = any(part in {name, f"devloop-{name}"} or part.startswith(f"{name}-") for part in parts)
    return named and not (request.startswith("PATCH") and "leases" in parts)


def _kind(request: str) -> str:
    """Method and kind of object."""
    method, _, path = request.partition(" ")
    parts = path.strip("/").split("/")
    what = parts[parts.index("namespaces") + 2 :] if "namespaces" in parts else parts
    return f"{method} {what[0] if what else 'namespace'}{'/' + what[2] if len(what) > 2 else ''}"
