"""One container of a Pod on its node: pulled, started, probed, and started again when it ended."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from devloop.sandbox import times
from devloop.sandbox.containerstate import ContainerState
from devloop.sandbox.podenv import ConfigError, environment, expanded
from devloop.sandbox.probes import Probed, Worker
from devloop.sandbox.recorder import Recorder
from devloop.sandbox.resources import Resources
from devloop.sandbox.runtimeport import ContainerSpec, NodeRuntime, PullFailed, Running

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a kubelet waits, in seconds: the real one's values."""

    back_off: float = 10.0
    """After the second end of a container, or the first failed pull; doubled each time."""
    longest: float = 300.0
    calm: float = 600.0
    """A container that ran that long begins anew."""
    notice: float = 1.0
    """Between a container's first end and its next start: so often a kubelet looks at what still runs."""
    next_look: float = 1.5
    """Until what is wrong is looked at again, when there is no back-off."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the containers of one Pod share."""

    pod: Raw
    runtime: NodeRuntime
    resources: Resources
    recorder: Recorder
    timing: Timing
    changed: Callable[[], None]
    """The status is to be written."""
    extra_env: Callable[[], Mapping[str, str]]
    address: str = ""
    """Of the Pod, as everybody else sees it."""

    @property
    def id(self) -> str:
        metadata = self.pod["metadata"]
        return f"{metadata['namespace']}/{metadata['name']}/{metadata['uid']}"

    @property
    def shown(self) -> str:
        """As the kubelet writes it in back-offs."""
        metadata = self.pod["metadata"]
        return f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"


