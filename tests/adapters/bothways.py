"""Builds a tree both ways, by a layer and fully, on a real engine and registry, and reads what each image holds."""

import asyncio
import gzip
import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from devloop.adapters.appending import read_base
from devloop.adapters.audit import Contents, contents_of, differences
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
        left, right = await asyncio.gather(self.holds(built), self.holds(other))
        different = tuple(differences(left, right, timed=built.builder == "delta" and self.words != NOTHING))
        shown = {path: (left.entries.get(path), right.entries.get(path)) for path in different}
        assert not different, f"{self.words}; by a layer, and by a full build: {shown}"

    async def holds(self, built: Built) -> Contents:
        """What somebody sees who runs it."""
        http, scope = self.registry.http, self.registry.scope_of(self.request.push)
        image = await read_base(http, scope, built.digest)
        assert not isinstance(image, Failure), image
        for layer, diff in zip(image.manifest["layers"], image.config["rootfs"]["diff_ids"], strict=True):
            blob = await self._get(f"blobs/{layer['digest']}")
            assert diff == f"sha256:{hashlib.sha256(gzip.decompress(blob)).hexdigest()}"
        contents = await contents_of(http, scope, image)
        assert isinstance(contents, Contents), contents
        return contents

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


def write(folder: Path, path: str, content: str, mode: int = 0o644, mtime: float = 1_700_000_000.75) -> None:
    """A file whose time has a fraction, so that a wrong one shows."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    file.chmod(mode)
    os.utime(file, (mtime, mtime))
