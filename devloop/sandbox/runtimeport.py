"""What a kubelet of the sandbox asks of its node's container runtime."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image that the node has now."""

    image_id: str
    """`HOST/REPO@sha256:...`, as the kubelet reports it in imageID."""
    cached: bool
    """It was on the node already, and nobody asked the registry."""
    seconds: float
    size: int
    """Bytes."""


class PullFailed(Exception):  # noqa: N818 - as Kubernetes names it
    """An image that the node cannot have; the text is what the kubelet would say."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One start of a container."""

    pod: str
    """NAMESPACE/NAME/UID."""
    name: str
    image_id: str
    command: tuple[str, ...]
    """Of the Pod; empty: the image's entrypoint."""
    args: tuple[str, ...]
    env: Mapping[str, str]
    working_dir: str
    attempt: int


class LogFile(Protocol):
    """Lines `RFC3339Nano stream F text`, as CRI writes them; stays readable after the end."""

    @property
    def path(self) -> Path: ...


class Running(Protocol):
    """A container that was started."""

    port: int
    """The host port that $PORT names, which the program should listen on."""

    async def wait(self) -> int:
        """Its exit code; 128 + n for a signal."""

    async def stop(self, grace: float) -> None:
        """SIGTERM, after `grace` seconds SIGKILL."""

    def logs(self) -> LogFile: ...

    async def execute(self, command: Sequence[str], timeout: float) -> tuple[int, str]:  # noqa: ASYNC109
        """Exit code and output of a command beside the program, as exec probes run it."""


class NodeRuntime(Protocol):
    """One node's container runtime with an image cache of its own."""

    async def pull(self, image: str, policy: str) -> Pulled:
        """Honours Always, IfNotPresent and Never against this node's cache; raises PullFailed."""

    async def start(self, spec: ContainerSpec) -> Running:
        """Raises OSError with a readable text when the program cannot be started."""

    async def remove(self, pod: str) -> None:
        """Forget everything of that Pod but the images."""
