"""Where a scenario plays: the service `web`, devloop's own ways to registry, engine and API server, and its session."""

import base64
import contextlib
import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.e2e.proxies import Ways, only_context, ways, write_kubeconfig
from tests.e2e.scene import Scene
from tests.e2e.talk import speak
from tests.faults.httpproxy import HttpProxy
from tests.faults.session import FaultSession, session

FULL = '{ context = "web", delta = false }'
"""Every save is built by buildx."""
LAYER = '"web"'
"""A save becomes a layer, which devloop pushes by itself."""


@dataclass
class Stage:
    """Proxies are opened where a scenario first names them, before its session begins."""

    scene: Scene
    way: Ways
    build: str = LAYER
    lines: list[str] = field(default_factory=list)
    """Of the service."""
    steps: list[str] = field(default_factory=list)
    """More lines of its Dockerfile."""
    loop: list[str] = field(default_factory=list)
    opened: list[HttpProxy] = field(default_factory=list)

    @cached_property
    def registry(self) -> HttpProxy:
        """A registry that images are pushed to; nodes pull the same from the real one."""
        return self._open(HttpProxy(f"http://{self.scene.registry}"))

    @cached_property
    def api(self) -> HttpProxy:
        """The API server, over plain HTTP so that its answers can be changed."""
        config = only_context(self.scene.kubectl)
        cluster = config["clusters"][0]["cluster"]
        trusted = ssl.create_default_context(cadata=_decoded(cluster["certificate-authority-data"]))
        proxy = self._open(HttpProxy(cluster["server"], trusted))
        config["clusters"][0]["cluster"] = {"server": f"http://{proxy.host}"}
        path = write_kubeconfig(self.scene.folder / "plain-kubeconfig", config)
        self.way.env["KUBECONFIG"] = str(path)
        return proxy

    @property
    def pushed(self) -> str:
        """The name that images are pushed under."""
        if "registry" in self.__dict__:
            return f"{self.registry.host}/{self.scene.namespace}/web"
        return self.scene.image

    def prepare(self, **spec: Any) -> None:
        """The workload and the configuration; what is saved says "one"."""
        speak(self.scene, "one")
        with (self.scene.folder / "web" / "Dockerfile").open("a") as file:
            file.writelines(f"{step}\n" for step in self.steps)
        self.scene.deploy(**spec)
        push = [f'push_image = "{self.pushed}"'] if "registry" in self.__dict__ else []
        self.scene.configure(*push, *self.lines, build=self.build, loop=self.loop)

    def session(self, *args: str, code: int | None = 130, **spec: Any) -> AbstractContextManager[FaultSession]:
        """See `tests.faults.session.session`; `spec` goes into the spec of the workload's Pods."""
        self.prepare(**spec)
        return self.again(*args, code=code)

    def again(self, *args: str, code: int | None = 130) -> AbstractContextManager[FaultSession]:
        """A session on what is there."""
        pushed = self.pushed if self.build == LAYER else ""
        return session(self.scene, self.way.env, *args, pushed=pushed, code=code)

    def close(self) -> None:
        for proxy in self.opened:
            proxy.close()

    def _open(self, proxy: HttpProxy) -> HttpProxy:
        self.opened.append(proxy)
        return proxy


@contextlib.contextmanager
def stage_of(scene: Scene, folder: Path) -> Iterator[Stage]:
    with ways(folder, scene.kubectl, scene.registry) as way:
        stage = Stage(scene, way)
        try:
            yield stage
        finally:
            stage.close()


def _decoded(data: str) -> str:
    return base64.b64decode(data).decode()
