"""What an answer of `devloop why` costs, beside the `kubectl describe` that a person would begin with."""

import subprocess
import tempfile
from pathlib import Path

from tests.benchmarks.rig import App, Cluster, Source, spread
from tests.benchmarks.startup_bench import cpu_of
from tests.e2e.harness import DEVLOOP


def report(cluster: Cluster, rounds: int) -> list[str]:
    """A Deployment of two Pods whose tag was moved: the answer needs every link of the chain."""
    with tempfile.TemporaryDirectory() as root, cluster.namespace() as namespace:
        app = App.create(Path(root), "web", Source.of(1), cluster, namespace)
        app.deploy()
        cluster.kubectl("-n", namespace, "scale", "deployment/web", "--replicas=2")
        cluster.kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
        app.say("moved")
        subprocess.run(["sh", "-c", app.build_line], cwd=app.folder, check=True, capture_output=True)
        where = ["--context", cluster.context, "-n", namespace]
        ask = ["sh", "-c", f"{' '.join(DEVLOOP)} why deployment/web {' '.join(where)} || [ $? = 6 ]"]
        describe = ["kubectl", *where, "describe", "deployment,replicaset,pod"]
        pairs = [(cpu_of(ask), cpu_of(describe)) for _ in range(rounds)]
    ours, theirs = zip(*pairs, strict=True)
    ratio = sorted(wall for _, wall in ours)[rounds // 2] / sorted(wall for _, wall in theirs)[rounds // 2]
    return [
        "why",
        f"  devloop why                {spread([wall for _, wall in ours], 'ms', 0)}, "
        f"CPU {spread([cpu for cpu, _ in ours], 'ms', 0)}; goal 800 ms CPU",
        f"  kubectl describe           {spread([wall for _, wall in theirs], 'ms', 0)}, "
        f"CPU {spread([cpu for cpu, _ in theirs], 'ms', 0)}; why takes {ratio:.2f} x",
    ]
