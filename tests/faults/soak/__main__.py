"""`make soak`: one `devloop up` over three services on the real cluster, with saves and faults at random.

python -m tests.faults.soak [--cycles 500] [--seed 7] [--folder FOLDER] [--plot FILE]

Every `verified` is compared with what registry and Pods say; after every fault, what was saved last has to run in every
Pod without another save. Ends with 1 when something was lost, falsely claimed or left behind.
"""

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.rig import Cluster, machine
from tests.e2e.proxies import ways
from tests.e2e.shop import Shop
from tests.faults.census import children
from tests.faults.control import Control
from tests.faults.httpproxy import HttpProxy
from tests.faults.session import launch
from tests.faults.soak.ask import Ask
from tests.faults.soak.claims import Soaked
from tests.faults.soak.play import Play
from tests.faults.soak.report import Findings, plot, table
from tests.faults.soak.sources import sources
from tests.faults.soak.troubles import Reach


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where all events and counts are written down")
    parser.add_argument("--plot", type=Path, help="where the plot goes")
    options = parser.parse_args()
    cluster = Cluster.of_environment()
    if cluster is None or not os.environ.get("DEVLOOP_E2E_CONTROL"):
        raise SystemExit("set DEVLOOP_E2E_CONTEXT, DEVLOOP_E2E_REGISTRY and DEVLOOP_E2E_CONTROL")
    folder = options.folder or Path(tempfile.mkdtemp(prefix="devloop-soak-"))
    folder.mkdir(exist_ok=True)
    print(f"{machine()}\nwritten down in {folder}", flush=True)
    found = Findings(options.seed)
    try:
        soak(cluster, options.cycles, found, folder)
    finally:
        print("\n".join(table(found)))
    if options.plot:
        plot(found, options.plot)
    raise SystemExit(bool(found.lost or found.verdicts["false"] or found.exit_code != 130))


def soak(cluster: Cluster, cycles: int, found: Findings, folder: Path) -> None:
    """The whole of it, and everything that it needs; what was broken is mended in any case."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shop = Shop(root, cluster.kubectl, stack.enter_context(cluster.namespace()), cluster.registry)
        way = stack.enter_context(ways(root, cluster.kubectl, cluster.registry))
        registry, control = HttpProxy(f"http://{cluster.registry}"), Control()
        stack.callback(registry.close)
        stack.callback(control.mend_all)
        ask = Ask(cluster.context, shop.namespace, shop.registry)
        stack.callback(ask.close)
        api = way.api_server()
        env = {**way.env, "DEVLOOP_STATE_DIR": str(root / "state")}
        services = sources(shop, registry.host, found.seed)
        process, tasks = launch(root, env)
        devloop = stack.enter_context(Soaked(process, ask=ask))
        reach = Reach(shop, services, registry, api, control, process.send_signal)
        play = Play(devloop, tasks, ask, reach, found, folder, {**os.environ, **env})
        began = time.monotonic()
        try:
            play.whole(cycles)
            found.exit_code = devloop.stop()
            assert not children(process.pid), "processes were left behind"
        finally:
            found.seconds = time.monotonic() - began
            _write_down(devloop, found, folder)


def _write_down(devloop: Soaked, found: Findings, folder: Path) -> None:
    devloop.news()
    found.verdicts = devloop.verdicts()
    for claim in devloop.untrue():
        print(f"FALSE {claim}", flush=True)
    (folder / "said.ndjson").write_text(devloop.said())


if __name__ == "__main__":
    main()
