"""What the suite needs from outside, and which tests are skipped without it."""

import asyncio
import json
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator

import hypothesis
import pytest

# An example may take as long as the machine makes it: no test asserts on time.
hypothesis.settings.register_profile("devloop", deadline=None)
hypothesis.settings.load_profile("devloop")

_NEEDS = {
    "e2e": ("DEVLOOP_E2E_CONTEXT", "DEVLOOP_E2E_REGISTRY"),
    "engine": ("DOCKER_HOST", "DEVLOOP_E2E_REGISTRY"),
    "breaks": ("DEVLOOP_E2E_CONTEXT", "DEVLOOP_E2E_REGISTRY", "DEVLOOP_E2E_CONTROL"),
}


def pytest_configure() -> None:
    """Without this, pytest-asyncio makes Python (before 3.14) create a loop that nobody closes: a ResourceWarning."""
    asyncio.set_event_loop(None)
    # A shell starts background jobs with SIGINT ignored, and children inherit that: none could be interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what has no cluster, engine or control here, and say which variables name one."""
    for item in items:
        for marker, names in _NEEDS.items():
            missing = [name for name in names if not os.environ.get(name)]
            if item.get_closest_marker(marker) and missing:
                item.add_marker(pytest.mark.skip(reason=f"{marker}: set {', '.join(missing)}"))


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: "os.PathLike[str]", monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the state folder of the person who runs it."""
    monkeypatch.setenv("DEVLOOP_STATE_DIR", os.path.join(tmp_path, "devloop-state"))  # noqa: PTH118


@pytest.fixture
def registry() -> str:
    """`host:port` of the test registry."""
    return os.environ["DEVLOOP_E2E_REGISTRY"]


Kubectl = Callable[..., str]


@pytest.fixture
def kubectl() -> Kubectl:
    """Runs kubectl against the test cluster and returns its output; raises with its words when it fails."""

    def run(*args: str, stdin: str | None = None) -> str:
        command = ["kubectl", "--context", os.environ["DEVLOOP_E2E_CONTEXT"], *args]
        if "apply" in args:
            command.append("--validate=false")  # or each downloads the schema of the whole API
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=50, check=False)
        if done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    return run


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A namespace of this test alone, with the e2e label; deleted afterwards, without waiting for it."""
    name = f"devloop-e2e-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"devloop-e2e": "true"}}}
    kubectl("apply", "-f", "-", stdin=json.dumps(body))
    yield name
    kubectl("delete", "namespace", name, "--wait=false")
