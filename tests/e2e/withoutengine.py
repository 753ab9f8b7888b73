"""`devloop` as it is where there is no engine: full builds are assembled, all else is as ever.

Run as a program it takes the arguments of `devloop`.
"""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devloop.adapters.assembling import AssemblingBuilder
from devloop.adapters.buildx import BuildxBuilder
from devloop.adapters.registry import HttpRegistry
from devloop.core.image import ImageRef
from devloop.core.ports import Builder, BuildRequest, Built
from devloop.core.service import BuildSpec
from devloop.sandbox.runtime.images import own_platform
from devloop.session import assembly


def full_builder(registry: HttpRegistry, buildx: BuildxBuilder) -> Builder:
    """In place of `assembly.full_builder`."""
    return AssemblingBuilder(registry)


def push(folder: Path, ref: str) -> None:
    """Build and push by itself, also where a loop runs already."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _push(folder, ImageRef.parse(ref))).result()
    # It says that it is as old as its newest file, in whole seconds: what runs it starts no earlier.
    newest = max(int(path.stat().st_mtime) + 1 for path in folder.rglob("*"))
    while time.time() < newest:
        time.sleep(0.02)


async def _push(folder: Path, ref: ImageRef) -> None:
    registry = HttpRegistry()
    try:
        request = BuildRequest(BuildSpec(folder, folder / "Dockerfile"), ref, own_platform())
        built = await AssemblingBuilder(registry).build(request, lambda _: None)
        assert isinstance(built, Built), built
    finally:
        await registry.close()


if __name__ == "__main__":
    from devloop.cli import main

    assembly.full_builder = full_builder
    sys.argv[0] = "devloop"
    main()
