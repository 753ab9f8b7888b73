"""Services without a registry: built, loaded into the nodes, proved there, and removed from there again."""

import json
import os
import subprocess
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import App, Devloop, Event, Kubectl, answers, apply, deployment, get, once, pods, run, write_toml
from tests.e2e.scene import failed
from tests.e2e.standins import StandIns, stand_ins

# A small image, since all of it goes into an archive and from there into each node, each time.
DOCKERFILE = """\
FROM {registry}/busybox:1
COPY message.txt /www/index.html
LABEL test={image}
CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
"""

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.timeout(180)]


@pytest.fixture
def tools(tmp_path: Path, image: str) -> Iterator[StandIns]:
    made = stand_ins(tmp_path / "bin")
    yield made
    made.forget(image)


@pytest.fixture
def image() -> str:
    """A name without a registry, of this test alone."""
    return f"loaded-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def app(tmp_path: Path, kubectl: Kubectl, namespace: str, registry: str, image: str, tools: StandIns) -> App:
    """The service `web` on both nodes, with an image that runs already, and that somebody else has loaded."""
    app = App.create(tmp_path / "web", registry, "zero")
    # Its label makes it a content that no other test takes away from the nodes.
    (app.folder / "Dockerfile").write_text(DOCKERFILE.format(registry=registry, image=image))
    tools.load(app.folder, f"{image}:v0")
    app.say("one")
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}},
            "matchLabelKeys": ["pod-template-hash"],
        }
    ]
    apply(kubectl, namespace, deployment("web", f"{image}:v0", replicas=2, topologySpreadConstraints=spread))
    kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=45s")
    return app


def gone(pushed: Event) -> str:
    return f"removed {pushed['pod_ref']}, which nothing runs any more, from {pushed['loaded_into']}"


def configure(folder: Path, namespace: str, image: str, load: str, context: str = "") -> None:
    write_toml(folder, namespace, f'[services.web]\nimage = "{image}"\nbuild = "web"\nload = "{load}"')
    if context:
        file = folder / "devloop.toml"
        file.write_text(file.read_text().replace(os.environ["DEVLOOP_E2E_CONTEXT"], context))


def renamed(folder: Path, context: str) -> dict[str, str]:
    """The environment with a kubeconfig in which the test cluster's context is called so."""
    command = ["kubectl", "--context", os.environ["DEVLOOP_E2E_CONTEXT"], "config", "view", "--raw", "--minify"]
    raw = subprocess.run([*command, "-o", "json"], check=True, capture_output=True, text=True, timeout=30).stdout
    config = json.loads(raw)
    config["contexts"][0]["name"] = config["current-context"] = context
    path = folder / f"kubeconfig-{context}"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return {"KUBECONFIG": str(path)}


