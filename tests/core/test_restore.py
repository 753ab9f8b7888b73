"""Patch, then restore: the workload is as it was, and what others wrote stays."""

import json
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core import manifest
from devloop.core.patch import BuildMark, plan_patch
from devloop.core.restore import plan_restore, strip_managed_fields
from devloop.core.service import Pin
from devloop.core.workload import ACTIVE, BUILD, ORIGINAL, Deployment
from tests.core.merge import merged
from tests.core.workloads import DEV, container, deployment, digest, pushed, raw

NAMES = ("migrate", "web", "worker")
images = st.sampled_from(
    [DEV, "localhost:5001/shop/web:v1", "localhost:5001/shop/web", f"{DEV}@{digest('c')}", "busybox"]
)
policies = st.sampled_from(["Always", "IfNotPresent", "Never"])
containers = st.builds(container, st.just(""), images, policies)
steps = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, unique=True), st.sampled_from(Pin), st.sampled_from("ab")),
    min_size=1,
    max_size=4,
)


def patched(
    found: Deployment, names: tuple[str, ...], pin: Pin = Pin.TAG, letter: str = "a", at: float = 1.0
) -> Deployment:
    mark = BuildMark(digest(letter), at, "s1")
    return manifest.deployment(merged(found.raw, plan_patch(found, names, pushed(letter), pin, mark, at).body))


def restored(found: Deployment) -> dict[str, Any]:
    body = plan_restore(found).body
    assert body is not None
    return merged(found.raw, body)


@given(
    st.lists(containers, min_size=3, max_size=3),
    st.dictionaries(st.sampled_from(["a", "b"]), st.just("x")),
    st.dictionaries(st.sampled_from(["a", "b"]), st.just("x")),
    steps,
)
def test_a_restore_gives_back_what_was_there_before_any_patches(
    found: list[dict[str, Any]], labels: dict[str, str], annotations: dict[str, str], cycles: list[Any]
) -> None:
    named = [item | {"name": name} for item, name in zip(found, NAMES, strict=True)]
    metadata = {key: value for key, value in (("labels", labels), ("annotations", annotations)) if value}
    original = raw(named[1:], named[:1], **metadata)
    if annotations:
        original["spec"]["template"]["metadata"]["annotations"] = annotations
    live = manifest.deployment(original)
    for at, (names, pin, letter) in enumerate(cycles):
        live = patched(live, tuple(names), pin, letter, at + 1.0)
    assert json.dumps(restored(live), sort_keys=True) == json.dumps(original, sort_keys=True)
    assert plan_restore(live).kept == ()


def test_a_field_that_was_not_set_is_not_set_again() -> None:
    found = deployment({"name": "web", "image": DEV})
    live = patched(found, ("web",))
    body = plan_restore(live).body
    assert body is not None
    assert body["spec"]["template"]["spec"]["containers"] == [{"name": "web", "imagePullPolicy": None}]


@pytest.mark.parametrize(
    ("image", "pin", "moved"),
    [
        (DEV, Pin.TAG, (f"container web: {DEV} stays, with what was pushed to it last",)),
        (DEV, Pin.DIGEST, ()),
        ("localhost:5001/shop/web:v1", Pin.TAG, ()),
    ],
)
def test_a_tag_that_was_there_before_is_not_moved_back(image: str, pin: Pin, moved: tuple[str, ...]) -> None:
    assert plan_restore(patched(deployment(container(image=image)), ("web",), pin)).moved == moved


def test_where_devloop_changed_no_field_the_image_stays_what_was_pushed() -> None:
    before = container(policy="Always")
    pushed_to = f"container web: {DEV} stays, with what was pushed to it last"
    assert plan_restore(patched(deployment(before), ("web",))).moved == (pushed_to,)
    two = deployment(before, container("log", "registry:5000/log:1"))
    assert plan_restore(patched(two, ("web",))).moved == (
        "the images stay as they are, each with what was pushed to its tag last",
    )
    pinned_to = deployment(container(image=f"{DEV}@{digest('a')}"))
    assert plan_restore(patched(pinned_to, ("web",), Pin.DIGEST)).moved == (), "nothing moves a digest"
    assert plan_restore(deployment(before)).moved == ()


def managed(name: str, time: str, field: str = "f:image", **extra: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {field: {}}}}}}}
    return {"manager": name, "operation": "Update", "time": time, "fieldsV1": fields, **extra}


