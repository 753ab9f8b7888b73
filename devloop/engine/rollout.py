"""One workload's part of a cycle: decide, patch, wait for the rollout, prove.

Waiting means looking at the snapshots that the shared watches bring, with pure functions; nothing here polls.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from devloop.core.containers import choose
from devloop.core.diagnose import at_deadline, explain_crash
from devloop.core.events import Log, LogSource, PodVerified, WarningRaised, WorkloadPatched
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef, PushedImage, ResolvedImage
from devloop.core.manifest import deployment as parse_deployment
from devloop.core.patch import BuildMark, plan_patch
from devloop.core.proof import where_each_is_known
from devloop.core.rollout import rollout_status
from devloop.core.service import WorkloadKey
from devloop.core.status import Broken, ContainerRef, RolledOut, Rolling, RolloutStatus, ScaledToZero, Trouble
from devloop.core.verify import PodVerdict, judge, unchanged, unresolved, verify
from devloop.core.workload import Deployment, Revision, Snapshot, absent
from devloop.engine.crashlogs import CrashLogs
from devloop.engine.tools import Emit, Order, PhaseError, Ports, SessionFacts, need

_FRESH = 0.2
"""Seconds for which an answer to whose the workload is counts: a registry that is slow may have been asked since."""
_RECENT = 20
"""Pushes of which Pods still run one before the next patch."""
_CONFLICTS = 5
"""So many times in a row somebody else may change the workload between the look at it and the patch."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a snapshot has to show for the rollout to be over."""

    uid: str
    generation: int
    mark: str
    """The template's `devloop/build`; empty for the newest revision as it is."""


