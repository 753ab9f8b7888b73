"""What carries changes of devloop: with what undoes it where one works, in one line elsewhere. Nothing is written."""

import asyncio
import shlex
import time
from collections.abc import Collection, Sequence

from devloop.adapters.kube import KubeCluster, Raw
from devloop.adapters.kubelease import KubeLeases
from devloop.adapters.thisprocess import has_ended
from devloop.core.checkup import Check, Topic, counted
from devloop.core.failure import Failure, FailureCode
from devloop.core.lease import seems_gone
from devloop.core.manifest import deployment as parse_deployment
from devloop.core.service import WorkloadKey
from devloop.core.workload import Deployment
from devloop.session.undo import left, undo_command

_NAMED = 5
"""Namespaces of others that are named."""


async def of_left_behind(
    cluster: KubeCluster, namespaces: Sequence[str], context: str, going_on: Collection[WorkloadKey] = ()
) -> list[Check]:
    """Every workload that carries devloop's changes: in all namespaces where that may be asked, else in these.

    `going_on`: those that the session works on that is offered next; nothing is to be undone there.
    """
    everywhere = await cluster.list_marked()
    if not isinstance(everywhere, Failure):
        return await _of_marked(cluster, everywhere, namespaces, "in all namespaces", context, going_on)
    if everywhere.code is not FailureCode.CLUSTER_DENIED:
        return [Topic.LEFT_BEHIND.because(everywhere)]
    listed = await asyncio.gather(*map(cluster.list_marked, namespaces))
    seen = {name: found for name, found in zip(namespaces, listed, strict=True) if not isinstance(found, Failure)}
    if not seen:
        return []
    where = f"in {counted(len(seen), 'namespace').split()[1]} {', '.join(seen)}, as you may not list others"
    found = [raw for each in seen.values() for raw in each]
    return await _of_marked(cluster, found, namespaces, where, context, going_on)


async def _of_marked(
    cluster: KubeCluster, listed: Sequence[Raw], namespaces: Collection[str], where: str, context: str,
    going_on: Collection[WorkloadKey],
) -> list[Check]:  # fmt: skip
    if not listed:
        return [Topic.LEFT_BEHIND.ok(f"no Deployment carries changes of devloop (looked {where})")]
    marked = [parse_deployment(raw) for raw in listed]
    leases = KubeLeases(cluster)
    holders = await asyncio.gather(*(_holder(leases, each.key) for each in marked))
    held = [(each, holder) for each, holder in zip(marked, holders, strict=True)]
    used = [(each, who) for each, who in held if who and each.key.namespace in namespaces]
    in_use = [Topic.IN_USE.ok(f"{_stands(each)}: {who} works on it") for each, who in used]
    unused = [each for each, who in held if not who]
    here = [
        _of_one(each, where, context, goes_on=each.key in going_on)
        for each in unused
        if each.key.namespace in namespaces
    ]
    elsewhere = [each for each in unused if each.key.namespace not in namespaces]
    none = Topic.LEFT_BEHIND.ok(f"no Deployment that nobody works on carries changes of devloop (looked {where})")
    return [*in_use, *([*here, *_of_others(elsewhere, where, context)] or [none])]


async def _holder(leases: KubeLeases, key: WorkloadKey) -> str:
    """The session that works on it, as far as the clocks of two machines tell; empty where none is known of."""
    lease = await leases.read(key)
    if lease is None or isinstance(lease, Failure) or has_ended(lease.holder) or seems_gone(lease, time.time()):
        return ""
    return lease.holder.identity


def _of_one(marked: Deployment, where: str, context: str, *, goes_on: bool) -> Check:
    if goes_on:
        return Topic.LEFT_BEHIND.ok(f"{_stands(marked)} from an earlier session; `devloop up` goes on with it")
    return Topic.LEFT_BEHIND.note(f"{_stands(marked)} (looked {where})", undo_command(marked.key, context))


def _stands(marked: Deployment) -> str:
    return f"{marked.key} in namespace {marked.key.namespace} {left(marked, 'is on', 'carries')}"


def _of_others(others: Sequence[Deployment], where: str, context: str) -> list[Check]:
    """Whose they are is not written on them."""
    if not others:
        return []
    names = sorted({each.key.namespace for each in others})
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    spaces = f"other namespaces ({', '.join(names[:_NAMED])}{more})"
    verb = "carries" if len(others) == 1 else "carry"
    there = f" --context {shlex.quote(context)}" if context else ""
    return [
        Topic.LEFT_BEHIND.note(
            f"{counted(len(others), 'Deployment')} in {spaces} {verb} changes of devloop, and nobody works on "
            f"{'it' if len(others) == 1 else 'them'} (looked {where})",
            f"where it is yours: devloop restore --all -n NAMESPACE{there}",
        )
    ]
