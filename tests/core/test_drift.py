"""What changed after a cycle and who did it, and what is nobody's doing but devloop's own."""

from dataclasses import replace
from typing import Any

import pytest

from devloop.core.drift import Drift, drifts, is_healed, restored
from devloop.core.original import Original, Written
from devloop.core.patch import BuildMark
from devloop.core.workload import ACTIVE, ORIGINAL, ContainerSpec, Manager, Snapshot, Template
from tests.core.workloads import DEV, KEY, digest, pod, revision, snapshot

PUSHED = frozenset({digest("a")})
OURS = BuildMark(digest("a"), 10.0, "mine").encode()
NEXT = BuildMark(digest("b"), 20.0, "mine").encode()
THEIRS = BuildMark(digest("c"), 30.0, "theirs").encode()
IMAGE: dict[str, Any] = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:image": {}}}}}}}
REPLICAS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
KUBECTL_SET = Manager("kubectl-set", "Update", 5.0, "", IMAGE)
APPLIED = Manager("helm", "Apply", 1.0, "", IMAGE | {"f:spec": IMAGE["f:spec"] | REPLICAS["f:spec"]})
DEVLOOP = Manager("devloop", "Update", 9.0, "", IMAGE)


def template(image: str = DEV, policy: str = "Always", build: str = OURS) -> Template:
    return Template((ContainerSpec("web", image, policy),), build)


def seen(**changes: Any) -> Snapshot:
    """A snapshot of the proved workload, with changes of the Deployment."""
    changes.setdefault("template", template())
    changes.setdefault("managers", (APPLIED, DEVLOOP))
    return snapshot(**changes)


def found(now: Snapshot, then: Snapshot | None = None, digests: frozenset[str] = PUSHED) -> list[Drift]:
    return drifts(now, then or seen(), ("web",), digests)


def test_nothing_changed() -> None:
    assert found(seen()) == []


@pytest.mark.parametrize(
    ("changes", "drift"),
    [
        ({"template": template("other:1")}, Drift(f"image of web was changed from {DEV} to other:1", "kubectl-set")),
        (
            {"template": template(policy="Never")},
            Drift("imagePullPolicy of web was changed from Always to Never", "kubectl-set"),
        ),
        ({"template": Template((), OURS)}, Drift("container web is gone", "kubectl-set")),
        ({"template": template(build="")}, Drift("the Pod template was replaced", "kubectl-set")),
        ({"paused": True}, Drift("its rollouts were paused", "kubectl-set")),
    ],
)
def test_a_change_is_told_with_who_made_it(changes: dict[str, Any], drift: Drift) -> None:
    assert found(seen(**changes, managers=(APPLIED, KUBECTL_SET, DEVLOOP))) == [drift]


def test_who_changed_it_in_the_second_in_which_it_was_applied_is_told() -> None:
    applied = replace(APPLIED, name="kubectl-client-side-apply", operation="Update", time=KUBECTL_SET.time)
    changed = seen(template=template("registry:5000/web:other"), managers=(applied, KUBECTL_SET))
    assert {drift.who for drift in found(changed)} == {"kubectl-set"}


@pytest.mark.parametrize(
    ("manager", "who"),
    [
        (Manager("kubectl", "Update", 7.0, "scale", REPLICAS), "kubectl"),
        (Manager("kube-controller-manager", "Update", 7.0, "scale", REPLICAS), "kube-controller-manager"),
        (Manager("kubectl-edit", "Update", 7.0, "", REPLICAS), "kubectl-edit"),
        (Manager("kube-controller-manager", "Update", 7.0, "status", REPLICAS), "helm"),
    ],
)
def test_scaling_is_told_with_who_set_the_number(manager: Manager, who: str) -> None:
    scaled = seen(replicas=2, managers=(APPLIED, KUBECTL_SET, manager))
    assert found(scaled) == [Drift("scaled from 1 to 2", who)]


def test_another_service_of_the_session_that_shares_the_workload_is_no_drift() -> None:
    assert found(seen(template=template(build=NEXT))) == []


def test_another_session_is_told_as_that() -> None:
    assert found(seen(template=template(build=THEIRS))) == [
        Drift("the Pod template was replaced", "another devloop session")
    ]


def test_a_restore_is_told_as_that() -> None:
    then = seen(annotations={ORIGINAL: "{}"})
    now = seen(template=template("old:1", build=""), managers=(APPLIED,))
    assert {drift.who for drift in found(now, then)} == {"devloop restore"}


WAS, WROTE = "old:1", DEV
RECORD = Original(1.0, {"web": {"image": Written(WAS, WROTE), "imagePullPolicy": Written("IfNotPresent", "Always")}})
MARKED: dict[str, str] = {ORIGINAL: RECORD.encode()}


