"""A sandbox as the place of shared scenarios: it needs nothing, and all that tells where it is goes into variables."""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from devloop.core.plan import ASSEMBLED
from devloop.sandbox.baseimage import put_base_image
from devloop.session.demo.sandboxed import Sandbox, running
from tests.e2e import withoutengine
from tests.e2e.place import Place

CONTEXT = "kind-sandbox"
"""A name that devloop knows to be local, as the one of the real cluster is."""


@dataclass(frozen=True)
class SandboxPlace(Place):
    environment: Mapping[str, str]


@contextmanager
def sandbox(folder: Path) -> Iterator[SandboxPlace]:
    """One with the base images that scenarios begin with; whatever it said of itself is an error of its own."""
    with running(folder) as found:
        assert isinstance(found, Sandbox), found
        asyncio.run(put_base_image(found.registry, name="busybox", tag="1", command=("sh",)))
        devloop = (sys.executable, "-P", withoutengine.__file__)
        yield SandboxPlace(devloop, ASSEMBLED, withoutengine.push, _environment(found, folder))
    assert (folder / "sandbox.log").read_text() == ""


def _environment(found: Sandbox, folder: Path) -> dict[str, str]:
    config = yaml.safe_load(Path(found.kubeconfig).read_text())
    config["contexts"][0]["name"] = config["current-context"] = CONTEXT
    kubeconfig = folder / "scenarios.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    return {
        "DEVLOOP_E2E_CONTEXT": CONTEXT,
        "DEVLOOP_E2E_REGISTRY": found.registry,
        "KUBECONFIG": str(kubeconfig),
        "DOCKER_HOST": f"unix://{folder / 'no-docker.sock'}",
        "DOCKER_CONFIG": str(folder / "no-docker"),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
