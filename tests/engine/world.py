"""A small world behind the ports: source trees, a builder, a registry and a cluster, on the event loop's own time.

Fast and scripted, for faults and interleavings that no real part makes on demand. The cluster rolls a patched
Deployment out by itself and reports snapshots as the watches would.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from devloop.core.events import Record
from devloop.core.failure import Connection, Failure, FailureCode
from devloop.core.image import ImageRef, PlatformManifest, ResolvedImage
from devloop.core.lease import Holder
from devloop.core.manifest import snapshot as make_snapshot
from devloop.core.picture import Picture
from devloop.core.ports import BuildProgress, BuildRequest, Built, Leases, OutputLine, PushStarted, Watched
from devloop.core.scheduler import Limits
from devloop.core.service import BuildSpec, Pin, Service, WorkloadKey
from devloop.core.workload import Snapshot
from devloop.engine.builds import SharedBuilds
from devloop.engine.conductor import Conductor, ConnectionSeen, FilesChanged
from devloop.engine.cycle import run_cycle
from devloop.engine.eventlog import EventLog
from devloop.engine.leaseholder import Leaseholder
from devloop.engine.observations import Observations
from devloop.engine.tools import CycleResult, Emit, Gate, Order, Ports, SessionFacts

UNREACHABLE = {
    Connection.ENGINE: FailureCode.ENGINE_UNREACHABLE,
    Connection.REGISTRY: FailureCode.REGISTRY_UNREACHABLE,
    Connection.CLUSTER: FailureCode.CLUSTER_UNREACHABLE,
}


def service(
    name: str, *, depends_on: Sequence[str] = (), workload: str = "", container: str = "", context: str = ""
) -> Service:
    """A service with its own image and Deployment unless it is told to share."""
    image = ImageRef("registry.test", context or name, "dev")
    folder = Path("/src") / (context or name)
    return Service(
        name=name,
        image=image,
        push=image,
        pin=Pin.TAG,
        workloads=(WorkloadKey("shop", "deployment", workload or name),),
        containers=(container,) if container else (),
        build=BuildSpec(folder, folder / "Dockerfile"),
        watch=(folder,),
        depends_on=tuple(depends_on),
    )


def digest_of_source(context: str, version: int, **args: str) -> str:
    built_with = "".join(f" {name}={value}" for name, value in sorted(args.items()))
    return "sha256:" + hashlib.sha256(f"{context}@{version}{built_with}".encode()).hexdigest()


class LoopClock:
    """Wall-clock time that is the event loop's."""

    def now(self) -> float:
        return 1_700_000_000.0 + asyncio.get_running_loop().time()


