"""What is written by hand about the keys agrees with the models; `tests/reference` makes their tables."""

import re
from pathlib import Path

from devloop.core.buildflags import owned_flags

TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")


def test_every_refused_flag_is_told() -> None:
    paragraph = TEXT[TEXT.index("`flags` refuses") :].partition("\n\n")[0]
    assert set(re.findall(r"`(--[a-z-]+)`", paragraph)) == owned_flags()
