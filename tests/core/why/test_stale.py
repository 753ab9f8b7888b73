"""Why a container runs an old image, from when the tag moved and what its node did."""

import pytest

from devloop.core.why.cause import CauseCode
from devloop.core.why.stale import Moved, Start, why_stale
from devloop.core.workload import ContainerSpec
from tests.core.workloads import DEV

ASKED = ContainerSpec("web", DEV, "Always")
START = Start("node1", ASKED, ASKED, f'Successfully pulled image "{DEV}" in 20ms')
MIRROR = "if new Pods run it too, a mirror or a cache between node1 and the registry is behind"


@pytest.mark.parametrize(
    ("from_here", "code", "who"),
    [
        (True, CauseCode.TEMPLATE_UNCHANGED, "which the engine here has too"),
        (False, CauseCode.TAG_MOVED, "not from this machine, as far as its engine knows"),
        (None, CauseCode.TAG_MOVED, "the tag was moved after the container had started, and Kubernetes"),
    ],
)
def test_who_moved_the_tag(from_here: bool | None, code: CauseCode, who: str) -> None:
    """None: no engine could be asked, which says nothing of anybody."""
    stale = why_stale(START, Moved.AFTER, from_here=from_here)
    assert stale.code is code
    assert who in stale.why
    assert MIRROR not in stale.why


@pytest.mark.parametrize(
    ("moved", "pulled", "open_too"),
    [
        (Moved.OPEN, "", True),
        (Moved.OPEN, f'Container image "{DEV}" already present on machine', False),
        (Moved.BEFORE, "", False),
    ],
)
def test_a_copy_that_no_event_tells_of_is_no_certainty(moved: Moved, pulled: str, open_too: bool) -> None:
    cached = ContainerSpec("web", DEV, "IfNotPresent")
    stale = why_stale(Start("node1", cached, cached, pulled), moved, from_here=True)
    assert stale.code is CauseCode.NODE_CACHE
    assert stale.why.endswith(", or the tag was moved after that start (no Event tells any more)") is open_too


def test_a_mirror_is_not_forgotten_where_nothing_tells_when_the_tag_moved() -> None:
    stale = why_stale(START, Moved.OPEN, from_here=True)
    assert stale.code is CauseCode.TEMPLATE_UNCHANGED
    assert stale.why.endswith(MIRROR)
