"""Several services, workloads and containers, and the ways to say which."""

import os
import re
import tomllib
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import (
    App,
    Devloop,
    Kubectl,
    answers,
    apply,
    deployment,
    log_in,
    registry_digest,
    replica_sets,
    write_toml,
)
from tests.e2e.shop import Shop

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]


# saves and builds ----------------------------------------------------------------------------------------------------


@pytest.mark.e2e  # no build takes long in a sandbox
def test_a_save_during_a_build_supersedes_it(tmp_path: Path, kubectl: Kubectl, namespace: str, registry: str) -> None:
    app = App.create(tmp_path / "web", registry)
    dockerfile = app.folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "RUN if [ -e /app/slow.txt ]; then sleep 100; fi\n")
    apply(kubectl, namespace, deployment("web", f"{registry}/{namespace}/web:v0"))
    write_toml(tmp_path, namespace, f'[services.web]\nimage = "{registry}/{namespace}/web"\nbuild = "web"')
    with Devloop.start(tmp_path) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        before = replica_sets(kubectl, namespace, "web")
        slow = app.folder / "slow.txt"
        slow.write_text("the next build takes long")
        while "sleep 100" not in devloop.wait_for("build_step", cycle=2)["name"]:
            pass
        app.say("two")
        devloop.wait_for("cycle_finished", cycle=2, outcome="superseded")
        started = devloop.wait_for("cycle_started", cycle=3, trigger="files")
        assert set(started["files"]) == {"message.txt", "slow.txt"}
        slow.unlink()
        devloop.wait_for("cycle_finished", outcome="verified")
        assert answers(kubectl, namespace, "web") == ["two"]
        assert len(set(replica_sets(kubectl, namespace, "web")) - set(before)) == 1
        assert devloop.stop() == 130
    assert len(devloop.of("workload_patched")) == 2, devloop.said()
    assert devloop.of("image_pushed", cycle=2) == []


def test_services_come_up_in_order_and_only_the_changed_one_is_rebuilt(shop: Shop) -> None:
    names = ["db", "api", "web"]
    for name in names:
        shop.source(name)
        shop.deploy(name)
    shop.configure(
        shop.service("web", 'depends_on = ["api"]'), shop.service("api", 'depends_on = ["db"]'), shop.service("db")
    )
    with shop.start("web") as devloop:
        for name in names:
            devloop.wait_for("workload_patched", service=name)
            devloop.wait_for("cycle_finished", service=name, outcome="verified")
        patched = [event["service"] for event in devloop.of("workload_patched")]
        assert patched == names
        _assert_one_after_another([_new_pod(shop, name) for name in names])
        before = {name: shop.replica_sets(name) for name in names}

        (shop.folder / "api" / "message.txt").write_text("two")
        devloop.wait_for("cycle_finished", service="api", outcome="verified")
        assert devloop.stop() == 130
    after = {name: shop.replica_sets(name) for name in names}
    assert (after["db"], after["web"]) == (before["db"], before["web"])
    assert len(after["api"]) == len(before["api"]) + 1
    assert [len(devloop.of("cycle_started", service=name)) for name in names] == [1, 2, 1]
    assert {event["hold"]["code"] for event in devloop.of("cycle_held") if event["hold"]} <= {"dependency"}


def test_what_depends_on_a_failed_service_waits_until_that_is_mended(shop: Shop) -> None:
    broken = shop.source("db", "COPY absent /")
    shop.source("web")
    for name in ("db", "web"):
        shop.deploy(name)
    shop.configure(shop.service("db"), shop.service("web", 'depends_on = ["db"]'))
    untouched = shop.get("web")["metadata"]["generation"]
    with shop.start() as devloop:
        devloop.wait_for("cycle_finished", service="db", outcome="failed")
        end = devloop.wait_for("cycle_finished", service="web", outcome="failed")
        assert end["failure"]["code"] == "dependency_failed"
        assert shop.get("web")["metadata"]["generation"] == untouched
        (broken / "absent").write_text("here")
        devloop.wait_for("cycle_finished", service="db", outcome="verified")
        devloop.wait_for("cycle_finished", service="web", outcome="verified")
        assert devloop.stop() == 130
    assert [event["service"] for event in devloop.of("workload_patched")] == ["db", "web"]
    assert shop.digests("web") == {("web", registry_digest(f"{shop.image('web')}:dev"))}