class WorkloadRollout:
    """Brings one workload to one image, and proves it."""

    def __init__(
        self, key: WorkloadKey, order: Order, image: PushedImage, ports: Ports, facts: SessionFacts, emit: Emit
    ) -> None:
        self.key = key
        self.patched = False
        self.has_pods = True
        """False when the workload is scaled to 0: then there is nothing to prove."""
        self.text = ""
        """Why it was patched."""
        self._order = order
        self._image = image
        self._ports = ports
        self._facts = facts
        self._emit = emit
        self._containers: tuple[str, ...] = ()
        self._expected = Expectation("", 0, "")
        # What the registry said when it was pushed need not be asked again: a digest means one content for ever.
        # One that only the engine could read came without configs, and the registry may tell more by now.
        recent = [resolved for resolved in self._earlier()[-_RECENT:] if resolved.configs]
        self._known: dict[str, ResolvedImage | None] = {
            digest: resolved for resolved in recent for digest in resolved.digests
        }
        self._warned: set[str] = set()
        self._crash_logs = CrashLogs(ports.cluster, key.namespace, self._pod_line)
        self._told: list[PodVerdict] = []
        self._snapshot = Snapshot(key, None)
        self._outdated: Snapshot | None = None
        """Shows another workload of that name than the API server has, or none."""
        self._status: RolloutStatus = Rolling("waiting for the first look at the cluster", ())
        self._revision: Revision | None = None

    async def patch(self) -> None:
        """Patch the workload, unless it provably runs the image already and nobody asked for a restart."""
        snapshot = await self._first_look()
        for _ in range(_CONFLICTS):
            conflict = await self._patch(snapshot)
            if conflict is None:
                return
        need(conflict)

    async def _patch(self, snapshot: Snapshot) -> Failure | None:
        """Decide upon the workload as it is now, and send; what it was decided upon may have changed meanwhile.

        Whose the workload is is asked beside what has to be read in any case: it costs the way to the patch no time.
        """
        asked = asyncio.ensure_future(self._ports.may_write(self.key))
        try:
            return await self._decide_and_send(snapshot, asked)
        finally:
            asked.cancel()

    async def _decide_and_send(self, snapshot: Snapshot, may_write: Awaitable[Failure | None]) -> Failure | None:
        began = asyncio.get_running_loop().time()
        deployment = await self._read()
        if snapshot.deployment is None or snapshot.deployment.uid != deployment.uid:
            self._outdated = snapshot
        self._containers = need(choose(self._order.service, deployment.template))
        self._expect(deployment, mark="")
        newest = next(iter(snapshot.revisions), None)
        if newest:
            await self._resolve(unresolved(snapshot, newest, self._containers, self._image.resolved, self._known))
        pin, earlier = self._order.service.pin, self._earlier()
        # The watch may lag behind what was just read: what somebody changed a moment ago counts.
        seen = replace(snapshot, deployment=deployment)
        reason = unchanged(seen, self._containers, self._image, pin, self._known, earlier)
        if reason or self._order.want.restart:
            failure = await may_write
            if asyncio.get_running_loop().time() - began > _FRESH:
                failure = await self._ports.may_write(self.key)
            if failure:
                raise PhaseError(failure)
            return await self._send(deployment, reason)
        return None

    async def _first_look(self) -> Snapshot:
        """What the watches show; a watch that never shows anything must not hold up the cycle for ever."""
        try:
            async with asyncio.timeout(self._facts.rollout_timeout):
                return await self._ports.observations.until(self.key, lambda seen: seen)
        except TimeoutError:
            message = f"the API server shows nothing of namespace {self.key.namespace} to the watches"
            hint = (
                f"can you list and watch there? `kubectl get deployments,replicasets,pods -n {self.key.namespace} -w`"
            )
            raise PhaseError(Failure(FailureCode.CLUSTER_UNREACHABLE, message, hint)) from None

    def take_as_it_is(self) -> None:
        """Expect the newest revision, whoever made it."""
        snapshot = self._ports.observations.latest(self.key)
        deployment = self._existing(snapshot.deployment if snapshot else None)
        self._containers = need(choose(self._order.service, deployment.template))
        self._expect(deployment, mark="")

    def close(self) -> None:
        """End what still runs beside the rollout."""
        self._crash_logs.close()

    async def wait(self) -> None:
        """Until the rollout is over; raises `PhaseError` when it is broken, or at the deadline."""
        timeout = self._facts.rollout_timeout
        try:
            async with asyncio.timeout(timeout):
                status = await self._ports.observations.until(self.key, self._judge)
        except TimeoutError:
            rolling = self._status if isinstance(self._status, Rolling) else Rolling("its Pods are not all seen", ())
            await self._crash_logs.explain([ref for ref in _most_telling(rolling) if ref.running])
            raise PhaseError(at_deadline(self._snapshot, rolling, timeout)) from None
        match status:
            case Broken():
                raise PhaseError(await self._explain(status))
            case RolledOut():
                self._revision = status.revision
            case ScaledToZero():
                self.has_pods = False

    async def verify(self) -> None:
        """Prove what every ready Pod of the new revision runs, and that it keeps running."""
        while self._revision is not None:
            proved = self._snapshot
            await self._prove(self._revision)
            if await self._holds():
                # A container that was restarted in place meanwhile has pulled again.
                if self._snapshot is not proved:
                    await self._prove(self._revision)
                return
            await self.wait()

    async def _prove(self, revision: Revision) -> None:
        """Compare what the ready Pods run with what was pushed."""
        resolved, earlier = self._image.resolved, self._earlier()
        await self._resolve(unresolved(self._snapshot, revision, self._containers, resolved, self._known))
        verdicts = verify(self._snapshot, revision, self._containers, resolved, self._known, earlier)
        for verdict in verdicts:
            if verdict not in self._told:
                self._told.append(verdict)
                self._emit(self._pod_verified(verdict))
        failure = judge(verdicts)
        if failure:
            raise PhaseError(failure)

    async def _holds(self) -> bool:
        """Whether the rollout stays what it is: without a readiness probe a Pod counts as ready before it crashes."""
        status = self._status
        if not self.patched and isinstance(status, RolledOut) and not status.shaky:
            return True
        while isinstance(status, RolledOut) and status.settle:
            try:
                async with asyncio.timeout(status.settle):
                    status = await self._ports.observations.until(self.key, partial(self._relapse, status))
            except TimeoutError:
                return True
        return isinstance(status, RolledOut)

    def _relapse(self, earlier: RolledOut, snapshot: Snapshot) -> RolloutStatus | None:
        now = self._look(snapshot)
        return None if isinstance(now, RolledOut) and now.settle == earlier.settle else now

    # the patch ---------------------------------------------------------------------------------------------------

    async def _read(self) -> Deployment:
        """The workload as the API server has it now: the record of what was there must not come from a stale watch."""
        raw = need(await self._ports.cluster.read(self.key))
        return self._existing(parse_deployment(raw) if raw else None)

    def _existing(self, deployment: Deployment | None) -> Deployment:
        if deployment is None:
            raise PhaseError(absent(self.key))
        return deployment

    async def _send(self, deployment: Deployment, reason: str) -> Failure | None:
        """Patch it; the failure is a conflict, every other one is raised."""
        now = self._ports.clock.now()
        mark = BuildMark.of(self._image, now, self._facts.session)
        if not self._order.want.build:
            mark = mark.restarting(deployment.template.build)
        patch = plan_patch(deployment, self._containers, self._image, self._order.service.pin, mark, now)
        answer = await self._ports.cluster.patch(self.key, patch.body)
        if isinstance(answer, Failure) and answer.code is FailureCode.WORKLOAD_CHANGED:
            return answer
        after = parse_deployment(need(answer))
        self.patched = True
        self.text = reason
        self._expect(after, patch.mark)
        self._emit(WorkloadPatched(self._order.service.name, self._order.number, str(self.key), patch.changes))
        return None

    def _expect(self, deployment: Deployment, mark: str) -> None:
        self._expected = Expectation(deployment.uid, deployment.generation, mark)

    # the wait ----------------------------------------------------------------------------------------------------

    def _judge(self, snapshot: Snapshot) -> RolloutStatus | None:
        status = self._look(snapshot)
        return None if isinstance(status, Rolling) else status

    def _look(self, snapshot: Snapshot) -> RolloutStatus:
        expected = self._expected
        self._snapshot = snapshot
        if snapshot is self._outdated:
            return Rolling("waiting to see the workload in the cluster")
        self._status = rollout_status(snapshot, uid=expected.uid, generation=expected.generation, mark=expected.mark)
        match self._status:
            case Rolling(troubles=troubles) | RolledOut(shaky=troubles):
                self._warn(troubles)
        return self._status

    def _warn(self, troubles: Iterable[Trouble]) -> None:
        for trouble in troubles:
            if trouble.key not in self._warned:
                self._warned.add(trouble.key)
                failure, name = trouble.failure, self._order.service.name
                self._emit(WarningRaised(name, failure.code, failure.message, failure.hint, self._order.number))
                # What still runs keeps its log, and whoever follows it has read it.
                self._crash_logs.read([ref for ref in trouble.logs if not ref.running])

    async def _explain(self, broken: Broken) -> Failure:
        logs = await self._crash_logs.explain(broken.logs)
        return explain_crash(broken, logs, self._image.resolved, self._facts.platform)

    def _pod_line(self, ref: ContainerRef, line: str) -> None:
        name, number = self._order.service.name, self._order.number
        self._emit(Log(name, LogSource.POD, line, number, ref.pod, ref.container, running=ref.running))

    def _earlier(self) -> list[ResolvedImage]:
        """What this session pushed for the service, the image of this cycle included."""
        return [image.resolved for image in self._facts.pushed[self._order.service.name]]

    # the proof ---------------------------------------------------------------------------------------------------

    async def _resolve(self, image_ids: Iterable[str]) -> None:
        """Ask the registry what is outside the pushed set; what it cannot tell stays unknown."""
        image = self._image
        asked = where_each_is_known((each, image.push_ref, image.pod_ref) for each in sorted(image_ids))
        answers = await asyncio.gather(*(self._meaning(refs) for refs in asked.values()))
        self._known |= dict(zip(asked, answers, strict=True))

    async def _meaning(self, refs: Iterable[ImageRef]) -> ResolvedImage | None:
        if self._image.loaded_into:  # no registry knows it
            return None
        for ref in refs:
            answer = await self._ports.registry.resolve(ref)
            if isinstance(answer, ResolvedImage):
                return answer
        return None

    def _pod_verified(self, verdict: PodVerdict) -> PodVerified:
        return PodVerified(
            self._order.service.name,
            self._order.number,
            str(self.key),
            verdict.pod,
            verdict.node,
            verdict.container,
            verdict.image_id,
            verdict.verdict,
            verdict.pull_seconds,
            verdict.text,
        )


def _most_telling(rolling: Rolling) -> Sequence[ContainerRef]:
    """The logs that explain best why it does not get on."""
    return rolling.troubles[0].logs if rolling.troubles else ()
