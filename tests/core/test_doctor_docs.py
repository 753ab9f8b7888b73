"""The numbers that the documentation of `doctor` names are the program's; `tests/reference` makes its tables."""

from pathlib import Path

from devloop.core.judgements import DISK_FAILED, DISK_NOTED, LARGE_CONTEXT, SKEW_FAILED, SKEW_NOTED

TEXT = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text("utf-8")


def test_the_thresholds_are_those_of_the_code() -> None:
    assert f"a note from {SKEW_NOTED:.0f} s on, a failure from {SKEW_FAILED:.0f} s on" in TEXT
    assert f"a note below {DISK_NOTED / 1e9:.0f} GB, a failure below {DISK_FAILED / 1e6:.0f} MB" in TEXT
    assert f"a note from {LARGE_CONTEXT / 1e6:.0f} MB on" in TEXT
