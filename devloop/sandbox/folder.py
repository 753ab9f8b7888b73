"""What a sandbox keeps in its folder, and what is left of that when it is over: nothing."""

import shutil
from pathlib import Path

NODES = ("node1", "node2")
REGISTRY, LOGIN, KUBECONFIG = "registry", "docker", "kubeconfig"


def forget(folder: Path) -> None:
    """For when nothing of it runs any more."""
    for name in (REGISTRY, LOGIN, *NODES):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / KUBECONFIG).unlink(missing_ok=True)
