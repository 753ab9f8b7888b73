"""The engine, the registry and the API server go away and come back; nothing that was saved meanwhile is lost."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Devloop, Kubectl
from tests.e2e.proxies import Proxy, Ways, only_context, ways, write_kubeconfig
from tests.e2e.scene import Scene
from tests.e2e.talk import heard, speak, words

pytestmark = [pytest.mark.shared, pytest.mark.timeout(150)]

PARTS: dict[str, Callable[[Ways], Proxy]] = {
    "engine": Ways.engine,
    "registry": Ways.registry,
    "cluster": Ways.api_server,
}
CODES = {"engine": "engine_unreachable", "registry": "registry_unreachable", "cluster": "cluster_unreachable"}


@pytest.fixture
def way(tmp_path: Path, kubectl: Kubectl, registry: str) -> Iterator[Ways]:
    with ways(tmp_path, kubectl, registry) as found:
        yield found


def push_by(scene: Scene, proxy: Proxy) -> str:
    """The line that makes devloop push through a proxy what Pods pull from the registry itself."""
    return f'push_image = "{proxy.host}/{scene.namespace}/web"'


def configure(scene: Scene, part: str, proxy: Proxy) -> None:
    build = '{ context = "web", delta = false }' if part == "engine" else '"web"'  # a layer needs no engine
    scene.configure(*([push_by(scene, proxy)] if part == "registry" else []), build=build)


def start(scene: Scene, way: Ways, *args: str) -> Devloop:
    return Devloop.start(scene.folder, *args, env=way.env)


def missing(devloop: Devloop) -> dict[str, tuple[str, str]]:
    """Message and hint of each check that failed, by its code."""
    return {e["code"]: (e["message"], e["hint"]) for e in devloop.of("check_finished", ok=False)}


def is_named_with_what_to_do(scene: Scene, way: Ways, part: str) -> None:
    speak(scene, "one")
    scene.deploy()
    proxy = PARTS[part](way)
    configure(scene, part, proxy)
    proxy.refuse()
    code, devloop = scene.once(env=way.env)
    assert code == 3, devloop.said()
    assert set(missing(devloop)) == {CODES[part]}, devloop.said()
    message, hint = missing(devloop)[CODES[part]]
    where = str(scene.folder / "engine.sock") if part == "engine" else proxy.host
    assert where in message
    assert hint
    assert not devloop.of("cycle_started")
    assert not scene.patched()


@pytest.mark.parametrize("part", ["registry", "cluster"])
def test_a_part_that_is_away_at_the_start_is_named_with_what_to_do(scene: Scene, way: Ways, part: str) -> None:
    is_named_with_what_to_do(scene, way, part)


@pytest.mark.e2e  # a sandbox has no engine
@pytest.mark.engine
def test_an_engine_that_is_away_at_the_start_is_named_with_what_to_do(scene: Scene, way: Ways) -> None:
    is_named_with_what_to_do(scene, way, "engine")


@pytest.mark.e2e  # a sandbox has no engine
@pytest.mark.engine
def test_all_that_is_away_at_the_start_is_told_in_one_go(scene: Scene, way: Ways) -> None:
    speak(scene, "one")
    scene.deploy()
    proxies = {part: make(way) for part, make in PARTS.items()}
    scene.configure(push_by(scene, proxies["registry"]))
    for proxy in proxies.values():
        proxy.refuse()
    code, devloop = scene.once(env=way.env)
    assert code == 3, devloop.said()
    assert set(missing(devloop)) == set(CODES.values()), devloop.said()


def test_an_api_server_that_hangs_at_the_start_is_away(scene: Scene, way: Ways) -> None:
    speak(scene, "one")
    scene.deploy()
    proxy = way.api_server()
    scene.configure()
    proxy.hang()
    code, devloop = scene.once(env=way.env)
    assert code == 3, devloop.said()
    assert set(missing(devloop)) == {"cluster_unreachable"}, devloop.said()
    assert "does not answer in time" in missing(devloop)["cluster_unreachable"][0]


def is_verified_when_it_is_back(scene: Scene, way: Ways, part: str) -> None:
    """A save while a part is away."""
    speak(scene, "one")
    scene.deploy()
    proxy = PARTS[part](way)
    configure(scene, part, proxy)
    with start(scene, way) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        proxy.refuse()
        speak(scene, "two")
        lost = devloop.wait_for("connection_changed", to=part, ok=False)
        assert lost["text"]
        devloop.wait_for("cycle_held", patience=30)
        assert words(scene) == ["one"]
        proxy.mend()
        devloop.wait_for("connection_changed", to=part, ok=True)
        devloop.wait_for("cycle_finished", outcome="verified")
        assert heard(scene) == ["two"]
        assert devloop.stop() == 130
    assert len(devloop.of("change_detected")) == 1, "one save was enough"
    assert [e["hold"]["code"] for e in devloop.of("cycle_held") if e["hold"]] == ["connection"]
    assert {e["failure"]["code"] for e in devloop.of("cycle_finished", outcome="failed")} <= {CODES[part]}


@pytest.mark.parametrize("part", ["registry", "cluster"])
def test_a_save_while_a_part_is_away_is_verified_when_it_is_back(scene: Scene, way: Ways, part: str) -> None:
    is_verified_when_it_is_back(scene, way, part)


@pytest.mark.e2e  # a sandbox has no engine
@pytest.mark.engine
def test_a_save_while_the_engine_is_away_is_verified_when_it_is_back(scene: Scene, way: Ways) -> None:
    is_verified_when_it_is_back(scene, way, "engine")


def test_the_api_server_goes_away_while_the_image_is_built(scene: Scene, way: Ways) -> None:
    speak(scene, "one")
    scene.deploy()
    proxy = way.api_server()
    scene.configure()
    with start(scene, way) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        speak(scene, "two")
        devloop.wait_for("phase_started", phase="build", cycle=2)
        proxy.refuse()
        failed = devloop.wait_for("cycle_finished", cycle=2)
        assert failed["failure"]["code"] == "cluster_unreachable"
        proxy.mend()
        again = devloop.wait_for("cycle_started")
        assert (again["trigger"], again["files"]) == ("files", ["run.sh"])
        devloop.wait_for("cycle_finished", outcome="verified")
        assert heard(scene) == ["two"]
        assert devloop.stop() == 130


def test_the_api_server_goes_away_for_a_while_during_a_rollout(scene: Scene, way: Ways) -> None:
    """The patch is out: the rollout goes on in the cluster, and is proved once it can be seen again."""
    speak(scene, "one", before="sleep 4; touch ready")
    scene.deploy()
    probe = {"exec": {"command": ["cat", "ready"]}, "periodSeconds": 1}
    scene.patch({"spec": {"template": {"spec": {"containers": [{"name": "web", "readinessProbe": probe}]}}}})
    proxy = way.api_server()
    scene.configure()
    with start(scene, way) as devloop:
        devloop.wait_for("workload_patched")
        proxy.refuse()
        devloop.wait_for("connection_changed", to="cluster", ok=False)
        scene.kubectl("-n", scene.namespace, "rollout", "status", "deployment/web", "--timeout=50s")
        proxy.mend()
        # The rollout may be seen before the last of the watches is back.
        devloop.ever("cycle_finished", outcome="verified", cycle=1)
        devloop.ever("connection_changed", to="cluster", ok=True)
        assert heard(scene) == ["one"]
        assert devloop.stop() == 130
    assert len(devloop.of("workload_patched")) == 1


def test_the_api_server_goes_away_between_the_rollout_and_its_proof(scene: Scene, way: Ways) -> None:
    speak(scene, "one")
    scene.deploy()
    proxy = way.api_server()
    scene.configure()
    with start(scene, way) as devloop:
        devloop.wait_for("phase_started", phase="verify")
        proxy.refuse()
        devloop.wait_for("connection_changed", to="cluster", ok=False)
        proxy.mend()
        # The rollout may be seen before the last of the watches is back.
        devloop.ever("cycle_finished", outcome="verified", cycle=1)
        devloop.ever("connection_changed", to="cluster", ok=True)
        assert devloop.stop() == 130
    assert len(devloop.of("workload_patched")) == 1


def test_watches_that_break_are_opened_again(scene: Scene, way: Ways) -> None:
    """A load balancer ends long connections without a word: what changes afterwards is still seen."""
    speak(scene, "one")
    scene.deploy()
    proxy = way.api_server()
    scene.configure()
    with start(scene, way) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        proxy.cut()
        scene.kubectl("-n", scene.namespace, "scale", "deployment/web", "--replicas=2")
        devloop.wait_for("workload_observed", desired=2, ready=2)
        proxy.cut()
        speak(scene, "two")
        devloop.wait_for("cycle_finished", outcome="verified")
        assert heard(scene) == ["two", "two"]
        assert devloop.stop() == 130
    assert not devloop.of("connection_changed", ok=False), "it answered at once: nobody has to hear of it"


def test_an_api_server_that_hangs_counts_as_away_until_it_answers(scene: Scene, way: Ways) -> None:
    speak(scene, "one")
    scene.deploy()
    proxy = way.api_server()
    scene.configure()
    with start(scene, way) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        proxy.hang()
        speak(scene, "two")
        devloop.wait_for("connection_changed", to="cluster", ok=False)
        proxy.mend()
        devloop.wait_for("connection_changed", to="cluster", ok=True)
        devloop.wait_for("cycle_finished", outcome="verified")
        assert heard(scene) == ["two"]
        assert devloop.stop() == 130


def test_a_build_that_hangs_on_the_registry_is_superseded_by_the_next_save(scene: Scene, way: Ways) -> None:
    speak(scene, "one")
    scene.deploy()
    proxy = way.registry()
    scene.configure(push_by(scene, proxy))
    with start(scene, way) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        proxy.hang()
        speak(scene, "two")
        devloop.wait_for("phase_started", phase="build", cycle=2)
        speak(scene, "three")
        devloop.wait_for("cycle_finished", outcome="superseded", cycle=2)
        devloop.wait_for("phase_started", phase="build", cycle=3)
        proxy.mend()
        devloop.wait_for("cycle_finished", outcome="verified")
        assert heard(scene) == ["three"]
        assert devloop.stop() == 130


@pytest.mark.e2e  # a sandbox has no engine
@pytest.mark.engine
def test_a_build_that_hangs_on_the_engine_goes_on_when_it_answers(scene: Scene, way: Ways) -> None:
    speak(scene, "one")
    scene.deploy()
    proxy = way.engine()
    scene.configure()
    with start(scene, way) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        proxy.hang()
        speak(scene, "two")
        devloop.wait_for("phase_started", phase="build", cycle=2)
        proxy.mend()
        devloop.wait_for("cycle_finished", outcome="verified", cycle=2)
        assert heard(scene) == ["two"]
        assert devloop.stop() == 130


def token(scene: Scene, secret: str) -> str:
    """A token of the service account `dev` that is good for as long as this Secret exists."""
    scene.kubectl("-n", scene.namespace, "create", "secret", "generic", secret)
    bound = ("--bound-object-kind=Secret", f"--bound-object-name={secret}")
    return scene.kubectl("-n", scene.namespace, "create", "token", "dev", *bound).strip()


def is_refused(scene: Scene, bearer: str) -> bool:
    """Whether the API server no longer takes a token; it remembers for some seconds that it did."""
    config = only_context(scene.kubectl)
    config["users"][0]["user"] = {"token": bearer}
    path = write_kubeconfig(scene.folder / "token-kubeconfig", config)
    command = ["kubectl", "--kubeconfig", str(path), "-n", scene.namespace, "get", "deployments"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 or "Unauthorized" in done.stderr or "logged in" in done.stderr, done.stderr
    return done.returncode != 0


@pytest.mark.e2e  # a sandbox has one token, for everybody
def test_credentials_that_expire_in_a_session_are_renewed_by_their_plugin(scene: Scene, way: Ways) -> None:
    """For requests and for watches, as somebody with rights in one namespace only."""
    scene.kubectl("-n", scene.namespace, "create", "serviceaccount", "dev")
    who = ("--clusterrole=admin", f"--serviceaccount={scene.namespace}:dev")
    scene.kubectl("-n", scene.namespace, "create", "rolebinding", "dev", *who)
    first, second = token(scene, "first"), token(scene, "second")
    at_hand = scene.folder / "token"
    at_hand.write_text(first)
    proxy = way.api_server()
    path = Path(way.env["KUBECONFIG"])
    config = json.loads(path.read_text())
    credential = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}'
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sh",
        "args": ["-c", f"printf '{credential}' \"$(cat {at_hand})\""],
        "interactiveMode": "Never",
    }
    config["users"][0]["user"] = {"exec": plugin}
    write_kubeconfig(path, config)
    speak(scene, "one")
    scene.deploy()
    scene.configure()
    with start(scene, way) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        at_hand.write_text(second)
        scene.kubectl("-n", scene.namespace, "delete", "secret", "first")
        while not is_refused(scene, first):
            assert devloop.process.poll() is None
        proxy.cut()
        speak(scene, "two")
        devloop.wait_for("cycle_finished", outcome="verified")
        assert heard(scene) == ["two"]
        assert devloop.stop() == 130
    said = devloop.said()
    assert first not in said
    assert second not in said
