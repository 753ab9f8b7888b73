"""Nodes of the cluster, as far as `devloop doctor` looks at them: can Pods run there, and for which platform."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from devloop.core.checkup import Check, Topic, counted

_TOLD_ALREADY = frozenset(
    f"node.kubernetes.io/{key}"
    for key in ("not-ready", "unreachable", "unschedulable", "disk-pressure", "memory-pressure", "pid-pressure")
)
_PRESSURES = ("DiskPressure", "MemoryPressure", "PIDPressure")


@dataclass(frozen=True, slots=True)
class Node:
    """A node."""

    name: str
    platform: str
    """`linux/amd64`."""
    trouble: tuple[str, ...] = ()
    """Why it takes no new Pods, or evicts those it has: `not ready`, `DiskPressure`, `cordoned`."""
    taints: tuple[str, ...] = ()
    """Keys of those that keep Pods off which do not tolerate them."""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Node":
        status = raw.get("status") or {}
        info = status.get("nodeInfo") or {}
        on = {c.get("type") for c in status.get("conditions") or () if c.get("status") == "True"}
        trouble = ["not ready"] if "Ready" not in on else []
        trouble += [pressure for pressure in _PRESSURES if pressure in on]
        spec = raw.get("spec") or {}
        trouble += ["cordoned"] if spec.get("unschedulable") else []
        platform = f"{info.get('operatingSystem', '')}/{info.get('architecture', '')}"
        return cls(str((raw.get("metadata") or {}).get("name", "")), platform, tuple(trouble), tuple(_taints(spec)))

    @property
    def is_open(self) -> bool:
        """Whether it takes any Pod."""
        return not self.trouble and not self.taints


def _taints(spec: Mapping[str, Any]) -> Iterator[str]:
    """Without those that the control plane sets by itself for what `trouble` says."""
    for taint in spec.get("taints") or ():
        key = str(taint.get("key", ""))
        if taint.get("effect") in {"NoSchedule", "NoExecute"} and key not in _TOLD_ALREADY:
            yield key


def judge_nodes(nodes: Sequence[Node]) -> Check:
    """One node that takes Pods is enough. Taints are meant: whether a workload tolerates them, only it can say."""
    troubled = [node for node in nodes if node.trouble]
    if not troubled and nodes:
        return _judge_ready(nodes)
    told = ", ".join(f"{node.name} ({', '.join(node.trouble)})" for node in troubled)
    if len(troubled) < len(nodes):
        first = troubled[0].name
        message = f"{len(troubled)} of {counted(len(nodes), 'node')} may take no new Pods: {told}"
        return Topic.NODES.note(message, f"kubectl describe node {first}")
    return Topic.NODES.failed(f"no node takes new Pods: {told}" if told else "there are no nodes", "kubectl get nodes")


def _judge_ready(nodes: Sequence[Node]) -> Check:
    tainted = [node for node in nodes if not node.is_open]
    told = ", ".join(f"{node.name} ({', '.join(node.taints)})" for node in tainted)
    if len(tainted) == len(nodes):
        message = f"all nodes take only Pods that tolerate their taints: {told}"
        return Topic.NODES.note(message, f"kubectl describe node {tainted[0].name}; a Pod needs `tolerations` there")
    kinds = ", ".join(sorted({node.platform for node in nodes if node.is_open}))
    ready = f"{counted(len(nodes) - len(tainted), 'node')} ready: {kinds}"
    return Topic.NODES.ok(f"{ready}; only for Pods that tolerate their taints: {told}" if tainted else ready)


def judge_platform(service: str, wanted: str, nodes: Collection[str]) -> Check:
    """Whether what is built for `wanted` (`linux/amd64`, or several with commas) runs on nodes of these platforms."""
    built = {_bare(platform) for platform in wanted.split(",")}
    there = {_bare(platform) for platform in nodes}
    if not built & there:
        return Topic.PLATFORM.failed(
            f"{service} is built for {wanted}, but the nodes are {_list(there)}: its Pods could not start",
            f"leave `build.platform` out, or set it to {_list(there)}",
        )
    if others := there - built:
        return Topic.PLATFORM.note(
            f"{service} is built for {wanted} only: a Pod that lands on a {_list(others)} node cannot start",
            "keep its Pods off with a nodeSelector, or name all platforms in `build.platform`",
        )
    return Topic.PLATFORM.ok(f"{service} is built for {wanted}, as the nodes are")


def _bare(platform: str) -> str:
    """Without the variant: nodes do not tell theirs."""
    return "/".join(platform.strip().split("/")[:2])


def _list(platforms: Collection[str]) -> str:
    return ", ".join(sorted(platforms))
