"""Everything of one namespace that `devloop why` looks at: lists, read side by side, in one round trip."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from devloop.adapters.kube import KubeCluster, Raw
from devloop.adapters.kubehttp import Query
from devloop.core.failure import Failure
from devloop.core.why.subject import NamespaceObjects

_KINDS = {"deployment": "deployments", "statefulset": "statefulsets", "daemonset": "daemonsets"}
_OF_PODS = {"fieldSelector": "involvedObject.kind=Pod"}


async def read_namespace(cluster: KubeCluster, namespace: str, name: str = "") -> NamespaceObjects | Failure:
    """All workloads of the namespace, or those called `name`, and what belongs to them. Needs to list Pods at least.

    What else may not be listed is None or left out, and costs only what it would have told.
    """
    at = f"namespaces/{quote(namespace, safe='')}"
    apps, core = f"/apis/apps/v1/{at}", f"/api/v1/{at}"
    called = {"fieldSelector": f"metadata.name={name}"} if name else {}
    asked: list[tuple[str, Query]] = [
        *((f"{apps}/{plural}", called) for plural in _KINDS.values()),
        (f"{apps}/replicasets", {}),
        (f"{apps}/controllerrevisions", {}),
        (f"{core}/pods", {}),
        (f"{core}/events", _OF_PODS),
        (f"/apis/discovery.k8s.io/v1/{at}/endpointslices", {}),
        ("/api/v1/nodes", {}),
    ]
    answers = await asyncio.gather(*(cluster.listed(path, query) for path, query in asked))
    workloads, (replicasets, revisions, pods, events, slices, nodes) = answers[:3], answers[3:]
    if isinstance(pods, Failure):
        return pods
    if all(isinstance(found, Failure) for found in workloads):
        return next(found for found in workloads if isinstance(found, Failure))
    return NamespaceObjects(
        namespace,
        {kind: _or_none(found) for kind, found in zip(_KINDS, workloads, strict=True)},
        _or_none(replicasets),
        _or_none(revisions),
        tuple(pods),
        None if isinstance(events, Failure) else tuple(events),
        None if isinstance(slices, Failure) else tuple(slices),
        None if isinstance(nodes, Failure) else _platforms(nodes),
    )


def _or_none(found: Sequence[Raw] | Failure) -> tuple[Raw, ...]:
    return () if isinstance(found, Failure) else tuple(found)


def _platforms(nodes: Sequence[Raw]) -> Mapping[str, str]:
    infos = {node["metadata"]["name"]: node.get("status", {}).get("nodeInfo", {}) for node in nodes}
    return {name: f"{info.get('operatingSystem')}/{info.get('architecture')}" for name, info in infos.items()}
