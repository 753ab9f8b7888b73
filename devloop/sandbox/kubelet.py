"""The kubelet of one node: follows the Pods that are bound to it, and runs them."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from devloop.sandbox import kinds
from devloop.sandbox.containerloop import Timing
from devloop.sandbox.containerstate import ContainerState
from devloop.sandbox.podaccess import LogGone, LogSource
from devloop.sandbox.podworker import PodWorker
from devloop.sandbox.recorder import Recorder
from devloop.sandbox.resources import Resources
from devloop.sandbox.runtimeport import NodeRuntime
from devloop.sandbox.store import Change

Raw = dict[str, Any]
_LOG = logging.getLogger(__name__)


class Kubelet:
    """Runs the Pods of one node; `number` makes its addresses, which lead nowhere."""

    def __init__(
        self,
        name: str,
        number: int,
        runtime: NodeRuntime,
        resources: Resources,
        timing: Timing,
        extra_env: Callable[[str], Mapping[str, str]],
    ) -> None:
        self.name = name
        self.address = f"10.244.255.{number}"
        self._number = number
        self._runtime = runtime
        self._resources = resources
        self._timing = timing
        self._extra_env = extra_env
        self._recorder = Recorder(resources, "kubelet", name)
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._made = 1
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._unsubscribe = self._resources.store.subscribe(self._changed)

    async def stop(self) -> None:
        """End all programs, at once and without a word in the API."""
        self._unsubscribe()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def worker(self, uid: str) -> PodWorker | None:
        return self._workers.get(uid)

    def _changed(self, change: Change) -> None:
        pod = change.object
        if change.plural != kinds.POD.plural or pod["spec"].get("nodeName") != self.name:
            return
        uid, metadata = pod["metadata"]["uid"], pod["metadata"]
        worker = self._workers.get(uid)
        if change.type == "DELETED":
            # Without grace: the object is gone before its programs are.
            if worker is not None:
                worker.end(0.0)
        elif worker is None and not metadata.get("deletionTimestamp"):
            self._begin(pod)
        elif metadata.get("deletionTimestamp"):
            if worker is not None:
                worker.end(float(metadata.get("deletionGracePeriodSeconds", 30)))
            else:
                asyncio.get_running_loop().call_soon(self._resources.remove, kinds.POD, pod)

    def _begin(self, pod: Raw) -> None:
        self._made += 1
        address = f"10.244.{self._number}.{self._made % 250 + 2}"
        addresses = {
            "hostIP": self.address, "hostIPs": [{"ip": self.address}], "podIP": address, "podIPs": [{"ip": address}]
        }  # fmt: skip
        namespace = pod["metadata"]["namespace"]
        worker = PodWorker(
            pod, self._runtime, self._resources, self._recorder, self._timing, addresses,
            lambda: self._extra_env(namespace),
        )  # fmt: skip
        uid = pod["metadata"]["uid"]
        self._workers[uid] = worker
        task = asyncio.get_running_loop().create_task(worker.run(), name=f"pod {pod['metadata']['name']}")
        self._tasks[uid] = task
        task.add_done_callback(lambda done: self._ended(uid, done))

    def _ended(self, uid: str, task: "asyncio.Task[None]") -> None:
        self._workers.pop(uid, None)
        self._tasks.pop(uid, None)
        if not task.cancelled() and (error := task.exception()):
            _LOG.error("%s ended", task.get_name(), exc_info=error)


class Nodes:
    """All kubelets, as the API server asks them about Pods."""

    def __init__(self, kubelets: Sequence[Kubelet]) -> None:
        self._kubelets = kubelets

    def log(self, uid: str, container: str, *, previous: bool) -> LogSource | LogGone | None:
        state = self._container(uid, container)
        if state is None:
            return None
        last = state.last.get("terminated")
        if previous and last and state.terminated and last is not state.terminated:
            return LogGone(last["containerID"])  # only the container that ended last is kept
        found = state.previous if previous and state.is_running else state.running
        if found is None or (previous and not last):
            return None
        now = state.running
        path = found.logs().path
        return LogSource(path, lambda: state.running is not now or found is not now or not state.is_running)

    def host_port(self, uid: str, port: str) -> int | None:
        worker = self._worker(uid)
        states = [loop.state for loop in worker.loops if not loop.state.init] if worker else []
        owning = [state for state in states if port in _ports(state)] or (states if len(states) == 1 else [])
        found = next((s for s in owning if s.running is not None and s.is_running), None)
        return found.running.port if found is not None and found.running is not None else None

    def _worker(self, uid: str) -> PodWorker | None:
        return next((w for kubelet in self._kubelets if (w := kubelet.worker(uid))), None)

    def _container(self, uid: str, name: str) -> ContainerState | None:
        worker = self._worker(uid)
        return worker.container(name) if worker else None


def _ports(state: ContainerState) -> set[str]:
    """Numbers and names of the ports that a container says it has."""
    said = [
        str(each[key]) for each in state.spec.get("ports") or [] for key in ("containerPort", "name") if key in each
    ]
    for name in ("readinessProbe", "livenessProbe", "startupProbe"):
        for action in ("httpGet", "tcpSocket"):
            port = (state.spec.get(name) or {}).get(action, {}).get("port")
            said += [str(port)] if port is not None else []
    return set(said)
