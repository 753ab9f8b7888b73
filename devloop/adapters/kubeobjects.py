"""Everything of one namespace that `devloop why` looks at: lists, read side by side, in one round trip."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from devloop.adapters.kube import PLURALS, KubeCluster, Raw
from devloop.adapters.kubehttp import Query
from devloop.core import manifest
from devloop.core.failure import Failure, FailureCode
from devloop.core.why.subject import NamespaceObjects

_Listed = Sequence[Raw] | Failure
_OF_PODS = {"fieldSelector": "involvedObject.kind=Pod"}


async def read_namespace(cluster: KubeCluster, namespace: str, name: str = "") -> NamespaceObjects | Failure:
    """All workloads of the namespace, or those called `name`, and what belongs to them.

    What an answer is made of has to be readable: Pods, and the revisions of the workloads that are there. A kind of
    workload that may not be listed is kept as denied; what else may not be read costs only what it would have told.
    """
    at = f"namespaces/{quote(namespace, safe='')}"
    apps, core = f"/apis/apps/v1/{at}", f"/api/v1/{at}"
    called = {"fieldSelector": f"metadata.name={name}"} if name else {}
    asked: list[tuple[str, Query]] = [
        *((f"{apps}/{plural}", called) for plural in PLURALS.values()),
        (f"{apps}/replicasets", {}),
        (f"{apps}/controllerrevisions", {}),
        (f"{core}/pods", {}),
        (f"{core}/events", _OF_PODS),
        (f"/apis/discovery.k8s.io/v1/{at}/endpointslices", {}),
        ("/api/v1/nodes", {}),
    ]
    answers = await asyncio.gather(*(cluster.listed(path, query) for path, query in asked))
    workloads, (replicasets, revisions, pods, events, slices, nodes) = answers[:3], answers[3:]
    failure = _not_listed(workloads) or _missing(pods, replicasets, revisions, workloads, anything=not name)
    if failure is not None:
        return failure
    return NamespaceObjects(
        namespace,
        {kind: _or_none(found) for kind, found in zip(PLURALS, workloads, strict=True)},
        _or_none(replicasets),
        _or_none(revisions),
        _or_none(pods),
        None if isinstance(events, Failure) else tuple(events),
        None if isinstance(slices, Failure) else tuple(slices),
        None if isinstance(nodes, Failure) else _platforms(nodes),
        frozenset(kind for kind, found in zip(PLURALS, workloads, strict=True) if isinstance(found, Failure)),
    )


def _not_listed(workloads: Sequence[_Listed]) -> Failure | None:
    """Why no workload can be read. One kind that is denied is told only to whoever asks for it; an API server that
    is away or too busy may have what was asked for."""
    failures = [found for found in workloads if isinstance(found, Failure)]
    other = [failure for failure in failures if failure.code is not FailureCode.CLUSTER_DENIED]
    if other:
        return other[0]
    return failures[0] if len(failures) == len(workloads) else None


def _missing(
    pods: _Listed, replicasets: _Listed, revisions: _Listed, workloads: Sequence[_Listed], *, anything: bool
) -> Failure | None:
    """The list without which a cause would be made up: what runs, or which template of a workload is the newest.

    `anything`: a Pod may be what was asked about, and then its ReplicaSet tells whose it is.
    """
    if isinstance(pods, Failure):
        return pods
    deployments, *sets = workloads
    owned = anything and any(manifest.controller(raw).startswith("ReplicaSet/") for raw in pods)
    if isinstance(replicasets, Failure) and (_any(deployments) or owned):
        return replicasets
    return revisions if isinstance(revisions, Failure) and any(map(_any, sets)) else None


def _any(found: _Listed) -> bool:
    return not isinstance(found, Failure) and bool(found)


def _or_none(found: _Listed) -> tuple[Raw, ...]:
    return () if isinstance(found, Failure) else tuple(found)


def _platforms(nodes: Sequence[Raw]) -> Mapping[str, str]:
    infos = {node["metadata"]["name"]: node.get("status", {}).get("nodeInfo", {}) for node in nodes}
    return {name: f"{info.get('operatingSystem')}/{info.get('architecture')}" for name, info in infos.items()}