def test_once_ends_with_the_exit_code_of_the_dependency(shop: Shop) -> None:
    shop.source("db", "COPY absent /")
    shop.source("web")
    for name in ("db", "web"):
        shop.deploy(name)
    shop.configure(shop.service("db"), shop.service("web", 'depends_on = ["db"]'))
    code, devloop = shop.once("web")
    assert code == 4, devloop.said()
    assert {name: devloop.outcomes(name) for name in ("db", "web")} == {"db": ["failed"], "web": ["failed"]}
    assert devloop.of("workload_patched") == []


@pytest.mark.e2e  # a sandbox runs no step
def test_one_definition_is_built_once_for_the_services_that_share_it(shop: Shop) -> None:
    """Each build of it makes another image, so that the same digest in both Deployments means one build."""
    shop.source("web", "RUN head -c 16 /dev/urandom > /stamp")
    build = '{ context = "web", flags = ["--no-cache"] }'
    services = []
    for name in ("web", "worker"):
        shop.deploy(name, {**shop.container("web"), "name": name})
        image = f'[services.{name}]\nimage = "{shop.image("web")}"\nbuild = {build}\n'
        services.append(image)
    shop.configure(*services)
    code, devloop = shop.once()
    assert code == 0, devloop.said()
    assert devloop.outcomes("web") == devloop.outcomes("worker") == ["verified"]
    digest = registry_digest(f"{shop.image('web')}:dev")
    assert shop.digests("web") == {("web", digest)}
    assert shop.digests("worker") == {("worker", digest)}


def _new_pod(shop: Shop, name: str) -> dict[str, Any]:
    (pod,) = [pod for pod in shop.pods(name) if "devloop/build" in pod["metadata"].get("annotations", {})]
    return dict(pod)


def _assert_one_after_another(found: list[dict[str, Any]]) -> None:
    """Each Pod was made when the one before it was ready, as the cluster tells it in whole seconds."""
    for earlier, later in pairwise(found):
        (ready,) = [c for c in earlier["status"]["conditions"] if c["type"] == "Ready"]
        made = datetime.fromisoformat(later["metadata"]["creationTimestamp"])
        assert made >= datetime.fromisoformat(ready["lastTransitionTime"])


# workloads and containers --------------------------------------------------------------------------------------------


def test_two_workloads_and_an_init_container_from_one_image(shop: Shop) -> None:
    shop.source("web")
    migrate = {"name": "migrate", "image": f"{shop.image('web')}:none", "command": ["cat", "/message.txt"]}
    worker = {**shop.container("web"), "name": "worker"}
    shop.deploy("web")
    shop.deploy("worker", worker, initContainers=[migrate])
    shop.configure(shop.service("web", 'workload = ["deployment/web", "deployment/worker"]'))
    code, devloop = shop.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    digest = registry_digest(f"{shop.image('web')}:dev")
    assert shop.digests("web") == {("web", digest)}
    assert shop.digests("worker") == {("worker", digest), ("migrate", digest)}
    proved = {(e["workload"], e["container"], e["verdict"]) for e in devloop.of("pod_verified")}
    assert proved == {
        ("deployment/web", "web", "match"),
        ("deployment/worker", "worker", "match"),
        ("deployment/worker", "migrate", "match"),
    }
    assert len(devloop.of("workload_patched")) == 2
    assert len(devloop.of("image_pushed")) == 1


def test_two_services_on_containers_of_one_workload_never_roll_out_at_once(shop: Shop) -> None:
    for name in ("left", "right"):
        shop.source(name, message=name)
    # Both run something else, so that neither waits for the other's image.
    both = [shop.container(name) for name in ("left", "right")]
    for container in both:
        container |= {"image": f"{shop.registry}/busybox:1", "command": ["sh", "-c", "touch message.txt; sleep 3600"]}
    shop.deploy("pair", *both)
    before = shop.replica_sets("pair")
    services = [
        shop.service(name, 'workload = "deployment/pair"', f'container = "{name}"') for name in ("left", "right")
    ]
    shop.configure(*services)
    with shop.start() as devloop:
        for _ in range(2):
            devloop.wait_for("cycle_finished", outcome="verified")
        assert devloop.stop() == 130
    want = {(name, registry_digest(f"{shop.image(name)}:dev")) for name in ("left", "right")}
    assert shop.digests("pair") == want
    assert len(shop.replica_sets("pair")) == len(before) + 2
    on_workload = [
        event["service"]
        for event in devloop.events
        if (event["event"], event.get("phase")) == ("phase_started", "rollout") or event["event"] == "cycle_finished"
    ]
    first, second = on_workload[0], on_workload[2]
    assert on_workload == [first, first, second, second], devloop.said()
    assert devloop.of("workload_drifted") == [], "what devloop does itself is no drift"


