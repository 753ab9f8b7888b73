"""A container runtime that runs nothing: tests say what its programs do."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devloop.sandbox.runtimeport import ContainerSpec, Pulled, PullFailed

SECOND = "2026-01-01T00:00:{:02}.{:09}Z"


@dataclass
class ScriptedLog:
    path: Path

    def write(self, text: str, second: int = 0, nano: int = 0) -> None:
        with self.path.open("a") as file:
            file.write(f"{SECOND.format(second, nano)} stdout F {text}\n")


@dataclass
class ScriptedProgram:
    """A program that runs until it is told how to end."""

    spec: ContainerSpec
    log: ScriptedLog
    port: int = 9
    answers: Callable[[Sequence[str]], tuple[int, str]] = lambda _: (0, "")
    stubborn: bool = False
    """Whether only SIGKILL ends it."""
    graces: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def exit(self, code: int) -> None:
        if not self._end.done():
            self._end.set_result(code)

    async def wait(self) -> int:
        return await asyncio.shield(self._end)

    async def stop(self, grace: float) -> None:
        self.graces.append(grace)
        if not self.stubborn or not grace:
            self.exit(137 if self.stubborn else 143)
        await self.wait()

    def logs(self) -> ScriptedLog:
        return self.log

    async def execute(self, command: Sequence[str], timeout: float) -> tuple[int, str]:
        return self.answers(command)


class ScriptedRuntime:
    """One node's runtime. What is in `images` can be pulled; what is in `cache` is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images: dict[str, str] = {}
        self.cache: dict[str, str] = {}
        self.programs: list[ScriptedProgram] = []
        self.removed: list[str] = []
        self.refuse = ""
        self.begin: Callable[[ScriptedProgram], None] = lambda _: None
        """Called with each program that was started."""

    async def pull(self, image: str, policy: str) -> Pulled:
        if policy != "Always" and image in self.cache:
            return Pulled(self.cache[image], True, 0.0, 100)
        if policy == "Never" or image not in self.images:
            raise PullFailed(f"rpc error: code = NotFound desc = failed to resolve image: {image}: not found")
        self.cache[image] = self.images[image]
        return Pulled(self.images[image], False, 0.105, 100)

    async def start(self, spec: ContainerSpec) -> ScriptedProgram:
        if self.refuse:
            raise OSError(self.refuse)
        name = f"{spec.pod.replace('/', '_')}-{spec.name}-{spec.attempt}.log"
        program = ScriptedProgram(spec, ScriptedLog(self.folder / name))
        program.log.write("started")
        self.programs.append(program)
        self.begin(program)
        return program

    async def remove(self, pod: str) -> None:
        self.removed.append(pod)

    def of(self, deployment: str) -> list[ScriptedProgram]:
        return [program for program in self.programs if program.spec.pod.split("/")[1].startswith(deployment)]
