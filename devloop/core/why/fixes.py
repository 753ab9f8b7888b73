"""The command that mends each way of going stale."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from devloop.core.service import WorkloadKey
from devloop.core.why.cause import CauseCode
from devloop.core.why.facts import Reference, RegistryImage
from devloop.core.why.stale import FIND_ADMISSION
from devloop.core.workload import ContainerSpec, Deployment

POD = "pod"
ON_DELETE = "OnDelete"
"""The update strategy of StatefulSets and DaemonSets under which nothing is replaced by itself."""


def fix_of(
    code: CauseCode, key: WorkloadKey, container: ContainerSpec, reference: Reference, node: str, controller: str = ""
) -> str:
    """For a container that went stale in that way. `controller` of a Pod that is its own workload, if it has one."""
    if code is CauseCode.POLICY_MUTATED:
        return f"find what rewrites Pods, and change it: {FIND_ADMISSION}"
    if key.kind == POD:
        return _of_pod(key, container, controller)
    if code is CauseCode.REGISTRY_STALE:
        by_digest = _by_digest(key, container, reference)
        return f"correct the mirror or cache that {node} uses, or ask for the digest: {by_digest}"
    if container.pull_policy == "Always":
        return f"kubectl rollout restart {key} -n {key.namespace}"
    return pull_always(key, container)


def _of_pod(key: WorkloadKey, container: ContainerSpec, controller: str) -> str:
    kind, _, name = controller.partition("/")
    if not kind:
        return f"nothing makes this Pod anew: delete it, and create it again with `imagePullPolicy: Always` ({key})"
    if kind == "Node":
        return f"it is a static Pod: set `imagePullPolicy: Always` in its file on node {name}"
    again = f"its controller {controller} makes it anew: kubectl delete pod {key.name} -n {key.namespace}"
    if container.pull_policy == "Always":
        return again
    return f"set `imagePullPolicy: Always` in the template of {controller}; {again}"


def rolled_out(deployment: Deployment, fix: str, pods: Sequence[str]) -> str:
    """The fix, for a workload that by itself rolls out nothing: a Deployment that is paused, a set under OnDelete.

    `pods` are those that a change of the template makes old.
    """
    key = deployment.key
    verbs = ("patch", "edit", "set image", "rollout restart")
    change = next((verb for verb in verbs if f"kubectl {verb} {key} " in fix), "")
    if deployment.paused and change:
        return fix.replace(f"kubectl {change} ", f"{resume(key)} && kubectl {change} ", 1)
    if deployment.strategy == ON_DELETE and pods and change:
        return f"{fix} && kubectl delete pod {' '.join(pods)} -n {key.namespace}"
    return fix


def resume(key: WorkloadKey) -> str:
    return f"kubectl rollout resume {key} -n {key.namespace}"


def pull_always(key: WorkloadKey, container: ContainerSpec) -> str:
    """Makes every start ask the registry; that it changes the template makes new Pods at once."""
    return patch(key, container, {"imagePullPolicy": "Always"})


def patch(key: WorkloadKey, container: ContainerSpec, fields: Mapping[str, Any]) -> str:
    kind = "initContainers" if container.init else "containers"
    return patch_spec(key, {"template": {"spec": {kind: [{"name": container.name, **fields}]}}})


def patch_spec(key: WorkloadKey, spec: Mapping[str, Any]) -> str:
    return f"kubectl patch {key} -n {key.namespace} -p '{json.dumps({'spec': spec}, separators=(',', ':'))}'"


def set_image(key: WorkloadKey, container: str, image: str) -> str:
    return f"kubectl set image {key} {container}={image} -n {key.namespace}"


def _by_digest(key: WorkloadKey, container: ContainerSpec, reference: Reference) -> str:
    registry = reference.registry
    digest = registry.resolved.digest if isinstance(registry, RegistryImage) else ""
    return set_image(key, container.name, str(reference.ref.with_digest(digest)))
