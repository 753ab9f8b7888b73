"""What a session leaves on a workload, and the command that undoes it."""

import shlex

from devloop.core.original import Original
from devloop.core.service import WorkloadKey
from devloop.core.workload import Deployment


def undo_line(deployment: Deployment, context: str = "") -> str:
    """`left deployment/api on host/api:dev under Always; undo: devloop restore deployment/api -n shop`.

    `context` is the one that was chosen on the command line: without it the command would go somewhere else.
    """
    return f"left {deployment.key} {left(deployment, 'on', 'with')}; undo: {undo_command(deployment.key, context)}"


def undo_command(key: WorkloadKey, context: str = "") -> str:
    there = f" --context {shlex.quote(context)}" if context else ""
    return f"devloop restore {key} -n {key.namespace}{there}"


def left(deployment: Deployment, on: str, has: str) -> str:
    """What its containers are left with, after `on`: `host/api:dev under Always`; after `has` where that is no news."""
    record = Original.of(deployment.annotations)
    found = [spec for spec in deployment.template.containers if spec.name in record.containers]
    if found:
        return f"{on} {', '.join(dict.fromkeys(f'{spec.image} under {spec.pull_policy}' for spec in found))}"
    why = " (its image and pull policy were so before)" if record.changed_nothing else ""
    return f"{has} devloop's marks{why}"
