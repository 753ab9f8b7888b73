"""Annotations of devloop in words."""

from devloop.core.image import ImageRef, PushedImage
from devloop.core.original import Original, Written
from devloop.core.patch import BuildMark
from devloop.core.workload import BUILD, ORIGINAL
from devloop.views.marks import mark_words
from tests.core.workloads import digest, resolved
from tests.tui.stories import START

_BUILD, _ORIGINAL = f"spec.template.metadata.annotations[{BUILD}]", f"metadata.annotations[{ORIGINAL}]"


def test_a_build_mark_says_what_was_pushed_when_and_by_whom() -> None:
    mark = BuildMark(digest("a"), START + 65, "3b5daf82")
    assert mark_words(_BUILD, mark.encode(), START + 90) == "aaaaaaaaaaaa, pushed 14:01:05 by session 3b5daf82"


def test_what_was_loaded_says_where() -> None:
    ref = ImageRef.parse("web:dev-1")
    mark = BuildMark.of(PushedImage(ref, ref, resolved("a"), "kind cluster `dev`"), START, "3b5daf82")
    assert mark_words(_BUILD, mark.encode(), START).endswith("by session 3b5daf82, loaded into kind cluster `dev`")


def test_the_record_of_what_was_there_says_what_became_of_it() -> None:
    record = Original(
        START, {"web": {"image": Written("web:v1", "web:dev"), "imagePullPolicy": Written(None, "Always")}}
    )
    words = "web: image web:v1 → web:dev, imagePullPolicy unset → Always"
    assert mark_words(_ORIGINAL, record.encode(), START) == words
    assert mark_words(_ORIGINAL, Original(START).encode(), START) == "that nothing differed"


def test_what_is_not_devloops_stays_as_it_is() -> None:
    for path in (_BUILD, "metadata.labels[devloop/active]", "spec.template.spec.containers[web].image"):
        assert mark_words(path, "true", START) == "true"
    assert mark_words(_ORIGINAL, "", START) == ""
