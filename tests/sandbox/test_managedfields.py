"""Who wrote what: as a real API server recorded it (v1.36), and what devloop reads out of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from devloop.core import manifest
from devloop.core.managers import field_writer, replicas_writer, template_writer
from devloop.core.restore import strip_managed_fields
from devloop.sandbox import kinds
from devloop.sandbox.managedfields import decoded, encoded
from devloop.sandbox.patches import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE
from devloop.sandbox.resources import Resources
from devloop.sandbox.store import Store
from tests.sandbox.client import deployment

RECORDED = json.loads((Path(__file__).parent / "created.json").read_text())
WEB = (kinds.DEPLOYMENT, "default", "web")


@pytest.fixture
def resources() -> Resources:
    made = Resources(Store())
    made.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}}, "test")
    return made


def image(name: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": name}]}}}}


def test_an_object_is_filled_and_recorded_as_a_real_server_does(resources: Resources) -> None:
    made = resources.create(kinds.DEPLOYMENT, "default", RECORDED["sent"], "kubectl-create")
    assert made["spec"] == RECORDED["spec"]
    (entry,) = made["metadata"]["managedFields"]
    assert entry.pop("time")
    assert entry == RECORDED["managedFields"]


def test_fields_are_encoded_as_they_were_decoded() -> None:
    fields = RECORDED["managedFields"]["fieldsV1"]
    assert encoded(decoded(fields)) == fields


def test_devloop_reads_who_changed_what(resources: Resources) -> None:
    resources.create(kinds.DEPLOYMENT, "default", deployment(), "kubectl-create")
    resources.patch(*WEB, STRATEGIC_MERGE, image("r/app:2"), "kubectl-set")
    live = manifest.deployment(resources.patch(*WEB, MERGE_PATCH, {"spec": {"replicas": 2}}, "autoscaler", "scale"))
    writer = field_writer(live, "web", False, "image")
    assert writer is not None
    assert (writer.name, writer.operation) == ("kubectl-set", "Update")
    assert replicas_writer(live) == "autoscaler"
    assert template_writer(live) in {"kubectl-set", "kubectl-create"}
    owners = [m.name for m in live.managers if "f:replicas" in m.fields.get("f:spec", {})]
    assert owners == ["autoscaler"], "what one takes, the other loses"


def test_what_is_removed_is_nobodys(resources: Resources) -> None:
    resources.create(kinds.DEPLOYMENT, "default", deployment(), "kubectl-create")
    resources.patch(*WEB, MERGE_PATCH, {"metadata": {"annotations": {"a": "b"}}}, "devloop")
    live = resources.patch(*WEB, MERGE_PATCH, {"metadata": {"annotations": {"a": None}}}, "other")
    assert "f:annotations" not in json.dumps(live["metadata"]["managedFields"])


def test_devloops_entries_can_be_removed(resources: Resources) -> None:
    resources.create(kinds.DEPLOYMENT, "default", deployment(), "kubectl-create")
    live = resources.patch(*WEB, STRATEGIC_MERGE, image("r/app:2"), "devloop")
    body = strip_managed_fields(live)
    assert body is not None
    after = resources.patch(*WEB, JSON_PATCH, body, "devloop")
    assert [entry["manager"] for entry in after["metadata"]["managedFields"]] == ["kubectl-create"]


def test_a_write_that_changes_nothing_is_not_on_record(resources: Resources) -> None:
    made = resources.create(kinds.DEPLOYMENT, "default", deployment(), "kubectl-create")
    assert resources.patch(*WEB, STRATEGIC_MERGE, image("r/app:1"), "devloop") == made
