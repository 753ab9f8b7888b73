"""The shared watches, as `ports.Observer`: one set of four for each namespace, and snapshots out of what they hold.

Objects are parsed when they arrive and the rest of them is forgotten, so that a large namespace costs little. Changes
that arrive together make one snapshot, in the same turn of the event loop.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from devloop.adapters.kube import KubeCluster
from devloop.adapters.watchstream import ListWatch
from devloop.core import manifest
from devloop.core.failure import Failure
from devloop.core.service import WorkloadKey
from devloop.core.workload import ClusterEvent, Deployment, Pod, Revision, Snapshot

MAX_EVENTS = 2000
"""How many Events about followed workloads are kept for each namespace."""
_GENERATED_NAME = 58
"""Characters of an owner's name that Kubernetes keeps when it makes up a name with a random suffix."""

Raw = Mapping[str, Any]
T = TypeVar("T")
Owned = tuple[str, T]
"""An object and the uid of its controller."""

Told = Callable[[str, Failure | None], None]
"""Takes the name of a watch and the failure that broke it, or None when it works again."""


class KubeObserver:
    """Follows workloads and reports each change of one as a `Snapshot`.

    `observed` gets the snapshots, `connection` whether the API server answers and a phrase, on each transition,
    `warn` a sentence for what cannot be read and is done without. All are called in the event loop.
    """

    def __init__(
        self,
        cluster: KubeCluster,
        observed: Callable[[Snapshot], None],
        connection: Callable[[bool, str], None],
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._cluster = cluster
        self._observed = observed
        self._connection = connection
        self._warn = warn
        self._namespaces: dict[str, _Namespace] = {}
        self._live: set[asyncio.Task[None]] = set()
        self._broken: dict[str, Failure] = {}

    @property
    def broken(self) -> Failure | None:
        """Why the watch that broke first does not work; None when all work."""
        return next(iter(self._broken.values()), None)

    async def ping(self) -> Failure | None:
        """Whether the cluster is back: an API server that answers is of no use as long as a watch sees nothing."""
        return self.broken or await self._cluster.ping()

    async def close(self) -> None:
        """End all watches."""
        self._broken.clear()
        for name in list(self._namespaces):
            self._stop(name)
        await asyncio.gather(*self._live, return_exceptions=True)

    def follow(self, key: WorkloadKey) -> None:
        """Report this workload; as often as it is followed it has to be unfollowed."""
        namespace = self._namespaces.get(key.namespace)
        if namespace is None:
            namespace = _Namespace(key.namespace, self._cluster, self._observed, self._told, self._warn, self._live)
            self._namespaces[key.namespace] = namespace
        namespace.follow(key)

    def unfollow(self, key: WorkloadKey) -> None:
        namespace = self._namespaces.get(key.namespace)
        if namespace is not None and not namespace.unfollow(key):
            self._stop(key.namespace)

    def _stop(self, name: str) -> None:
        for watch in self._namespaces.pop(name).stop():
            self._told(watch, None)

    def _told(self, watch: str, failure: Failure | None) -> None:
        """Report when the first of the watches breaks, and when the last one works again."""
        before = bool(self._broken)
        if failure is not None:
            self._broken[watch] = failure
        else:
            self._broken.pop(watch, None)
        if before and not self._broken:
            self._connection(True, f"the API server of context {self._cluster.pinned.name} answers again")
        if failure is not None and not before:
            self._connection(False, failure.message)


class _Namespace:
    """The four watches of one namespace and the workloads followed there."""

    def __init__(
        self,
        name: str,
        cluster: KubeCluster,
        observed: Callable[[Snapshot], None],
        told: Told,
        warn: Callable[[str], None],
        live: set[asyncio.Task[None]],
    ) -> None:
        self._name = name
        self._observed = observed
        self._told = told
        self._warn = warn
        self._live = live
        self._followed: Counter[WorkloadKey] = Counter()
        self._last: dict[WorkloadKey, Snapshot] = {}
        self._uids: set[str] = set()
        """Of everything in the last snapshots: a change of anything else cannot change them."""
        self._scheduled = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        link, path = cluster.connection, f"namespaces/{quote(name, safe='')}"
        apps, core = f"/apis/apps/v1/{path}", f"/api/v1/{path}"
        self._deployments: ListWatch[Deployment] = ListWatch(
            link,
            f"{apps}/deployments",
            self._deployment,
            self._changed,
            partial(told, f"{name}/deployments"),
            odd=partial(self._passed_over, "Deployment"),
        )
        self._replicasets: ListWatch[Owned[Revision]] = ListWatch(
            link,
            f"{apps}/replicasets",
            _revision,
            self._owned_changed,
            partial(told, f"{name}/replicasets"),
            odd=partial(self._passed_over, "ReplicaSet"),
        )
        self._pods: ListWatch[Owned[Pod]] = ListWatch(
            link,
            f"{core}/pods",
            _pod,
            self._owned_changed,
            partial(told, f"{name}/pods"),
            odd=partial(self._passed_over, "Pod"),
        )
        self._events: ListWatch[ClusterEvent] = ListWatch(
            link,
            f"{core}/events",
            self._event,
            self._event_changed,
            self._events_told,
            MAX_EVENTS,
            partial(self._passed_over, "Event"),
        )
        self._watches: dict[str, ListWatch[Any]] = {
            f"{name}/deployments": self._deployments,
            f"{name}/replicasets": self._replicasets,
            f"{name}/pods": self._pods,
            f"{name}/events": self._events,
        }

    def follow(self, key: WorkloadKey) -> None:
        self._followed[key] += 1
        self._last.pop(key, None)
        if self._followed[key] == 1 and self._tasks:
            # These two keep nothing of a workload that nobody follows, so what there is has to be asked for.
            self._run(f"{self._name}/deployments")
            self._run(f"{self._name}/events")
        self._schedule()

    def unfollow(self, key: WorkloadKey) -> bool:
        """Whether any workload is still followed."""
        self._followed[key] -= 1
        if self._followed[key] <= 0:
            del self._followed[key]
            self._last.pop(key, None)
        return bool(self._followed)

    def stop(self) -> Iterable[str]:
        """End the watches; returns their names."""
        self._followed.clear()
        for task in self._tasks.values():
            task.cancel()
        return self._watches

    def _run(self, name: str) -> None:
        """Begin a watch, from its list on."""
        if name in self._tasks:
            self._tasks[name].cancel()
        self._watches[name].forget()
        task = asyncio.get_running_loop().create_task(self._watches[name].run(), name=f"watch of {name}")
        self._tasks[name] = task
        self._live.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A watch ends by being cancelled; anything else is a bug, which must not stay silent."""
        self._live.discard(task)
        if not task.cancelled() and (error := task.exception()):
            task.get_loop().call_exception_handler({"message": f"{task.get_name()} ended", "exception": error})

    def _schedule(self) -> None:
        """Look once, after everything that has already arrived."""
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if not self._followed:
            return
        if not self._tasks:
            for name in self._watches:
                self._run(name)
        readable = not self._events.denied
        watches = (self._deployments, self._replicasets, self._pods, self._events)
        if not all(watch.complete for watch in watches if readable or watch is not self._events):
            return
        deployments = {deployment.key: deployment for deployment in self._deployments.items.values()}
        pictures = [self._picture(key, deployments.get(key), readable) for key in self._followed]
        self._uids = set().union(*map(_uids, pictures))
        for picture in pictures:
            if self._last.get(picture.key) != picture:
                self._last[picture.key] = picture
                self._observed(picture)

    def _picture(self, key: WorkloadKey, deployment: Deployment | None, readable: bool) -> Snapshot:
        events = self._events.items.values()
        return manifest.assemble(
            key, deployment, self._replicasets.items.values(), self._pods.items.values(), events, readable
        )

    def _deployment(self, raw: Raw) -> Deployment | None:
        deployment = manifest.deployment(raw)
        return deployment if deployment.key in self._followed else None

    def _event(self, raw: Raw) -> ClusterEvent | None:
        """Kept by name, because an Event may arrive before the object that it is about."""
        event = manifest.cluster_event(raw)
        return event if any(_may_be_about(event, key) for key in self._followed) else None

    def _changed(self, _: object) -> None:
        self._schedule()

    def _owned_changed(self, item: Owned[Any] | None) -> None:
        if item is None or item[0] in self._uids:
            self._schedule()

    def _event_changed(self, event: ClusterEvent | None) -> None:
        if event is None or event.object_uid in self._uids:
            self._schedule()

    def _passed_over(self, kind: str, which: str) -> None:
        self._warn(f"a {kind} in namespace {self._name} cannot be understood and is passed over: {which}")

    def _events_told(self, failure: Failure | None) -> None:
        """Events may be forbidden, which is no trouble: what they would say is then not known."""
        if failure is not None and self._events.denied:
            self._warn(f"Events in namespace {self._name} may not be read, so some causes stay unknown")
            self._told(f"{self._name}/events", None)
        else:
            self._told(f"{self._name}/events", failure)
        self._schedule()


def _revision(raw: Raw) -> Owned[Revision]:
    return manifest.controller_uid(raw), manifest.revision(raw)


def _pod(raw: Raw) -> Owned[Pod]:
    return manifest.controller_uid(raw), manifest.pod(raw)


def _uids(picture: Snapshot) -> set[str]:
    own = {picture.deployment.uid} if picture.deployment is not None else set()
    return own | {revision.uid for revision in picture.revisions} | {pod.uid for pod in picture.pods}


def _may_be_about(event: ClusterEvent, key: WorkloadKey) -> bool:
    return event.object_name == key.name or event.object_name.startswith(f"{key.name}-"[:_GENERATED_NAME])
