"""What a kubelet knows of one container of a Pod, and its form in the Pod's status."""

from dataclasses import dataclass, field
from typing import Any

from devloop.sandbox.runtimeport import Running

Raw = dict[str, Any]


@dataclass
class ContainerState:
    """One container, through all its starts."""

    spec: Raw
    init: bool
    state: Raw = field(default_factory=dict)
    """`{"waiting": ...}`, `{"running": ...}` or `{"terminated": ...}`."""
    last: Raw = field(default_factory=dict)
    image_id: str = ""
    container_id: str = ""
    attempt: int = 0
    started: bool = False
    """Whether its startup probe has passed, or there is none."""
    ready: bool = False
    running: Running | None = None
    """The present start, or the latest one."""
    previous: Running | None = None
    over: bool = False
    """Whether it will never run again."""

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def field_path(self) -> str:
        return f"spec.{'initContainers' if self.init else 'containers'}{{{self.name}}}"

    @property
    def is_running(self) -> bool:
        return "running" in self.state

    @property
    def terminated(self) -> Raw:
        found: Raw = self.state.get("terminated") or {}
        return found

    @property
    def succeeded(self) -> bool:
        return self.terminated.get("exitCode") == 0

    def wait(self, reason: str, message: str = "") -> None:
        """It does not run, for that reason; how it ended is kept."""
        if self.terminated:
            self.last = {"terminated": self.terminated}
        self.state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        self.started = self.ready = False

    def status(self) -> Raw:
        """As in `containerStatuses`."""
        made: Raw = {
            "name": self.name, "image": self.spec["image"], "imageID": self.image_id, "lastState": self.last,
            "ready": self.ready, "restartCount": self.attempt, "started": self.started, "state": self.state,
        }  # fmt: skip
        if self.container_id:
            made |= {"containerID": self.container_id, "resources": {}}
        return made
