"""Checks of the cluster: what answers there, and what may be done. Nothing is written."""

import asyncio
import shlex
from collections.abc import Sequence

from devloop.adapters import kubeconfig
from devloop.adapters.kube import KubeCluster
from devloop.core.checkup import Check, Topic
from devloop.core.failure import Failure, FailureCode
from devloop.core.guard import Refused
from devloop.core.judgements import judge_skew
from devloop.core.lease import API_GROUP as LEASE_GROUP
from devloop.core.nodes import Node, judge_nodes, judge_platform
from devloop.core.ports import Access
from devloop.core.service import Service, WorkloadKey
from devloop.engine.preflight import Claims, permissions, workload
from devloop.session.assembly import Assembly
from devloop.session.project import Place, verdict_on


def of_context(place: Place, namespaces: Sequence[str]) -> Check:
    """Which cluster it is, and whether devloop may write there."""
    verdict, _ = verdict_on(place, namespaces)
    if isinstance(verdict, Refused):
        return Topic.KUBE_CONTEXT.note(verdict.failure.message, verdict.failure.hint)
    return Topic.KUBE_CONTEXT.ok(verdict.reason)


async def of_api_server(cluster: KubeCluster) -> list[Check]:
    """One authenticated call, the version and the clock."""
    away = await cluster.ping()
    if away:
        return [Topic.API_SERVER.because(away)]
    version, clock = await asyncio.gather(cluster.version(), cluster.clock())
    server = kubeconfig.shown_server(cluster.pinned.server)
    known = "" if isinstance(version, Failure) else f"{version} at "
    return [
        Topic.API_SERVER.ok(f"{known}{server}, which accepts your credentials"),
        *([judge_skew(Topic.CLUSTER_CLOCK, "the API server", clock)] if clock else []),
    ]


async def of_namespace(cluster: KubeCluster, namespace: str) -> list[Check]:
    """Whether it is there, as far as that may be read, and what may be done in it."""
    exists, needed, useful = await asyncio.gather(
        cluster.namespace_exists(namespace), permissions(namespace, cluster), _useful(namespace, cluster)
    )
    if exists is False:
        fix = f"name another with -n, or: {_kubectl(cluster)} create namespace {namespace}"
        return [Topic.NAMESPACE.failed(f"there is no namespace {namespace} in this cluster", fix)]
    there = [Topic.NAMESPACE.ok(f"{namespace} exists")] if exists is True else []
    if isinstance(needed, Failure):
        denied = needed.code is FailureCode.CLUSTER_DENIED
        fix = _ask_for(namespace, cluster) if denied else needed.hint
        return [*there, Topic.RIGHTS.failed(needed.message, fix), *useful]
    return [*there, Topic.RIGHTS.ok(f"{needed} in namespace {namespace}"), *useful]


async def _useful(namespace: str, cluster: KubeCluster) -> list[Check]:
    """What a session goes without when it may not."""
    leases = "nobody hears who else works on a workload there"
    wanted = {
        Access("get", "", "pods/log", namespace): "devloop cannot show the log of a crashed container",
        Access("watch", "", "events", namespace): "devloop cannot show what the cluster says of Pods that do not start",
        **{Access(verb, LEASE_GROUP, "leases", namespace): leases for verb in ("get", "create", "patch", "delete")},
    }
    answers = await asyncio.gather(*map(cluster.allowed, wanted))
    denied: dict[str, list[Access]] = {}
    for (access, consequence), answer in zip(wanted.items(), answers, strict=True):
        if answer is False:
            denied.setdefault(consequence, []).append(access)
    return [
        Topic.RIGHTS.note(
            f"you may not {', '.join(each.verb for each in accesses)} {accesses[0].resource} in namespace {namespace}, "
            f"so {consequence}",
            _ask_for(namespace, cluster),
        )
        for consequence, accesses in denied.items()
    ]


def _ask_for(namespace: str, cluster: KubeCluster) -> str:
    return f"ask for a Role that grants it; what you may do: {_kubectl(cluster)} auth can-i --list -n {namespace}"


def _kubectl(cluster: KubeCluster) -> str:
    """In the context that was looked at, whichever is the current one."""
    return f"kubectl --context {shlex.quote(cluster.pinned.name)}"


async def of_workloads(services: Sequence[Service], cluster: KubeCluster) -> list[Check]:
    """Nothing of those in a namespace that is not there: that is told of the namespace."""
    claims: Claims = {}
    names = sorted({key.namespace for service in services for key in service.workloads})
    exist = dict(zip(names, await asyncio.gather(*map(cluster.namespace_exists, names)), strict=True))
    found = [(service, key) for service in services for key in service.workloads if exist[key.namespace] is not False]
    return await asyncio.gather(*(_of_workload(service, key, cluster, claims) for service, key in found))


async def _of_workload(service: Service, key: WorkloadKey, cluster: KubeCluster, claims: Claims) -> Check:
    answer = await workload(service, key, cluster, claims)
    if isinstance(answer, Failure):
        return Topic.WORKLOAD.because(answer)
    return Topic.WORKLOAD.ok(f"{service.name}: {key} in namespace {key.namespace}, {answer}")


async def of_nodes(services: Sequence[Service], assembly: Assembly) -> list[Check]:
    """Nothing where nodes may not be read."""
    listed, default = await asyncio.gather(assembly.cluster.nodes(), assembly.platform(services))
    if isinstance(listed, Failure):
        return []
    nodes = [Node.parse(raw) for raw in listed]
    well = {node.platform for node in nodes if not node.trouble}
    usable = {node.platform for node in nodes if node.is_open} or well
    platforms = {service.name: service.build.platform or default for service in services}
    built = [(name, platform) for name, platform in platforms.items() if platform and usable]
    return [judge_nodes(nodes), *(judge_platform(name, platform, usable) for name, platform in built)]
