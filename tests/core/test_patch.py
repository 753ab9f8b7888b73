"""The one patch of a cycle, and the record that it leaves."""

import json
from typing import Any

import pytest

from devloop.core import manifest
from devloop.core.image import ImageRef, PushedImage
from devloop.core.original import Original, Written
from devloop.core.patch import BuildMark, Patch, desired, loaded_into, plan_patch
from devloop.core.service import Pin
from devloop.core.workload import ACTIVE, BUILD, ORIGINAL, Deployment
from tests.core.merge import merged
from tests.core.workloads import DEV, container, deployment, digest, pushed, raw

MARK = BuildMark(digest("a"), 100.5, "s1")


def plan(
    found: Deployment, *names: str, pin: Pin = Pin.TAG, letter: str = "a", ref: str = DEV, mark: BuildMark = MARK
) -> Patch:
    return plan_patch(found, names or ("web",), pushed(letter, ref), pin, mark, 7.0)


def after(found: Deployment, patch: Patch) -> Deployment:
    return manifest.deployment(merged(found.raw, patch.body))


def record(found: Deployment) -> Any:
    return json.loads(found.annotations[ORIGINAL])


def test_a_first_patch_writes_only_what_differs_and_the_marks() -> None:
    found = deployment(container("web"), container("proxy", "envoy:1"))
    patch = plan(found)
    assert patch.mark == f'{{"digest":"{digest("a")}","pushed_at":100.5,"session":"s1"}}'
    containers = {"web": {"imagePullPolicy": {"was": "IfNotPresent", "wrote": "Always"}}}
    assert patch.body == {
        "metadata": {
            "uid": "uid-web",
            "annotations": {
                ORIGINAL: json.dumps({"containers": containers, "since": 7.0, "version": 1}, separators=(",", ":"))
            },
            "labels": {ACTIVE: "true"},
        },
        "spec": {
            "template": {
                "metadata": {"annotations": {BUILD: patch.mark}},
                "spec": {"containers": [{"name": "web", "imagePullPolicy": "Always"}]},
            }
        },
    }
    assert [c.path for c in patch.changes] == [
        "spec.template.spec.containers[web].imagePullPolicy",
        "spec.template.metadata.annotations[devloop/build]",
        "metadata.annotations[devloop/original]",
        "metadata.labels[devloop/active]",
    ]
    assert (patch.changes[0].old, patch.changes[0].new) == ("IfNotPresent", "Always")
    assert patch.changes[0].text.startswith("container web: pull policy Always instead of IfNotPresent, so that")


@pytest.mark.parametrize(
    ("image", "own"),
    [(DEV.replace(":dev", ":v1"), "a tag"), ("nginx:1.27", "a repository and tag")],
)
def test_another_image_is_told_with_what_is_devloops_own(image: str, own: str) -> None:
    text = plan(deployment(container("web", image))).changes[0].text
    assert text == f"container web: image {DEV} instead of {image}, because devloop pushes to {own} of its own"


def test_a_second_patch_only_makes_a_new_revision() -> None:
    found = deployment()
    found = after(found, plan(found))
    patch = plan(found, mark=BuildMark(digest("b"), 200.0, "s1"), letter="b")
    assert patch.body == {
        "metadata": {"uid": "uid-web"},
        "spec": {"template": {"metadata": {"annotations": {BUILD: patch.mark}}}},
    }


def test_the_same_mark_twice_is_made_another_one() -> None:
    found = deployment()
    first = plan(found)
    second = plan(after(found, first))
    assert second.mark != first.mark
    assert BuildMark.decode(second.mark) == BuildMark(digest("a"), 100.5, "s1", 7.0)


def test_init_containers_are_patched_in_their_own_list() -> None:
    old = "localhost:5001/shop/web:v1"
    found = manifest.deployment(raw([container(image=old)], [container("migrate", old)]))
    spec = plan(found, "migrate", "web").body["spec"]["template"]["spec"]
    wanted = {"image": DEV, "imagePullPolicy": "Always"}
    assert spec == {"initContainers": [{"name": "migrate"} | wanted], "containers": [{"name": "web"} | wanted]}


