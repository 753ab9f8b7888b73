"""The cluster of the pinned context, as `ports.Cluster`: plain JSON in and out, a `Failure` for what goes wrong."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import yaml

from devloop.adapters.clock import http_reading
from devloop.adapters.kubeconfig import PinnedContext
from devloop.adapters.kubehttp import KubeConnection, Query, Reply
from devloop.core.failure import Failure, FailureCode
from devloop.core.judgements import Reading
from devloop.core.ports import Access
from devloop.core.service import WorkloadKey
from devloop.core.workload import ACTIVE, FIELD_MANAGER, no_namespace

STRATEGIC_MERGE = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
_LOG_LIMIT = 256 * 1024
"""Bytes of log that one request may bring."""
_NO_RIGHT = re.compile(r'User "[^"]*" cannot \w+ resource')
_FORBIDDEN = re.compile(r'^\w+\.apps "[^"]*" is forbidden: ')
_REGISTRY_KEY = "localRegistryHosting.v1"
_ANONYMOUS = "system:anonymous"
PLURALS = {"deployment": "deployments", "statefulset": "statefulsets", "daemonset": "daemonsets"}

Raw = Mapping[str, Any]


class KubeCluster:
    """Requests to the API server of one context, which stays the same whatever the kubeconfig says later.

    `connection` is shared with the watches and log streams of the same context.
    """

    def __init__(self, pinned: PinnedContext) -> None:
        self.pinned = pinned
        self.connection = KubeConnection(pinned)
        self._identity = ""

    async def read(self, key: WorkloadKey) -> Raw | Failure | None:
        """None where the namespace lacks it; a namespace that is not there is a failure."""
        reply = await self.connection.request("GET", workload_path(key))
        if isinstance(reply, Reply) and reply.status == 404:
            return await self.no_namespace(key.namespace)
        return self.object_of(reply)

    async def patch(self, key: WorkloadKey, body: Any, *, json_patch: bool = False) -> Raw | Failure:
        if moved := await self.moved():
            return moved
        type_ = JSON_PATCH if json_patch else STRATEGIC_MERGE
        query = {"fieldManager": FIELD_MANAGER}
        reply = await self.connection.request("PATCH", workload_path(key), query, body, type_)
        if isinstance(reply, Failure):
            return reply
        if reply.status == 409 and not json_patch:
            return _conflict(key, reply)
        return self._rejected(key, reply) or self.object_of(reply)

    async def logs(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, tail: int = 20
    ) -> Sequence[str] | Failure:
        """The last lines; none when the container has not started, or has no container before it."""
        query = {"container": container, "tailLines": str(tail), "limitBytes": str(_LOG_LIMIT), "timestamps": "true"}
        if previous:
            query["previous"] = "true"
        reply = await self.connection.request("GET", log_path(namespace, pod), query)
        if isinstance(reply, Failure):
            return reply
        if reply.status in {400, 404}:
            return ()
        return _written(reply.body.decode(errors="replace")) if reply.ok else self.connection.refused(reply)

    async def allowed(self, access: Access) -> bool | Failure:
        resource, _, subresource = access.resource.partition("/")
        attributes = {
            "verb": access.verb,
            "group": access.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": access.namespace,
            "name": access.name,
        }
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        review = {**body, "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}}}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = self.object_of(await self.connection.request("POST", path, body=review))
        return answer if isinstance(answer, Failure) else bool(answer.get("status", {}).get("allowed", False))

    async def list_deployments(self, namespace: str) -> Sequence[Raw] | Failure:
        """All Deployments of a namespace; none when there is no such namespace."""
        return await self.listed(f"/apis/apps/v1/namespaces/{quote(namespace, safe='')}/deployments")

    async def list_workloads(self, kind: str, namespace: str = "") -> Sequence[Raw] | Failure:
        """All workloads of a kind: those of a namespace, or of the whole cluster, which is denied to many users."""
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        return await self.listed(f"/apis/apps/v1{within}/{PLURALS[kind]}")

    async def namespaces(self) -> Sequence[str] | Failure:
        """The names of all namespaces; denied to many users."""
        found = await self.listed("/api/v1/namespaces")
        return found if isinstance(found, Failure) else [str(each["metadata"]["name"]) for each in found]

    async def list_marked(self, namespace: str = "") -> Sequence[Raw] | Failure:
        """The Deployments that carry devloop's label: those of a namespace, or of all."""
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        return await self.listed(f"/apis/apps/v1{within}/deployments", {"labelSelector": ACTIVE})

    async def nodes(self) -> Sequence[Raw] | Failure:
        """All nodes; denied to many users."""
        return await self.listed("/api/v1/nodes")

    async def image_users(self) -> Sequence[Raw] | Failure:
        """The Pods of all namespaces, and what each Deployment's would be; denied to many users.

        A Deployment that is scaled to 0 asks for an image, and no Pod does.
        """
        pods, deployments = await asyncio.gather(self.listed("/api/v1/pods"), self.listed("/apis/apps/v1/deployments"))
        if isinstance(pods, Failure) or isinstance(deployments, Failure):
            return pods if isinstance(pods, Failure) else deployments
        return [*pods, *(each["spec"]["template"] for each in deployments)]

    async def listed(self, path: str, query: Query | None = None) -> Sequence[Raw] | Failure:
        """The objects of the list at that path."""
        found = self.object_of(await self.connection.request("GET", path, query))
        return found if isinstance(found, Failure) else found.get("items") or []

    async def nodes_platforms(self) -> frozenset[str] | Failure:
        """The platforms (`linux/amd64`) of the nodes that are ready."""
        nodes = await self.nodes()
        if isinstance(nodes, Failure):
            return nodes
        infos = [node["status"]["nodeInfo"] for node in nodes if _ready(node)]
        return frozenset(f"{info['operatingSystem']}/{info['architecture']}" for info in infos)

    async def local_registry(self) -> Mapping[str, str] | Failure | None:
        """What the cluster says of its local registry (KEP-1755): `host`, `hostFromContainerRuntime`, ...; or None."""
        path = "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting"
        reply = await self.connection.request("GET", path)
        if isinstance(reply, Reply) and reply.status == 404:
            return None
        found = self.object_of(reply)
        return found if isinstance(found, Failure) else _hosting(found)

    async def namespace_exists(self, namespace: str) -> bool | Failure:
        """Denied to many users who may work in the namespace all the same."""
        reply = await self.connection.request("GET", f"/api/v1/namespaces/{quote(namespace, safe='')}")
        if isinstance(reply, Reply) and reply.status == 404:
            return False
        found = self.object_of(reply)
        return found if isinstance(found, Failure) else True

    async def no_namespace(self, namespace: str) -> Failure | None:
        """What to say where it is known not to be there."""
        missing = await self.namespace_exists(namespace) is False
        return no_namespace(namespace, self.pinned.name) if missing else None

    async def version(self) -> str | Failure:
        """The server's version, `v1.36.2`."""
        found = self.object_of(await self.connection.request("GET", "/version"))
        return found if isinstance(found, Failure) else str(found.get("gitVersion", ""))

    async def clock(self) -> Reading | None:
        """What the server's clock tells, if it does."""
        sent = time.time()
        reply = await self.connection.request("GET", "/version")
        return None if isinstance(reply, Failure) else http_reading(sent, time.time(), reply.date)

    async def ping(self) -> Failure | None:
        """One authenticated call; the first one also remembers which cluster this is."""
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        reply, moved = await asyncio.gather(self.connection.request("POST", path, body=body), self.moved())
        if isinstance(reply, Failure):
            return reply
        # The review is newer (1.28) than clusters that people still have: whoever may not ask has been recognised too.
        known = reply.status in {403, 404} and _ANONYMOUS not in reply.message
        return moved if reply.ok or known else self.connection.refused(reply)

    async def close(self) -> None:
        await self.connection.close()

    async def moved(self) -> Failure | None:
        """Whether the same address now leads to another cluster, as far as the user may read what tells them apart."""
        reply = await self.connection.request("GET", "/api/v1/namespaces/kube-system")
        if isinstance(reply, Failure):
            return reply
        found = str(reply.object.get("metadata", {}).get("uid", ""))
        if not found:
            return None
        self._identity = self._identity or found
        if found == self._identity:
            return None
        return Failure(
            FailureCode.CONTEXT_REFUSED,
            f"context {self.pinned.name} reaches another cluster than when this session began; nothing was written",
            "start devloop again if that cluster is meant",
        )

    def _rejected(self, key: WorkloadKey, reply: Reply) -> Failure | None:
        """A patch that the API server understood and does not want."""
        if reply.ok or reply.status == 401 or reply.overloaded:
            return None
        if reply.status == 404:
            return Failure(FailureCode.WORKLOAD_ABSENT, f"{key} does not exist in namespace {key.namespace}")
        # RBAC says `User "x" cannot patch resource ...`; admission says no with the same status.
        if reply.status == 403 and _NO_RIGHT.search(reply.message):
            return None
        return Failure(
            FailureCode.PATCH_REJECTED,
            f"the API server rejected the patch of {key}: {_FORBIDDEN.sub('', reply.message)}",
            "change what the policy, webhook or rule named there objects to, or ask who runs the cluster; "
            "`devloop plan` shows the patch",
        )

    def object_of(self, reply: Reply | Failure) -> Raw | Failure:
        """The object that was answered; a failure for an answer that is none."""
        if isinstance(reply, Failure):
            return reply
        if not reply.ok:
            return self.connection.refused(reply)
        return reply.object or self.connection.unreachable(ValueError("that is no answer of a Kubernetes API"))


