"""devloop's own adapters against the sandbox, unchanged: what they ask of a cluster is answered as they expect."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from devloop.adapters.kube import KubeCluster
from devloop.adapters.kubeconfig import PinnedContext, resolve
from devloop.adapters.kubelease import KubeLeases
from devloop.adapters.kubeobjects import read_namespace
from devloop.adapters.observer import KubeObserver
from devloop.adapters.podlogs import PodLogs
from devloop.core.drift import drifts
from devloop.core.failure import Failure, FailureCode
from devloop.core.lease import Holder, Lease
from devloop.core.patch import BuildMark
from devloop.core.ports import Access
from devloop.core.rollout import RolledOut, Rolling, rollout_status
from devloop.core.service import WorkloadKey
from devloop.core.status import Broken
from devloop.core.workload import Snapshot
from devloop.sandbox import times
from devloop.sandbox.cluster import Cluster
from tests.adapters.test_observer import Seen
from tests.sandbox.client import APPS, CORE, MERGE, Api, deployment, rolled_out
from tests.sandbox.scripted import ScriptedRuntime

KEY = WorkloadKey("default", "deployment", "web")
WEB = f"{APPS}/deployments/web"
ANN = Holder("ann", "desk", 12, "s1", "machine1", "boot-100")
JO = Holder("jo", "laptop", 4711, "s2", "machine2", "boot-200")
Nodes = dict[str, ScriptedRuntime]


@pytest.fixture
def context(cluster: Cluster) -> PinnedContext:
    found = resolve(cluster.context, (cluster.kubeconfig,))
    assert isinstance(found, PinnedContext)
    return found


@pytest.fixture
async def kube(context: PinnedContext) -> AsyncIterator[KubeCluster]:
    made = KubeCluster(context)
    yield made
    await made.close()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def watching(kube: KubeCluster, seen: Seen) -> AsyncIterator[KubeObserver]:
    made = KubeObserver(kube, seen.observed, seen.connection, seen.warnings.append)
    yield made
    await made.close()


def mark(digest: str) -> str:
    return BuildMark(f"sha256:{digest * 64}", 1.0, "s1").encode()


def patch_of(build: str) -> dict[str, object]:
    """What devloop patches: everything at once."""
    template = {
        "metadata": {"annotations": {"devloop/build": build}},
        "spec": {"containers": [{"name": "web", "imagePullPolicy": "Always"}]},
    }
    return {"metadata": {"labels": {"devloop/active": "true"}}, "spec": {"template": template}}


def stands(snapshot: Snapshot, build: str) -> object:
    assert snapshot.deployment is not None
    uid, generation = snapshot.deployment.uid, snapshot.deployment.generation
    return rollout_status(snapshot, uid=uid, generation=generation, mark=build)


async def test_what_a_session_asks_first(kube: KubeCluster) -> None:
    assert await kube.ping() is None
    assert await kube.allowed(Access("patch", "apps", "deployments", "default")) is True
    assert await kube.namespace_exists("default") is True
    assert await kube.namespace_exists("nope") is False
    assert await kube.local_registry() == {"host": "127.0.0.1:5000", "hostFromContainerRuntime": "127.0.0.1:5000"}
    platforms = await kube.nodes_platforms()
    assert not isinstance(platforms, Failure)
    assert {platform.partition("/")[0] for platform in platforms} == {"linux"}
    assert await kube.read(KEY) is None
    assert await kube.clock() is not None


async def test_an_old_image_is_replaced_and_the_rollout_is_seen_to_its_end(
    api: Api, kube: KubeCluster, watching: KubeObserver, seen: Seen, nodes: Nodes
) -> None:
    for runtime in nodes.values():
        runtime.cache["r/app:1"] = "r/app@sha256:" + "0" * 64
    watching.follow(KEY)
    await seen.snapshot(KEY, lambda s: s.deployment is None)
    await api.create(f"{APPS}/deployments", deployment(replicas=2))
    old = await seen.snapshot(KEY, lambda s: isinstance(stands(s, ""), RolledOut) if s.deployment else False)
    assert {pod.containers[0].image_id[-64:] for pod in old.pods} == {"0" * 64}, "IfNotPresent"
    patched = await kube.patch(KEY, patch_of(mark("a")))
    assert not isinstance(patched, Failure)
    done = await seen.snapshot(KEY, lambda s: isinstance(stands(s, mark("a")), RolledOut) and len(s.pods) == 2)
    assert {pod.containers[0].image_id[-64:] for pod in done.pods} == {"a" * 64}
    assert done.events_readable
    assert seen.connections == []
    assert seen.warnings == []


async def test_a_pull_that_fails_is_told_with_its_cause(
    api: Api, kube: KubeCluster, watching: KubeObserver, seen: Seen
) -> None:
    watching.follow(KEY)
    await api.create(f"{APPS}/deployments", deployment(image="r/none:1"))
    broken = await seen.snapshot(KEY, lambda s: isinstance(stands(s, ""), Broken) if s.deployment else False)
    found = stands(broken, "")
    assert isinstance(found, Broken)
    assert found.failure.code is FailureCode.IMAGE_PULL
    assert "r/none:1" in found.failure.message


async def test_a_crash_is_told_with_its_exit_code(api: Api, watching: KubeObserver, seen: Seen, nodes: Nodes) -> None:
    for runtime in nodes.values():
        runtime.begin = lambda program: program.exit(3)
    watching.follow(KEY)
    await api.create(f"{APPS}/deployments", deployment())

    def troubled(snapshot: Snapshot) -> bool:
        found = stands(snapshot, "") if snapshot.deployment else None
        failures = [found.failure] if isinstance(found, Broken) else []
        failures += [t.failure for t in found.troubles] if isinstance(found, Rolling) else []
        return any(f.code is FailureCode.CRASH and "3" in f.message for f in failures)

    await seen.snapshot(KEY, troubled)


async def test_drift_names_who_changed_what(
    api: Api, watching: KubeObserver, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching.follow(KEY)
    with monkeypatch.context() as earlier:  # who was last is told by the second
        earlier.setattr(times, "now", lambda: "2026-01-01T00:00:00Z")
        await api.create(f"{APPS}/deployments", deployment())
    before = await seen.snapshot(KEY, lambda s: isinstance(stands(s, ""), RolledOut) if s.deployment else False)
    containers = [{"name": "web", "image": "r/app:2"}]
    await api.patch(WEB, {"spec": {"template": {"spec": {"containers": containers}}}}, manager="kubectl-set")
    await api.patch(f"{WEB}/scale", {"spec": {"replicas": 2}}, MERGE, manager="autoscaler")
    now = await seen.snapshot(KEY, lambda s: s.deployment is not None and s.deployment.replicas == 2)
    told = {drift.what: drift.who for drift in drifts(now, before, ["web"], frozenset({"sha256:" + "a" * 64}))}
    assert told["image of web was changed from r/app:1 to r/app:2"] == "kubectl-set"
    assert told["scaled from 1 to 2"] == "autoscaler"


async def test_a_watch_whose_version_is_forgotten_goes_on(
    api: Api, cluster: Cluster, watching: KubeObserver, seen: Seen
) -> None:
    watching.follow(KEY)
    await seen.snapshot(KEY, lambda s: s.deployment is None)
    for task in tuple(cluster.server.open_requests):
        task.cancel()
    await api.create(f"{APPS}/deployments", deployment())
    cluster.resources.store.forget()
    await seen.snapshot(KEY, lambda s: len(s.pods) == 1 and s.pods[0].ready)


async def test_leases_are_made_renewed_taken_and_removed(kube: KubeCluster) -> None:
    leases, now = KubeLeases(kube), 1_700_000_000.25
    assert await leases.read(KEY) is None
    made = await leases.write(KEY, Lease(ANN, now, now))
    assert isinstance(made, Lease)
    renewed = await leases.write(KEY, replace(made, renewed=now + 1))
    assert isinstance(renewed, Lease)
    assert await leases.write(KEY, replace(made, renewed=now + 2)) is None, "somebody was faster"
    taken = await leases.write(KEY, Lease(JO, now + 2, now + 2, 30.0, 1, renewed.version))
    assert isinstance(taken, Lease)
    assert await leases.write(KEY, Lease(ANN, now, now)) is None, "there is one already"
    assert isinstance(await leases.remove(KEY, renewed), Failure), "it is no longer of that version"
    assert await leases.remove(KEY, taken) is None
    assert await leases.read(KEY) is None


async def test_all_of_a_namespace_is_read(api: Api, kube: KubeCluster) -> None:
    await api.create(f"{APPS}/deployments", deployment())
    await api.until(WEB, rolled_out)
    found = await read_namespace(kube, "default")
    assert not isinstance(found, Failure)
    assert not found.denied
    named = await read_namespace(kube, "default", "web")
    assert not isinstance(named, Failure)


async def test_logs_are_followed_through_a_restart(
    api: Api, kube: KubeCluster, watching: KubeObserver, seen: Seen, nodes: Nodes
) -> None:
    lines: list[str] = []
    news = asyncio.Event()

    def line(_service: str, _pod: str, _container: str, text: str, _written: float) -> None:
        lines.append(text)
        news.set()

    async def until(is_so: Callable[[], bool]) -> None:
        while not is_so():
            news.clear()
            await news.wait()

    tail = PodLogs(kube, line)
    watching.follow(KEY)
    await api.create(f"{APPS}/deployments", deployment())
    running = await seen.snapshot(KEY, lambda s: len(s.pods) == 1 and s.pods[0].ready)
    tail.follow("web", running, ["web"])
    await until(lambda: lines == ["started"])
    (program,) = [program for runtime in nodes.values() for program in runtime.programs]
    program.log.write("more", 1)
    await until(lambda: lines == ["started", "more"])
    program.exit(1)
    again = await seen.snapshot(KEY, lambda s: len(s.pods) == 1 and s.pods[0].containers[0].restarts == 1)
    tail.follow("web", again, ["web"])
    pods = await api.get(f"{CORE}/pods")
    last = await kube.logs("default", pods["items"][0]["metadata"]["name"], "web", previous=True)
    assert list(last if not isinstance(last, Failure) else ()) == ["started", "more"]
    await tail.close()