def test_scaled_to_zero_is_applied(shop: Shop) -> None:
    shop.source("web")
    shop.deploy("web", replicas=0)
    shop.configure(shop.service("web"))
    code, devloop = shop.once()
    assert (code, devloop.outcomes("web")) == (0, ["applied"]), devloop.said()
    (container,) = shop.spec("web")["containers"]
    assert (container["image"], container["imagePullPolicy"]) == (f"{shop.image('web')}:dev", "Always")
    assert devloop.of("cycle_finished")[0]["digest"] == registry_digest(f"{shop.image('web')}:dev")
    assert devloop.of("pod_verified") == []


def test_a_workload_that_is_not_there(shop: Shop) -> None:
    shop.source("web")
    shop.configure(shop.service("web"))
    code, devloop = shop.once()
    assert code == 3, devloop.said()
    (check,) = devloop.of("check_finished", ok=False)
    assert "deployment/web does not exist" in check["message"]
    assert shop.namespace in check["message"] + check["hint"]
    assert devloop.of("cycle_started") == []


# names ---------------------------------------------------------------------------------------------------------------


def test_pinned_to_the_digest(shop: Shop) -> None:
    shop.source("web")
    shop.deploy("web")
    shop.configure(shop.service("web", 'pin = "digest"'))
    code, devloop = shop.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    digest = registry_digest(f"{shop.image('web')}:dev")
    (container,) = shop.spec("web")["containers"]
    assert container["image"] == f"{shop.image('web')}:dev@{digest}"
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert shop.digests("web") == {("web", digest)}

    before = shop.replica_sets("web")
    code, again = shop.once()
    assert (code, again.outcomes("web")) == (0, ["unchanged"]), again.said()
    assert shop.replica_sets("web") == before
    assert again.of("workload_patched") == []


def test_pushed_under_another_name_than_pods_pull(shop: Shop) -> None:
    names = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}
    host, _, port = shop.registry.partition(":")
    if host not in names:
        pytest.skip(f"the registry {shop.registry} has no second name that is known here")
    log_in(f"{names[host]}:{port}", shop.registry)
    shop.source("web")
    shop.deploy("web")
    pushed = f"{names[host]}:{port}/{shop.namespace}/web"
    shop.configure(shop.service("web", f'push_image = "{pushed}"'))
    code, devloop = shop.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    (image,) = devloop.of("image_pushed")
    assert (image["push_ref"], image["pod_ref"]) == (f"{pushed}:dev", f"{shop.image('web')}:dev")
    (container,) = shop.spec("web")["containers"]
    assert container["image"] == f"{shop.image('web')}:dev"
    assert shop.digests("web") == {("web", registry_digest(f"{shop.image('web')}:dev"))}


def test_the_overlay_has_the_last_word(shop: Shop) -> None:
    shop.source("web")
    shop.deploy("web")
    shop.configure(shop.service("web", 'tag = "dev"'))
    (shop.folder / "devloop.local.toml").write_text('[services.web]\ntag = "mine"\n')
    done, out, err = shop.devloop("up", "--once", "--output", "plain")
    assert done == 0, out + err
    assert "VERIFIED" in out
    digest = registry_digest(f"{shop.image('web')}:mine")
    assert digest.removeprefix("sha256:")[:12] in out
    assert shop.spec("web")["containers"][0]["image"] == f"{shop.image('web')}:mine"
    assert f"devloop restore deployment/web -n {shop.namespace}" in out


# no file at all ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [("deployment/web",), ()], ids=["named", "bare"])
def test_without_a_file(shop: Shop, named: tuple[str, ...]) -> None:
    source = shop.source("src")
    (source / ".dockerignore").write_text("devloop.toml\n")  # what is in the image must not change with it
    shop.deploy("web")
    code, out, err = _in(shop, source, "up", *named, "--once", *shop.elsewhere())
    assert code == 0, out + err
    assert "VERIFIED" in out
    assert shop.digests("web") == {("web", registry_digest(f"{shop.image('web')}:dev"))}
    before = shop.replica_sets("web")

    printed = _toml_in(err)
    (service,) = tomllib.loads(printed)["services"].values()
    assert service["image"] == shop.image("web")
    (source / "devloop.toml").write_text(printed)
    code, out, err = _in(shop, source, "validate")
    assert code == 0, out + err
    code, out, err = _in(shop, source, "up", "--once", "--context", os.environ["DEVLOOP_E2E_CONTEXT"])
    assert code == 0, out + err
    assert "unchanged" in out, "the printed file means the same"
    assert shop.replica_sets("web") == before


