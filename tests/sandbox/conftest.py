"""A sandbox cluster with two nodes whose programs are scripted, and a client for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devloop.sandbox.cluster import Cluster
from devloop.sandbox.containerloop import Timing
from tests.sandbox.client import Api
from tests.sandbox.scripted import ScriptedRuntime

IMAGES = {f"r/app:{tag}": f"r/app@sha256:{digit * 64}" for tag, digit in (("1", "a"), ("2", "b"))}
QUICK = Timing(back_off=0.02, longest=0.1, calm=60.0, notice=0.01, next_look=0.01)


@pytest.fixture
def nodes(tmp_path: Path) -> dict[str, ScriptedRuntime]:
    runtimes = {name: ScriptedRuntime(tmp_path) for name in ("node1", "node2")}
    for runtime in runtimes.values():
        runtime.images |= IMAGES
    return runtimes


@pytest.fixture
def node(nodes: dict[str, ScriptedRuntime]) -> ScriptedRuntime:
    """The only node that Pods are put on."""
    return nodes["node1"]


@pytest.fixture
async def cluster(tmp_path: Path, nodes: dict[str, ScriptedRuntime]) -> AsyncIterator[Cluster]:
    async with Cluster.start(tmp_path, nodes, timing=QUICK, registry="127.0.0.1:5000") as running:
        yield running


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[Api]:
    async with Api.of(cluster.kubeconfig) as client:
        yield client
