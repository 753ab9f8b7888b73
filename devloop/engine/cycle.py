"""One cycle, top to bottom: build, push, confirm, patch, observe, verify; a restart begins with the patch.

`run_cycle` returns how it ended; what can be expected to go wrong is a `Failure` in that result. Cancelling its task
supersedes it: before the patch everything it started dies with it, after the patch it only stops looking.
"""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

from devloop.core.events import BuildStep, ImagePushed, Log, LogSource, Outcome, Phase, Trigger
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import PushedImage, ResolvedImage, short
from devloop.core.ports import BuildProgress, BuildRequest, Built, OutputLine, PushStarted, StepProgress
from devloop.engine.rollout import WorkloadRollout
from devloop.engine.tools import CycleResult, Emit, Gate, Order, PhaseError, PhaseLog, Ports, SessionFacts, need

_LOOKS_AFTER = 3.0
"""Seconds after a push within which its source is looked at, even if the rollout takes longer."""


async def run_cycle(order: Order, ports: Ports, facts: SessionFacts, *, emit: Emit, gate: Gate) -> CycleResult:
    """Run one cycle of one service."""
    return await _Cycle(order, ports, facts, emit).run(gate)


class _Cycle:
    def __init__(self, order: Order, ports: Ports, facts: SessionFacts, emit: Emit) -> None:
        self._order = order
        self._service = order.service
        self._ports = ports
        self._facts = facts
        self._emit = emit
        self._phases = PhaseLog(order, emit)
        self._builder = ""
        self._image: PushedImage | None = None
        self._pushing = False
        self._moved = True
        """Whether the push changed what the tag holds."""
        self._asked: list[asyncio.Future[Any]] = []
        """Questions whose answers a cycle that has ended does not wait for."""
        self._beside: list[asyncio.Future[Any]] = []
        """What runs beside the cycle's own steps and ends with it."""
        self._rollouts: list[WorkloadRollout] = []
        self._rolled_out = asyncio.Event()
        """Or it has come to an end before that."""

    async def run(self, gate: Gate) -> CycleResult:
        try:
            result = await self._steps(gate)
            self._rolled_out.set()
            await asyncio.gather(*self._beside)
            return result
        finally:
            for future in (*self._beside, *self._asked):
                future.cancel()
            for rollout in self._rollouts:
                rollout.close()

    async def _steps(self, gate: Gate) -> CycleResult:
        try:
            with self._phases.closing():
                if self._order.want.trigger is Trigger.DRIFT and not self._order.want.restart:
                    return await self._prove_again()
                image = await self._build_and_push() if self._order.want.build else self._pushed_last()
                if refused := await gate():
                    return self._result(Outcome.FAILED, refused)
                self._phases.start(Phase.ROLLOUT, announced=True)
                return await self._roll_out(image)
        except PhaseError as error:
            failure = error.failure.once(self._facts.again) if self._facts.again else error.failure
            return self._result(Outcome.FAILED, failure)

    # build and push ----------------------------------------------------------------------------------------------

    async def _build_and_push(self) -> PushedImage:
        self._phases.start(Phase.BUILD)
        # Asked beside the build: a tag that already held what is built moved nowhere, whatever the Pods run.
        before = self._before()
        request = BuildRequest.of(self._service, self._facts.platform)
        built = need(await self._ports.builds.build(request, self._order.want.newest, self._progress))
        self._builder = built.builder
        if not self._pushing:  # not every builder tells, and whoever waits at the gate has pushed
            self._phases.start(self._delivery)
        self._beside.append(asyncio.ensure_future(self._look_at_source()))
        image = built.loaded or await self._confirm(built)
        self._moved = await before != image.digest
        self._facts.pushed[self._service.name].append(image)
        self._image = image
        self._emit(
            ImagePushed(
                self._service.name,
                self._order.number,
                str(image.push_ref),
                str(image.pod_ref),
                image.digest,
                tuple(sorted(image.resolved.digests)),
                image.loaded_into,
            )
        )
        self._phases.end(ok=True)
        return image

    async def _look_at_source(self) -> None:
        """What was saved while the builder read its context shows in this picture, and starts the next cycle.

        Many files take a while to look at, and on one machine with the cluster that would slow down the rollout.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOKS_AFTER):
                await self._rolled_out.wait()
        await self._ports.watcher.picture(self._service.name)

    def _before(self) -> Awaitable[str]:
        """The digest of what the Pods' reference meant before this build, as far as anybody can tell."""
        asking = asyncio.ensure_future(self._digest_before())
        self._asked.append(asking)
        return asking

    async def _digest_before(self) -> str:
        if self._service.load is None:
            return _digest(await self._ports.registry.resolve(self._service.push, configs=False))
        pushed = self._facts.pushed[self._service.name]
        return pushed[-1].digest if pushed else ""

    @property
    def _delivery(self) -> Phase:
        return Phase.PUSH if self._service.load is None else Phase.LOAD

    def _progress(self, item: BuildProgress) -> None:
        name, number = self._service.name, self._order.number
        match item:
            case PushStarted():
                self._pushing = True
                self._phases.start(self._delivery)
            case OutputLine():
                self._emit(Log(name, LogSource.BUILD, item.text, number))
            case StepProgress():
                step = BuildStep(
                    name, number, item.step, item.name, item.state, item.cached, item.seconds, item.current, item.total,
                    item.builder,
                )  # fmt: skip
                self._emit(step)

    async def _confirm(self, built: Built) -> PushedImage:
        """Ask the registry what the tag holds now; only that is what Pods will get."""
        resolved = need(await self._ports.registry.resolve(self._service.push))
        if resolved is None:
            message = f"the registry does not have {self._service.push}, which was pushed a moment ago"
            raise PhaseError(Failure(FailureCode.REGISTRY_MOVED, message, "save again to push once more"))
        if resolved.digest != built.digest:
            message = (
                f"{self._service.push} is {short(resolved.digest)} in the registry, "
                f"but {short(built.digest)} was pushed: somebody else pushed to the same tag"
            )
            raise PhaseError(
                Failure(FailureCode.REGISTRY_MOVED, message, "choose a `tag` of your own for this service")
            )
        # The engine takes the digest from the registry's answer, and a mirror that is behind answers with an older one.
        if built.config and resolved.configs and built.config not in resolved.configs:
            message = (
                f"{self._service.push} is {short(resolved.digest)} in the registry, which is not what was built: "
                "it shows an older image, or somebody else pushed to the same tag"
            )
            hint = "build again when the registry shows what is pushed; choose a `tag` of your own for this service"
            raise PhaseError(Failure(FailureCode.REGISTRY_MOVED, message, hint))
        return PushedImage(self._service.push, self._service.image, resolved)

    # rollout and proof -------------------------------------------------------------------------------------------

    async def _roll_out(self, image: PushedImage) -> CycleResult:
        rollouts = self._begin(image)
        for rollout in rollouts:
            await rollout.patch()
        await _all(rollout.wait() for rollout in rollouts)
        self._rolled_out.set()
        proved = [rollout for rollout in rollouts if rollout.has_pods]
        if proved:
            self._phases.start(Phase.VERIFY)
            await _all(rollout.verify() for rollout in proved)
        return self._result(_outcome(rollouts), text="" if self._moved else _words(rollouts))

    async def _prove_again(self) -> CycleResult:
        """A workload that healed is verified with the image it was given; nothing is built or patched."""
        image = self._pushed_last()
        self._phases.start(Phase.VERIFY)
        rollouts = self._begin(image)
        for rollout in rollouts:
            rollout.take_as_it_is()
            await rollout.wait()
        await _all(rollout.verify() for rollout in rollouts if rollout.has_pods)
        return self._result(Outcome.VERIFIED)

    def _pushed_last(self) -> PushedImage:
        """What a cycle that builds nothing is about."""
        pushed = self._facts.pushed[self._service.name]
        if not pushed:
            raise PhaseError(Failure(FailureCode.UNPROVEN, "this session has pushed nothing yet", "save a file"))
        self._image = pushed[-1]
        return pushed[-1]

    def _begin(self, image: PushedImage) -> list[WorkloadRollout]:
        self._rollouts = [
            WorkloadRollout(key, self._order, image, self._ports, self._facts, self._emit)
            for key in self._service.workloads
        ]
        return self._rollouts

    def _result(self, outcome: Outcome, failure: Failure | None = None, text: str = "") -> CycleResult:
        digest = self._image.digest if self._image else ""
        return CycleResult(outcome, digest, failure, self._builder, text)


def _outcome(rollouts: list[WorkloadRollout]) -> Outcome:
    if not any(rollout.has_pods for rollout in rollouts):
        return Outcome.APPLIED
    return Outcome.VERIFIED if any(rollout.patched for rollout in rollouts) else Outcome.UNCHANGED


def _words(rollouts: list[WorkloadRollout]) -> str:
    return "; ".join(dict.fromkeys(rollout.text for rollout in rollouts if rollout.text))


def _digest(answer: ResolvedImage | Failure | None) -> str:
    return answer.digest if isinstance(answer, ResolvedImage) else ""


async def _all(waits: Iterable[Coroutine[None, None, None]]) -> None:
    """Wait for all side by side; the first failure ends the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
