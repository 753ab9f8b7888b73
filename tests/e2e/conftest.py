"""Fixtures of the e2e tests alone, and the places where a shared scenario runs."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devloop.session import assembly
from tests.e2e import harness, withoutengine
from tests.e2e.harness import Kubectl
from tests.e2e.place import CLUSTER, Place
from tests.e2e.sandboxed import SandboxPlace, sandbox
from tests.e2e.scene import Scene
from tests.e2e.shop import Shop

_REAL, _SANDBOX = "cluster", "sandbox"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is `shared` runs in both places; what is marked `e2e` itself needs the real cluster."""
    marked = metafunc.definition.get_closest_marker
    if "place" in metafunc.fixturenames and marked("shared") and not marked("e2e"):
        places = [pytest.param(_REAL, marks=pytest.mark.e2e), _SANDBOX]
        metafunc.parametrize("place", places, indirect=True)


@pytest.fixture(scope="session")
def one_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPlace]:
    """For all the scenarios of this process: each has a namespace of its own."""
    with sandbox(tmp_path_factory.mktemp("sandbox")) as found:
        yield found


@pytest.fixture
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Where the scenario runs; the real cluster unless it is told to run in a sandbox."""
    if getattr(request, "param", _REAL) == _REAL:
        return CLUSTER
    found: SandboxPlace = request.getfixturevalue("one_sandbox")
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(harness, "HERE", found)
    monkeypatch.setattr(assembly, "full_builder", withoutengine.full_builder)
    return found


@pytest.fixture
def registry(place: Place) -> str:
    """`host:port` of the place's registry."""
    return os.environ["DEVLOOP_E2E_REGISTRY"]


@pytest.fixture
def kubectl(place: Place, kubectl: Kubectl) -> Kubectl:
    """Runs kubectl in the place."""
    return place.kubectl if isinstance(place, SandboxPlace) else kubectl


@pytest.fixture
def scene(tmp_path: Path, kubectl: Kubectl, namespace: str, registry: str) -> Scene:
    """The service `web` in a namespace of its own."""
    return Scene(tmp_path, kubectl, namespace, registry)


@pytest.fixture
def shop(tmp_path: Path, kubectl: Kubectl, namespace: str, registry: str) -> Shop:
    """Room for several services in a namespace of its own."""
    return Shop(tmp_path, kubectl, namespace, registry)
