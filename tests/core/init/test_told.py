"""What `devloop init` says beside the file: of tags that move, and of what it leaves out."""

import pytest

from devloop.core.init.workload import live
from devloop.core.original import Original, Written
from devloop.core.workload import ORIGINAL
from devloop.views.init import report, to_deploy
from tests.core.init.world import drafted, project, running
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


def of_which_nothing_tells(*images: str, dockerfiles: int = 1) -> str:
    """The way to have those Dockerfiles too, where beside web these images run."""
    found = project("web/Dockerfile", *(f"tool{number}/Dockerfile" for number in range(dockerfiles)))
    others = (running(f"job{number}", image) for number, image in enumerate(images))
    (line,) = to_deploy(drafted(found, running("web", f"{WEB}:1"), *others))
    return line


def test_what_may_be_built_here_under_another_name_is_told_with_both_ways_to_say_so() -> None:
    """A team's name for the image tells nothing; deploying it again, as is said for the others, changes nothing."""
    plain = "→ to have tool0/Dockerfile too: deploy what runs it, then `devloop init` again"
    assert of_which_nothing_tells() == plain
    assert of_which_nothing_tells("redis:7") == plain
    asks = "`devloop init` asks on a terminal, or write `[services.NAME]` with"
    one = of_which_nothing_tells("redis:7", "registry:5000/team/x:1")
    assert one == f'{plain}; if `deployment/job1` runs it, {asks} `workload = "deployment/job1"`'
    found = project("web/Dockerfile", "tool0/Dockerfile")
    away = running("job", "registry:5000/team/x:1", namespace="batch")
    (line,) = to_deploy(drafted(found, running("web", f"{WEB}:1"), away))
    assert line.endswith('`workload = "deployment/job"` and `namespace = "batch"`')
    two = of_which_nothing_tells(*["registry:5000/team/x:1"] * 2, dockerfiles=2)
    assert two.endswith(f"; if `deployment/job0` or `deployment/job1` runs one of them, {asks} its `workload`")
    many = of_which_nothing_tells(*["registry:5000/team/x:1"] * 5, dockerfiles=4)
    assert many.endswith("; if one of the others there runs one of them, write `[services.NAME]` with its `workload`")
