"""Putting workloads back as they were before devloop, with every mark of devloop gone."""

import asyncio
import json
import os
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from devloop.adapters import configfile
from devloop.adapters.kube import KubeCluster
from devloop.adapters.kubeconfig import PinnedContext
from devloop.adapters.kubelease import KubeLeases
from devloop.adapters.observer import KubeObserver
from devloop.adapters.sessionsocket import running
from devloop.adapters.statefolder import default_root
from devloop.core.config import Problems
from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.core.lease import Lease
from devloop.core.manifest import deployment as parse_deployment
from devloop.core.restore import RestorePlan, plan_restore, strip_managed_fields
from devloop.core.rollout import rollout_status
from devloop.core.service import WorkloadKey
from devloop.core.status import Broken, RolledOut, Rolling, RolloutStatus
from devloop.core.workload import Snapshot, absent
from devloop.engine.observations import Observations
from devloop.session import say
from devloop.session.leases import leaseholder, let_go, others
from devloop.session.project import (
    Place,
    Refusal,
    ask_guard,
    despite,
    find_place,
    have_mistakes,
    named_at_fault,
    parse_key,
    place_beside,
    resolve_services,
)
from devloop.session.request import Request

_ATTEMPTS = 5
"""Other writers may come between the read and the patch; each attempt starts from what is there then."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done to one workload."""

    key: WorkloadKey
    uid: str
    generation: int
    changes: tuple[str, ...] = ()
    """What went back, in words. Empty when there was nothing to put back, and so no rollout to wait for."""
    kept: tuple[str, ...] = ()
    """What somebody else had changed meanwhile."""
    moved: tuple[str, ...] = ()
    """What a restore of the workload does not bring back, in words."""

    @property
    def lines(self) -> tuple[str, ...]:
        return (*self.changes, *self.kept, *self.moved) or ("nothing of devloop's was left on it",)


async def restore(cluster: KubeCluster, key: WorkloadKey) -> Restored | Failure:
    """Put back what still holds what devloop wrote, and remove devloop's marks and ownership."""
    raw = await cluster.read(key)
    if isinstance(raw, Failure):
        return raw
    if raw is None:
        return absent(key)
    deployment = parse_deployment(raw)
    plan = plan_restore(deployment, datetime.now().astimezone().tzinfo or UTC)
    if plan.body is not None:
        raw = await cluster.patch(key, plan.body)
        if isinstance(raw, Failure):
            return raw
        deployment = parse_deployment(raw)
    failure = await _disown(cluster, key)
    if failure:
        return failure
    return Restored(key, deployment.uid, deployment.generation, _told(plan), plan.kept, plan.moved)


def _told(plan: RestorePlan) -> tuple[str, ...]:
    """What went back, field by field; devloop's own marks in one line."""
    fields = [change.text for change in plan.changes if change.path.startswith("spec.template.spec.")]
    return (*fields, "devloop's marks are removed") if plan.changes else ()


async def _disown(cluster: KubeCluster, key: WorkloadKey) -> Failure | None:
    """Remove devloop's `managedFields` entries, or the owner's next server-side apply meets a conflict."""
    failure: Failure | None = None
    for _ in range(_ATTEMPTS):
        raw = await cluster.read(key)
        if raw is None or isinstance(raw, Failure):
            return raw
        operations = strip_managed_fields(raw)
        if operations is None:
            return None
        done = await cluster.patch(key, operations, json_patch=True)
        failure = done if isinstance(done, Failure) else None
        if failure and failure.code is not FailureCode.PATCH_REJECTED:
            return failure
    return failure


async def rolled_out(observations: Observations, restored: Restored, seconds: float) -> Failure | None:
    """Wait until the workload runs what was put back, if anything was."""
    if not restored.changes:
        return None

    def look(snapshot: Snapshot) -> RolloutStatus:
        return rollout_status(snapshot, uid=restored.uid, generation=restored.generation, mark="", fresh=True)

    def ended(snapshot: Snapshot) -> RolloutStatus | None:
        status = look(snapshot)
        return None if isinstance(status, Rolling) else status

    try:
        async with asyncio.timeout(seconds):
            status = await observations.until(restored.key, ended)
            # Without a readiness probe a Pod is ready before it has had time to crash.
            while isinstance(status, RolledOut) and status.settle:
                later = await _changed(observations, restored.key, look, status)
                if later is None:
                    return None
                status = await observations.until(restored.key, ended) if isinstance(later, Rolling) else later
    except TimeoutError:
        message = f"{restored.key} was restored, but its rollout did not end within {seconds:g} s"
        return Failure(FailureCode.ROLLOUT_TIMEOUT, message, f"kubectl rollout status {restored.key}")
    return _of_before(status.failure, restored.key) if isinstance(status, Broken) else None


