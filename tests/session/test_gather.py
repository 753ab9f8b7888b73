"""What is read for the answers of `why`, and how often."""

import asyncio
from typing import Any

import pytest

from devloop.core.image import ImageRef, digest_of
from devloop.core.service import WorkloadKey
from devloop.core.why.facts import LocalImage, Push, Reference
from devloop.core.workload import Snapshot
from devloop.session.why import gather
from devloop.session.why.gather import Gatherer
from tests.core.why.scenes import facts, in_registry, local, running
from tests.core.workloads import DEV, digest

NOBODY: Any = None


async def test_recordings_are_looked_through_once_for_each_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording holds every event of a session: five of them for each of a hundred workloads are slow to read."""
    asked: list[str] = []
    pushed = (Push(digest("a"), 1.0, 0.5, "verified"),)

    def pushes_of(image: str) -> tuple[Push, ...]:
        asked.append(image)
        return pushed if image == "b" else ()

    monkeypatch.setattr(gather, "pushes_of", pushes_of)
    one = Gatherer(NOBODY, NOBODY, NOBODY)
    found = await asyncio.gather(*(one._pushes(images) for images in (["a", "b", "c"], ["a", "b"], ["a"])))
    assert found == [pushed, pushed, ()]
    assert sorted(asked) == ["a", "b"]


@pytest.mark.parametrize(
    ("here", "asked"),
    [
        (LocalImage(frozenset({digest("c"), digest("d")}), digest("d"), 9e9), {digest("a"), digest("c")}),
        (LocalImage(frozenset({digest("c")}), digest("c"), 9e9), {digest("a"), digest("c")}),
        (local("c"), {digest("a")}),  # no newer than what the registry has
    ],
)
def test_which_image_ids_the_registry_is_asked_about(here: LocalImage, asked: set[str]) -> None:
    """What Pods report; and by the digest under which it was pushed, if it was, what is newer here. Not its config."""
    snapshot: Snapshot = facts(running("one", "a")).snapshot
    reference = Reference(ImageRef.parse(DEV), in_registry(), here)
    assert {digest_of(found) for _, found in gather._image_ids(snapshot, {DEV: reference})} == asked
    gone = Snapshot(WorkloadKey("shop", "deployment", "web"), None)
    assert not set(gather._image_ids(gone, {}))
