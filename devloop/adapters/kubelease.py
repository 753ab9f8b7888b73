"""Leases of the pinned context, as `ports.Leases`: created, merged into and deleted under the version that was read."""

from typing import Any
from urllib.parse import quote

from devloop.adapters.kube import KubeCluster
from devloop.adapters.kubehttp import Reply
from devloop.core.failure import Failure, FailureCode
from devloop.core.lease import API_GROUP, Lease, lease_body, lease_name, parse_lease
from devloop.core.service import WorkloadKey
from devloop.core.workload import FIELD_MANAGER

MERGE_PATCH = "application/merge-patch+json"
_GONE, _CHANGED = 404, 409
_NOT_WANTED = frozenset(range(400, 500)) - {401, 403, _GONE}


class KubeLeases:
    """Requests over the connection of a `KubeCluster`, which also knows whether it still is the same cluster."""

    def __init__(self, cluster: KubeCluster) -> None:
        self._cluster = cluster

    async def read(self, key: WorkloadKey) -> Lease | Failure | None:
        reply = await self._cluster.connection.request("GET", _path(key))
        if isinstance(reply, Reply) and reply.status == _GONE:
            return None
        return self._lease(reply)

    async def write(self, key: WorkloadKey, lease: Lease) -> Lease | Failure | None:
        body = lease_body(key, lease)
        if lease.version:
            reply = await self._send("PATCH", _path(key), body, MERGE_PATCH)
            overtaken = {_GONE, _CHANGED}
        else:
            reply = await self._send("POST", _folder(key), body)
            overtaken = {_CHANGED}
        if isinstance(reply, Reply) and reply.status in overtaken:
            return None
        return self._lease(reply)

    async def remove(self, key: WorkloadKey, lease: Lease) -> Failure | None:
        """One that has changed is told as a failure, one that is gone is not."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": lease.version}}
        reply = await self._send("DELETE", _path(key), body)
        if isinstance(reply, Failure):
            return reply
        return None if reply.ok or reply.status == _GONE else self._cluster.connection.refused(reply)

    async def _send(self, method: str, path: str, body: Any, type_: str = "application/json") -> Reply | Failure:
        """Every write is one to the cluster that this session began with."""
        if moved := await self._cluster.moved():
            return moved
        query = {} if method == "DELETE" else {"fieldManager": FIELD_MANAGER}
        return await self._cluster.connection.request(method, path, query, body, type_)

    def _lease(self, reply: Reply | Failure) -> Lease | Failure:
        if isinstance(reply, Reply) and reply.status in _NOT_WANTED and not reply.overloaded:
            # A policy or a webhook that takes no Leases: asking again does not change that.
            return Failure(FailureCode.CLUSTER_DENIED, f"the API server takes no Lease: {reply.message}")
        found = self._cluster.object_of(reply)
        return found if isinstance(found, Failure) else parse_lease(found)


def _folder(key: WorkloadKey) -> str:
    return f"/apis/{API_GROUP}/v1/namespaces/{quote(key.namespace, safe='')}/leases"


def _path(key: WorkloadKey) -> str:
    return f"{_folder(key)}/{quote(lease_name(key), safe='')}"
