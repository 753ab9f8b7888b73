"""What `.sandbox/env` makes of another terminal: every command there knows that it is in the sandbox."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

import devloop
from devloop.sandbox.demoapp import manifests
from devloop.session.demo.place import DemoFolder
from devloop.session.demo.sandboxed import Sandbox, running

pytestmark = pytest.mark.programs
DEVLOOP = (sys.executable, "-m", "devloop")
IN_IT = '. "$0"; exec "$@"'
DOCKERFILE = 'FROM {registry}/python:3\nWORKDIR /app\nCOPY . .\nCMD ["python3", "own.py"]\n'
PROGRAM = "import signal\n\nsignal.sigwait([signal.SIGTERM])\n"


@dataclass(frozen=True)
class Terminal:
    """A shell that has read `.sandbox/env`."""

    folder: DemoFolder
    sandbox: Sandbox

    def run(self, *command: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        env = {
            "HOME": str(self.folder.path), "PATH": os.environ["PATH"], "DOCKER_HOST": "unix:///nowhere/docker.sock",
            "PYTHONPATH": str(Path(devloop.__file__).parent.parent),
        }  # fmt: skip
        return subprocess.run(
            ["sh", "-c", IN_IT, str(self.folder.elsewhere), *command], cwd=cwd or self.folder.path, env=env,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def devloop(self, *words: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        return self.run(*DEVLOOP, *words, cwd=cwd)

    def create(self, *deployments: Mapping[str, Any]) -> None:
        file = self.folder.own / "created.yaml"
        file.write_text(yaml.safe_dump_all(deployments))
        done = self.run(sys.executable, "-m", "tests.docs.standins", "kubectl", "apply", "-f", str(file))
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    with TemporaryDirectory(prefix="env") as name:
        folder = DemoFolder(Path(name).resolve() / "demo")
        folder.own.mkdir(parents=True)
        with running(folder.own) as sandbox:
            assert isinstance(sandbox, Sandbox), sandbox
            folder.put_app(sandbox.values)
            folder.put_environment(sandbox.kubeconfig, sandbox.docker_config)
            found = Terminal(folder, sandbox)
            app = manifests(registry=sandbox.registry, namespace=sandbox.namespace, api_url=sandbox.urls["api"])
            found.create(*(each for each in app if each["kind"] == "Deployment"))
            yield found


@pytest.mark.timeout(90)
def test_nothing_is_wrong_where_docker_is_not(terminal: Terminal) -> None:
    done = terminal.devloop("doctor", "-o", "json")
    report = json.loads(done.stdout)
    engine = [(each["check"], each["level"], each["message"]) for each in report["checks"] if each["group"] == "engine"]
    assert engine == [("engine", "ok", "the sandbox has no engine, and needs none")]
    assert [check for check in report["checks"] if check["level"] == "failed"] == []
    assert done.returncode == 0


@pytest.mark.timeout(90)
def test_what_only_an_engine_builds_is_told(terminal: Terminal) -> None:
    dockerfile = terminal.folder.path / "web" / "Dockerfile"
    before = dockerfile.read_text()
    dockerfile.write_text(f"{before}RUN make\n")
    done = terminal.devloop("doctor")
    dockerfile.write_text(before)
    assert done.returncode == 3
    assert "✘ builder        Dockerfile, line 5: the sandbox has no engine and cannot run `RUN make`" in done.stdout


@pytest.mark.timeout(90)
def test_a_plan_names_no_command_that_nobody_runs(terminal: Terminal) -> None:
    done = terminal.devloop("plan", "web")
    assert "  build    with assembled: the sandbox has no engine; FROM, COPY" in done.stdout
    assert "docker" not in done.stdout
    assert json.loads(terminal.devloop("plan", "web", "-o", "json").stdout)["command"] == ""


@pytest.mark.timeout(90)
def test_why_does_not_miss_the_engine(terminal: Terminal) -> None:
    said = terminal.devloop("why", "web").stdout
    assert "· local image    the sandbox has no engine" in said
    assert "docker.sock" not in said


@pytest.mark.timeout(90)
def test_a_terminal_that_went_to_another_cluster_is_in_no_sandbox(terminal: Terminal, tmp_path: Path) -> None:
    (config := tmp_path / "config").write_text(Path(terminal.sandbox.kubeconfig).read_text())
    said = terminal.run("env", f"KUBECONFIG={config}", *DEVLOOP, "why", "web").stdout
    assert "· local image    no Docker engine answers at unix:///nowhere/docker.sock" in said


@pytest.mark.timeout(90)
def test_a_project_of_ones_own_is_built_and_proved_there(terminal: Terminal, tmp_path: Path) -> None:
    image = f"{terminal.sandbox.registry}/own/app:dev"
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.format(registry=terminal.sandbox.registry))
    (tmp_path / "own.py").write_text(PROGRAM)
    config = f'[cluster]\ncontext = "{terminal.sandbox.context}"\n[services.own]\nimage = "{image}"\n'
    (tmp_path / "devloop.toml").write_text(config)
    labels = {"app": "own"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "own", "image": image}]}}
    terminal.create({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "own", "namespace": "default"},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod},
    })  # fmt: skip
    done = terminal.devloop("up", "--once", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "own  VERIFIED" in done.stdout
    assert "undo: devloop restore deployment/own" in done.stdout + done.stderr, "this sandbox goes on"
