"""Fixtures of the scenarios, and the seed of what is random in them."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Kubectl
from tests.e2e.scene import Scene
from tests.faults.control import Control
from tests.faults.stage import FULL, LAYER, Stage, stage_of


def pytest_report_header() -> str:
    return f"faults: seed {seed()}; again with DEVLOOP_FAULTS_SEED={seed()}"


def seed() -> int:
    """Of everything random in the suite."""
    return int(os.environ.get("DEVLOOP_FAULTS_SEED", "7"))


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Seeded, for each scenario its own."""
    return random.Random(f"{seed()} {request.node.name}")


@pytest.fixture
def scene(tmp_path: Path, kubectl: Kubectl, namespace: str, registry: str) -> Scene:
    """The service `web` in a namespace of its own."""
    return Scene(tmp_path, kubectl, namespace, registry)


@pytest.fixture
def stage(scene: Scene, tmp_path: Path) -> Iterator[Stage]:
    """A save becomes a layer."""
    with stage_of(scene, tmp_path) as found:
        yield found


@pytest.fixture(params=[LAYER, FULL], ids=["layer", "buildx"])
def both(stage: Stage, request: pytest.FixtureRequest) -> Stage:
    """Once where a save becomes a layer, and once where buildx builds it."""
    stage.build = request.param
    return stage


@pytest.fixture
def control() -> Iterator[Control]:
    found = Control()
    try:
        yield found
    finally:
        found.mend_all()
