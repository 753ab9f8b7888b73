"""The command that mends each way of going stale."""

import json
from collections.abc import Mapping
from typing import Any

from devloop.core.service import WorkloadKey
from devloop.core.why.cause import CauseCode
from devloop.core.why.facts import Reference, RegistryImage
from devloop.core.why.stale import FIND_ADMISSION
from devloop.core.workload import ContainerSpec, Deployment

POD = "pod"


def fix_of(code: CauseCode, key: WorkloadKey, container: ContainerSpec, reference: Reference, node: str) -> str:
    """For a container that went stale in that way."""
    if code is CauseCode.POLICY_MUTATED:
        return f"find what rewrites Pods, and change it: {FIND_ADMISSION}"
    if key.kind == POD:
        return f"nothing makes this Pod anew: delete it, and create it again with `imagePullPolicy: Always` ({key})"
    if code is CauseCode.REGISTRY_STALE:
        by_digest = _by_digest(key, container, reference)
        return f"correct the mirror or cache that {node} uses, or ask for the digest: {by_digest}"
    if container.pull_policy == "Always":
        return f"kubectl rollout restart {key} -n {key.namespace}"
    return pull_always(key, container)


def resumed(deployment: Deployment, fix: str) -> str:
    """The fix, for a Deployment that does not roll out anything as long as it is paused."""
    return f"{resume(deployment.key)} && {fix}" if deployment.paused and fix.startswith("kubectl ") else fix


def resume(key: WorkloadKey) -> str:
    return f"kubectl rollout resume {key} -n {key.namespace}"


def pull_always(key: WorkloadKey, container: ContainerSpec) -> str:
    """Makes every start ask the registry; that it changes the template makes new Pods at once."""
    return patch(key, container, {"imagePullPolicy": "Always"})


def patch(key: WorkloadKey, container: ContainerSpec, fields: Mapping[str, Any]) -> str:
    kind = "initContainers" if container.init else "containers"
    body = {"spec": {"template": {"spec": {kind: [{"name": container.name, **fields}]}}}}
    return f"kubectl patch {key} -n {key.namespace} -p '{json.dumps(body, separators=(',', ':'))}'"


def set_image(key: WorkloadKey, container: str, image: str) -> str:
    return f"kubectl set image {key} {container}={image} -n {key.namespace}"


def _by_digest(key: WorkloadKey, container: ContainerSpec, reference: Reference) -> str:
    registry = reference.registry
    digest = registry.resolved.digest if isinstance(registry, RegistryImage) else ""
    return set_image(key, container.name, str(reference.ref.with_digest(digest)))