def _of_before(failure: Failure, key: WorkloadKey) -> Failure:
    """No configuration of devloop names the image that a workload had before, so advice about one leads nowhere."""
    if failure.code is not FailureCode.IMAGE_PULL:
        return failure
    other = f"`kubectl set image {key} CONTAINER=IMAGE -n {key.namespace}`"
    return replace(
        failure, hint=f"{key} has that image without devloop: push it again, or name one that can be pulled: {other}"
    )


async def _changed(
    observations: Observations, key: WorkloadKey, look: Callable[[Snapshot], RolloutStatus], done: RolledOut
) -> RolloutStatus | None:
    """What became of a rollout that looked complete; None when it stayed so for as long as it has to be watched."""

    def other(snapshot: Snapshot) -> RolloutStatus | None:
        now = look(snapshot)
        return None if isinstance(now, RolledOut) and now.settle == done.settle else now

    try:
        async with asyncio.timeout(done.settle):
            return await observations.until(key, other)
    except TimeoutError:
        return None


async def marked(cluster: KubeCluster, namespace: str) -> Sequence[WorkloadKey] | Failure:
    """Every workload of the namespace that carries devloop's label."""
    listed = await cluster.list_deployments(namespace)
    if isinstance(listed, Failure):
        return listed
    # In a mistyped namespace nothing is listed, without a complaint.
    if not listed and (missing := await cluster.no_namespace(namespace)):
        return missing
    found = [parse_deployment(raw) for raw in listed]
    return [deployment.key for deployment in found if deployment.is_marked]


