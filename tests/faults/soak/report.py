"""What a soak found: a table in words, and a plot of what the process held over its cycles."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.census import Census

HELD = ("memory", "sockets", "others", "threads", "children", "watches", "tasks")


@dataclass
class Findings:
    """Filled while the soak runs."""

    seed: int
    began: float = 0.0
    seconds: float = 0.0
    cycles: Counter[str] = field(default_factory=Counter)
    builders: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    lost: list[dict[str, Any]] = field(default_factory=list)
    censuses: list[tuple[int, Census]] = field(default_factory=list)
    """After so many cycles."""
    saves: int = 0
    commands: int = 0
    exit_code: int | None = None

    @property
    def finished(self) -> int:
        """Cycles that went on to an end of their own: no newer save ended them."""
        return self.cycles.total() - self.cycles["superseded"]


def table(found: Findings) -> list[str]:
    """Markdown."""
    rows = [
        ("seed", str(found.seed)),
        ("time", f"{found.seconds / 60:.1f} min"),
        ("saves", f"{found.saves:,}"),
        ("cycles that ended by themselves", f"{found.finished} ({_counts(found.cycles, but='superseded')})"),
        ("cycles that a newer save ended", str(found.cycles["superseded"])),
        ("built by", _counts(found.builders)),
        ("failures that were told", _counts(found.failures) or "none"),
        ("faults", f"{found.faults.total()} ({_counts(found.faults)})"),
        ("commands given", f"{found.commands} (after the policy drifted)"),
        ("**lost saves**", f"**{len(found.lost)}**"),
        (
            "**false `verified`**",
            f"**{found.verdicts['false']}** of {found.verdicts.total()}: {_counts(found.verdicts)}",
        ),
        ("exit code", str(found.exit_code)),
    ]
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), "", *_held(found.censuses)]


def _counts(counter: Counter[str], but: str = "") -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common() if name != but and count)


def _held(censuses: Sequence[tuple[int, Census]]) -> list[str]:
    if not censuses:
        return []
    points = [censuses[0], censuses[len(censuses) // 2], censuses[-1]]
    head = "| held, while all is quiet | " + " | ".join(f"after {cycles} cycles" for cycles, _ in points) + " | most |"
    rows = []
    for name in HELD:
        each = [getattr(census, name) for _, census in (*points, max(censuses, key=lambda c: getattr(c[1], name)))]
        shown = [f"{value / 1024:.0f} MiB" if name == "memory" else str(value) for value in each]
        rows.append(f"| {name} | {' | '.join(shown)} |")
    return [head, "|---|---|---|---|---|", *rows]


def plot(found: Findings, path: Path) -> None:
    """Memory above; descriptors, tasks and threads below."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "devloop"
    from matplotlib import pyplot

    at = [cycles for cycles, _ in found.censuses]
    counted = [census for _, census in found.censuses]
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(9, 6), sharex=True)
    upper.plot(at, [census.memory / 1024 for census in counted], color="tab:blue", marker=".")
    upper.set(ylabel="memory, MiB", ylim=(0, None))
    series = {
        "descriptors": [census.sockets + census.others for census in counted],
        "tasks": [census.tasks for census in counted],
        "threads": [census.threads for census in counted],
        "folders watched": [census.watches for census in counted],
    }
    for name, values in series.items():
        lower.plot(at, values, marker=".", label=name)
    lower.set(xlabel="cycles; each point is after a fault, when all is quiet again", ylabel="count", ylim=(0, None))
    lower.legend()
    for axis in (upper, lower):
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
