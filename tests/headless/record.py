"""Records the sessions in `tests/data/sessions` on a real cluster: `python -m tests.headless.record [NAME...]`.

Needs what the e2e tests need. Each session runs in a namespace of its own, which is called `shop` in what is kept.
`--text` records nothing and only writes the texts anew that users read of them, after their words were changed.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devloop.core.commands import Restart
from tests.e2e.harness import QUIET, App, Devloop, apply, build_and_push, deployment, write_toml
from tests.e2e.insession import in_session
from tests.headless.sessions import SESSIONS, TIME_ZONE, write_texts

BROKEN = 'RUN echo "compiling server.c" && echo "server.c:3: expected expression" >&2 && exit 2\n'
CRASHING = 'import os\nprint("connecting to the database", flush=True)\nos.environ["DATABASE_URL"]\n'


def kubectl(*args: str, stdin: str | None = None) -> str:
    command = ["kubectl", "--context", os.environ["DEVLOOP_E2E_CONTEXT"], *args]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=True).stdout


@dataclass(frozen=True)
class Stage:
    """A namespace and a folder for one session."""

    namespace: str
    folder: Path
    registry: str

    def app(self, name: str, *, replicas: int = 1, toml: str = "") -> tuple[App, str]:
        """Its source, its Deployment, and its part of `devloop.toml`."""
        # Content of its own: a node reports an image by the first name under which it saw it, in whatever session.
        app = App.create(self.folder / name, self.registry, f"v1 of {self.namespace}/{name}")
        (app.folder / "server.py").write_text(QUIET)
        image = f"{self.registry}/{self.namespace}/{name}"
        build_and_push(app, f"{image}:v1")
        apply(kubectl, self.namespace, deployment(name, f"{image}:v1", replicas=replicas))
        kubectl("-n", self.namespace, "rollout", "status", f"deployment/{name}", "--timeout=50s")
        app.say(f"v2 of {self.namespace}/{name}")
        return app, f'[services.{name}]\nimage = "{image}"\nbuild = "{name}"\n{toml}\n'

    def start(self, services: str, *args: str) -> Devloop:
        write_toml(self.folder, self.namespace, services)
        state = {"DEVLOOP_STATE_DIR": str(self.folder / "state")}
        return Devloop.start(self.folder, *args, env=state)


def start_and_save(stage: Stage) -> Devloop:
    """A start, and a save that is verified on two Pods."""
    app, toml = stage.app("web", replicas=2)
    with stage.start(toml) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        app.say(f"v3 of {stage.namespace}")
        devloop.wait_for("cycle_finished", outcome="verified")
        devloop.stop()
    return devloop


def broken_build(stage: Stage) -> Devloop:
    """A Dockerfile whose step fails, and the save that mends it."""
    app, toml = stage.app("web")
    dockerfile = app.folder / "Dockerfile"
    good = dockerfile.read_text()
    dockerfile.write_text(good + BROKEN)
    with stage.start(toml) as devloop:
        devloop.wait_for("cycle_finished", outcome="failed")
        dockerfile.write_text(good)
        devloop.wait_for("cycle_finished", outcome="verified")
        devloop.stop()
    return devloop


def crash_loop(stage: Stage) -> Devloop:
    """A program that ends at its start."""
    app, toml = stage.app("web")
    with stage.start(toml) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        (app.folder / "server.py").write_text(CRASHING)
        devloop.wait_for("cycle_finished", outcome="failed")
        devloop.stop()
    return devloop


def superseded(stage: Stage) -> Devloop:
    """A save while the build of the save before it runs."""
    app, toml = stage.app("web")
    dockerfile = app.folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "RUN sleep 3\n")
    with stage.start(toml) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        app.say(f"v3 of {stage.namespace}")
        devloop.wait_for("phase_started", phase="build")
        app.say(f"v4 of {stage.namespace}")
        devloop.wait_for("cycle_finished", outcome="superseded")
        devloop.wait_for("cycle_finished", outcome="verified")
        devloop.stop()
    return devloop


def unchanged(stage: Stage) -> Devloop:
    """A second `--once`: everything runs already."""
    _, toml = stage.app("web")
    with stage.start(toml, "--once") as first:
        first.finish()
    with stage.start(toml, "--once") as devloop:
        devloop.finish()
    return devloop


def three_services(stage: Stage) -> Devloop:
    """`web` needs `api`, `api` needs `db`; afterwards only what was saved is built."""
    needs = {"db": "", "api": 'depends_on = ["db"]', "web": 'depends_on = ["api"]'}
    parts = [stage.app(name, toml=toml) for name, toml in needs.items()]
    with stage.start("\n".join(toml for _, toml in parts)) as devloop:
        devloop.wait_for("cycle_finished", service="web", outcome="verified")
        parts[1][0].say("v3")
        devloop.wait_for("cycle_finished", service="api", outcome="verified")
        devloop.stop()
    return devloop


def live_config(stage: Stage) -> Devloop:
    """`devloop.toml` is edited: a service comes, the other changes, the file breaks, and the first one goes."""
    _, web = stage.app("web")
    _, api = stage.app("api")
    with stage.start(web) as devloop:
        devloop.wait_for("cycle_finished", service="web", outcome="verified")
        write_toml(stage.folder, stage.namespace, web + api)
        devloop.wait_for("cycle_finished", service="api", outcome="verified")
        changed = api.replace('build = "api"', 'build = { context = "api", args = { MODE = "dev" } }')
        write_toml(stage.folder, stage.namespace, web + changed)
        devloop.wait_for("cycle_finished", service="api", outcome="unchanged")
        write_toml(stage.folder, stage.namespace, web.replace("build =", "biuld ="), loop=["parallel_builds = 0"])
        devloop.wait_for("config_refused")
        write_toml(stage.folder, stage.namespace, changed)
        devloop.wait_for("service_removed", service="web")
        devloop.stop()
    return devloop


def restarted(stage: Stage) -> None:
    """A start, and a restart without a build; no process takes that command, so the session runs in this one."""
    _, toml = stage.app("web")
    write_toml(stage.folder, stage.namespace, toml)
    os.environ["DEVLOOP_STATE_DIR"] = str(stage.folder / "state")

    async def session() -> None:
        async with in_session(stage.folder) as (running, heard):
            await heard.ends(1)
            running.send(Restart("web"))
            await heard.ends(2)

    asyncio.run(session())


SCRIPTS: dict[str, Callable[[Stage], Devloop | None]] = {
    script.__name__: script
    for script in (
        start_and_save,
        broken_build,
        crash_loop,
        superseded,
        unchanged,
        three_services,
        live_config,
        restarted,
    )
}


WITH_STDOUT = ("start_and_save", "crash_loop")
"""Sessions of which the lines on stdout are kept too, to be compared."""


def record(name: str) -> None:
    """Run one session; keep its recording, and what it wrote to stdout."""
    namespace = f"hed-{uuid.uuid4().hex[:8]}"
    labels = {"devloop-e2e": "true"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    kubectl("apply", "-f", "-", stdin=json.dumps(body))
    try:
        with tempfile.TemporaryDirectory() as folder:
            stage = Stage(namespace, Path(folder), os.environ["DEVLOOP_E2E_REGISTRY"])
            devloop = SCRIPTS[name](stage)
            newest = max((stage.folder / "state").rglob("*.ndjson"), key=lambda path: path.stat().st_mtime)
            recording = newest.read_text()
            (SESSIONS / f"{name}.ndjson").write_text(recording.replace(namespace, "shop"))
            if devloop and name in WITH_STDOUT:
                stdout = "".join(f"{_as_written(event)}\n" for event in devloop.events)
                (SESSIONS / f"{name}.stdout.ndjson").write_text(stdout.replace(namespace, "shop"))
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")


def _as_written(event: dict[str, object]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def main(names: Sequence[str]) -> None:
    if "--text" not in names:
        for name in names or SCRIPTS:
            record(name)
    os.environ["TZ"] = TIME_ZONE
    time.tzset()
    write_texts()


if __name__ == "__main__":
    main(sys.argv[1:])