def container(kubectl: Kubectl, namespace: str) -> dict[str, Any]:
    found = get(kubectl, namespace, "deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    return {"image": found["image"], "imagePullPolicy": found["imagePullPolicy"]}


def test_three_saves_are_verified_on_both_nodes_and_leave_one_image(
    tmp_path: Path, kubectl: Kubectl, namespace: str, app: App, image: str, tools: StandIns
) -> None:
    configure(tmp_path, namespace, image, "auto")
    before = container(kubectl, namespace)
    with Devloop.start(tmp_path, env=tools.env) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        for message in ("two", "three", "four"):
            app.say(message)
            devloop.wait_for("phase_finished", phase="load", ok=True)
            devloop.wait_for("cycle_finished", outcome="verified")
            assert answers(kubectl, namespace, "web") == [message, message]
        *earlier, loaded = devloop.of("image_pushed")
        for event in earlier:
            devloop.ever("log", source="build", text=gone(event))
        devloop.stop()

    assert loaded["loaded_into"] == "the kind cluster `e2e`"
    tag = f"dev-{loaded['digest'].removeprefix('sha256:')[:12]}"
    assert container(kubectl, namespace) == {"image": f"{image}:{tag}", "imagePullPolicy": "IfNotPresent"}
    running = pods(kubectl, namespace, "web")
    assert {pod["spec"]["nodeName"] for pod in running} == {*tools.names()}
    assert {pod["status"]["containerStatuses"][0]["imageID"] for pod in running} == {loaded["digest"]}
    for node in tools.names():
        assert tools.tags(node, f"docker.io/library/{image}") == [tag, "v0"], "what devloop did not load stays"
        old = {digest for event in earlier for digest in event["digests"]}
        assert not old & tools.contents(node), "the content goes with the name"
    assert not devloop.of("phase_started", phase="push")
    full = [step["name"] for step in devloop.of("build_step", step="how", state="done")]
    assert full
    assert all(name.startswith("full build: the image is loaded into the nodes") for name in full)

    why = run(tmp_path, "why", "deployment/web", env=tools.env)
    assert why.returncode == 0, why.stdout
    assert "the newest image runs in 2 Pods: container web reports what was loaded" in why.stdout
    assert "registry tag" not in why.stdout

    assert run(tmp_path, "restore", "deployment/web", env=tools.env).returncode == 0
    assert container(kubectl, namespace) == before


def test_what_is_built_again_is_unchanged_and_what_an_earlier_session_left_is_removed(
    tmp_path: Path, kubectl: Kubectl, namespace: str, app: App, image: str, tools: StandIns
) -> None:
    configure(tmp_path, namespace, image, "kind")
    code, first = once(tmp_path, env=tools.env)
    assert (code, first.outcomes("web")) == (0, ["verified"]), first.said()
    code, again = once(tmp_path, env=tools.env)
    assert (code, again.outcomes("web")) == (0, ["unchanged"]), again.said()
    (loaded,) = again.of("image_pushed")
    app.say("two")
    code, second = once(tmp_path, env=tools.env)
    assert (code, second.outcomes("web")) == (0, ["verified"]), second.said()
    (newest,) = second.of("image_pushed")
    with Devloop.start(tmp_path, env=tools.env) as third:
        if not second.of("log", text=gone(loaded)):
            third.ever("log", source="build", text=gone(loaded))
        third.wait_for("cycle_finished", outcome="unchanged")
        third.stop()
    for node in tools.names():
        assert tools.tags(node, f"docker.io/library/{image}") == [newest["pod_ref"].rpartition(":")[2], "v0"]


def test_what_a_deployment_without_pods_asks_for_stays(
    tmp_path: Path, kubectl: Kubectl, namespace: str, app: App, image: str, tools: StandIns
) -> None:
    configure(tmp_path, namespace, image, "kind")
    with Devloop.start(tmp_path, env=tools.env) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        asleep = deployment("asleep", devloop.of("image_pushed")[0]["pod_ref"], replicas=0)
        apply(kubectl, namespace, asleep)
        for message in ("two", "three"):
            app.say(message)
            devloop.wait_for("cycle_finished", outcome="verified")
        kept, over, newest = devloop.of("image_pushed")
        devloop.ever("log", source="build", text=gone(over))
        devloop.stop()
    tags = [each["pod_ref"].rpartition(":")[2] for each in (kept, newest)]
    for node in tools.names():
        assert set(tools.tags(node, f"docker.io/library/{image}")) == {*tags, "v0"}


@pytest.mark.parametrize(
    ("load", "context", "cluster"),
    [("auto", "k3d-e2e", "the k3d cluster `e2e`"), ("minikube", "minikube", "the minikube profile `minikube`")],
)
def test_other_tools(
    tmp_path: Path, kubectl: Kubectl, namespace: str, app: App, image: str, tools: StandIns,
    load: str, context: str, cluster: str,
) -> None:  # fmt: skip
    configure(tmp_path, namespace, image, load, context)
    with Devloop.start(tmp_path, env={**tools.env, **renamed(tmp_path, context)}) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        app.say("two")
        devloop.wait_for("cycle_finished", outcome="verified")
        first, second = devloop.of("image_pushed")
        devloop.ever("log", source="build", text=gone(first))
        devloop.stop()
    assert second["loaded_into"] == cluster
    assert set(answers(kubectl, namespace, "web")) == {"two"}
    for node in tools.names():
        assert tools.tags(node, f"docker.io/library/{image}") == [second["pod_ref"].rpartition(":")[2], "v0"]
        assert not {*first["digests"]} & tools.contents(node)


def test_a_load_that_fails_says_why(tmp_path: Path, namespace: str, app: App, image: str, tools: StandIns) -> None:
    configure(tmp_path, namespace, image, "kind")
    tools.write(
        "kind", '[ "$1" = get ] && echo e2e && exit\necho "ERROR: command \\"docker exec\\" failed" >&2; exit 1\n'
    )
    code, devloop = once(tmp_path, env=tools.env)
    assert code == 4
    failure = failed(devloop, "load_failed")
    assert failure["message"].startswith(f"{image}:dev-")
    assert failure["message"].endswith(
        'could not be loaded into the kind cluster `e2e`: ERROR: command "docker exec" failed'
    )
    assert [phase["ok"] for phase in devloop.of("phase_finished")] == [True, False]


@pytest.mark.usefixtures("app")
def test_a_missing_command_or_cluster_is_told_before_anything_is_built(
    tmp_path: Path, namespace: str, image: str, tools: StandIns
) -> None:
    configure(tmp_path, namespace, image, "kind")
    tools.write("kind", '[ "$1" = get ] && echo other\n')
    code, devloop = once(tmp_path, env=tools.env)
    (check,) = devloop.of("check_finished", code="loader_missing")
    assert (code, check["message"]) == (3, "`kind get clusters` knows no cluster `e2e`, only other")
    (tools.folder / "kind").unlink()
    code, devloop = once(tmp_path, env=tools.env)
    (check,) = devloop.of("check_finished", code="loader_missing")
    assert code == 3
    assert check["message"] == "`kind` is not on PATH, and images get into the kind cluster `e2e` through it"
    assert not devloop.of("cycle_started")


def test_a_node_without_the_image_is_told(
    tmp_path: Path, namespace: str, app: App, image: str, tools: StandIns
) -> None:
    configure(tmp_path, namespace, image, "kind")
    one, other = tools.names()
    tools.write("kind", f'[ "$1" = get ] && echo e2e && exit\non {one} -n k8s.io images import "$3" > /dev/null\n')
    code, devloop = once(tmp_path, env=tools.env)
    assert code == 5
    failure = failed(devloop, "image_pull")
    assert failure["message"].startswith(f"{other} has no copy of {image}:dev-")
    assert "which was loaded into the kind cluster `e2e`" in failure["message"]


@pytest.mark.usefixtures("app")
def test_plan_and_doctor_ask_no_registry(tmp_path: Path, namespace: str, image: str, tools: StandIns) -> None:
    configure(tmp_path, namespace, image, "auto")
    plan = run(tmp_path, "plan", env=tools.env)
    assert plan.returncode == 0, plan.stderr
    assert f"load     {image}:dev-" in plan.stdout
    assert "into the kind cluster `e2e`: kind load image-archive IMAGE.tar --name e2e" in plan.stdout
    assert "docker buildx build --load" in plan.stdout
    assert "--push" not in plan.stdout
    doctor = run(tmp_path, "doctor", env=tools.env)
    assert doctor.returncode == 0, doctor.stdout
    assert "into the kind cluster `e2e`: kind load image-archive" in doctor.stdout
    assert "docker.io" not in doctor.stdout


def who_knows_of_no_registry(folder: Path, kubectl: Kubectl, namespace: str) -> dict[str, str]:
    """The environment of somebody with rights in the namespace alone, who may not read what the cluster announces."""
    run_in = ("-n", namespace)
    kubectl(*run_in, "create", "serviceaccount", "dev")
    kubectl(*run_in, "create", "rolebinding", "dev", "--clusterrole=admin", f"--serviceaccount={namespace}:dev")
    token = kubectl(*run_in, "create", "token", "dev").strip()
    env = renamed(folder, "kind-e2e")
    path = Path(env["KUBECONFIG"])
    config = json.loads(path.read_text())
    config["users"][0]["user"] = {"token": token}
    path.write_text(json.dumps(config))
    return env


@pytest.mark.usefixtures("app")
def test_init_proposes_loading_where_no_registry_is_known(
    tmp_path: Path, kubectl: Kubectl, namespace: str, image: str, tools: StandIns
) -> None:
    env = {**tools.env, **who_knows_of_no_registry(tmp_path, kubectl, namespace)}
    found = run(tmp_path, "init", "--yes", "-n", namespace, env=env)
    assert (found.returncode, found.stderr) == (0, ""), found.stdout + found.stderr
    assert "loaded into the kind cluster `e2e`: the cluster announces no registry" in found.stdout
    written = tomllib.loads((tmp_path / "devloop.toml").read_text())["services"]["web"]
    assert (written["image"], written["load"]) == (image, "auto")
    done = run(tmp_path, "up", "--headless", "--once", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "web: verified" in done.stdout + done.stderr
    again = run(tmp_path, "init", "--yes", env=env)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "devloop.toml stays as it is" in again.stdout