def _in(shop: Shop, folder: Path, *args: str) -> tuple[int, str, str]:
    return Shop(folder, shop.kubectl, shop.namespace, shop.registry).devloop(*args)


def _toml_in(text: str) -> str:
    """The file in what was printed: from the first table to the first line that is no TOML."""
    lines = text[re.search(r"^\[", text, re.MULTILINE).start() :].splitlines()  # type: ignore[union-attr]
    for end in range(len(lines), 0, -1):
        found = "\n".join(lines[:end]) + "\n"
        try:
            tomllib.loads(found)
        except tomllib.TOMLDecodeError:
            continue
        return found
    raise AssertionError(f"no TOML in:\n{text}")


# after the cycle -----------------------------------------------------------------------------------------------------


def test_what_somebody_else_changes_is_told_with_who_and_what(shop: Shop) -> None:
    shop.source("web")
    shop.deploy("web")
    shop.configure(shop.service("web"))
    with shop.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        shop.run("scale", "deployment/web", "--replicas=2")
        scaled = devloop.wait_for("workload_drifted")
        assert (scaled["workload"], scaled["what"]) == ("deployment/web", "scaled from 1 to 2")
        (scaler,) = [
            m["manager"] for m in shop.get("web")["metadata"]["managedFields"] if m.get("subresource") == "scale"
        ]
        assert scaled["who"] == scaler
        shop.run("set", "image", "deployment/web", f"web={shop.registry}/busybox:1")
        changed = devloop.wait_for("workload_drifted")
        assert f"{shop.registry}/busybox:1" in changed["what"]
        assert changed["who"] == "kubectl-set"
        assert devloop.stop() == 130
    assert shop.spec("web")["containers"][0]["image"] == f"{shop.registry}/busybox:1", "devloop does not fight"
    assert len(devloop.of("workload_patched")) == 1


def test_a_save_takes_back_what_was_restored_or_made_again_meanwhile(shop: Shop) -> None:
    source = shop.source("web")
    shop.deploy("web")
    shop.configure(shop.service("web"))
    with shop.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        # The image of before was never pushed: restoring it leaves a Pod that cannot start, so nobody waits for it.
        shop.run("scale", "deployment/web", "--replicas=0")
        assert devloop.wait_for("workload_drifted")["what"] == "scaled from 1 to 0"
        code, out, err = shop.devloop("restore", "web", "--take-over")
        assert code == 0, out + err
        drift = devloop.wait_for("workload_drifted")
        assert (drift["who"], f"{shop.image('web')}:none" in drift["what"]) == ("devloop restore", True)
        assert drift["restored"]

        (source / "message.txt").write_text("two")
        devloop.wait_for("cycle_finished", outcome="applied")
        assert shop.spec("web")["containers"][0]["image"] == f"{shop.image('web')}:dev"

        shop.run("delete", "deployment/web", "--wait=true")
        shop.deploy("web")
        assert "deleted" in devloop.wait_for("workload_drifted")["what"]
        (source / "message.txt").write_text("three")
        devloop.wait_for("cycle_finished", outcome="verified")
        assert devloop.stop() == 130
    assert shop.digests("web") == {("web", registry_digest(f"{shop.image('web')}:dev"))}


def test_a_service_that_heals_is_verified_again_without_a_build(shop: Shop) -> None:
    shop.source("web")
    mode = {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}}
    shop.deploy("web", {**shop.container("web"), "env": [mode]})
    shop.configure(shop.service("web"))
    with shop.start() as devloop:
        devloop.wait_for("cycle_finished", outcome="failed", cycle=1)
        generation = shop.get("web")["metadata"]["generation"]
        shop.run("create", "configmap", "settings", "--from-literal=mode=dev")
        devloop.wait_for("cycle_started", trigger="drift", cycle=2)
        devloop.wait_for("cycle_finished", outcome="verified", cycle=2)
        assert devloop.stop() == 130
    assert shop.get("web")["metadata"]["generation"] == generation
    assert shop.digests("web") == {("web", registry_digest(f"{shop.image('web')}:dev"))}
    assert {event["phase"] for event in devloop.of("phase_started", cycle=2)} == {"verify"}
    assert devloop.of("workload_patched", cycle=2) == []