@dataclass
class World:
    """The far side of every port."""

    services: tuple[Service, ...]
    build_seconds: float = 1.0
    rollout_seconds: float = 1.0
    away: set[Connection] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    """Contexts whose source does not build."""
    crashing: set[str] = field(default_factory=set)
    """Contexts whose Pods never become ready."""
    versions: Counter[str] = field(default_factory=Counter)
    tags: dict[str, str] = field(default_factory=dict)
    builds: list[str] = field(default_factory=list)
    requests: list[BuildRequest] = field(default_factory=list)
    patches: list[str] = field(default_factory=list)
    building: int = 0
    most_building: int = 0
    returned: asyncio.Event = field(default_factory=asyncio.Event)
    name: str = "buildx"
    on_build: Callable[[str], None] = lambda context: None

    def __post_init__(self) -> None:
        self.deployments: dict[WorkloadKey, dict[str, Any]] = {}
        self.observed: Callable[[Snapshot], None] = lambda snapshot: None
        self.pods: dict[WorkloadKey, list[dict[str, Any]]] = {}
        self.sets: dict[WorkloadKey, list[dict[str, Any]]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        for one in self.services:
            for key in one.workloads:
                self._create(key, one)

    # the cluster -------------------------------------------------------------------------------------------------

    def _create(self, key: WorkloadKey, one: Service) -> None:
        names = one.containers or ("app",)
        found = self.deployments.get(key)
        containers = [{"name": n, "image": f"{one.image.name}:v1", "imagePullPolicy": "IfNotPresent"} for n in names]
        if found:
            found["spec"]["template"]["spec"]["containers"].extend(containers)
            return
        self.deployments[key] = {
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": f"uid-{key.name}", "generation": 1},
            "spec": {"replicas": 1, "template": {"metadata": {}, "spec": {"containers": containers}}},
            "status": {"observedGeneration": 1},
        }
        self.sets[key], self.pods[key] = [], []

    def adopt(self, *services: Service) -> None:
        """The services from now on; workloads that they bring along come up on what nobody pushed."""
        self.services = services
        for one in services:
            for key in one.workloads:
                if key not in self.deployments:
                    self._create(key, one)
                    self._new_revision(key)
                    self._make_ready(key)
                    self.report(key)

    def boot(self) -> None:
        """Bring every Deployment up on an image that nobody pushed in this session."""
        for key in self.deployments:
            self._new_revision(key)
            self._make_ready(key)
            self.report(key)

    def report(self, key: WorkloadKey) -> None:
        if Connection.CLUSTER not in self.away:
            self.observed(make_snapshot(key, _copy(self.deployments.get(key)), self.sets[key], self.pods[key], []))

    def _new_revision(self, key: WorkloadKey) -> None:
        deployment, number = self.deployments[key], len(self.sets[key]) + 1
        name = f"{key.name}-{number}"
        owner = {"uid": deployment["metadata"]["uid"], "controller": True, "kind": "Deployment", "name": key.name}
        for old in self.sets[key]:
            old["spec"]["replicas"] = 0
        self.sets[key].append(
            {
                "metadata": {
                    "name": name,
                    "uid": f"uid-{name}",
                    "ownerReferences": [owner],
                    "annotations": {"deployment.kubernetes.io/revision": str(number)},
                },
                "spec": {"replicas": 1, "template": _copy(deployment["spec"]["template"])},
                "status": {"replicas": 1},
            }
        )

    def _make_ready(self, key: WorkloadKey) -> None:
        deployment, newest = self.deployments[key], self.sets[key][-1]
        containers = newest["spec"]["template"]["spec"]["containers"]
        digests = [self.tags.get(c["image"], digest_of_source(c["image"], -1)) for c in containers]
        meta = newest["metadata"]
        name = f"{meta['name']}-pod"
        owner = {"uid": meta["uid"], "controller": True, "name": meta["name"], "kind": "ReplicaSet"}
        self.pods[key] = [
            {
                "metadata": {
                    "name": name,
                    "uid": f"uid-{name}",
                    "ownerReferences": [owner],
                },
                "spec": {"nodeName": "node1", "containers": containers},
                "status": {
                    "phase": "Running",
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [
                        {
                            "name": c["name"],
                            "imageID": f"{c['image'].rpartition(':')[0]}@{digest}",
                            "ready": True,
                            "restartCount": 0,
                            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                        }
                        for c, digest in zip(containers, digests, strict=True)
                    ],
                },
            }
        ]
        for old in self.sets[key]:
            old["status"] = {"replicas": 0}
        newest["status"] = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}
        generation = deployment["metadata"]["generation"]
        counts = {"updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "replicas": 1}
        deployment["status"] = {"observedGeneration": generation, **counts}

    async def _roll(self, key: WorkloadKey) -> None:
        self._new_revision(key)
        revision = self.sets[key][-1]
        await asyncio.sleep(self.rollout_seconds)
        images = [c["image"] for c in revision["spec"]["template"]["spec"]["containers"]]
        crashes = any(f"/{context}:" in image for context in self.crashing for image in images)
        if revision is self.sets[key][-1] and not crashes:
            self._make_ready(key)
            self.report(key)

    # ports.Cluster -----------------------------------------------------------------------------------------------

    async def read(self, key: WorkloadKey) -> Mapping[str, Any] | Failure | None:
        await asyncio.sleep(0.001)
        return self._failure(Connection.CLUSTER) or _copy(self.deployments.get(key))

    async def patch(self, key: WorkloadKey, body: Any, *, json_patch: bool = False) -> Mapping[str, Any] | Failure:
        await asyncio.sleep(0.001)
        failure = self._failure(Connection.CLUSTER)
        if failure:
            return failure
        deployment = self.deployments[key]
        _merge(deployment, body)
        deployment["metadata"]["generation"] += 1
        self.patches.append(key.name)
        self.report(key)
        task = asyncio.ensure_future(self._roll(key))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return dict(_copy(deployment))

    async def logs(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, tail: int = 20
    ) -> Sequence[str] | Failure:
        return []

    async def allowed(self, access: Any) -> bool | Failure:
        return True

    # ports.Builder -----------------------------------------------------------------------------------------------

    async def build(self, request: BuildRequest, progress: Callable[[BuildProgress], None]) -> Built | Failure:
        context = request.spec.context.name
        progress(OutputLine(f"building {context}"))
        self.builds.append(context)
        self.requests.append(request)
        self.building += 1
        self.most_building = max(self.most_building, self.building)
        self.on_build(context)
        version = self.versions[context]
        try:
            await asyncio.sleep(self.build_seconds)
            if self._failure(Connection.ENGINE):
                return Failure(FailureCode.ENGINE_UNREACHABLE, "the engine is away")
            if context in self.broken:
                return Failure(FailureCode.BUILD_FAILED, "it does not compile")
            progress(PushStarted())
            await asyncio.sleep(self.build_seconds / 10)
        finally:
            self.building -= 1
        if self._failure(Connection.REGISTRY):
            return Failure(FailureCode.REGISTRY_UNREACHABLE, "the registry is away")
        digest = digest_of_source(context, version, **dict(request.spec.args))
        self.tags[str(request.push)] = digest
        return Built(digest, "buildx")

    async def check(self, request: Any) -> Failure | None:
        return None

    # ports.Registry ----------------------------------------------------------------------------------------------

    async def resolve(self, ref: ImageRef, *, configs: bool = True) -> ResolvedImage | Failure | None:
        await asyncio.sleep(0.001)
        failure = self._failure(Connection.REGISTRY)
        if failure:
            return failure
        digest = ref.digest or self.tags.get(str(ref), "")
        known = digest in self.tags.values()
        return ResolvedImage(digest, (PlatformManifest("linux/amd64", digest, f"{digest}c"),)) if known else None

    # ports.Watcher, ports.Prober ---------------------------------------------------------------------------------

    async def add(self, service: Service) -> Watched | Failure:
        return Watched(1, ())

    async def remove(self, service: str) -> None: ...

    async def picture(self, service: str) -> Picture:
        return Picture({})

    async def until_back(self, to: Connection) -> str:
        while to in self.away:
            self.returned.clear()
            await self.returned.wait()
        return f"the {to} answers again"

    # faults ------------------------------------------------------------------------------------------------------

    def lose(self, to: Connection) -> None:
        self.away.add(to)

    def give_back(self, to: Connection) -> None:
        self.away.discard(to)
        self.returned.set()
        if to is Connection.CLUSTER:
            for key in self.deployments:
                self.report(key)

    def running(self, key: WorkloadKey) -> list[str]:
        """The digests that the Pods of a workload run."""
        statuses = [status for pod in self.pods[key] for status in pod["status"]["containerStatuses"]]
        return [str(status["imageID"]).rpartition("@")[2] for status in statuses]

    def _failure(self, to: Connection) -> Failure | None:
        return Failure(UNREACHABLE[to], f"the {to} is away") if to in self.away else None


@dataclass
class Bench:
    """A conductor over a world, and everything it logged."""

    world: World
    limits: Limits = field(default_factory=Limits)
    rollout_timeout: float = 60.0
    leases: Leases | None = None
    me: Holder = field(default_factory=lambda: Holder("ann", "desk", 12, "s1"))

    def __post_init__(self) -> None:
        clock = LoopClock()
        self.holder = (
            Leaseholder(
                self.leases, self.me, lambda holder: False, clock, tell=lambda event: self.log.emit(event),
                warn=lambda key, failure: None,
            ) if self.leases else None
        )  # fmt: skip
        self.log = EventLog(clock)
        self.records: list[Record] = []
        self.log.on_append(self.records.append)
        self.observations = Observations()
        self.reports: list[BaseException] = []
        self.facts = SessionFacts("s1", self.rollout_timeout, "linux/amd64")
        world = self.world
        ports = Ports(SharedBuilds(world, lambda: self.log.state.wanted), world, world, world, self.observations, clock)
        if self.holder:
            ports = replace(ports, may_write=self.holder.may_write)

        async def run(order: Order, *, emit: Emit, gate: Gate) -> CycleResult:
            return await run_cycle(order, ports, self.facts, emit=emit, gate=gate)

        self.conductor = Conductor(
            world.services, self.limits, self.log, run, self.observations, world, self._report,
            self.holder.take_over if self.holder else lambda key: None,
        )  # fmt: skip
        world.observed = self.conductor.post

    def _report(self, error: BaseException) -> str:
        self.reports.append(error)
        return "reported"

    def save(self, context: str, *files: str) -> None:
        """Change a source tree and tell every service that is built from it, as its watcher would."""
        self.world.versions[context] += 1
        for one in self.world.services:
            if one.build.context.name == context:
                self.conductor.post(FilesChanged(one.name, files or ("app.py",)))

    def lose_cluster(self) -> None:
        self.world.lose(Connection.CLUSTER)
        self.conductor.post(ConnectionSeen(Connection.CLUSTER, ok=False, text="the watches broke"))


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _merge(target: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """Strategic merge as far as devloop uses it: maps recursively, containers by name, null deletes."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping):
            _merge(target.setdefault(key, {}), value)
        elif isinstance(value, list):
            for item in value:
                found = next(old for old in target[key] if old["name"] == item["name"])
                _merge(found, item)
        else:
            target[key] = value
