"""The three services of the soak: their sources, which are saved at random, and their Deployments."""

import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.harness import PROBE
from tests.e2e.shop import Shop

SERVES = "trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait"
PROBED = {**PROBE, "httpGet": {"path": "/message.txt", "port": 8080}}
KINDS: dict[str, tuple[int, dict[str, Any]]] = {
    "plain": (1, {}),
    "probed": (1, {"readinessProbe": PROBED}),
    "double": (2, {}),
}
"""Replicas, and what the container has beside its image: without a probe a rollout is watched until it is steady."""
_WAIT = 8.0
"""Seconds after which a service is saved again, whatever became of the save before."""


@dataclass
class Source:
    """The source of one service; `last` is what its Pods have to serve in the end."""

    name: str
    folder: Path
    base: str
    chance: random.Random
    replicas: int = 1
    last: str = ""
    saves: int = 0
    due: float = 0.0
    """When it is saved next, monotonic."""
    requirements: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        self.folder.mkdir()
        self.write()
        self.require()

    def write(self, broken: bool = False) -> None:
        """The Dockerfile; a broken one does not build."""
        lines = [f"FROM {self.base}", "COPY requirements.txt /", "RUN wc -l /requirements.txt >/installed"]
        lines += ["RUN echo 'cannot compile' >&2; exit 3"] * broken
        lines += ["COPY . /www", f'CMD ["sh", "-c", "{SERVES}"]']
        (self.folder / "Dockerfile").write_text("\n".join(lines) + "\n")

    def require(self) -> None:
        """A change that no layer can be made of, and a save."""
        self.requirements.append(f"part=={len(self.requirements)}")
        (self.folder / "requirements.txt").write_text("\n".join(self.requirements) + "\n")
        self.save()

    def save(self) -> None:
        """Save something that was never saved before; most often the next save waits for the end of its cycle."""
        self.saves += 1
        self.last = f"{self.name} {self.saves} {self.chance.getrandbits(32):08x}"
        (self.folder / "message.txt").write_text(self.last)
        drawn = self.chance.random()
        wait = self.chance.uniform(0, 0.3) if drawn < 0.2 else self.chance.uniform(0.3, 2.5) if drawn < 0.35 else _WAIT
        self.due = time.monotonic() + wait

    def ended(self) -> None:
        """A cycle has ended: the next save need not wait any longer."""
        self.due = min(self.due, time.monotonic() + self.chance.uniform(0.05, 0.6))


def sources(shop: Shop, pushed: str, seed: int) -> list[Source]:
    """All that a session needs to begin; `pushed`: host and port that images are pushed to."""
    found = [
        Source(name, shop.folder / name, f"{shop.registry}/busybox:1", random.Random(f"{seed} {name}"), replicas)
        for name, (replicas, _) in KINDS.items()
    ]
    for source in found:
        source.prepare()
        container = {**shop.container(source.name), **KINDS[source.name][1]}
        if not KINDS[source.name][1]:
            del container["readinessProbe"]
        shop.deploy(source.name, container, replicas=source.replicas)
    push = f'push_image = "{pushed}/{shop.namespace}/{{}}"'
    shop.configure(*(shop.service(source.name, push.format(source.name)) for source in found))
    return found
