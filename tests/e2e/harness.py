"""What the e2e tests are written with: a small app, a Deployment, and a devloop process whose events can be awaited."""

import json
import os
import queue
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from tests.e2e.place import CLUSTER

HERE = CLUSTER
"""Where the scenario runs that runs now; the fixture `place` says so."""
DEVLOOP = [*CLUSTER.devloop]
"""The command on the real cluster, for what runs nowhere else."""
PATIENCE = 60.0
"""Seconds that a test waits for an event before it fails with all that was said until then."""

SERVER = """\
import http.server, os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(pathlib.Path(__file__).with_name("message.txt").read_bytes())
print("listening", flush=True)
address = ("127.0.0.1", int(os.environ["PORT"])) if "PORT" in os.environ else ("", 8080)
http.server.HTTPServer(address, Handler).serve_forever()
"""
"""In a sandbox, where programs are processes of this machine, PORT names the port to listen on."""
QUIET = SERVER.replace("    def do_GET", "    def log_message(*_): pass\n\n    def do_GET")
"""The same server, without a line for each request."""
PROBE = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}

Event = dict[str, Any]
Kubectl = Callable[..., str]


@dataclass(frozen=True)
class App:
    """The source of one service: `message.txt` is what its Pods answer with."""

    folder: Path
    base: str

    @classmethod
    def create(cls, folder: Path, registry: str, message: str = "one") -> "App":
        folder.mkdir(parents=True, exist_ok=True)
        app = cls(folder, f"{registry}/python:3")
        (folder / "server.py").write_text(SERVER)
        (folder / "Dockerfile").write_text(f'FROM {app.base}\nCOPY . /app\nCMD ["python3", "/app/server.py"]\n')
        app.say(message)
        return app

    def say(self, message: str) -> None:
        """Change what the app answers: the save that a test makes."""
        (self.folder / "message.txt").write_text(message)


