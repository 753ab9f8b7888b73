"""Loads images into the nodes of a local cluster through the cluster's own command, and removes them from there.

The commands come from PATH, as on the user's terminal, and their words are passed on.
"""

import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from devloop.adapters.buildoutcome import decisive_line
from devloop.adapters.dockerconfig import DockerConfig
from devloop.adapters.engine import engine_unreachable
from devloop.adapters.imagearchive import ArchiveError, read_archive
from devloop.adapters.kubeconfig import PinnedContext
from devloop.adapters.processes import Finished, capture
from devloop.adapters.threads import in_daemon_thread
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef, PlatformManifest, PushedImage, ResolvedImage
from devloop.core.load import Loaded, Target, build_tag, find_target, load_command, records_to_remove
from devloop.core.service import Load

Nodes = Callable[[], Awaitable[Sequence[Mapping[str, Any]] | Failure]]
Note = Callable[[Loaded], Awaitable[None]]
Say = Callable[[str], None]
_INSTALL = {
    "docker": "install the Docker CLI (docker.com, or the package `docker-cli`): images are handed over through it",
    "kind": "install it (kind.sigs.k8s.io), or push to a registry: leave `load` out",
    "k3d": "install it (k3d.io), or push to a registry: leave `load` out",
    "minikube": "install it (minikube.sigs.k8s.io), or push to a registry: leave `load` out",
}
_CLUSTERS = {Load.KIND: ("kind", "get", "clusters"), Load.K3D: ("k3d", "cluster", "list", "--no-headers")}
_CREATE = {Load.KIND: "kind create cluster --name {}", Load.K3D: "k3d cluster create {}"}
_LOOK = {
    Load.KIND: "`kind get clusters` lists those that do, and `docker ps` their nodes",
    Load.K3D: "`k3d cluster list` tells",
    Load.MINIKUBE: "`minikube profile list` tells",
}
_LOGGED_FAILURES = ("ERRO[", "FATA[")
"""k3d may end with 0 although it has failed on a node, and only its log says so."""


