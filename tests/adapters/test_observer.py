"""The shared watches: against a real API server, and a scripted one for broken links."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from devloop.adapters import prober, watchstream
from devloop.adapters.kube import KubeCluster
from devloop.adapters.observer import KubeObserver
from devloop.adapters.watchstream import ListWatch
from devloop.core import manifest
from devloop.core.config import Config
from devloop.core.failure import Connection
from devloop.core.service import WorkloadKey
from devloop.core.workload import Pod, Snapshot
from devloop.session.assembly import assemble
from devloop.session.project import Place, Project
from tests.adapters.fakeapi import FakeApi, credential, fake_api, line, pinned, plugin, real_context

Kubectl = Callable[..., str]


class Seen:
    """Everything that an observer reported, and a way to wait for it."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self.connections: list[tuple[bool, str]] = []
        self.warnings: list[str] = []
        self._news = asyncio.Event()

    def observed(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        self._news.set()

    def connection(self, ok: bool, text: str) -> None:
        self.connections.append((ok, text))
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()

    def last(self, key: WorkloadKey) -> Snapshot | None:
        return next((s for s in reversed(self.snapshots) if s.key == key), None)

    async def snapshot(self, key: WorkloadKey, condition: Callable[[Snapshot], bool]) -> Snapshot:
        """The next snapshot, or the last one, that is as wanted."""
        while not ((found := self.last(key)) and condition(found)):
            self._news.clear()
            await self._news.wait()
        return found


def observer(cluster: KubeCluster, seen: Seen) -> KubeObserver:
    return KubeObserver(cluster, seen.observed, seen.connection, seen.warnings.append)


@pytest.fixture
async def cluster() -> AsyncIterator[KubeCluster]:
    cluster = KubeCluster(real_context())
    yield cluster
    await cluster.close()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def watching(cluster: KubeCluster, seen: Seen) -> AsyncIterator[KubeObserver]:
    watching = observer(cluster, seen)
    yield watching
    await watching.close()


def deploy(kubectl: Kubectl, namespace: str, registry: str, name: str = "web") -> WorkloadKey:
    image = f"--image={registry}/busybox:1"
    kubectl("-n", namespace, "create", "deployment", name, image, "--replicas=2", "--", "sleep", "3600")
    return WorkloadKey(namespace, "deployment", name)


def rolled_out(snapshot: Snapshot) -> bool:
    return snapshot.deployment is not None and snapshot.deployment.available_replicas == 2


def settled(snapshot: Snapshot) -> bool:
    return rolled_out(snapshot) and len(snapshot.pods) == 2 and all(pod.ready for pod in snapshot.pods)


@pytest.mark.e2e
async def test_a_workload_from_before_it_exists_until_it_is_gone(
    watching: KubeObserver, seen: Seen, kubectl: Kubectl, namespace: str, registry: str
) -> None:
    key = WorkloadKey(namespace, "deployment", "web")
    watching.follow(key)
    await seen.snapshot(key, lambda s: s.deployment is None)
    await asyncio.to_thread(deploy, kubectl, namespace, registry)
    ready = await seen.snapshot(key, settled)
    assert ready.events_readable
    first = ready.revisions[0]
    assert ready.pods_of(first) == ready.pods
    started = lambda s: all("Started" in {e.reason for e in s.events_about(p.uid)} for p in s.pods)  # noqa: E731
    await seen.snapshot(key, started)
    await asyncio.to_thread(kubectl, "-n", namespace, "rollout", "restart", "deployment/web")
    await seen.snapshot(key, lambda s: s.revisions[0].uid != first.uid and len(s.pods_of(s.revisions[0])) == 2)
    await asyncio.to_thread(kubectl, "-n", namespace, "delete", "deployment/web", "--wait=false")
    await seen.snapshot(key, lambda s: s.deployment is None)
    assert seen.connections == []
    assert seen.warnings == []
    assert all(s == key for s in {s.key for s in seen.snapshots})


@pytest.mark.e2e
async def test_following_another_workload_later_finds_what_was_there_before(
    watching: KubeObserver, seen: Seen, kubectl: Kubectl, namespace: str, registry: str
) -> None:
    one, two = deploy(kubectl, namespace, registry, "one"), deploy(kubectl, namespace, registry, "two")
    watching.follow(one)
    await seen.snapshot(one, settled)
    watching.follow(two)
    found = await seen.snapshot(two, settled)
    assert found.events
    watching.unfollow(one)
    seen.snapshots.clear()
    for name in ("one", "two"):
        await asyncio.to_thread(kubectl, "-n", namespace, "label", f"deployment/{name}", "a=b")
    await seen.snapshot(two, lambda s: s.deployment is not None and "a" in s.deployment.labels)
    assert {s.key for s in seen.snapshots} == {two}


@pytest.mark.e2e
async def test_following_again_tells_again_and_the_last_unfollow_ends_it(
    cluster: KubeCluster, watching: KubeObserver, seen: Seen, namespace: str
) -> None:
    key = WorkloadKey(namespace, "deployment", "web")
    watching.follow(key)
    await seen.until(lambda: len(seen.snapshots) == 1)
    watching.follow(key)
    await seen.until(lambda: len(seen.snapshots) == 2)
    watching.unfollow(key)
    assert _watches(namespace)
    watching.unfollow(key)
    while _watches(namespace):
        await asyncio.sleep(0)


def _watches(namespace: str) -> list[str]:
    return [t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith(f"watch of {namespace}/")]


@pytest.mark.e2e
async def test_a_watch_from_the_first_resource_version_gets_everything(cluster: KubeCluster, namespace: str) -> None:
    listed = asyncio.Event()
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    names: ListWatch[str] = ListWatch(
        cluster.connection, path, lambda raw: str(raw["metadata"]["name"]), lambda _: listed.set(), lambda _: None
    )
    names._version = "1"
    task = asyncio.create_task(names.run())
    while "kube-root-ca.crt" not in names.items.values():
        listed.clear()
        await listed.wait()
    task.cancel()


@pytest.mark.e2e
async def test_without_events(seen: Seen, kubectl: Kubectl, namespace: str, registry: str, tmp_path: Path) -> None:
    """A user who may read everything that is needed, and no Events."""
    key = deploy(kubectl, namespace, registry)
    kubectl("-n", namespace, "create", "serviceaccount", "narrow")
    read = "--resource=deployments.apps,replicasets.apps,pods"
    kubectl("-n", namespace, "create", "role", "narrow", "--verb=get,list,watch", read)
    kubectl("-n", namespace, "create", "rolebinding", "narrow", "--role=narrow", f"--serviceaccount={namespace}:narrow")
    token = kubectl("-n", namespace, "create", "token", "narrow").strip()
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    config["users"][0]["user"] = {"token": token}
    file = tmp_path / "narrow"
    file.write_text(json.dumps(config))
    cluster = KubeCluster(real_context(files=(file,)))
    watching = observer(cluster, seen)
    watching.follow(key)
    found = await seen.snapshot(key, settled)
    assert not found.events_readable
    assert found.events == ()
    assert len(seen.warnings) == 1
    assert seen.connections == []
    await watching.close()
    await cluster.close()


class Script:
    """A scripted API server for four empty lists, whose watches do what `watch` says."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.watch: Callable[[web.Request], Any] = self.hold
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.version = "10"
        self.broken = False
        self.refused: set[str] = set()
        self.denied: set[str] = set()
        """Resources that may not be read."""
        self.asked: Counter[str] = Counter()
        self.ending = asyncio.Event()
        self.opened: asyncio.Queue[tuple[str, web.StreamResponse]] = asyncio.Queue()
        api.handler = self.handle

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.broken:
            self.refused.add(request.path)
            raise web.HTTPServiceUnavailable(text="starting up")
        resource = request.path.rpartition("/")[2]
        self.asked[resource] += 1
        if resource in self.denied:
            return web.json_response({"message": f"{resource} is forbidden"}, status=403)
        if "watch" in request.query:
            return await self.watch(request)  # type: ignore[no-any-return]
        items = self.lists.get(resource, [])
        return web.json_response({"metadata": {"resourceVersion": self.version}, "items": items})

    async def hold(self, request: web.Request) -> web.StreamResponse:
        """Open, and wait for the test."""
        response = web.StreamResponse()
        await response.prepare(request)
        await self.opened.put((request.path.rpartition("/")[2], response))
        await self.ending.wait()
        return response


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with fake_api() as api:
        yield api


@pytest.fixture
async def script(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Script]:
    monkeypatch.setattr(watchstream, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(watchstream, "LAST_DELAY", 0.02)
    script = Script(api)
    yield script
    script.ending.set()


@pytest.fixture
async def faked(api: FakeApi, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "t"}))
    yield cluster
    await cluster.close()


KEY = WorkloadKey("shop", "deployment", "web")


def raw(name: str, uid: str, version: str, owner: str = "") -> dict[str, Any]:
    owners = [{"uid": owner, "name": owner, "controller": True}] if owner else []
    return {
        "metadata": {
            "namespace": "shop",
            "name": name,
            "uid": uid,
            "resourceVersion": version,
            "ownerReferences": owners,
        }
    }


async def streams(script: Script, count: int) -> dict[str, web.StreamResponse]:
    """The next watches, as they are opened."""
    return dict([await script.opened.get() for _ in range(count)])


async def test_what_arrives_together_is_one_snapshot(script: Script, faked: KubeCluster, seen: Seen) -> None:
    script.lists = {"deployments": [raw("web", "d", "1")], "replicasets": [raw("web-1", "r", "1", "d")]}
    watching = observer(faked, seen)
    watching.follow(KEY)
    opened = await streams(script, 4)
    before = len(seen.snapshots)
    burst = b"".join(line("ADDED", raw(f"web-1-{n}", f"p{n}", "11", "r")) for n in range(50))
    await opened["pods"].write(burst)
    found = await seen.snapshot(KEY, lambda s: bool(s.pods))
    assert len(found.pods) == 50
    assert len(seen.snapshots) == before + 1
    await opened["pods"].write(line("ADDED", raw("foreign", "f", "12", "elsewhere")))
    await opened["pods"].write(line("DELETED", raw("web-1-0", "p0", "13", "r")))
    assert len((await seen.snapshot(KEY, lambda s: len(s.pods) < 50)).pods) == 49
    assert len(seen.snapshots) == before + 2
    await watching.close()


async def test_a_watch_that_ends_goes_on_from_where_it_was(
    script: Script, api: FakeApi, faked: KubeCluster, seen: Seen
) -> None:
    watching = observer(faked, seen)
    watching.follow(KEY)
    opened = await streams(script, 4)
    bookmark = {"metadata": {"resourceVersion": "77"}}
    for response in opened.values():
        await response.write(line("BOOKMARK", bookmark))
    script.ending.set()
    script.ending = asyncio.Event()
    await streams(script, 4)
    watches = [r for r in api.requests if "watch" in r.query]
    assert [r.query["resourceVersion"] for r in watches] == ["10"] * 4 + ["77"] * 4
    assert all(r.query["allowWatchBookmarks"] == "true" for r in watches)
    assert seen.connections == []
    await watching.close()


async def test_a_broken_link_is_told_once_and_what_went_meanwhile_is_noticed(
    script: Script, api: FakeApi, faked: KubeCluster, seen: Seen
) -> None:
    script.lists = {"deployments": [raw("web", "d", "1")], "replicasets": [raw("web-1", "r", "1", "d")]}
    script.lists["pods"] = [raw("web-1-a", "a", "1", "r"), raw("web-1-b", "b", "1", "r")]
    watching = observer(faked, seen)
    watching.follow(KEY)
    await streams(script, 4)
    assert len((await seen.snapshot(KEY, lambda s: True)).pods) == 2
    script.broken = True
    script.ending.set()
    while len(script.refused) < 4:
        await asyncio.sleep(0.01)
    assert [ok for ok, _ in seen.connections] == [False]
    script.ending = asyncio.Event()
    script.lists["pods"] = [raw("web-1-b", "b", "1", "r")]
    script.version = "3"
    script.broken = False
    await seen.until(lambda: len(seen.connections) == 2)
    assert seen.connections[1][0] is True
    assert [p.name for p in (await seen.snapshot(KEY, lambda s: len(s.pods) == 1)).pods] == ["web-1-b"]
    await watching.close()


async def test_a_version_that_is_forgotten_is_listed_anew(
    script: Script, api: FakeApi, faked: KubeCluster, seen: Seen
) -> None:
    async def watch(request: web.Request) -> web.StreamResponse:
        script.version = "20"
        if request.query["resourceVersion"] == "10":
            return web.json_response({"message": "too old resource version"}, status=410)
        return await script.hold(request)

    script.watch = watch
    watching = observer(faked, seen)
    watching.follow(KEY)
    await streams(script, 4)
    assert len([r for r in api.requests if "watch" not in r.query]) == 8
    assert seen.connections == []
    await watching.close()


async def test_an_expired_watch_says_so_in_the_stream(script: Script, faked: KubeCluster, seen: Seen) -> None:
    watching = observer(faked, seen)
    watching.follow(KEY)
    opened = await streams(script, 4)
    script.lists = {"deployments": [raw("web", "d", "30")]}
    script.version = "30"
    await opened["deployments"].write(line("ERROR", {"kind": "Status", "code": 410, "message": "too old"}))
    assert (await seen.snapshot(KEY, lambda s: s.deployment is not None)).deployment is not None
    assert seen.connections == []
    await watching.close()


async def test_a_silent_link_is_opened_anew(
    script: Script, api: FakeApi, faked: KubeCluster, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchstream, "SILENCE", 0.05)
    watching = observer(faked, seen)
    watching.follow(KEY)
    await streams(script, 4)
    await streams(script, 4)
    assert seen.connections == []
    assert len([r for r in api.requests if "watch" not in r.query]) == 4
    await watching.close()


async def test_garbage_is_a_broken_link(script: Script, faked: KubeCluster, seen: Seen) -> None:
    watching = observer(faked, seen)
    watching.follow(KEY)
    opened = await streams(script, 4)
    await opened["pods"].write(b"<html>\n")
    await seen.until(lambda: len(seen.connections) == 2)
    assert [ok for ok, _ in seen.connections] == [False, True]
    await watching.close()


async def test_credentials_that_expire_are_renewed_for_watches(
    script: Script, api: FakeApi, seen: Seen, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    inner = api.handler

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {token.read_text()}":
            return web.json_response({"message": "Unauthorized"}, status=401)
        return await inner(request)

    api.handler = handler
    cluster = KubeCluster(pinned(tmp_path, api.url, plugin(credential(f"open({str(token)!r}).read()"))))
    watching = observer(cluster, seen)
    watching.follow(KEY)
    await streams(script, 4)
    token.write_text("two")
    script.ending.set()
    script.ending = asyncio.Event()
    await streams(script, 4)
    assert seen.connections == []
    await watching.close()
    await cluster.close()


async def test_a_list_comes_in_pages_and_only_so_many_items_are_kept(api: FakeApi, faked: KubeCluster) -> None:
    listed = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            await asyncio.Event().wait()
        page = int(request.query.get("continue", "0"))
        metadata = {"resourceVersion": "9", "continue": str(page + 1) if page < 2 else ""}
        return web.json_response({"metadata": metadata, "items": [raw(f"n{page}", f"u{page}", "1")]})

    api.handler = handler
    kept: ListWatch[str] = ListWatch(
        faked.connection,
        "/things",
        lambda r: str(r["metadata"]["name"]),
        lambda item: listed.set() if item is None else None,
        lambda _: None,
        limit=2,
    )
    task = asyncio.create_task(kept.run())
    await listed.wait()
    assert kept.items == {"u1": "n1", "u2": "n2"}
    task.cancel()


async def test_what_cannot_be_understood_is_passed_over_and_told_once(
    script: Script, api: FakeApi, faked: KubeCluster, seen: Seen
) -> None:
    odd = raw("web-1-odd", "odd", "1", "r")
    odd["metadata"]["creationTimestamp"] = "nonsense"
    script.lists = {"deployments": [raw("web", "d", "1")], "replicasets": [raw("web-1", "r", "1", "d")]}
    script.lists["pods"] = [odd, raw("web-1-a", "a", "1", "r"), raw("web-1-b", "b", "1", "r")]
    watching = observer(faked, seen)
    watching.follow(KEY)
    opened = await streams(script, 4)
    assert [p.name for p in (await seen.snapshot(KEY, lambda s: bool(s.pods))).pods] == ["web-1-a", "web-1-b"]
    nameless = {"metadata": {"resourceVersion": "12"}, "spec": 5}
    broken = raw("web-1-b", "b", "13", "r") | {"status": {"conditions": 5}}
    await opened["pods"].write(line("ADDED", nameless) + line("MODIFIED", broken))
    await seen.snapshot(KEY, lambda s: [p.name for p in s.pods] == ["web-1-a"])
    await opened["pods"].write(line("MODIFIED", raw("web-1-b", "b", "14", "r")))
    await seen.snapshot(KEY, lambda s: len(s.pods) == 2)
    assert seen.connections == []
    told = "a Pod in namespace shop cannot be understood and is passed over: web-1-odd (ValueError)"
    assert seen.warnings == [told]
    assert len([r for r in api.requests if "watch" in r.query]) == 4
    await watching.close()


async def test_the_cluster_is_back_only_when_its_watches_are(
    script: Script, api: FakeApi, seen: Seen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API server answers all the time, and does not let the Pods be read for some of it."""
    monkeypatch.setattr(prober, "FIRST", 0.01)
    context = pinned(tmp_path, api.url, {"token": "t"})
    project = Project(Place(Config(), "", tmp_path, context, (), "shop"), (), "")
    assembly = assemble(project, seen.observed, seen.connection, seen.warnings.append)
    assembly.observer.follow(KEY)
    await streams(script, 4)
    assert await assembly.observer.ping() is None
    script.denied = {"pods"}
    script.ending.set()
    script.ending = asyncio.Event()
    await seen.until(lambda: bool(seen.connections))
    assert await assembly.cluster.ping() is None
    assert assembly.observer.broken == await assembly.observer.ping() is not None
    waiting = asyncio.create_task(assembly.prober.until_back(Connection.CLUSTER))
    script.asked.clear()
    while script.asked["pods"] < 3:
        await asyncio.sleep(0.01)
    assert not waiting.done()
    assert [ok for ok, _ in seen.connections] == [False]
    script.denied.clear()
    await waiting
    assert [ok for ok, _ in seen.connections] == [False, True]
    await assembly.close()


async def test_what_may_be_listed_and_not_watched_stays_lost(
    script: Script, api: FakeApi, faked: KubeCluster, seen: Seen
) -> None:
    async def watch(request: web.Request) -> web.StreamResponse:
        if denied and request.path.endswith("/pods"):
            return web.json_response({"message": "pods may not be watched"}, status=403)
        return await script.hold(request)

    denied = True
    script.watch = watch
    watching = observer(faked, seen)
    watching.follow(KEY)
    await streams(script, 3)
    while script.asked["pods"] < 6:
        await asyncio.sleep(0.01)
    assert [ok for ok, _ in seen.connections] == [False]
    denied = False
    await seen.until(lambda: len(seen.connections) == 2)
    assert seen.connections[1][0] is True
    await watching.close()


@pytest.mark.parametrize(
    "event",
    [
        {"type": "ADDED", "object": None},
        {"type": "ADDED", "object": {"metadata": {}}},
        {"type": "BOOKMARK", "object": {"metadata": 5}},
        {"type": "ERROR", "object": {"code": "odd"}},
        {"type": "ERROR", "object": {"code": 200}},
        5,
    ],
)
async def test_an_event_that_nothing_can_go_on_from_is_a_broken_link(
    script: Script, faked: KubeCluster, seen: Seen, event: object
) -> None:
    watching = observer(faked, seen)
    watching.follow(KEY)
    opened = await streams(script, 4)
    await opened["pods"].write(json.dumps(event).encode() + b"\n")
    await seen.until(lambda: len(seen.connections) == 2)
    assert [ok for ok, _ in seen.connections] == [False, True]
    await watching.close()


@pytest.mark.parametrize(
    "page", [{"metadata": {}}, {"metadata": 5}, {"metadata": {"resourceVersion": "1"}, "items": 5}]
)
async def test_an_odd_list_is_asked_for_again(script: Script, faked: KubeCluster, seen: Seen, page: object) -> None:
    inner, odd = script.handle, [page]

    async def handler(request: web.Request) -> web.StreamResponse:
        if odd and "watch" not in request.query:
            return web.json_response(odd.pop())
        return await inner(request)

    script.api.handler = handler
    watching = observer(faked, seen)
    watching.follow(KEY)
    await streams(script, 4)
    await seen.until(lambda: len(seen.connections) == 2)
    assert [ok for ok, _ in seen.connections] == [False, True]
    await watching.close()


async def test_a_bug_in_a_watch_is_not_silent(
    script: Script, faked: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(_: object) -> Pod:
        raise RuntimeError("a mistake")

    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    monkeypatch.setattr(manifest, "pod", mistaken)
    script.lists = {"pods": [raw("web-1-a", "a", "1")]}
    watching = KubeObserver(faked, lambda _: None, lambda *_: None)
    watching.follow(KEY)
    await streams(script, 3)
    while not told:
        await asyncio.sleep(0)
    assert isinstance(told[0]["exception"], RuntimeError)
    await watching.close()
