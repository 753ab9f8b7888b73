"""Admission policies of one namespace: what refuses or rewrites objects on their way into the cluster."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.e2e.harness import PATIENCE, Kubectl, deployment

_GROUPS = {"pods": "", "deployments": "apps"}
_OPERATIONS = {"pods": ["CREATE"], "deployments": ["CREATE", "UPDATE"]}
"""Hardly anything of a Pod may change: a policy that rewrites updates too would forbid them all."""


@contextmanager
def admission(
    kubectl: Kubectl,
    namespace: str,
    kind: str,
    resource: str,
    policy: Mapping[str, Any],
    in_force: Callable[[], bool],
    **binding: Any,
) -> Iterator[None]:
    """A policy of that kind (`Validating` or `Mutating`) for that resource, while `in_force` sees its effect."""
    name, api = f"{namespace}-{resource}", "admissionregistration.k8s.io/v1"
    rules = [
        {
            "apiGroups": [_GROUPS[resource]],
            "apiVersions": ["v1"],
            "operations": _OPERATIONS[resource],
            "resources": [resource],
        }
    ]
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    metadata = {"name": name}
    objects = [
        {
            "apiVersion": api,
            "kind": f"{kind}AdmissionPolicy",
            "metadata": metadata,
            "spec": {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules, **here}, **policy},
        },
        {
            "apiVersion": api,
            "kind": f"{kind}AdmissionPolicyBinding",
            "metadata": metadata,
            "spec": {"policyName": name, **binding},
        },
    ]
    plurals = [f"{kind.lower()}admissionpolicybindings/{name}", f"{kind.lower()}admissionpolicies/{name}"]
    try:
        for each in objects:
            kubectl("apply", "-f", "-", stdin=json.dumps(each))
        _until(in_force, "the policy comes into force")
        yield
    finally:
        kubectl("delete", "--ignore-not-found", *plurals)
    _until(lambda: not in_force(), "the policy is no longer in force")


@contextmanager
def forbidden(
    kubectl: Kubectl, namespace: str, resource: str, rule: str, message: str, example: Mapping[str, Any]
) -> Iterator[None]:
    """The API server refuses what does not fulfil `rule` (in CEL); `example` is something that does not."""

    def in_force() -> bool:
        try:
            kubectl("-n", namespace, "apply", "--dry-run=server", "-f", "-", stdin=json.dumps(example))
        except AssertionError as refusal:
            return message in str(refusal)
        return False

    validations = {"validations": [{"expression": rule, "message": message}]}
    with admission(kubectl, namespace, "Validating", resource, validations, in_force, validationActions=["Deny"]):
        yield


@contextmanager
def rewritten(kubectl: Kubectl, namespace: str, patch: str) -> Iterator[None]:
    """Deployments get this patch (in CEL) on their way into the cluster, and with it the pull policy `Never`."""
    example = deployment("x", "x:1")

    def in_force() -> bool:
        made = kubectl("-n", namespace, "apply", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(example))
        container = json.loads(made)["spec"]["template"]["spec"]["containers"][0]
        return bool(container["imagePullPolicy"] == "Never")

    mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{patch}]"}}
    policy = {"mutations": [mutation], "reinvocationPolicy": "IfNeeded"}
    with admission(kubectl, namespace, "Mutating", "deployments", policy, in_force):
        yield


def _until(true: Callable[[], bool], what: str) -> None:
    """API servers read policies from their own watches: nothing but trying tells when one is in force."""
    deadline = time.monotonic() + PATIENCE / 2
    while not true():
        assert time.monotonic() < deadline, f"not so: {what}"
        time.sleep(0.2)