def changed_by(*managers: dict[str, Any]) -> Deployment:
    live = patched(deployment(container(image="app:v1")), ("web",))
    image = {"containers": [{"name": "web", "image": "app:v1.5"}]}
    data = merged(live.raw, {"spec": {"template": {"spec": image}}})
    data["metadata"]["managedFields"] = list(managers)
    return manifest.deployment(data)


@pytest.mark.parametrize(
    ("managers", "phrase"),
    [
        ((managed("helm", "2026-11-23T14:02:31Z"),), "kept app:v1.5 in container web, set by helm at 14:02 UTC"),
        (
            (managed("kubectl", "2026-11-23T13:00:00Z"), managed("helm", "2026-11-23T14:02:31Z")),
            "kept app:v1.5 in container web, set by helm at 14:02 UTC",
        ),
        (
            (
                managed("helm", "2026-11-23T14:02:31Z"),
                managed("kubectl", "2026-11-23T15:00:00Z", "f:env"),
                managed("kubelet", "2026-11-23T15:00:00Z", subresource="status"),
                managed("devloop", "2026-11-23T16:00:00Z"),
            ),
            "kept app:v1.5 in container web, set by helm at 14:02 UTC",
        ),
        ((), "kept app:v1.5 in container web, set by somebody else"),
    ],
)
def test_what_somebody_else_wrote_is_kept_and_named(managers: tuple[dict[str, Any], ...], phrase: str) -> None:
    plan = plan_restore(changed_by(*managers))
    assert plan.kept == (phrase,)
    assert plan.body is not None
    assert plan.body["spec"]["template"]["spec"] == {"containers": [{"name": "web", "imagePullPolicy": "IfNotPresent"}]}


def test_times_are_the_users() -> None:
    plan = plan_restore(changed_by(managed("helm", "2026-11-23T14:02:31Z")), timezone(timedelta(hours=2)))
    assert plan.kept == ("kept app:v1.5 in container web, set by helm at 16:02",)
    assert plan_restore(changed_by(), UTC).kept


def test_what_somebody_put_back_already_needs_no_word() -> None:
    live = patched(deployment(), ("web",))
    back = {"containers": [{"name": "web", "imagePullPolicy": "IfNotPresent"}]}
    plan = plan_restore(manifest.deployment(merged(live.raw, {"spec": {"template": {"spec": back}}})))
    assert plan.kept == ()
    assert plan.body is not None
    assert plan.body["spec"]["template"] == {"metadata": {"annotations": {BUILD: None}}}


@pytest.mark.parametrize("annotation", [None, "{broken"])
def test_without_a_record_only_the_marks_go(annotation: str | None) -> None:
    live = patched(deployment(), ("web",))
    data = merged(live.raw, {"metadata": {"annotations": {ORIGINAL: annotation}}})
    plan = plan_restore(manifest.deployment(data))
    assert plan.body is not None
    left = merged(data, plan.body)
    assert left["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "Always"
    assert "devloop" not in json.dumps(left)
    assert {change.path for change in plan.changes} >= {
        f"spec.template.metadata.annotations[{BUILD}]",
        f"metadata.labels[{ACTIVE}]",
    }


def test_a_workload_without_marks_needs_nothing() -> None:
    plan = plan_restore(deployment())
    assert (plan.body, plan.changes, plan.kept) == (None, (), ())


def test_a_container_that_is_gone_is_left_out() -> None:
    live = patched(deployment(container("web"), container("worker")), ("web", "worker"))
    live.raw["spec"]["template"]["spec"]["containers"].pop()
    plan = plan_restore(live)
    assert plan.body is not None
    assert [c["name"] for c in plan.body["spec"]["template"]["spec"]["containers"]] == ["web"]


def test_managed_fields_are_removed_from_the_last_to_the_first_and_tested() -> None:
    entries = [
        managed("devloop", "2026-11-23T14:00:00Z"),
        managed("helm", "2026-11-23T14:00:00Z"),
        managed("devloop", "2026-11-23T14:00:01Z", subresource="scale"),
    ]
    patch = strip_managed_fields({"metadata": {"managedFields": entries}})
    assert patch == [
        {"op": "test", "path": "/metadata/managedFields/2", "value": entries[2]},
        {"op": "remove", "path": "/metadata/managedFields/2"},
        {"op": "test", "path": "/metadata/managedFields/0", "value": entries[0]},
        {"op": "remove", "path": "/metadata/managedFields/0"},
    ]


@pytest.mark.parametrize("found", [{}, {"metadata": {}}, {"metadata": {"managedFields": [{"manager": "helm"}]}}])
def test_nothing_is_stripped_where_devloop_owns_nothing(found: dict[str, Any]) -> None:
    assert strip_managed_fields(found) is None
