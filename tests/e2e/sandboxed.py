"""A sandbox as the place of shared scenarios: it needs nothing, and all that tells where it is goes into variables."""

import asyncio
import base64
import json
import shlex
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from devloop.core.plan import ASSEMBLED
from devloop.sandbox.baseimage import put_base_image
from devloop.sandbox.registry.login import USER
from devloop.session.demo.sandboxed import Sandbox, running
from tests.e2e import littlekubectl, withoutengine
from tests.e2e.littlekubectl import LittleKubectl
from tests.e2e.place import Place

CONTEXT = "kind-sandbox"
"""A name that devloop knows to be local, as the one of the real cluster is."""
REMOTE = "remote-e2e"
"""The same under a name that devloop does not know."""

_LEFT = "SSL connection is closed"
"""asyncio's words for a client that left in the middle of an answer, as a session does that is killed."""


@dataclass(frozen=True)
class SandboxPlace(Place):
    environment: Mapping[str, str]
    kubectl: LittleKubectl


@contextmanager
def sandbox(folder: Path) -> Iterator[SandboxPlace]:
    """One with the base images that scenarios begin with; whatever it said of itself is an error of its own."""
    with running(folder) as found:
        assert isinstance(found, Sandbox), found
        token = _token(found)
        _let_in(found.registry, token)
        base = put_base_image(found.registry, token=token, name="busybox", tag="1", command=("sh",))
        asyncio.run(base)
        devloop = (sys.executable, "-P", withoutengine.__file__)
        kubeconfig = _kubeconfig(found, folder / "scenarios.kubeconfig")
        programs = {"devloop": devloop, "kubectl": (sys.executable, "-P", littlekubectl.__file__)}
        bin_ = put_programs(folder / "bin", programs)
        environment, kubectl = _environment(found, folder, kubeconfig), LittleKubectl(kubeconfig)
        yield SandboxPlace(devloop, bin_, ASSEMBLED, "tag-moved", withoutengine.push, environment, kubectl)
    said = [line for line in (folder / "sandbox.log").read_text().splitlines() if line != _LEFT]
    assert not said, "\n".join(said)


def _token(found: Sandbox) -> str:
    """What opens the registry, as a login has left it."""
    config = json.loads(Path(found.docker_config, "config.json").read_text())
    return base64.b64decode(config["auths"][found.registry]["auth"]).decode().partition(":")[2]


def _let_in(host: str, token: str) -> None:
    """What this process asks the registry by itself is answered as what a login asks."""
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, host, USER, token)
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords)))


def _kubeconfig(found: Sandbox, path: Path) -> Path:
    config = yaml.safe_load(Path(found.kubeconfig).read_text())
    (context,) = (each["context"] for each in config["contexts"])
    config["contexts"] = [{"name": name, "context": context} for name in (CONTEXT, REMOTE)]
    config["current-context"] = CONTEXT
    path.write_text(yaml.safe_dump(config))
    return path


def put_programs(folder: Path, programs: Mapping[str, Sequence[str]]) -> Path:
    """What a person types in a shell, and scenarios too."""
    folder.mkdir()
    for name, command in programs.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def _environment(found: Sandbox, folder: Path, kubeconfig: Path) -> dict[str, str]:
    return {
        "DEVLOOP_E2E_CONTEXT": CONTEXT,
        "DEVLOOP_E2E_REGISTRY": found.registry,
        "KUBECONFIG": str(kubeconfig),
        "DOCKER_HOST": f"unix://{folder / 'no-docker.sock'}",
        "DOCKER_CONFIG": found.docker_config,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