def deployment(
    name: str, image: str, *, replicas: int = 1, policy: str = "IfNotPresent", probe: bool = True, **spec: Any
) -> dict[str, Any]:
    """A Deployment of one container; `spec` goes into its Pods' spec."""
    container: dict[str, Any] = {"name": name, "image": image, "imagePullPolicy": policy}
    if probe:
        container["readinessProbe"] = PROBE
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1, **spec},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def save(path: Path, text: str) -> None:
    """As an editor does: what says that already is left alone, or its time would be a change of its own."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def apply(kubectl: Kubectl, namespace: str, *objects: Mapping[str, Any]) -> None:
    for each in objects:
        kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(each))


def get(kubectl: Kubectl, namespace: str, *what: str) -> dict[str, Any]:
    return dict(json.loads(kubectl("-n", namespace, "get", *what, "-o", "json")))


def pods(kubectl: Kubectl, namespace: str, name: str) -> list[dict[str, Any]]:
    """Pods of a Deployment that are not about to end."""
    found = get(kubectl, namespace, "pods", "-l", f"app={name}")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def answers(kubectl: Kubectl, namespace: str, name: str) -> list[str]:
    """What each Pod of a Deployment answers over HTTP, through the API server."""
    base = f"/api/v1/namespaces/{namespace}/pods"
    names = [pod["metadata"]["name"] for pod in pods(kubectl, namespace, name)]
    return [kubectl("get", "--raw", f"{base}/{pod}:8080/proxy/") for pod in names]


def replica_sets(kubectl: Kubectl, namespace: str, name: str) -> list[str]:
    found = get(kubectl, namespace, "replicasets", "-l", f"app={name}")["items"]
    return sorted(each["metadata"]["name"] for each in found)


def log_in(host: str, registry: str) -> None:
    """Under another name the registry is opened by the same login, where it asks for one."""
    path = Path(os.environ.get("DOCKER_CONFIG", "/nowhere"), "config.json")
    config = json.loads(path.read_text()) if path.exists() else {}
    if login := config.get("auths", {}).get(registry):
        config["auths"][host] = login
        path.write_text(json.dumps(config))


def registry_digest(ref: str) -> str:
    """What the registry holds under `host:port/repository:tag`, asked without devloop."""
    host, _, rest = ref.partition("/")
    repository, _, tag = rest.rpartition(":")
    accept = ", ".join(
        (
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v2+json",
        )
    )
    request = urllib.request.Request(
        f"http://{host}/v2/{repository}/manifests/{tag}", method="HEAD", headers={"Accept": accept}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.headers["Docker-Content-Digest"])
    except urllib.error.HTTPError as error:
        error.close()
        raise


def build_and_push(app: App, ref: str) -> str:
    """Build and push without devloop, as somebody else would; the digest in the registry."""
    HERE.push(app.folder, ref)
    return registry_digest(ref)


@dataclass
class Devloop:
    """A `devloop` process with `--output json`, whose events are read as they come."""

    process: "subprocess.Popen[str]"
    events: list[Event] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    position: int = 0
    """Events before this one were awaited already."""

    def __post_init__(self) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._read_stdout, daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @classmethod
    def start(cls, cwd: Path, *args: str, env: Mapping[str, str] | None = None) -> "Devloop":
        """`devloop up --output json ARGS` in a folder."""
        return cls(cls.process_of(cwd, "--output", "json", *args, env=env))

    @staticmethod
    def process_of(cwd: Path, *args: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """The process of `devloop up ARGS`."""
        return subprocess.Popen(
            [*HERE.devloop, "up", *args], cwd=cwd, env={**os.environ, **(env or {})}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def wait_for(self, event: str, patience: float = PATIENCE, **fields: Any) -> Event:
        """The next event of that name with these fields, after the last one that was awaited."""
        deadline = time.monotonic() + patience
        while True:
            for index in range(self.position, len(self.events)):
                found = self.events[index]
                if found["event"] == event and all(found.get(key) == value for key, value in fields.items()):
                    self.position = index + 1
                    return found
            line = self._next(deadline, f"{event} {fields}")
            self.events.append(json.loads(line))

    def ever(self, event: str, patience: float = PATIENCE, **fields: Any) -> Event:
        """The first event of that name with these fields, whenever it came or comes; nothing counts as awaited."""
        position, self.position = self.position, 0
        try:
            return self.wait_for(event, patience, **fields)
        finally:
            self.position = position

    def drain(self) -> None:
        """Take in what has arrived, without waiting."""
        while not self._lines.empty():
            line = self._lines.get_nowait()
            if line is not None:
                self.events.append(json.loads(line))

    @staticmethod
    def seconds_of(event: Event) -> float:
        """When an event was logged, Unix seconds."""
        return datetime.fromisoformat(event["time"]).timestamp()

    def finish(self, patience: float = PATIENCE) -> int:
        """Wait for the end; its exit code. Every event is in `events` then."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"devloop did not end:\n{self.said()}") from None
        for thread in self._threads:
            thread.join(5)
        while (line := self._lines.get(timeout=5)) is not None:
            self.events.append(json.loads(line))
        return code

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.finish()

    def of(self, event: str, **fields: Any) -> list[Event]:
        """All events so far of that name with these fields."""
        return [e for e in self.events if e["event"] == event and all(e.get(k) == v for k, v in fields.items())]

    def outcomes(self, service: str) -> list[str]:
        return [event["outcome"] for event in self.of("cycle_finished", service=service)]

    def said(self) -> str:
        return "\n".join([*(json.dumps(event) for event in self.events), *self.errors])

    def _next(self, deadline: float, what: str) -> str:
        try:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            line = None
        if line is None:
            raise AssertionError(f"no {what}; devloop said:\n{self.said()}")
        return line

    def _read_stdout(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_stderr(self) -> None:
        assert self.process.stderr
        self.errors.extend(line.rstrip("\n") for line in self.process.stderr)


def once(cwd: Path, *args: str, env: Mapping[str, str] | None = None) -> tuple[int, Devloop]:
    """One cycle for each service: `devloop up --once --output json ARGS`; its exit code and all it said."""
    with Devloop.start(cwd, "--once", *args, env=env) as devloop:
        return devloop.finish(), devloop


def run(cwd: Path, *args: str, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Any other devloop command."""
    return subprocess.run(
        [*HERE.devloop, *args], cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def write_toml(folder: Path, namespace: str, services: str, *, loop: Sequence[str] = ()) -> Path:
    """A `devloop.toml` for the test cluster."""
    path = folder / "devloop.toml"
    head = f'[cluster]\ncontext = "{os.environ["DEVLOOP_E2E_CONTEXT"]}"\nnamespace = "{namespace}"\n'
    path.write_text(f"{head}\n[loop]\n" + "\n".join(loop) + f"\n\n{services}\n")
    return path
