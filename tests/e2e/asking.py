"""`devloop why` as the tests ask it: the answer as data, its fix as a person runs it, and images that get old."""

import contextlib
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from devloop.cli import main
from tests.e2e import harness
from tests.e2e.harness import PATIENCE, App, apply, build_and_push, deployment, get, registry_digest, run
from tests.e2e.recorder import record
from tests.e2e.scene import SERVE, Scene

MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True)
class Told:
    """What one call of `devloop why -o json` gave."""

    code: int
    answers: list[dict[str, Any]]
    errors: str

    @property
    def answer(self) -> dict[str, Any]:
        (answer,) = self.answers
        return answer

    @property
    def codes(self) -> list[str]:
        return [cause["code"] for cause in self.answer["causes"]]

    @property
    def first(self) -> dict[str, Any]:
        return dict(self.answer["causes"][0])

    def of(self, workload: str) -> dict[str, Any]:
        """The answer about one of several workloads."""
        return next(answer for answer in self.answers if answer["workload"] == workload)


def why(scene: Scene, target: str = "deployment/web", *options: str, name: str = "", **env: str) -> Told:
    """Ask, in this process: starting a hundred of them would take a minute. `test_why.py` asks as a person does.

    `name` is that of the recording for the pure tests, made only where a folder for them is named.
    """
    where = ("-n", scene.namespace, *options)
    asked = (target, *where) if target else where
    if name:
        record(name, scene.folder, target, namespace=scene.namespace)
    _show(scene, asked, env)
    with contextlib.chdir(scene.folder):
        done = CliRunner(env=env).invoke(main, ["why", *asked, "-o", "json"])
    return Told(done.exit_code, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)


def expect(told: Told, code: str, *words: str, exit_code: int = 6, first_broken: str | None = None) -> dict[str, Any]:
    """The first cause, which has that code and says these words."""
    shown = json.dumps(told.answers, indent=1) + told.errors
    assert told.code == exit_code == told.answer["exit_code"], shown
    assert told.codes[:1] == [code], shown
    for word in words:
        assert word in told.first["message"], f"{word!r} is not in: {told.first['message']}"
    if first_broken:
        assert told.answer["first_broken"] == first_broken, shown
    return told.first


def fine(scene: Scene, target: str = "deployment/web", *options: str) -> None:
    """The newest image provably runs."""
    told = why(scene, target, *options)
    assert (told.code, told.codes) == (0, []), json.dumps(told.answers, indent=1) + told.errors


def do(scene: Scene, fix: str) -> None:
    """Run a fix as a person does who copies it into a shell."""
    path = f"{harness.HERE.programs}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", "-ec", fix], cwd=scene.folder, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL,
        check=True, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip


def mend(scene: Scene, cause: Mapping[str, Any], target: str = "deployment/web", *options: str) -> None:
    """The fix of the cause is a command that mends it."""
    do(scene, cause["fix"])
    settle(scene, target)
    fine(scene, target, *options)


def settle(scene: Scene, target: str = "deployment/web") -> None:
    scene.kubectl("-n", scene.namespace, "rollout", "status", target, "--timeout=60s")


def digests(cause: Mapping[str, Any], source: str) -> set[str]:
    """What the evidence from there names: `registry`, `Pod`."""
    return {each["digest"] for each in cause["evidence"] if each["source"].startswith(source) and each["digest"]}


