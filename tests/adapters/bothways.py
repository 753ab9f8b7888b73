"""Builds a tree both ways, by a layer and fully, on a real engine and registry, and reads what each image holds."""

import asyncio
import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from devloop.adapters.buildx import BuildxBuilder
from devloop.adapters.deltabuilder import DeltaBuilder
from devloop.adapters.pictures import take
from devloop.adapters.registry import HttpRegistry
from devloop.adapters.scope import Area, Context, Scope
from devloop.core.events import HOW
from devloop.core.failure import Failure
from devloop.core.image import ImageRef
from devloop.core.ports import BuildProgress, BuildRequest, Built, StepProgress
from devloop.core.service import BuildSpec
from tests.adapters.memory import Memory

Found = Mapping[str, tuple[object, ...]]
"""By path: type, mode, owner, group, content or target, extended attributes, and the time of a file."""


NOTHING = "delta: nothing differs from the last full build"


class OnDisk:
    """Implements `deltabuilder.Contexts`: always looked at anew."""

    async def context(self, spec: BuildSpec, *, anew: bool) -> Context:
        scope = Scope.read(Area(spec.context, spec.dockerfile, (spec.context,), ()))
        return Context(scope, take(scope, None).picture)


@dataclass
class BothWays:
    """One tree, its two builders, and what they said."""

    folder: Path
    registry: HttpRegistry
    request: BuildRequest
    state: Memory = field(default_factory=Memory)
    told: list[str] = field(default_factory=list)
    env: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        self.full = BuildxBuilder(self.folder, self.env)
        self.delta = DeltaBuilder(self.full, self.registry, OnDisk(), self.state)

    def anew(self) -> None:
        """As a later session would be."""
        self.delta = DeltaBuilder(self.full, self.registry, OnDisk(), self.state)

    async def build(self) -> Built:
        """As the loop does, and wait until all is known that the next build needs."""
        self.told.clear()
        built = await self.delta.build(self.request, self.hear)
        assert isinstance(built, Built), built
        await self.delta.gathered()
        return built

    def hear(self, item: BuildProgress) -> None:
        if isinstance(item, StepProgress) and item.step == HOW:
            self.told.append(item.name)

    @property
    def words(self) -> str:
        """Which way the last build went, and why."""
        return self.told[-1] if self.told else ""

    async def fully(self, **changes: object) -> Built:
        """What a full build of the tree gives now, under another tag."""
        request = replace(self.request, push=self.request.push.with_tag("full"), **changes)  # type: ignore[arg-type]
        built = await self.full.build(request, lambda _: None)
        assert isinstance(built, Built), built
        return built

    async def equal(self, built: Built) -> None:
        """Fails unless the image is what a full build would give."""
        other = await self.fully()
        (left, config, last), (right, wanted, _) = await asyncio.gather(self.holds(built), self.holds(other))
        # BuildKit's cache may have a file of the same content with another time, but not of what has just changed.
        timed = last.keys() if built.builder == "delta" and self.words != NOTHING else frozenset[str]()
        left, right = _with_times(left, timed), _with_times(right, timed)
        different = {path: (left.get(path), right.get(path)) for path in left.keys() | right.keys()}
        different = {path: found for path, found in different.items() if found[0] != found[1]}
        assert not different, f"{self.words}; by a layer, and by a full build: {different}"
        assert config == wanted, f"{self.words}: {config} {wanted}"

    async def holds(self, built: Built) -> tuple[Found, Mapping[str, Any], Found]:
        """What somebody sees who runs it, its config, and what its last layer holds."""
        manifest = json.loads(await self._get(f"manifests/{built.digest}"))
        config = json.loads(await self._get(f"blobs/{manifest['config']['digest']}"))
        layers = [await self._get(f"blobs/{layer['digest']}") for layer in manifest["layers"]]
        for layer, diff in zip(layers, config["rootfs"]["diff_ids"], strict=True):
            assert diff == f"sha256:{hashlib.sha256(gzip.decompress(layer)).hexdigest()}"
        left_out = {"created", "history", "rootfs"}
        kept = {key: value for key, value in config.items() if key not in left_out}
        return flattened(layers), kept, flattened(layers[-1:])

    async def _get(self, path: str) -> bytes:
        scope = self.registry.scope_of(self.request.push)
        kinds = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")
        answer = await self.registry.http.request("GET", scope, f"/v2/{scope.repository}/{path}", accept=kinds)
        assert not isinstance(answer, Failure), answer
        assert answer.status == 200, answer
        return answer.body


@asynccontextmanager
async def both_ways(
    folder: Path, registry: str, name: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[BothWays]:
    folder.mkdir(parents=True, exist_ok=True)
    spec = BuildSpec(folder, folder / "Dockerfile")
    request = BuildRequest(spec, ImageRef.parse(f"{registry}/equal/{name}:dev"), "linux/amd64")
    async with HttpRegistry(env=env) as http:
        ways = BothWays(folder, http, request, env=env)
        yield ways
        await ways.delta.close()


def flattened(layers: list[bytes]) -> Found:
    """What somebody sees who runs the image."""
    found: dict[str, tuple[object, ...]] = {}
    for layer in layers:
        fresh: dict[str, tuple[object, ...]] = {}
        with tarfile.open(fileobj=io.BytesIO(layer), mode="r:*") as tar:
            for info in tar:
                path = "/" + info.name.strip("/")
                name = path.rpartition("/")[2]
                if name == ".wh..wh..opq":
                    _forget(found, path.rpartition("/")[0])
                elif name.startswith(".wh."):
                    _forget(found, path.rpartition("/")[0] + "/" + name.removeprefix(".wh."), itself=True)
                else:
                    fresh[path] = _entry(tar, info)
        for path, entry in fresh.items():
            if entry[0] != tarfile.DIRTYPE:
                _forget(found, path)
            found[path] = entry
    return found


def _with_times(found: Found, paths: Collection[str]) -> Found:
    """Without the times of all others."""
    return {path: entry if path in paths else entry[:-1] for path, entry in found.items()}


def _forget(found: dict[str, tuple[object, ...]], path: str, *, itself: bool = False) -> None:
    for each in [other for other in found if other.startswith(f"{path}/") or (itself and other == path)]:
        del found[each]


def _entry(tar: tarfile.TarFile, info: tarfile.TarInfo) -> tuple[object, ...]:
    file = tar.extractfile(info) if info.isfile() else None
    content = hashlib.sha256(file.read()).hexdigest() if file else info.linkname
    attributes = {key: value for key, value in info.pax_headers.items() if key.startswith("SCHILY.xattr.")}
    time = int(info.mtime) if info.isfile() else 0
    return info.type, info.mode & 0o7777, info.uid, info.gid, content, attributes, time


def write(folder: Path, path: str, content: str, mode: int = 0o644, mtime: float = 1_700_000_000.75) -> None:
    """A file whose time has a fraction, so that a wrong one shows."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    file.chmod(mode)
    os.utime(file, (mtime, mtime))
