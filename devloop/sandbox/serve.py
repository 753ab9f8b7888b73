"""The whole sandbox as a process of its own: `python -m devloop.sandbox.serve FOLDER`.

It says in one line of JSON where everything is, and runs until its stdin ends, as it does when whoever started it is
gone, however that came about. Then nothing of it is left but what else is in the folder.
"""

import asyncio
import fcntl
import json
import os
import secrets
import signal
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from devloop.sandbox import kinds
from devloop.sandbox.baseimage import put_base_image
from devloop.sandbox.cluster import CONTEXT, Cluster
from devloop.sandbox.demoapp import SERVICES, manifests
from devloop.sandbox.folder import LOGIN, NODES, REGISTRY, forget
from devloop.sandbox.private import write_private
from devloop.sandbox.registry.login import docker_config
from devloop.sandbox.registry.server import Registry
from devloop.sandbox.runtime.node import Runtime

NAMESPACE = "default"


async def serve(folder: Path) -> None:
    """Run until stdin ends or a signal comes."""
    over = _over()
    async with AsyncExitStack() as stack:
        token = secrets.token_urlsafe(32)
        registry = await stack.enter_async_context(Registry(folder / REGISTRY, token=token))
        await put_base_image(registry.host, token=token)
        (folder / LOGIN).mkdir(mode=0o700)
        write_private(folder / LOGIN / "config.json", docker_config(registry.host, token))
        runtimes = {name: Runtime(folder / name, tokens={registry.host: token}) for name in NODES}
        nodes = {name: await stack.enter_async_context(each) for name, each in runtimes.items()}
        cluster = await stack.enter_async_context(Cluster.start(folder, nodes, registry=registry.host))
        for each in manifests(registry=registry.host, namespace=NAMESPACE, api_url=""):
            if each["kind"] == "Service":  # there before the app, whose web has to be told where api is
                cluster.resources.create(kinds.SERVICE, NAMESPACE, each, "kubectl-client-side-apply")
        urls = {name: cluster.url(NAMESPACE, name) for name in SERVICES}
        where = {
            "registry": registry.host, "docker_config": str(folder / LOGIN), "kubeconfig": str(cluster.kubeconfig),
            "context": CONTEXT, "namespace": NAMESPACE, "urls": urls,
        }  # fmt: skip
        print(json.dumps(where), flush=True)  # noqa: T201 - what whoever started it waits for
        await over.wait()


def _over() -> asyncio.Event:
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            over.set()

    loop.add_reader(sys.stdin.fileno(), read)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, over.set)
    return over


def _alone_in(folder: Path) -> bool:
    """Whether nothing else runs in the folder. It is so to the very end of this process: nobody closes the file."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def main(folder: Path) -> int:
    """Its exit code."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not _alone_in(folder):
        print(json.dumps({"refused": "another sandbox runs in this folder"}), flush=True)  # noqa: T201
        return 1
    with suppress(OSError):  # where it is no file
        os.ftruncate(sys.stderr.fileno(), 0)
    forget(folder)  # of one that was killed
    try:
        asyncio.run(serve(folder))
    finally:
        forget(folder)  # now that no thread of it writes any more
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
