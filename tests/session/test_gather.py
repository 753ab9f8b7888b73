"""What is read for the answers of `why`, and how often."""

import asyncio
from dataclasses import replace
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


async def test_a_digest_that_two_nodes_name_differently_is_looked_for_under_both_names() -> None:
    """A node that has one image under several names reports any of them."""
    asked: list[ImageRef] = []

    class Telling:
        async def resolve(self, ref: ImageRef) -> None:
            asked.append(ref)

    base = facts(
        running("one", "b"), running("two", "b"), references={DEV: Reference(ImageRef.parse(DEV), in_registry(), None)}
    )
    names = ["localhost:5001/shop/api", "localhost:5001/shop/jobs"]
    pods = tuple(
        replace(pod, containers=tuple(replace(each, image_id=f"{name}@{digest('b')}") for each in pod.containers))
        for pod, name in zip(base.snapshot.pods, names, strict=True)
    )
    registry: Any = Telling()
    await Gatherer(NOBODY, registry, None)._known(replace(base.snapshot, pods=pods), base.references, None, "")
    assert {ref.name for ref in asked} == {"localhost:5001/shop/web", *names}
