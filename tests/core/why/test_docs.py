"""Every cause is explained in `docs/why.md`, in the order in which the chain meets them."""

import re
from pathlib import Path

from devloop.core.why.cause import CauseCode
from devloop.core.why.slow import WaitCode

TEXT = (Path(__file__).parents[3] / "docs" / "why.md").read_text("utf-8")


def test_every_cause_is_explained() -> None:
    section = TEXT.partition("## The causes")[2].partition("\n## ")[0]
    assert re.findall(r"^### (\S+)$", section, re.MULTILINE) == list(CauseCode)


def test_every_wait_is_in_the_table() -> None:
    section = TEXT.partition("## Why a rollout is slow")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\S+)` \|", section, re.MULTILINE)) == set(WaitCode)


def test_the_readme_counts_them() -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    assert len(CauseCode) == 17
    assert "seventeen causes" in readme
