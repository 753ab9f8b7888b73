"""Save to new code against the size of the source, in bytes and in files: by a layer and with the shell line.

What a layer costs does not grow with the source; what the shell line costs does. The plot goes to `docs/`.
"""

import asyncio
import statistics
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.loop_bench import Times, measure
from tests.benchmarks.rig import Cluster, Source, spread

PLOT = Path(__file__).parents[2] / "docs" / "save-to-code.svg"
MEGABYTES = (6, 30, 100, 1000)
FILES = (1, 1_000, 100_000)
_SMALL = 100
"""Bytes of each of many files."""
Row = tuple[float, Times]


def report(cluster: Cluster, rounds: int) -> list[str]:
    """Tells each row as soon as it is measured, because all of them take long."""
    print(f"{'save -> new code answers':<26} {'by a layer':<23} {'shell line':<23} {'floor':<23} ratio", flush=True)
    by_count = [(count, _measured(cluster, f"{count:,} files", Source(count, _SMALL), rounds)) for count in FILES]
    by_size = [(size, _measured(cluster, f"{size:,} MB", Source.of(size), rounds)) for size in MEGABYTES]
    _plot(by_size, by_count)
    return [f"  the plot: {PLOT}"]


def _measured(cluster: Cluster, what: str, source: Source, rounds: int) -> Times:
    times = asyncio.run(measure(cluster, source, rounds))
    print(_line(what, times), flush=True)
    return times


def _line(what: str, times: Times) -> str:
    figures = f"{spread(times.ours):<23} {spread(times.theirs):<23} {spread(times.floor):<23}"
    return f"  {what:<24} {figures} {statistics.median(times.ours) / statistics.median(times.theirs):.2f}"


def _plot(by_size: Sequence[Row], by_count: Sequence[Row]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "devloop"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True)
    for axis, rows, label in ((axes[0], by_size, "source, MB"), (axes[1], by_count, f"files of {_SMALL} bytes")):
        at = [row[0] for row in rows]
        for name, colour, of in (("shell line", "tab:red", "theirs"), ("devloop, by a layer", "tab:blue", "ours"),
                                 ("floor: patch alone", "tab:gray", "floor")):  # fmt: skip
            series = [getattr(times, of) for _, times in rows]
            axis.plot(at, [statistics.median(each) for each in series], marker="o", color=colour, label=name)
            axis.fill_between(at, [min(s) for s in series], [max(s) for s in series], color=colour, alpha=0.15)
        axis.set(xscale="log", yscale="log", xlabel=label)
        for each in (axis.xaxis, axis.yaxis):
            each.set_major_formatter(lambda value, _: f"{value:,g}")
            each.set_minor_formatter(lambda value, _: "0.5" if abs(value - 0.5) < 0.01 else "")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("seconds from save to new code")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Date": None})
