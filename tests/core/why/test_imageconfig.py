"""What images say of themselves."""

from typing import Any

import pytest

from devloop.core.image import PlatformManifest, ResolvedImage
from devloop.core.why.imageconfig import described, manifest_for
from tests.core.workloads import digest, resolved

CONFIG = {
    "created": "2026-01-02T03:04:05.5Z",
    "config": {"WorkingDir": "/srv", "Volumes": {"/data/": {}}},
    "history": [
        {"created_by": "/bin/sh -c #(nop) COPY dir:1f2e in /opt/tool "},
        {"created_by": "RUN /bin/sh -c echo COPY . /no # buildkit"},
        {"created_by": "WORKDIR /srv"},
        {"created_by": "COPY . . # buildkit"},
        {"created_by": "COPY --chown=1:1 server.py lib/ # buildkit"},
        {"created_by": "ADD a.tar /x # buildkit", "empty_layer": False},
        {"created_by": "COPY conf etc/ # devloop"},
    ],
}


def test_what_the_config_tells() -> None:
    found = described(resolved("a"), CONFIG)
    assert found.volumes == ("/data",)
    assert found.created == 1767323045.5
    assert found.copies == ("/opt/tool", "/srv", "/srv/lib", "/x", "/srv/etc")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"created": None, "history": None},
        *({"created": f"{year}-01-01T00:00:00Z"} for year in ("0001", 1970, 1980)),
    ],
)
def test_a_config_that_tells_nothing(config: dict[str, Any]) -> None:
    found = described(resolved("a"), config)
    assert (found.created, found.copies) == (0.0, ())


BASE = {"created": "2026-01-01T00:00:00Z", "created_by": "CMD"}
ASSEMBLED = {"created": "2026-01-02T00:00:00Z", "created_by": "COPY . . # devloop", "comment": "devloop"}
DELTA = {"created": "2026-01-03T00:00:00Z", "created_by": "devloop delta", "comment": "devloop"}
BUILT = {"created": "2026-01-02T00:00:00Z", "created_by": "COPY . . # buildkit", "comment": "buildkit.dockerfile.v0"}


@pytest.mark.parametrize(
    ("history", "of_files", "assembled"),
    [
        ((), False, False),
        ((BASE, BUILT), False, False),
        ((BASE, ASSEMBLED), True, True),
        ((BASE, ASSEMBLED, DELTA), True, True),
        ((ASSEMBLED,), True, True),
        ((BASE, BUILT, DELTA), True, False),
        ((BASE, BUILT, DELTA | {"created": BUILT["created"]}), False, False),
        ((BASE, ASSEMBLED | {"created": BASE["created"]}), False, True),
        ((BASE, ASSEMBLED, BUILT | {"created": "2026-01-04T00:00:00Z"}), False, False),
    ],
)
def test_what_the_time_of_an_image_is(history: tuple[dict[str, str], ...], of_files: bool, assembled: bool) -> None:
    created = history[-1]["created"] if history else "2026-01-05T00:00:00Z"
    found = described(resolved("a"), {"created": created, "history": [*history]})
    assert (found.of_files, found.assembled) == (of_files, assembled)


def test_the_manifest_that_a_node_takes() -> None:
    amd, arm = (PlatformManifest(f"linux/{p}", digest(d), digest(d)) for p, d in (("amd64", "b"), ("arm64/v8", "c")))
    index = ResolvedImage(digest("a"), (amd, arm))
    assert manifest_for(index, "linux/arm64") == arm
    assert manifest_for(index, "") == amd
    assert manifest_for(index, "windows/amd64") == amd
    assert manifest_for(ResolvedImage(digest("a"), ()), "linux/amd64") is None
