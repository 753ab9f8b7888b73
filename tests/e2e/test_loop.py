"""The loop: the seed of the project, and what follows from it."""

from pathlib import Path

import pytest

from tests.e2e.harness import (
    App,
    Devloop,
    Kubectl,
    answers,
    apply,
    build_and_push,
    deployment,
    get,
    once,
    pods,
    registry_digest,
    replica_sets,
    write_toml,
)

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]


def test_a_moved_tag_under_if_not_present_becomes_verified_on_every_node(
    tmp_path: Path, kubectl: Kubectl, namespace: str, registry: str
) -> None:
    app = App.create(tmp_path / "web", registry, "old")
    ref = f"{registry}/{namespace}/web:dev"
    build_and_push(app, ref)
    apply(kubectl, namespace, deployment("web", ref, replicas=2))
    kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
    app.say("new")
    build_and_push(app, ref)
    kubectl("-n", namespace, "rollout", "restart", "deployment/web")
    kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
    assert set(answers(kubectl, namespace, "web")) == {"old"}, (
        "the seed of this project: the tag moved, the Pods did not"
    )

    write_toml(tmp_path, namespace, f'[services.web]\nimage = "{registry}/{namespace}/web"\ntag = "dev"\nbuild = "web"')
    code, devloop = once(tmp_path)

    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    assert set(answers(kubectl, namespace, "web")) == {"new"}
    digest = registry_digest(ref)
    statuses = [pod["status"]["containerStatuses"][0]["imageID"] for pod in pods(kubectl, namespace, "web")]
    assert [status.rpartition("@")[2] for status in statuses] == [digest, digest]
    assert {event["verdict"] for event in devloop.of("pod_verified")} == {"match"}
    assert "pull policy" in devloop.of("cycle_finished")[0]["text"]
    spec = get(kubectl, namespace, "deployment", "web")["spec"]["template"]["spec"]
    assert spec["containers"][0]["imagePullPolicy"] == "Always"

    before = replica_sets(kubectl, namespace, "web")
    code, again = once(tmp_path)
    assert (code, again.outcomes("web")) == (0, ["unchanged"]), again.said()
    assert replica_sets(kubectl, namespace, "web") == before


def test_a_save_in_a_running_session_is_verified(
    tmp_path: Path, kubectl: Kubectl, namespace: str, registry: str
) -> None:
    app = App.create(tmp_path / "web", registry)
    apply(kubectl, namespace, deployment("web", f"{registry}/{namespace}/web:v0"))
    write_toml(tmp_path, namespace, f'[services.web]\nimage = "{registry}/{namespace}/web"\nbuild = "web"')
    with Devloop.start(tmp_path) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        assert answers(kubectl, namespace, "web") == ["one"]
        app.say("two")
        devloop.wait_for("change_detected", files=["message.txt"])
        devloop.wait_for("cycle_started", trigger="files", count=1)
        devloop.wait_for("cycle_finished", outcome="verified")
        assert answers(kubectl, namespace, "web") == ["two"]
        assert devloop.stop() == 130
    assert devloop.events[-1]["event"] == "session_finished"
