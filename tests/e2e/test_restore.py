"""`devloop restore` and `--on-exit restore` on a real cluster: all is as it was, and nothing of devloop is left."""

import json
import re

import pytest

from tests.e2e.harness import App, build_and_push, registry_digest, run
from tests.e2e.scene import SERVE, Scene
from tests.e2e.shop import Shop, lines_of_json, written
from tests.e2e.talk import speak

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]


def _assert_nothing_left(shop: Shop, name: str) -> None:
    """No annotation, label or ownership of devloop, on the Deployment or in its template."""
    found = shop.get(name)
    assert "devloop" not in {entry["manager"] for entry in found["metadata"]["managedFields"]}
    kept = {key: value for key, value in found["metadata"].items() if key not in {"managedFields", "namespace"}}
    for key in ("kubectl.kubernetes.io/last-applied-configuration",):
        kept.get("annotations", {}).pop(key, None)
    assert "devloop/" not in json.dumps([kept, found["spec"]])


def _helm(shop: Shop, image: str) -> None:
    """Server-side apply of helm's manifest: two containers, one of them of the service."""
    sleep = ["sh", "-c", SERVE]
    containers = [
        {"name": "side", "image": f"{shop.registry}/busybox:1", "command": sleep},
        {"name": "web", "image": image, "command": sleep, "env": [{"name": "A", "value": "1"}]},
    ]
    labels = {"app": "web"}
    pods = {"terminationGracePeriodSeconds": 1, "containers": containers}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pods},
        },
    }
    shop.run("apply", "--server-side", "--field-manager=helm", "-f", "-", stdin=json.dumps(body))


@pytest.mark.parametrize("pin", ["tag", "digest"])
def test_restore_gives_back_the_spec_its_replica_set_and_its_owner(shop: Shop, pin: str) -> None:
    shop.source("web")
    _helm(shop, f"{shop.registry}/busybox:1")
    shop.settle("web")
    before = json.dumps(shop.get("web")["spec"])
    (old,) = shop.replica_sets("web")
    shop.configure(shop.service("web", 'container = "web"', f'pin = "{pin}"'))
    code, devloop = shop.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    assert json.dumps(shop.get("web")["spec"]) != before
    assert shop.desired("web")[old] == 0

    code, out, err = shop.devloop("restore", "web")
    assert code == 0, out + err
    assert f"image is {shop.registry}/busybox:1 again" in out
    assert json.dumps(shop.get("web")["spec"]) == before
    assert {name for name, wanted in shop.desired("web").items() if wanted} == {old}
    assert [pod["metadata"]["ownerReferences"][0]["name"] for pod in shop.pods("web")] == [old]
    _assert_nothing_left(shop, "web")

    _helm(shop, f"{shop.registry}/python:3")
    images = [container["image"] for container in shop.spec("web")["containers"]]
    assert images == [f"{shop.registry}/busybox:1", f"{shop.registry}/python:3"]


def test_a_change_made_by_somebody_else_is_kept_and_told(shop: Shop) -> None:
    shop.source("web")
    shop.running("web")
    shop.configure(shop.service("web"))
    code, devloop = shop.once()
    assert code == 0, devloop.said()
    other = f"{shop.registry}/python:3"
    shop.run("set", "image", "deployment/web", f"web={other}")

    code, out, err = shop.devloop("restore", "deployment/web", "--output", "json")
    assert code == 0, out + err
    (told,) = lines_of_json(out)
    (kept,) = told["kept"]
    assert re.fullmatch(rf"kept {re.escape(other)} in container web, set by kubectl-set at \d\d:\d\d( UTC)?", kept)
    (container,) = shop.spec("web")["containers"]
    assert (container["image"], container["imagePullPolicy"]) == (other, "IfNotPresent")
    _assert_nothing_left(shop, "web")


def test_all_of_a_namespace_without_any_file(shop: Shop) -> None:
    for name in ("one", "two"):
        shop.source(name)
        shop.running(name)
    shop.running("bystander")
    names = ("one", "two", "bystander")
    before = {name: json.dumps(shop.get(name)["spec"]) for name in names}
    path = shop.configure(shop.service("one"), shop.service("two"))
    code, devloop = shop.once()
    assert code == 0, devloop.said()
    path.unlink()
    untouched = shop.get("bystander")["metadata"]["generation"]

    code, out, err = shop.devloop("restore", "--all", "--output", "json", *shop.elsewhere())
    assert code == 0, out + err
    told = {each["workload"]: each for each in lines_of_json(out)}
    assert set(told) == {"deployment/one", "deployment/two"}
    assert [each["failure"] for each in told.values()] == [None, None]
    assert any("busybox:1" in line for line in told["deployment/one"]["changes"])
    assert {name: json.dumps(shop.get(name)["spec"]) for name in names} == before
    for name in names:
        _assert_nothing_left(shop, name)
    assert shop.get("bystander")["metadata"]["generation"] == untouched

    code, out, err = shop.devloop("restore", "--all", *shop.elsewhere())
    assert (code, out) == (0, "")
    assert f"nothing in namespace {shop.namespace} carries a mark of devloop" in err


