"""Fixtures of the tests of `devloop init`."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.initworld import Cluster, Project


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    thread = threading.Thread(target=cluster.server.serve_forever, daemon=True)
    thread.start()
    yield cluster
    cluster.server.shutdown()
    cluster.server.server_close()
    thread.join()
    # The one thing that `doctor` asks by a POST says who is asking.
    assert [path for path in cluster.written if not path.endswith("reviews")] == [], "it only reads"


@pytest.fixture
def project(tmp_path: Path, cluster: Cluster) -> Project:
    """web/ and api/, of which deployment/web runs an image of its own."""
    project = Project(tmp_path, cluster)
    project.source("web", "api")
    cluster.deploy("web", "127.0.0.1:1/shop/web:1")
    cluster.deploy("api", "127.0.0.1:1/shop/api:1")
    return project