def until(true: Callable[[], object], what: str) -> None:
    """The cluster comes to be so by itself."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f}s: {what}"
        time.sleep(0.3)


# images --------------------------------------------------------------------------------------------------------------


def say(scene: Scene, word: str) -> None:
    """Save a program that no other test has built."""
    scene.program(f"echo {word} in {scene.namespace}\n{SERVE}")


def push(scene: Scene, word: str, tag: str = "dev") -> str:
    """Save, build and push from this machine; the digest in the registry."""
    say(scene, word)
    return build_and_push(App(scene.folder / "web", ""), f"{scene.image}:{tag}")


def build(scene: Scene, word: str, tag: str = "dev") -> None:
    """Save and build, without a push."""
    say(scene, word)
    command = ["docker", "build", "--quiet", "-t", f"{scene.image}:{tag}", str(scene.folder / "web")]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)


def build_for(scene: Scene, architecture: str, tag: str) -> str:
    """Push an image that says it is for that architecture, though its program runs on this one; its digest."""
    say(scene, architecture)
    base = f"FROM --platform=$BUILDPLATFORM {scene.registry}/busybox:1 AS base"
    scene.dockerfile(base, "FROM scratch", "COPY --from=base / /", "COPY run.sh /", 'CMD ["sh", "/run.sh"]')
    platform, ref = f"--platform=linux/{architecture}", f"{scene.image}:{tag}"
    _buildx("build", platform, "--provenance=false", "--push", "-t", ref, str(scene.folder / "web"))
    return registry_digest(ref)


def index(scene: Scene, tag: str, *tags: str) -> str:
    """Make a tag an index of the images of other tags; its digest."""
    _buildx("imagetools", "create", "-t", f"{scene.image}:{tag}", *(f"{scene.image}:{each}" for each in tags))
    return registry_digest(f"{scene.image}:{tag}")


def _buildx(*args: str) -> None:
    subprocess.run(["docker", "buildx", *args], check=True, capture_output=True, timeout=PATIENCE)


def forget(*refs: str) -> None:
    """Take references from the engine of this machine."""
    subprocess.run(["docker", "rmi", *refs], check=True, capture_output=True, timeout=PATIENCE)


def move(scene: Scene, tag: str, to: str) -> str:
    """Give `tag` in the registry the image of another tag, as a colleague's push does: no engine here knows of it."""
    host, _, repository = scene.image.partition("/")
    base = f"http://{host}/v2/{repository}/manifests"
    with urllib.request.urlopen(urllib.request.Request(f"{base}/{to}", headers={"Accept": MANIFESTS})) as answer:
        body, kind = answer.read(), answer.headers["Content-Type"]
    put = urllib.request.Request(f"{base}/{tag}", body, {"Content-Type": kind}, method="PUT")
    urllib.request.urlopen(put, timeout=10).close()
    forget(f"{scene.image}:{to}")
    return registry_digest(f"{scene.image}:{tag}")


def push_elsewhere(scene: Scene, word: str, tag: str = "dev") -> str:
    """What a colleague built and pushed; the engine here keeps what it had under the tag."""
    push(scene, word, f"{tag}-elsewhere")
    return move(scene, tag, f"{tag}-elsewhere")


# Pods ----------------------------------------------------------------------------------------------------------------


def nodes(scene: Scene) -> list[str]:
    return scene.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()


def on(node: str) -> dict[str, Any]:
    """The part of a Pod's spec that puts it there."""
    return {"nodeSelector": {"kubernetes.io/hostname": node}}


def deploy(scene: Scene, tag: str = "dev", **spec: Any) -> None:
    """The Deployment `web`, whose Pods run that tag."""
    apply(scene.kubectl, scene.namespace, deployment("web", f"{scene.image}:{tag}", probe=False, **spec))
    settle(scene)


def restart(scene: Scene, target: str = "deployment/web") -> None:
    scene.kubectl("-n", scene.namespace, "rollout", "restart", target)
    settle(scene, target)


def a_second_later(scene: Scene) -> None:
    """The kubelet tells starts in whole seconds: what comes next has to be later than any of them."""
    found = get(scene.kubectl, scene.namespace, "pods")["items"]
    statuses = [status for pod in found for status in pod["status"].get("containerStatuses", ())]
    starts = [state["startedAt"] for status in statuses if (state := status["state"].get("running"))]
    last = max(datetime.fromisoformat(start).timestamp() for start in starts)
    until(lambda: time.time() >= last + 1, "a second after the last start")


def _show(scene: Scene, asked: tuple[str, ...], env: Mapping[str, str]) -> None:
    """Append the answer in words to the file that DEVLOOP_E2E_SHOW names, for whoever reads all of them aloud."""
    if path := os.environ.get("DEVLOOP_E2E_SHOW"):
        done = run(scene.folder, "why", *asked, env=env)
        with Path(path).open("a") as out:
            test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
            out.write(f"\n{'=' * 100}\n{test}\n{done.stdout}{done.stderr}[{done.returncode}]\n")
