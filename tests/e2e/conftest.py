"""Fixtures of the e2e tests alone."""

from pathlib import Path

import pytest

from tests.e2e.harness import Kubectl
from tests.e2e.scene import Scene
from tests.e2e.shop import Shop


@pytest.fixture
def scene(tmp_path: Path, kubectl: Kubectl, namespace: str, registry: str) -> Scene:
    """The service `web` in a namespace of its own."""
    return Scene(tmp_path, kubectl, namespace, registry)


@pytest.fixture
def shop(tmp_path: Path, kubectl: Kubectl, namespace: str, registry: str) -> Shop:
    """Room for several services in a namespace of its own."""
    return Shop(tmp_path, kubectl, namespace, registry)