class ClusterLoader:
    """Gives images to the nodes of the pinned context's cluster, and takes them away again."""

    def __init__(self, pinned: PinnedContext, nodes: Nodes, env: Mapping[str, str] | None = None) -> None:
        self._pinned, self._nodes = pinned, nodes
        self._env = dict(os.environ if env is None else env)

    async def target(self, load: Load) -> Target | Failure:
        """The cluster that images are loaded into, with its nodes as they are now."""
        nodes = await self._nodes()
        listed = () if isinstance(nodes, Failure) else nodes
        return find_target(load, self._pinned.name, self._pinned.cluster, listed)

    async def check(self, load: Load) -> Failure | Target:
        """Whether images can be loaded: the commands are there, and know the cluster."""
        target = await self.target(load)
        if isinstance(target, Failure):
            return target
        for command in dict.fromkeys(("docker", *_commands(target))):
            if self._which(command) is None:
                message = f"`{command}` is not on PATH, and images get into {target} through it"
                return Failure(FailureCode.LOADER_MISSING, message, _INSTALL[command])
        return await self._exists(target) or target

    async def load(self, ref: ImageRef, target: Target, note: Note, say: Say) -> PushedImage | Failure:
        """Load what the engine has under `ref`, under a tag of its own; `note` hears of it before it is on any node."""
        found = await self._docker("image", "inspect", "--format", "{{.Id}}", str(ref))
        if isinstance(found, Failure):
            return found
        image_id = found.stdout.strip()
        own = ref.with_tag(build_tag(ref.effective_tag, image_id))
        tagged = await self._docker("image", "tag", str(ref), str(own))
        if isinstance(tagged, Failure):
            return tagged
        if target.tool is Load.DOCKER_DESKTOP:  # nodes have the engine's own store
            resolved = ResolvedImage(image_id, (PlatformManifest("", "", image_id),))
            await note(Loaded(str(own), (image_id,)))
            return PushedImage(own, own, resolved, str(target))
        return await self._load_archive(own, target, note, say)

    async def _load_archive(self, ref: ImageRef, target: Target, note: Note, say: Say) -> PushedImage | Failure:
        with tempfile.TemporaryDirectory(prefix="devloop-", ignore_cleanup_errors=True) as folder:
            file = Path(folder, "image.tar")
            saved = await self._docker("image", "save", "--output", str(file), str(ref))
            if isinstance(saved, Failure):
                return saved
            try:
                resolved = await in_daemon_thread(partial(read_archive, file))
            except ArchiveError as error:
                return _failed(ref, target, str(error))
            await note(Loaded(str(ref), tuple(sorted(resolved.digests))))
            failure = await self._hand_over(ref, target, load_command(target, str(file)), say)
        return failure or PushedImage(ref, ref, resolved, str(target))

    async def _hand_over(self, ref: ImageRef, target: Target, command: Sequence[str], say: Say) -> Failure | None:
        done = await self._run(command)
        if isinstance(done, Failure):
            return done
        lines = [line for line in (*done.stdout.splitlines(), *done.stderr.splitlines()) if line.strip()]
        for line in lines:
            say(line)
        logged = [line for line in lines if line.startswith(_LOGGED_FAILURES)]
        if done.returncode or logged:
            said = logged[-1] if logged else decisive_line(tuple(lines))
            return _failed(ref, target, said or f"{command[0]} ended with exit code {done.returncode}")
        return None

    async def remove(self, image: Loaded, target: Target) -> Failure | None:
        """Take one image away from every node, and from the engine, by its name; what is gone already is no failure."""
        failures = [await self._remove_from_engine(image)]
        match target.tool:
            case Load.KIND | Load.K3D:
                failures += [await self._remove_from_node(image, node) for node in target.nodes]
            case Load.MINIKUBE:
                command = ("minikube", "-p", target.name, "image", "rm", image.ref)
                failures += [await self._ended_well(command, image, target)]
        return next((failure for failure in failures if failure), None)

    async def _remove_from_node(self, image: Loaded, node: str) -> Failure | None:
        ctr = ("docker", "exec", node, "ctr", "-n", "k8s.io", "images")
        listed = await self._run((*ctr, "ls"))
        if isinstance(listed, Failure) or listed.returncode:
            return _not_removed(listed, image, node)
        names = records_to_remove(listed.stdout, image)
        return await self._ended_well((*ctr, "rm", *names), image, node) if names else None

    async def _remove_from_engine(self, image: Loaded) -> Failure | None:
        """Only the name goes: what the newest image shares with it stays."""
        done = await self._run(("docker", "image", "rm", image.ref))
        gone = isinstance(done, Finished) and (not done.returncode or "No such image" in done.stderr)
        return None if gone else _not_removed(done, image, "the engine")

    async def _ended_well(self, command: Sequence[str], image: Loaded, where: object) -> Failure | None:
        done = await self._run(command)
        return _not_removed(done, image, where) if isinstance(done, Failure) or done.returncode else None

    async def _exists(self, target: Target) -> Failure | None:
        """Whether the tool knows the cluster; minikube and Docker Desktop are asked when they are needed."""
        if target.tool not in _CLUSTERS:
            return None
        done = await self._run(_CLUSTERS[target.tool])
        if isinstance(done, Failure):
            return done
        names = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
        if done.returncode or target.name in names:
            return None  # a tool that cannot list may load all the same
        message = f"`{' '.join(_CLUSTERS[target.tool])}` knows no cluster `{target.name}`, only {', '.join(names)}"
        message = message if names else f"`{' '.join(_CLUSTERS[target.tool])}` knows no cluster at all"
        hint = f"create it (`{_CREATE[target.tool].format(target.name)}`), or choose the engine that it runs in"
        return Failure(FailureCode.LOADER_MISSING, message, hint)

    async def _docker(self, *args: str) -> Finished | Failure:
        done = await self._run(("docker", *args))
        if isinstance(done, Failure) or not done.returncode:
            return done
        said = _last_words(done)
        if "Cannot connect to the Docker daemon" in said:
            endpoint = DockerConfig.load(self._env).endpoint()
            return endpoint if isinstance(endpoint, Failure) else engine_unreachable(endpoint, said)
        return Failure(FailureCode.LOAD_FAILED, f"`docker {args[0]} {args[1]}` failed: {said}", "is the disk full?")

    async def _run(self, command: Sequence[str]) -> Finished | Failure:
        path = self._which(command[0])
        if path is None:
            return Failure(FailureCode.LOADER_MISSING, f"`{command[0]}` is not on PATH", _INSTALL[command[0]])
        try:
            return await capture((path, *command[1:]), env=self._env)
        except OSError as error:
            message = f"`{command[0]}` cannot be run: {error.strerror}"
            return Failure(FailureCode.LOADER_MISSING, message, _INSTALL[command[0]])

    def _which(self, command: str) -> str | None:
        return shutil.which(command, path=self._env.get("PATH"))


def _last_words(done: Finished) -> str:
    return decisive_line(tuple(done.stderr.splitlines())) or f"exit code {done.returncode}"


def _commands(target: Target) -> tuple[str, ...]:
    return () if target.tool is Load.DOCKER_DESKTOP else (target.tool.value,)


def _failed(ref: ImageRef, target: Target, said: str) -> Failure:
    hint = f"does the cluster run? {_LOOK[target.tool]}" if target.tool in _LOOK else ""
    return Failure(FailureCode.LOAD_FAILED, f"{ref} could not be loaded into {target}: {said}", hint)


def _not_removed(done: Finished | Failure, image: Loaded, where: object) -> Failure:
    said = done.message if isinstance(done, Failure) else _last_words(done)
    return Failure(
        FailureCode.LOAD_FAILED,
        f"the old image {image.ref} could not be removed from {where}: {said}",
        "nothing needs it",
    )
