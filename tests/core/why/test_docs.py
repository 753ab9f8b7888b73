"""What the README says of the causes; `tests/reference` makes what `docs/why.md` says."""

from pathlib import Path

from devloop.core.why.cause import CauseCode


def test_the_readme_counts_them() -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    assert len(CauseCode) == 21
    assert "twenty-one causes" in readme
