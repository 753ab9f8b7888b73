"""What devloop does not do: write where nothing allows it, or begin where something is missing."""

import asyncio
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.adapters.own_registry import PASSWORD, USER, own_registry
from tests.e2e.harness import Devloop, Kubectl, get, run, write_toml
from tests.e2e.scene import SERVE, Scene, failed, show

pytestmark = [pytest.mark.shared, pytest.mark.timeout(90)]

REMOTE, VIEWER = "remote-e2e", "kind-e2e-viewer"


def contexts(kubectl: Kubectl) -> list[str]:
    return kubectl("config", "get-contexts", "-o", "name").split()


@pytest.fixture
def remote(scene: Scene) -> Scene:
    """A service to roll out, on a machine that also has a context with no known local name."""
    if REMOTE not in contexts(scene.kubectl):
        pytest.skip(f"this kubeconfig has no context {REMOTE}")
    scene.deploy()
    scene.program(SERVE)
    scene.configure()
    return scene


def missing(devloop: Devloop) -> dict[str, dict[str, str]]:
    """The failed checks of a preflight, by name."""
    found = {event["check"]: event for event in devloop.of("check_finished", ok=False)}
    for each in found.values():
        show(each)
    return found


# contexts ------------------------------------------------------------------------------------------------------------


def test_choosing_a_context_does_not_allow_writing_to_it(remote: Scene) -> None:
    code, devloop = remote.once("--context", REMOTE)
    assert (code, devloop.events) == (7, []), devloop.said()
    said = "\n".join(devloop.errors)
    assert f"context {REMOTE} (" in said
    assert f'allow = [{{ context = "{REMOTE}", namespace = "{remote.namespace}" }}]' in said
    assert not remote.patched()


def follow(folder: Path, said: str) -> None:
    """Do what the refusal tells."""
    advice = re.search(r"or set `(.+)` under `\[cluster\]` in (\S+)", said)
    assert advice, said
    (folder / advice[2]).write_text(f"[cluster]\n{advice[1]}\n")


def test_what_the_refusal_tells_allows_it(remote: Scene) -> None:
    _, refused = remote.once("--context", REMOTE)
    follow(remote.folder, "\n".join(refused.errors))
    code, devloop = remote.once("--context", REMOTE)
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    assert devloop.of("session_started")[0]["context"] == REMOTE


