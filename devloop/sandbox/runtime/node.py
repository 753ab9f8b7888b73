"""One node's container runtime."""

import asyncio
import contextlib
import shutil
import signal
import socket
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from devloop.sandbox.runtime.command import Place, furnish, mapped, prepare
from devloop.sandbox.runtime.crilog import CriLog
from devloop.sandbox.runtime.fetching import Fetching
from devloop.sandbox.runtime.images import Image, Images, own_platform
from devloop.sandbox.runtime.process import Container, Group, start_error
from devloop.sandbox.runtime.reaper import Reaper
from devloop.sandbox.runtimeport import ContainerSpec, Pulled


class Runtime:
    """Implements `runtimeport.NodeRuntime`; use as an async context manager, or `close` it."""

    def __init__(self, folder: Path, *, platform: str = "", tokens: Mapping[str, str] | None = None) -> None:
        """`folder` is the node's own, and not there yet: images, containers and logs are put into it. `platform`
        (`linux/amd64`) chooses from images of several; empty: that of this machine. `tokens` (by `HOST:PORT`) let the
        node into registries."""
        self._folder = folder
        self._fetching = Fetching(platform or own_platform(), tokens or {})
        self._images = Images(folder, self._fetching)
        self._reaper = Reaper()
        self._containers: dict[str, list[Container]] = {}
        self._ports: set[int] = set()

    async def __aenter__(self) -> "Runtime":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Every container is killed; the folder stays for whoever gave it."""
        running = [each for containers in self._containers.values() for each in containers]
        await asyncio.gather(*(each.stop(0) for each in running))
        self._containers.clear()
        await self._fetching.close()
        await asyncio.to_thread(self._reaper.close)

    def images(self) -> Mapping[str, Image]:
        """What is on the node, by the names under which it was pulled."""
        return self._images.names()

    async def pull(self, image: str, policy: str) -> Pulled:
        return await self._images.pull(image, policy)

    async def start(self, spec: ContainerSpec) -> Container:
        image = self._images.find(spec.image_id)
        if image is None:
            raise OSError(f"the node has no image {spec.image_id}")
        folder = self._of(spec.pod) / spec.name / str(spec.attempt)
        place = Place(folder / "root", folder / "bin")
        await asyncio.to_thread(_copy, image.root, place)
        port = self._free_port()
        log = CriLog(folder / "output.log")
        try:
            prepared = prepare(spec, image.config, place, port)
            group = await Group.start(prepared, log.writer("stdout"), log.writer("stderr"), self._reaper)
        except BaseException as error:
            log.close()
            self._ports.discard(port)
            if isinstance(error, OSError):
                raise start_error(error, place.root) from error
            raise
        container = Container(
            group,
            log,
            prepared,
            partial(mapped, config=image.config, spec=spec, place=place),
            port=port,
            stop_signal=_stop_signal(image.config),
            reaper=self._reaper,
        )
        self._containers.setdefault(spec.pod, []).append(container)
        return container

    async def remove(self, pod: str) -> None:
        """Kill what still runs of it, and forget its files and logs."""
        containers = self._containers.pop(pod, [])
        await asyncio.gather(*(each.stop(0) for each in containers))
        self._ports -= {each.port for each in containers}
        await asyncio.to_thread(partial(shutil.rmtree, self._of(pod), ignore_errors=True))

    def _of(self, pod: str) -> Path:
        return self._folder / "pods" / pod.replace("/", "_")

    def _free_port(self) -> int:
        """One that nobody listens on, and that no other container of this node was given."""
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in self._ports:
                self._ports.add(port)
                return port


def _copy(image: Path, place: Place) -> None:
    """A container may write into its root, and finds it as the image has it each time it starts."""
    # Of an earlier start only the log is of use.
    for earlier in (*place.root.parent.parent.glob("*/root"), place.bin):
        shutil.rmtree(earlier, ignore_errors=True)
    shutil.copytree(image, place.root, symlinks=True)
    furnish(place)


def _stop_signal(config: Mapping[str, Any]) -> signal.Signals:
    said = str(config.get("StopSignal") or "SIGTERM").upper()
    with contextlib.suppress(ValueError, KeyError):
        return signal.Signals(int(said)) if said.isdecimal() else signal.Signals["SIG" + said.removeprefix("SIG")]
    return signal.SIGTERM
