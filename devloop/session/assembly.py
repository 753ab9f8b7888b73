"""The adapters of one session, made from its project. Heavy libraries come in here, after the first line is out."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from devloop.adapters.assembling import AssemblingBuilder
from devloop.adapters.buildx import BuildxBuilder
from devloop.adapters.deltabuilder import Audited, DeltaBuilder
from devloop.adapters.engine import DockerEngine
from devloop.adapters.kube import KubeCluster
from devloop.adapters.kubelease import KubeLeases
from devloop.adapters.loadbuilder import LoadBuilder
from devloop.adapters.loader import ClusterLoader
from devloop.adapters.observer import KubeObserver
from devloop.adapters.oldimages import OldImages
from devloop.adapters.plainregistries import RememberedRegistries
from devloop.adapters.podlogs import Line, PodLogs
from devloop.adapters.prober import BackoffProber
from devloop.adapters.registry import HttpRegistry
from devloop.adapters.watcher import FileWatcher
from devloop.core.failure import Connection, Failure, FailureCode
from devloop.core.image import ImageRef, InvalidReferenceError
from devloop.core.manifest import deployment as parse_deployment
from devloop.core.ports import Builder, StateFolder
from devloop.core.service import Service, WorkloadKey
from devloop.core.workload import Deployment, Snapshot
from devloop.engine.observations import Observations
from devloop.session.project import Project
from devloop.session.restoring import restore, rolled_out
from devloop.session.trial import has_engine

_EARLIER_LINES = 10
"""Of what Pods wrote before the session; the whole would bury its beginning."""
_LAST_LOOK = 1.0
"""Seconds that the end of a session waits for the API server."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything that touches the world."""

    engine: DockerEngine
    buildx: BuildxBuilder
    loader: ClusterLoader
    old_images: OldImages
    full: LoadBuilder
    """Builds by `buildx` where there is an engine, and pushes or loads."""
    registry: HttpRegistry
    cluster: KubeCluster
    observer: KubeObserver
    prober: BackoffProber
    leases: KubeLeases
    _tails: list[PodLogs] = field(default_factory=list)
    _deltas: dict[FileWatcher, DeltaBuilder] = field(default_factory=dict)

    def tail(self, line: Line) -> PodLogs:
        """Follow Pod logs from here on; `line` gets each one."""
        self._tails.append(PodLogs(self.cluster, line, _EARLIER_LINES))
        return self._tails[-1]

    def appending(self, watcher: FileWatcher, state: StateFolder, audited: Audited | None) -> DeltaBuilder:
        """Builds by a layer where that is right; what is under watch tells what has changed."""
        found = self._deltas.get(watcher)
        if found is None:
            found = self._deltas[watcher] = DeltaBuilder(self.full, self.registry, watcher, state, audited=audited)
            watcher.ahead = found.look_ahead
        return found

    async def platform(self, services: Sequence[Service]) -> str:
        """What to build for: the nodes' platform where they may be read, else that of an image that runs there now.

        Among several the engine's own is taken, since it builds without emulation; empty when nothing can be told.
        """
        nodes = await self.cluster.nodes_platforms()
        if isinstance(nodes, Failure) and nodes.code is FailureCode.CLUSTER_UNREACHABLE:
            return ""  # the preflight says so; asking once more for each workload would only put that off
        platforms = frozenset[str]() if isinstance(nodes, Failure) else nodes
        if not platforms:
            platforms = await _running_platforms(self, services)
        if len(platforms) <= 1:
            return next(iter(platforms), "")
        own = await self.engine.platform()
        return own if own in platforms else min(platforms)

    async def as_it_is(self, key: WorkloadKey, observations: Observations) -> Deployment | None:
        """The workload as the API server has it now; as the watches showed it last where the server takes too long."""
        try:
            async with asyncio.timeout(_LAST_LOOK):
                raw = await self.cluster.read(key)
        except TimeoutError:
            raw = None
        if raw is not None and not isinstance(raw, Failure):
            return parse_deployment(raw)
        seen = observations.latest(key)
        return seen.deployment if seen else None

    async def restore(
        self, key: WorkloadKey, observations: Observations, seconds: float
    ) -> tuple[list[str], Failure | None]:
        """Put one workload back and wait for its rollout; what was done, in words, and what went wrong."""
        restored = await restore(self.cluster, key)
        failure = restored if isinstance(restored, Failure) else await rolled_out(observations, restored, seconds)
        lines = [] if isinstance(restored, Failure) else [f"{key}: {line}" for line in restored.lines]
        return ([*lines, f"{key}: {failure.message}"] if failure else lines), failure

    async def close(self) -> None:
        await self.observer.close()
        for tail in self._tails:
            await tail.close()
        for builder in self._deltas.values():
            await builder.close()
        await self.cluster.close()
        await self.registry.close()


def assemble(
    project: Project,
    observed: Callable[[Snapshot], None],
    connection: Callable[[bool, str], None],
    warn: Callable[[str], None] = lambda _: None,
    services: Callable[[], Iterable[Service]] | None = None,
    state: StateFolder | None = None,
) -> Assembly:
    """`observed` gets every snapshot, `connection` hears when the watches break and when they are back.

    `warn` hears what may not be read here, and what is not known because of it. `services` are those of the moment,
    where they come and go. `state` is where is kept what is needed while the engine is away.
    """
    engine = DockerEngine()
    cluster = KubeCluster(project.place.pinned)
    insecure = engine.insecure_registries if state is None else RememberedRegistries(engine.insecure_registries, state)
    registry = HttpRegistry(insecure=insecure, fallback=engine.inspect_distribution)

    async def ping_registries() -> Failure | None:
        refs = {
            service.push.registry: service.push
            for service in (services() if services else project.services)
            if service.load is None
        }
        for ref in refs.values():
            failure = await registry.check(ref)
            if failure:
                return failure
        return None

    observer = KubeObserver(cluster, observed, connection, warn)
    pings = {
        Connection.CLUSTER: observer.ping,
        Connection.ENGINE: engine.ping,
        Connection.REGISTRY: ping_registries,
    }
    buildx, loader = BuildxBuilder(project.place.root), ClusterLoader(project.place.pinned, cluster.nodes)
    old_images = OldImages(state, project.place.pinned.name, loader, cluster.image_users)
    return Assembly(
        engine,
        buildx,
        loader,
        old_images,
        LoadBuilder(full_builder(registry, buildx), loader, old_images),
        registry,
        cluster,
        observer,
        BackoffProber(pings),
        KubeLeases(cluster),
    )


def full_builder(registry: HttpRegistry, buildx: BuildxBuilder) -> Builder:
    """What makes full builds here; without an engine it pushes through the session's registry client."""
    return buildx if has_engine() else AssemblingBuilder(registry)


async def _running_platforms(assembly: Assembly, services: Sequence[Service]) -> frozenset[str]:
    for service in services:
        for key in service.workloads:
            raw = await assembly.cluster.read(key)
            if raw is None or isinstance(raw, Failure):
                continue
            for container in parse_deployment(raw).template.containers:
                resolved = await _resolved(assembly, container.image)
                if len(resolved) == 1:
                    return resolved
    return frozenset()


async def _resolved(assembly: Assembly, image: str) -> frozenset[str]:
    try:
        ref = ImageRef.parse(image)
    except InvalidReferenceError:
        return frozenset()
    found = await assembly.registry.resolve(ref)
    return frozenset() if found is None or isinstance(found, Failure) else frozenset(found.platforms)
