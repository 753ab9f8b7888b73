"""What `devloop init` says beside the file: of tags that move, and of what it leaves out."""

import pytest

from devloop.core.init.workload import live
from devloop.core.original import Original, Written
from devloop.core.workload import ORIGINAL
from devloop.views.init import report
from tests.core.init.world import drafted, project
from tests.core.workloads import raw

WEB = "registry:5000/shop/web"


@pytest.mark.parametrize(
    ("record", "warnings"),
    [
        (Original(1.0).with_field("web", "image", Written(f"{WEB}:1", f"{WEB}:dev")), 0),
        (Original(1.0).with_field("web", "image", Written(f"{WEB}:1", f"{WEB}:old")), 1),
        (Original(1.0), 1),
    ],
    ids=["put there by devloop", "by somebody else since", "so before devloop"],
)
def test_a_tag_that_devloop_itself_put_there_can_be_restored(record: Original, warnings: int) -> None:
    found = live("deployment", raw([{"name": "web", "image": f"{WEB}:dev"}], annotations={ORIGINAL: record.encode()}))
    lines = report(drafted(project("web/Dockerfile"), found), ())
    assert len([line for line in lines if "does not move it back" in line]) == warnings