class ContainerLoop:
    """Runs a container until it is over; cancelling it leaves the program running, `stop` ends it."""

    def __init__(self, place: Place, state: ContainerState) -> None:
        self.state = state
        self._place = place
        self._stopping = False

    async def run(self) -> None:
        delay, timing = 0.0, self._place.timing
        while True:
            began = time.monotonic()
            await self._once()
            if not self._again():
                self.state.over = True
                self._place.changed()
                return
            if time.monotonic() - began > timing.calm:
                delay = 0.0
            await self._back_off(delay)
            delay = min(timing.longest, delay * 2 or timing.back_off)
            self.state.attempt += 1

    async def stop(self, grace: float) -> None:
        """End the program, and do not start it again."""
        hurried, self._stopping = self._stopping, True
        if self.state.running is not None and self.state.is_running:
            if not hurried:
                self._say("Normal", "Killing", f"Stopping container {self.state.name}")
            await self.state.running.stop(grace)

    def end(self, code: int, began: str) -> None:
        """Note how it ended."""
        reason = "Completed" if code == 0 else "Error"
        self._terminated({"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": times.now()})

    def _again(self) -> bool:
        if self._stopping:
            return False
        policy = "OnFailure" if self.state.init else self._place.pod["spec"].get("restartPolicy", "Always")
        if self.state.init and self._place.pod["spec"].get("restartPolicy") == "Never":
            policy = "Never"
        return policy == "Always" or (policy == "OnFailure" and not self.state.succeeded)

    async def _once(self) -> None:
        """From the image to the end of the program."""
        await self._pull()
        running = await self._start()
        if running is None:
            return
        began = times.now()
        self.state.running, self.state.previous = running, self.state.running
        self.state.state = {"running": {"startedAt": began}}
        self.state.started = "startupProbe" not in self.state.spec
        self.state.ready = self.state.started and "readinessProbe" not in self.state.spec and not self.state.init
        self._place.changed()
        probing = asyncio.ensure_future(self._probe(running))
        try:
            code = await running.wait()
        finally:
            probing.cancel()
            await asyncio.wait({probing})  # not the probing itself: whoever cancels this loop has to be heard
        self.end(code, began)

    async def _pull(self) -> None:
        state, delay = self.state, self._place.timing.back_off
        image, policy = state.spec["image"], state.spec.get("imagePullPolicy", "IfNotPresent")
        while True:
            pulling = asyncio.ensure_future(self._place.runtime.pull(image, policy))
            try:
                pulled = await self._pulled(pulling, image, policy)
            except PullFailed as failed:
                delay = await self._not_pulled(str(failed), image, policy, delay)
                continue
            state.image_id = pulled.image_id
            return

    async def _pulled(self, pulling: "asyncio.Future[Any]", image: str, policy: str) -> Any:
        announced = policy == "Always"
        if announced:
            self._say("Normal", "Pulling", f'Pulling image "{image}"')
        try:
            # Whether a copy is there is for the runtime to know: what takes time is a pull.
            await asyncio.wait([pulling], timeout=None if announced else 0.2)
            if not announced and not pulling.done():
                announced = True
                self._say("Normal", "Pulling", f'Pulling image "{image}"')
            pulled = await pulling
        except PullFailed:
            if not announced and policy != "Never":
                self._say("Normal", "Pulling", f'Pulling image "{image}"')
            raise
        finally:
            pulling.cancel()
        if pulled.cached:
            message = f'Container image "{image}" already present on machine and can be accessed by the pod'
            self._say("Normal", "Pulled", message)
            return pulled
        if not announced:
            self._say("Normal", "Pulling", f'Pulling image "{image}"')
        took = _duration(pulled.seconds)
        size = f"Image size: {pulled.size} bytes."
        self._say(
            "Normal", "Pulled", f'Successfully pulled image "{image}" in {took} ({took} including waiting). {size}'
        )
        return pulled

    async def _not_pulled(self, why: str, image: str, policy: str, delay: float) -> float:
        timing = self._place.timing
        if policy == "Never":
            message = f'Container image "{image}" is not present with pull policy of Never'
            self._say("Warning", "ErrImageNeverPull", message)
            self._say("Warning", "Failed", "Error: ErrImageNeverPull")
            self._wait("ErrImageNeverPull", message)
            await asyncio.sleep(delay)
            return delay
        self._say("Warning", "Failed", f'Failed to pull image "{image}": {why}')
        self._say("Warning", "Failed", "Error: ErrImagePull")
        self._wait("ErrImagePull", why)
        await asyncio.sleep(timing.next_look)
        self._say("Normal", "BackOff", f'Back-off pulling image "{image}"')
        self._say("Warning", "Failed", "Error: ImagePullBackOff")
        self._wait("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {why}')
        await asyncio.sleep(delay)
        return min(timing.longest, delay * 2)

    async def _start(self) -> Running | None:
        state, pod = self.state, self._place.pod
        while True:
            try:
                env = environment(self._place.resources, pod, state.spec, self._place.extra_env())
                break
            except ConfigError as error:
                self._say("Warning", "Failed", f"Error: {error}")
                self._wait("CreateContainerConfigError", str(error))
                await asyncio.sleep(self._place.timing.back_off)
        self._say("Normal", "Created", "Container created")
        state.container_id = f"sandbox://{secrets.token_hex(32)}"
        command, args = _words(state.spec, "command", env), _words(state.spec, "args", env)
        folder = str(state.spec.get("workingDir", ""))
        spec = ContainerSpec(self._place.id, state.name, state.image_id, command, args, env, folder, state.attempt)
        try:
            running = await self._place.runtime.start(spec)
        except OSError as error:
            self._not_started(str(error))
            return None
        self._say("Normal", "Started", "Container started")
        return running

    def _not_started(self, why: str) -> None:
        self._say("Warning", "Failed", f"Error: {why}")
        ended = {"exitCode": 128, "reason": "StartError", "message": why}
        self._terminated({**ended, "startedAt": "1970-01-01T00:00:00Z", "finishedAt": times.now()})
        if self._again():
            self._wait("RunContainerError", why)

    def _terminated(self, how: Raw) -> None:
        state = self.state
        state.state = {"terminated": {**how, "containerID": state.container_id}}
        state.started = False
        state.ready = state.init and state.succeeded
        self._place.changed()

    async def _back_off(self, delay: float) -> None:
        state = self.state
        if not delay:
            await asyncio.sleep(self._place.timing.notice)
            if state.terminated:
                state.last = {"terminated": state.terminated}
            return
        self._say("Warning", "BackOff", f"Back-off restarting failed container {state.name} in pod {self._place.shown}")
        shown = f"{_duration(delay)} restarting failed container={state.name} pod={self._place.shown}"
        self._wait("CrashLoopBackOff", f"back-off {shown}")
        await asyncio.sleep(delay)

    async def _probe(self, running: Running) -> None:
        """Probe for as long as it runs."""
        spec, at = self.state.spec, self._probed(running)
        if startup := spec.get("startupProbe"):
            if not await Worker(startup, at, self._told("Startup")).run(until_passed=True):
                return await self._kill(running, "startup")
            self.state.started = True
            self.state.ready = "readinessProbe" not in spec
            self._place.changed()
        async with asyncio.TaskGroup() as group:
            if readiness := spec.get("readinessProbe"):
                group.create_task(Worker(readiness, at, self._readiness(readiness)).run())
            if liveness := spec.get("livenessProbe"):
                group.create_task(self._live(running, liveness, at))
        return None

    async def _live(self, running: Running, spec: Raw, at: Probed) -> None:
        failures = 0
        dead = asyncio.Event()
        tell = self._told("Liveness")

        def told(good: bool, why: str) -> None:
            nonlocal failures
            tell(good, why)
            failures = 0 if good else failures + 1
            if failures >= int(spec.get("failureThreshold", 3)):
                dead.set()

        worker = asyncio.ensure_future(Worker(spec, at, told).run())
        try:
            await dead.wait()
        finally:
            worker.cancel()
        await self._kill(running, "liveness")

    async def _kill(self, running: Running, which: str) -> None:
        self._say("Normal", "Killing", f"Container {self.state.name} failed {which} probe, will be restarted")
        grace = float(self._place.pod["spec"].get("terminationGracePeriodSeconds", 30))
        await asyncio.shield(asyncio.ensure_future(running.stop(grace)))

    def _readiness(self, spec: Raw) -> Callable[[bool, str], None]:
        good = bad = 0
        tell = self._told("Readiness")

        def told(passed: bool, why: str) -> None:
            nonlocal good, bad
            good, bad = (good + 1, 0) if passed else (0, bad + 1)
            tell(passed, why)
            before = self.state.ready
            if good >= int(spec.get("successThreshold", 1)):
                self.state.ready = True
            elif bad >= int(spec.get("failureThreshold", 3)):
                self.state.ready = False
            if self.state.ready != before:
                self._place.changed()

        return told

    def _told(self, which: str) -> Callable[[bool, str], None]:
        def told(good: bool, why: str) -> None:
            if not good and not self._stopping:
                self._say("Warning", "Unhealthy", f"{which} probe failed: {why}")

        return told

    def _probed(self, running: Running) -> Probed:
        def number(port: Any) -> int | None:
            named = (p["containerPort"] for p in self.state.spec.get("ports") or [] if p.get("name") == port)
            return port if isinstance(port, int) else next(named, None)

        return Probed(running, self._place.address, number)

    def _wait(self, reason: str, message: str) -> None:
        self.state.wait(reason, message)
        self._place.changed()

    def _say(self, type_: str, reason: str, message: str) -> None:
        self._place.recorder.say(self._place.pod, type_, reason, message, self.state.field_path)


def _words(spec: Raw, key: str, env: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(expanded(str(word), env) for word in spec.get(key) or [])


def _duration(seconds: float) -> str:
    """As Go writes it, to the millisecond."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"