async def restore_targets(request: Request, *, everything: bool, as_json: bool, take_over: bool) -> ExitCode:
    """`devloop restore`: needs no file unless a service is named, no engine and no build."""
    opened = await _open(request, everything=everything)
    if isinstance(opened, Refusal):
        say.err(*opened.lines)
        return opened.exit_code
    observations = Observations()
    cluster = KubeCluster(opened.pinned)
    observer = KubeObserver(cluster, observations.observe, lambda ok, text: None)
    # Whoever may not use Leases may restore all the same, and has heard of it in the session that wrote.
    holder = leaseholder(
        KubeLeases(cluster), secrets.token_hex(4), tell=lambda event: None, warn=lambda key, failure: None
    )
    try:
        keys = await marked(cluster, opened.namespace) if everything else opened.keys
        if isinstance(keys, Failure):
            return _refused(Refusal.of(keys))
        if not keys:
            say.err(f"nothing in namespace {opened.namespace} carries a mark of devloop")
        for key in keys:
            observer.follow(key)
        await holder.add(keys, take_over=take_over)
        for key, other in holder.seem_gone().items():
            say.err(f"{key}: {other.identity} works on it and seems to be gone: waiting for its Lease to end")
        await holder.settle()
        held = others(holder, keys)
        screens = _screens() if held else set()
        held = {
            key: replace(
                failure,
                message=f"{failure.message}, so it was not restored",
                hint=_way(holder.held_by(key), screens),
            )
            for key, failure in held.items()
        }
        results = await asyncio.gather(
            *(_restore_one(cluster, observations, key, opened.seconds, held.get(key)) for key in keys)
        )
    finally:
        await let_go(holder)
        await observer.close()
        await cluster.close()
    tell = _tell_json if as_json else _tell
    for key, (restored, failure) in zip(keys, results, strict=True):
        tell(key, restored, failure)
    return max((failure.exit_code for _, failure in results if failure), default=ExitCode.DONE)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What to restore, and where."""

    pinned: PinnedContext
    namespace: str
    keys: tuple[WorkloadKey, ...]
    seconds: float
    """How long to wait for a rollout."""


async def _open(request: Request, *, everything: bool) -> _Opened | Refusal:
    """Workloads need no file, but one that is there names context and namespace; services come from it."""
    problems = _in_the_way(request, everything=everything)
    place = await _without_file(request, problems) if problems else await find_place(request)
    if isinstance(place, Refusal):
        if request.file or place.failure or (everything and request.namespace):
            return place
        way = "→ correct that, or name the namespace, which needs no file: devloop restore --all -n NAMESPACE"
        return replace(place, lines=(*place.lines, way if everything else despite("restore")))
    keys: list[WorkloadKey] = []
    names = [name for name in request.names if "/" not in name]
    if names and not place.file:
        message = f"there is no devloop.toml here or above, so `{names[0]}` names no service"
        command = request.typed(*(name if "/" in name else f"deployment/{name}" for name in request.names))
        return Refusal(ExitCode.USAGE, (message, f"→ name the workload: {command}"))
    if names:
        services = resolve_services(place, names, request.namespace)
        if isinstance(services, Refusal):
            return services
        keys = [key for service in services if service.name in names for key in service.workloads]
    for name in request.names:
        if "/" in name:
            key = parse_key(name, place.namespace)
            if isinstance(key, Refusal):
                return key
            keys.append(key)
    namespaces = {place.namespace} if everything else {key.namespace for key in keys}
    refused = ask_guard(place, namespaces, request.confirm)
    if isinstance(refused, Refusal):
        return refused
    return _Opened(place.pinned, place.namespace, tuple(dict.fromkeys(keys)), place.config.loop.rollout_timeout)


def _in_the_way(request: Request, *, everything: bool) -> Problems | None:
    """The mistakes of the file, where nothing is asked for that it would have to say."""
    wanted = any("/" not in name for name in request.names) or (everything and not request.namespace)
    loaded = None if request.file or wanted else configfile.load(None, Path.cwd(), os.environ)
    return loaded if isinstance(loaded, Problems) else None


async def _without_file(request: Request, problems: Problems) -> Place | Refusal:
    """Beside files with mistakes: where they would have it, and allowed is what an overlay without mistakes allows."""
    left = configfile.left_of(problems, request.file, Path.cwd(), os.environ)
    place = await place_beside(left, request)
    if isinstance(place, Failure):
        return Refusal.of(place)
    names = named_at_fault(problems)
    without = f"restoring without {'them' if ' and ' in names else 'it'}"
    say.err(f"{have_mistakes(problems)}; {without}: context {place.pinned.name}, namespace {place.namespace}")
    if left.faulty:
        return replace(place, faulty=place.overlay)
    # Where the file meant another context, what to add depends on all that it says of contexts.
    return place if left.context in {"", place.pinned.name} else replace(place, faulty=names)


def _screens() -> set[str]:
    """The sessions of this machine that have one."""
    return {each.about.get("session", "") for each in running(default_root()) if each.about.get("screen")}


def _way(lease: Lease | None, screens: Collection[str]) -> str:
    """What puts back all the same a workload that another session works on: one with a screen here has a key for it."""
    has_key = lease is not None and lease.holder.session in screens
    sooner = "press R on the screen of that session, or end it" if has_key else "end that session"
    return f"{sooner}, or restore all the same: `--take-over`"


async def _restore_one(
    cluster: KubeCluster, observations: Observations, key: WorkloadKey, seconds: float, held: Failure | None
) -> tuple[Restored | None, Failure | None]:
    if held:
        return None, held
    restored = await restore(cluster, key)
    if isinstance(restored, Failure):
        return None, restored
    return restored, await rolled_out(observations, restored, seconds)


def _tell(key: WorkloadKey, restored: Restored | None, failure: Failure | None) -> None:
    if restored:
        say.out(*(f"{key}: {line}" for line in restored.lines))
    if failure:
        say.err(*Refusal.of(failure).lines)
    elif restored and restored.changes:
        say.out(f"{key}: restored, and its rollout is complete")


def _tell_json(key: WorkloadKey, restored: Restored | None, failure: Failure | None) -> None:
    problem = {"code": failure.code, "message": failure.message, "hint": failure.hint} if failure else None
    found = {
        "workload": str(key),
        "namespace": key.namespace,
        "changes": restored.changes if restored else (),
        "kept": restored.kept if restored else (),
        "failure": problem,
    }
    say.out(json.dumps(found, ensure_ascii=False))


def _refused(refusal: Refusal) -> ExitCode:
    say.err(*refusal.lines)
    return refusal.exit_code