@pytest.mark.parametrize(
    ("live", "ref", "pin", "written"),
    [
        (DEV, DEV, Pin.TAG, None),
        ("busybox", "docker.io/library/busybox:latest", Pin.TAG, None),
        ("not a reference!", DEV, Pin.TAG, DEV),
        (f"{DEV}@{digest('b')}", DEV, Pin.TAG, DEV),
        (DEV, DEV, Pin.DIGEST, f"{DEV}@{digest('a')}"),
        (f"{DEV}@{digest('b')}", DEV, Pin.DIGEST, f"{DEV}@{digest('a')}"),
        (f"{DEV}@{digest('a')}", DEV, Pin.DIGEST, None),
    ],
)
def test_the_reference_is_written_when_it_means_something_else(
    live: str, ref: str, pin: Pin, written: str | None
) -> None:
    found = deployment(container(image=live, policy="Always"))
    spec = plan(found, pin=pin, ref=ref).body["spec"]["template"].get("spec")
    assert spec == (None if written is None else {"containers": [{"name": "web", "image": written}]})
    assert desired(found, ("web",), pushed("a", ref), pin) is (written is None)


def test_the_first_record_stays_and_what_was_written_is_kept_up_to_date() -> None:
    found = deployment(container(image="app:v1"))
    found = after(found, plan(found, pin=Pin.DIGEST))
    found = after(found, plan(found, pin=Pin.DIGEST, letter="b"))
    assert record(found) == {
        "version": 1,
        "since": 7.0,
        "containers": {"web": {"image": {"was": "app:v1", "wrote": f"{DEV}@{digest('b')}"}}},
    }


def test_what_somebody_else_changed_since_is_recorded_anew() -> None:
    found = deployment(container(image="app:v1"))
    found = after(found, plan(found))
    helm = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "app:v2"}]}}}}
    found = manifest.deployment(merged(found.raw, helm))
    found = after(found, plan(found))
    assert record(found)["containers"]["web"] == {
        "image": {"was": "app:v2", "wrote": DEV},
        "imagePullPolicy": {"was": "IfNotPresent", "wrote": "Always"},
    }


def test_pinning_by_digest_gives_the_policy_back() -> None:
    found = deployment()
    found = after(found, plan(found))
    assert not desired(found, ("web",), pushed(), Pin.DIGEST)
    found = after(found, plan(found, pin=Pin.DIGEST))
    assert found.template.containers[0].pull_policy == "IfNotPresent"
    assert record(found)["containers"] == {"web": {"image": {"was": DEV, "wrote": f"{DEV}@{digest('a')}"}}}


def test_services_on_two_containers_share_the_record() -> None:
    found = deployment(container("web"), container("worker"))
    found = after(found, plan(found, "web"))
    found = after(found, plan(found, "worker", mark=BuildMark(digest("a"), 101.0, "s1")))
    policy = {"imagePullPolicy": {"was": "IfNotPresent", "wrote": "Always"}}
    assert record(found)["containers"] == {"web": policy, "worker": policy}


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', '{"containers":3}', '{"containers":{"web":{"image":1}}}'])
def test_a_broken_record_records_nothing(text: str) -> None:
    assert Original.decode(text).containers in ({}, {"web": {}})


def test_a_record_of_a_newer_version_keeps_what_is_not_understood() -> None:
    text = '{"version":9,"sync":{"on":true},"containers":{"web":{"command":{"was":["a"],"wrote":["b"]}}}}'
    found = Original.decode(text).with_field("web", "image", Written("a", "b"))
    data = json.loads(found.encode())
    assert data["sync"] == {"on": True}
    assert data["containers"]["web"]["command"] == {"was": ["a"], "wrote": ["b"]}


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"digest":"a"}', '{"digest":1,"pushed_at":"x","session":""}'])
def test_a_mark_that_is_not_ours(text: str) -> None:
    assert BuildMark.decode(text) is None


def test_a_mark_is_read_as_it_was_written() -> None:
    assert BuildMark.decode(MARK.encode()) == MARK


def test_a_loaded_image_has_a_tag_of_its_own_that_no_node_asks_a_registry_for() -> None:
    found = deployment(container(image="web:v0", policy="Always"))
    own = ImageRef("", "web", "dev-4f2a9c1b03de")
    image = PushedImage(own, own, pushed().resolved, "the kind cluster `e2e`")
    mark = BuildMark.of(image, 100.5, "s1")
    patch = plan_patch(found, ("web",), image, Pin.LOADED, mark, 7.0)
    (spec,) = after(found, patch).template.containers
    assert (spec.image, spec.pull_policy) == ("web:dev-4f2a9c1b03de", "IfNotPresent")
    assert BuildMark.decode(patch.mark) == mark
    assert loaded_into(patch.mark, "docker.io/library/web:dev-4f2a9c1b03de") == "the kind cluster `e2e`"
    assert loaded_into(patch.mark, "sidecar:1") == loaded_into(MARK.encode(), DEV) == ""
    written = Original.decode(after(found, patch).annotations[ORIGINAL]).containers["web"]
    assert written == {
        "image": Written("web:v0", "web:dev-4f2a9c1b03de"),
        "imagePullPolicy": Written("Always", "IfNotPresent"),
    }
