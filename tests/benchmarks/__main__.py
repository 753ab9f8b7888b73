"""`make bench`: runs every benchmark that can run here, and prints the figures with what they were measured on.

python -m tests.benchmarks [--rounds N] [startup|tui|scale|why|share|idle|loop|sizes ...]
"""

import argparse

from tests.benchmarks import (
    idle_bench,
    loop_bench,
    scale_bench,
    share_bench,
    sizes_bench,
    startup_bench,
    tui_bench,
    why_bench,
)
from tests.benchmarks.rig import Cluster, machine

NAMES = ("startup", "tui", "scale", "why", "share", "idle", "loop", "sizes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], default=[])
    options = parser.parse_args()
    cluster = Cluster.of_environment()
    print(machine(), flush=True)
    if cluster is None:
        print("no cluster: set DEVLOOP_E2E_CONTEXT and DEVLOOP_E2E_REGISTRY for the figures of the whole loop")
    for name in options.names or NAMES:
        for line in _lines(name, cluster, options.rounds):
            print(line, flush=True)


def _lines(name: str, cluster: Cluster | None, rounds: int) -> list[str]:
    if name == "startup":
        return startup_bench.report(cluster, rounds)
    if name == "tui":
        return tui_bench.report(cluster, rounds)
    if name == "scale":
        return scale_bench.report(cluster)
    if cluster is None:
        return []
    if name == "idle":
        return idle_bench.report(cluster)
    if name == "sizes":
        return sizes_bench.report(cluster, min(rounds, 3))
    if name == "why":
        return why_bench.report(cluster, rounds)
    return share_bench.report(cluster, rounds) if name == "share" else loop_bench.report(cluster, rounds)


if __name__ == "__main__":
    main()
