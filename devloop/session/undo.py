"""What a session leaves on a workload, and the command that undoes it."""

import shlex

from devloop.core.original import Original
from devloop.core.service import WorkloadKey
from devloop.core.workload import ORIGINAL, Deployment


def undo_line(deployment: Deployment, context: str = "") -> str:
    """`left deployment/api on host/api:dev under Always; undo: devloop restore deployment/api -n shop`.

    `context` is the one that was chosen on the command line: without it the command would go somewhere else.
    """
    return f"left {deployment.key} on {left_on(deployment)}; undo: {undo_command(deployment.key, context)}"


def undo_command(key: WorkloadKey, context: str = "") -> str:
    there = f" --context {shlex.quote(context)}" if context else ""
    return f"devloop restore {key} -n {key.namespace}{there}"


def left_on(deployment: Deployment) -> str:
    """What its containers are left with: `host/api:dev under Always`."""
    names = Original.decode(deployment.annotations.get(ORIGINAL, "")).containers
    found = [spec for spec in deployment.template.containers if spec.name in names]
    return ", ".join(dict.fromkeys(f"{spec.image} under {spec.pull_policy}" for spec in found))