def test_a_workload_that_devloop_never_touched(shop: Shop) -> None:
    shop.deploy("web")  # its image is nowhere: a rollout that devloop did not make is not waited for
    before = shop.get("web")["metadata"]
    code, out, err = shop.devloop("restore", "deployment/web", *shop.elsewhere())
    assert code == 0, out + err
    assert out == "deployment/web: nothing of devloop's was left on it\n"
    after = shop.get("web")["metadata"]
    assert (after["generation"], written(after)) == (before["generation"], written(before))


def test_restored_on_exit(shop: Shop) -> None:
    shop.source("web")
    shop.running("web")
    before = json.dumps(shop.get("web")["spec"])
    shop.configure(shop.service("web"), loop=['on_exit = "restore"'])
    with shop.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        assert shop.digests("web") == {("web", registry_digest(f"{shop.image('web')}:dev"))}
        assert devloop.stop() == 130
    assert json.dumps(shop.get("web")["spec"]) == before
    _assert_nothing_left(shop, "web")
    assert any("busybox:1 again" in line for line in devloop.errors), devloop.said()
    assert not any("undo:" in line for line in devloop.errors)


def test_the_option_on_exit_goes_before_the_file(shop: Shop) -> None:
    shop.source("web")
    shop.running("web")
    before = json.dumps(shop.get("web")["spec"])
    shop.configure(shop.service("web"), loop=['on_exit = "keep"'])
    code, devloop = shop.once("--on-exit", "restore")
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    assert json.dumps(shop.get("web")["spec"]) == before
    _assert_nothing_left(shop, "web")


def test_what_goes_back_is_what_was_there_before_the_first_session_or_was_set_since(shop: Shop) -> None:
    shop.source("web")
    shop.running("web")
    before = shop.spec("web")
    shop.configure(shop.service("web"))
    assert shop.once()[0] == 0
    shop.configure(shop.service("web", 'tag = "other"', 'pin = "digest"'))
    code, devloop = shop.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    (container,) = shop.spec("web")["containers"]
    assert "web:other@sha256:" in container["image"]
    assert container["imagePullPolicy"] == "IfNotPresent", "the digest needs no policy, so it is as it was"

    theirs = f"{shop.registry}/python:3"
    shop.run("set", "image", "deployment/web", f"web={theirs}")
    code, devloop = shop.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    code, out, err = shop.devloop("restore", "web")
    assert code == 0, out + err
    assert "kept" not in out
    expected = json.loads(json.dumps(before))
    expected["containers"][0]["image"] = theirs
    assert shop.spec("web") == expected
    _assert_nothing_left(shop, "web")


def test_a_workload_that_is_gone_is_named(shop: Shop) -> None:
    code, out, err = shop.devloop("restore", "deployment/web", *shop.elsewhere())
    assert (code, out) == (3, "")
    assert f"deployment/web does not exist in namespace {shop.namespace}" in err


def test_a_service_needs_a_file(shop: Shop) -> None:
    code, out, err = shop.devloop("restore", "web", *shop.elsewhere())
    assert (code, out) == (2, "")
    assert "there is no devloop.toml here or above, so `web` names no service" in err
    assert "devloop restore deployment/web" in err


def test_what_was_restored_and_crashes_is_not_called_complete(scene: Scene) -> None:
    """Without a readiness probe it is ready for a moment each time it is started."""
    scene.program("exit 3")
    build_and_push(App(scene.folder / "web", ""), f"{scene.image}:old")
    scene.deploy()
    scene.kubectl("-n", scene.namespace, "set", "image", "deployment/web", f"web={scene.image}:old")
    speak(scene, "one")
    scene.configure()
    code, devloop = scene.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    done = run(scene.folder, "restore", "web")
    assert done.returncode == 5, done.stderr
    assert "ended with exit code 3" in done.stderr
    assert "its rollout is complete" not in done.stdout