def test_where_the_file_names_no_context_all_commands_tell_and_take_the_same(remote: Scene) -> None:
    toml = remote.folder / "devloop.toml"
    toml.write_text(re.sub(r"context = .*\n", "", toml.read_text()))
    _, refused = remote.once("--context", REMOTE)
    restore = run(remote.folder, "restore", "web", "--context", REMOTE)
    doctor = run(remote.folder, "doctor", "--context", REMOTE)
    key = f'set `context = "{REMOTE}"` under `[cluster]` in devloop.local.toml'
    for said in ("\n".join(refused.errors), restore.stderr, doctor.stdout):
        assert key in " ".join(said.split())
    follow(remote.folder, restore.stderr)
    code, devloop = remote.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    assert devloop.of("session_started")[0]["context"] == REMOTE
    remote.patch({"spec": {"replicas": 0}})  # nobody has the image of before
    for command in (["validate"], ["plan"], ["restore", "web"]):
        done = run(remote.folder, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    # Without an engine there is more for it to tell.
    assert f"context {REMOTE} is allowed in the configuration" in run(remote.folder, "doctor").stdout


def test_an_overlay_still_allows_a_restore_where_the_file_has_mistakes(remote: Scene) -> None:
    (remote.folder / "devloop.local.toml").write_text(f'[cluster]\ncontext = "{REMOTE}"\n')
    code, devloop = remote.once()
    assert code == 0, devloop.said()
    remote.patch({"spec": {"replicas": 0}})  # nobody has the image of before
    toml = remote.folder / "devloop.toml"
    toml.write_text(toml.read_text() + "[services.web\n")
    for what in ("deployment/web", "--all"):
        done = run(remote.folder, "restore", what, "-n", remote.namespace)
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith("devloop.toml has mistakes"), done.stderr
    assert not remote.patched()


def test_it_allows_no_other_namespace(remote: Scene) -> None:
    toml = remote.folder / "devloop.toml"
    line = f'allow = [{{ context = "{REMOTE}", namespace = "{remote.namespace}-other" }}]'
    toml.write_text(toml.read_text().replace("[cluster]", f"[cluster]\n{line}"))
    code, devloop = remote.once("--context", REMOTE)
    assert code == 7, devloop.said()


def test_the_file_s_own_context_is_a_permission(remote: Scene) -> None:
    toml = remote.folder / "devloop.toml"
    (remote.folder / "devloop.local.toml").write_text(f'[cluster]\ncontext = "{REMOTE}"\n')
    assert REMOTE not in toml.read_text()
    code, devloop = remote.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()


def test_plan_may_look_where_up_may_not_write(remote: Scene) -> None:
    done = run(remote.folder, "plan", "--context", REMOTE)
    assert done.returncode == 0, done.stderr
    assert "imagePullPolicy" in done.stdout


# what is missing -----------------------------------------------------------------------------------------------------


@pytest.mark.e2e  # everybody may do everything in a sandbox
def test_a_user_who_may_only_look(scene: Scene) -> None:
    if VIEWER not in contexts(scene.kubectl):
        pytest.skip(f"this kubeconfig has no context {VIEWER}")
    scene.deploy()
    scene.program(SERVE)
    scene.configure()
    code, devloop = scene.once("--context", VIEWER)
    assert code == 3, devloop.said()
    (check,) = missing(devloop).values()
    assert check["code"] == "cluster_denied"
    assert f"you may not patch deployments in namespace {scene.namespace}" in check["message"]
    assert f"kubectl auth can-i patch deployments -n {scene.namespace}" in check["hint"]
    assert devloop.of("cycle_started") == []


def test_all_that_is_missing_is_told_in_one_go(scene: Scene) -> None:
    viewer = VIEWER in contexts(scene.kubectl)
    scene.program(SERVE)
    scene.configure(image="127.0.0.1:9/web")
    code, devloop = scene.once(*(["--context", VIEWER] if viewer else []))
    assert code == 3, devloop.said()
    codes = {check["code"] for check in missing(devloop).values()}
    assert {"workload_absent", "registry_unreachable"} <= codes
    assert ("cluster_denied" in codes) is viewer
    assert all(check["hint"] for check in missing(devloop).values())
    assert devloop.of("cycle_started") == []


def test_a_container_that_the_workload_does_not_have(scene: Scene) -> None:
    scene.deploy()
    scene.program(SERVE)
    scene.configure('container = "wbe"')
    code, devloop = scene.once()
    assert code == 3, devloop.said()
    (check,) = missing(devloop).values()
    assert check["code"] == "container_absent"
    assert "wbe" in check["message"]
    assert "web" in check["message"].replace("wbe", "") + check["hint"]


def test_a_namespace_that_does_not_exist(scene: Scene) -> None:
    scene.program(SERVE)
    scene.configure()
    code, devloop = scene.once("-n", f"{scene.namespace}-nowhere")
    assert code == 3, devloop.said()
    checks = missing(devloop)
    assert any(f"{scene.namespace}-nowhere" in check["message"] for check in checks.values())


# registries ----------------------------------------------------------------------------------------------------------


async def test_a_registry_that_wants_credentials(scene: Scene, tmp_path: Path) -> None:
    scene.deploy()
    scene.program(SERVE)
    folder = tmp_path / "registry"
    folder.mkdir()
    async with own_registry(folder) as own:
        scene.configure('container = "web"', image=f"{own.host}/web")
        for password in (None, "wrong-password-1"):
            config = own.docker_config(password)
            with Devloop.start(scene.folder, "--once", env={"DOCKER_CONFIG": str(config)}) as devloop:
                code = await asyncio.to_thread(devloop.finish)
            assert code == 3, devloop.said()
            (check,) = missing(devloop).values()
            assert check["code"] == "registry_denied"
            assert own.host in check["message"]
            assert f"docker login {own.host}" in check["hint"]
            assert "wrong-password-1" not in devloop.said()
    assert not scene.patched()


class ReadOnly(http.server.BaseHTTPRequestHandler):
    """A registry that lets everybody look and nobody push, as one does whose account may only read."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/v2/" else 404, "NOT_FOUND")

    def do_HEAD(self) -> None:
        self._answer(404, "NOT_FOUND")

    def do_POST(self) -> None:
        self._answer(403, "DENIED")

    do_PUT = do_PATCH = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None: ...

    def _answer(self, status: int, code: str) -> None:
        body = json.dumps({"errors": [{"code": code, "message": "this account may only read here"}]})
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())


@contextmanager
def read_only_registry() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), ReadOnly) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(5)


@pytest.mark.e2e  # BuildKit's words
def test_a_push_that_is_denied(scene: Scene) -> None:
    scene.deploy()
    scene.program(SERVE)
    with read_only_registry() as host:
        scene.configure('container = "web"', image=f"{host}/web")
        code, devloop = scene.once()
    assert code == 3, devloop.said()
    failure = failed(devloop, "registry_denied")
    assert f"{host} refuses the push of {host}/web:dev" in failure["message"]
    assert f"docker login {host}" in failure["hint"]
    assert not scene.patched()


def test_nothing_is_written_when_something_is_missing(scene: Scene) -> None:
    scene.deploy()
    before = scene.deployment()["metadata"]["generation"]
    write_toml(scene.folder, scene.namespace, f'[services.api]\nimage = "{scene.image}"\nbuild = "web"')
    scene.program(SERVE)
    code, devloop = scene.once()
    assert code == 3, devloop.said()
    assert scene.deployment()["metadata"]["generation"] == before
    assert get(scene.kubectl, scene.namespace, "replicasets")["items"]


@pytest.mark.e2e  # nodes of a sandbox ask for no secret
@pytest.mark.breaks
async def test_nodes_that_have_no_credentials(scene: Scene, tmp_path: Path) -> None:
    """What is pushed with this machine's credentials is pulled without any, until the way out is gone."""
    folder = tmp_path / "registry"
    folder.mkdir()
    scene.deploy()
    scene.program(SERVE)
    async with own_registry(folder) as own:
        config = {"DOCKER_CONFIG": str(own.docker_config())}
        scene.configure('container = "web"', image=f"{own.host}/web")
        code, devloop = await asyncio.to_thread(scene.once, env=config)
        assert code == 5, devloop.said()
        failure = failed(devloop, "image_pull")
        assert f"cannot pull {own.host}/web:dev for container web" in failure["message"]
        assert "imagePullSecrets" in failure["hint"]
        assert PASSWORD not in devloop.said()
        login = [f"--docker-server={own.host}", f"--docker-username={USER}", f"--docker-password={PASSWORD}"]
        scene.kubectl("-n", scene.namespace, "create", "secret", "docker-registry", "login", *login)
        scene.patch({"spec": {"template": {"spec": {"imagePullSecrets": [{"name": "login"}]}}}})
        code, devloop = await asyncio.to_thread(scene.once, env=config)
        assert code == 0, devloop.said()
        (pod,) = scene.new_pods()
        assert pod["status"]["containerStatuses"][0]["imageID"].endswith(devloop.of("image_pushed")[0]["digest"])


def test_under_once_a_failed_check_is_the_last_word_before_the_recording(scene: Scene) -> None:
    """Lines that Pods wrote long before stood below it."""
    scene.deploy()
    scene.program("echo one from before; exec sleep 600")
    scene.configure()
    assert scene.once()[0] == 0
    toml = scene.folder / "devloop.toml"
    toml.write_text(toml.read_text().replace(scene.image, "127.0.0.1:1/away/web"))
    done = run(scene.folder, "up", "--once")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "FAILED check" in done.stdout
    assert "one from before" not in done.stdout


def test_a_session_that_ends_promises_no_build_at_the_next_save(scene: Scene) -> None:
    scene.deploy()
    scene.dockerfile("FROM 127.0.0.1:1/away:1")
    scene.configure()
    code, devloop = scene.once()
    assert code == 4, devloop.said()
    hint = failed(devloop, "build_failed")["hint"]
    assert re.search(r", then: devloop up\b.* --once$", hint), hint