def _conflict(key: WorkloadKey, reply: Reply) -> Failure:
    """It is not what the patch was made for any more: changed at the same moment, or created again."""
    message = f"somebody else changed {key} while it was patched: {reply.message}"
    return Failure(FailureCode.WORKLOAD_CHANGED, message, "save again when they are done")


def workload_path(key: WorkloadKey) -> str:
    """The path of a workload under the API server's URL."""
    return f"/apis/apps/v1/namespaces/{quote(key.namespace, safe='')}/{PLURALS[key.kind]}/{quote(key.name, safe='')}"


def log_path(namespace: str, pod: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/log"


def _written(log: str) -> list[str]:
    """The program's own lines: the kubelet's words about a log that it no longer has carry no time."""
    stamped = (line.partition(" ") for line in log.split("\n"))
    return [text.removesuffix("\r") for time, space, text in stamped if space and time[:1].isdecimal() and "T" in time]


def _ready(node: Raw) -> bool:
    conditions = node.get("status", {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _hosting(config_map: Raw) -> Mapping[str, str] | None:
    try:
        hosting = yaml.safe_load((config_map.get("data") or {}).get(_REGISTRY_KEY) or "")
    except yaml.YAMLError:
        return None
    return {str(key): str(value) for key, value in hosting.items()} if isinstance(hosting, dict) else None