def back(now: Snapshot, marked: Snapshot | None = None) -> Drift | None:
    return restored(now, marked or seen(annotations=MARKED), ("web",))


def test_what_was_restored_is_told_with_what_it_is_now() -> None:
    now = replace(seen(template=template(WAS, "IfNotPresent", "")), pods=(pod(image="f"),))
    what = f"restored to what it was before devloop: {WAS} under IfNotPresent"
    assert back(now) == Drift(what, "devloop restore")


def test_a_policy_that_was_not_set_before_is_restored_to_whatever_the_api_server_makes_of_it() -> None:
    record = RECORD.with_field("web", "imagePullPolicy", Written(None, "Always"))
    assert back(seen(template=template(WAS, "IfNotPresent", "")), seen(annotations={ORIGINAL: record.encode()}))


def test_what_somebody_else_had_written_is_kept_by_a_restore() -> None:
    theirs = template("other:1", "Always")
    assert back(seen(template=template("other:1", "IfNotPresent", "")), seen(template=theirs, annotations=MARKED))


@pytest.mark.parametrize(
    "now",
    [
        seen(template=template("other:1", "IfNotPresent", "")),
        seen(template=template(WAS, "Always", "")),
        seen(template=template(WAS, "IfNotPresent", THEIRS)),
        seen(template=template(WAS, "IfNotPresent", ""), annotations=MARKED),
        seen(template=template(WAS, "IfNotPresent", ""), labels={ACTIVE: "true"}),
        seen(template=Template((), "")),
        seen(template=template(WAS, "IfNotPresent", ""), uid="another"),
        Snapshot(KEY, None),
    ],
    ids=[
        "another image", "devloop's policy", "another session's mark", "recorded", "labelled", "no container",
        "made again", "gone",
    ],
)  # fmt: skip
def test_what_is_not_all_as_before_is_not_called_restored(now: Snapshot) -> None:
    assert back(now) is None


def test_a_field_that_devloop_left_as_it_was_has_to_be_the_one_of_then() -> None:
    marked = seen(annotations={ORIGINAL: Original(1.0).encode()})
    assert back(seen(template=template(build="")), marked)
    assert back(seen(template=template("other:1", build="")), marked) is None


def test_a_record_that_somebody_has_damaged_restores_nothing() -> None:
    damaged = RECORD.with_field("web", "image", Written([WAS], WROTE))
    assert (
        back(seen(template=template(WAS, "IfNotPresent", "")), seen(annotations={ORIGINAL: damaged.encode()})) is None
    )


def test_of_what_was_restored_only_the_spec_is_looked_at() -> None:
    now = replace(seen(template=template("other:1")), pods=(pod(image="f"),))
    assert [drift.what for drift in drifts(now, seen(), ("web",), None)] == [
        f"image of web was changed from {DEV} to other:1"
    ]


def test_a_workload_that_is_gone_or_new() -> None:
    assert found(Snapshot(KEY, None)) == [Drift("deployment/web was deleted")]
    assert found(seen(uid="another")) == [Drift("deployment/web was deleted and created again")]


def test_a_pod_that_runs_something_else_is_told_unless_the_proof_knew() -> None:
    other = replace(seen(), pods=(pod(image="f"),))
    assert [drift.what for drift in found(other)] == [
        f"web-new-1 on node1 runs {digest('f')[7:19]}, which was not pushed from here"
    ]
    assert found(other, other) == []
    assert found(other, digests=PUSHED | {digest("f")}) == []


def test_healed_is_what_all_ready_pods_prove() -> None:
    now = snapshot()
    assert now.deployment is not None
    healthy = replace(now, revisions=(revision(template=now.deployment.template),))
    assert is_healed(healthy, ("web",), PUSHED)
    assert not is_healed(healthy, ("web",), frozenset({digest("b")}))
    assert not is_healed(replace(healthy, pods=(pod(ready=False),)), ("web",), PUSHED)
    assert not is_healed(Snapshot(KEY, None), ("web",), PUSHED)


def test_a_template_that_somebody_changed_elsewhere_is_told() -> None:
    def raw(**container: Any) -> dict[str, Any]:
        return {"spec": {"template": {"spec": {"containers": [{"name": "web", **container}]}}}}

    with_env = seen(raw=raw(image="b", env=[{"name": "DEBUG", "value": "1"}]))
    assert [drift.what for drift in found(with_env, seen(raw=raw(image="a")))] == ["its Pod template was changed"]
    assert found(seen(raw=raw(image="b")), seen(raw=raw(image="a"))) == [], "the image is told by itself"
