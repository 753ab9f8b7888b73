"""What the API server writes into an object where its author wrote nothing."""

import copy
from typing import Any

from devloop.sandbox.kinds import Kind

Raw = dict[str, Any]
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_TRIMMED = frozenset({"Deployment", "Pod", "ReplicaSet"})
_OPTIONAL_MAPS = frozenset({"annotations", "labels", "nodeSelector", "matchLabels", "limits", "requests"})
_TOLERATED = ("not-ready", "unreachable")


def defaulted(kind: Kind, value: Raw) -> Raw:
    """A copy with the defaults of its kind."""
    result = copy.deepcopy(value)
    _trim(result["metadata"])
    if kind.name in _TRIMMED:
        _trim(result.get("spec"))
    fill = _OF_KIND.get(kind.name)
    if fill is not None:
        fill(result)
    return result


def _trim(value: Any) -> None:
    """Empty lists and maps that are not told apart from absent ones."""
    if isinstance(value, list):
        for item in value:
            _trim(item)
    if isinstance(value, dict):
        for key, inner in list(value.items()):
            _trim(inner)
            if inner == [] or (inner == {} and key in _OPTIONAL_MAPS):
                del value[key]


def _deployment(value: Raw) -> None:
    spec = value.setdefault("spec", {})
    _fill(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy = spec.setdefault("strategy", {})
    _fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        if not strategy.get("rollingUpdate"):
            strategy["rollingUpdate"] = {}
        _fill(strategy["rollingUpdate"], {"maxSurge": "25%", "maxUnavailable": "25%"})
    _template(spec)


def _replica_set(value: Raw) -> None:
    spec = value.setdefault("spec", {})
    _fill(spec, {"replicas": 1})
    _template(spec)
    value.setdefault("status", {}).setdefault("replicas", 0)


def _template(spec: Raw) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {}).pop("creationTimestamp", None)
    _pod_spec(template.setdefault("spec", {}))


def _pod(value: Raw) -> None:
    spec = value.setdefault("spec", {})
    _pod_spec(spec)
    _fill(spec, {"enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority", "priority": 0})
    tolerations = spec.setdefault("tolerations", [])
    for name in _TOLERATED:
        key = f"node.kubernetes.io/{name}"
        if all(each.get("key") != key for each in tolerations):
            tolerations.append({"effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300})
    value.setdefault("status", {})
    _fill(value["status"], {"phase": "Pending", "qosClass": _quality(spec)})


def _quality(spec: Raw) -> str:
    every = [container.get("resources") or {} for container in spec.get("containers") or []]
    if not any(each.get("requests") or each.get("limits") for each in every):
        return "BestEffort"
    exact = all(_is_exact(each) for each in every)
    return "Guaranteed" if exact else "Burstable"


def _is_exact(resources: Raw) -> bool:
    limits = resources.get("limits") or {}
    return {"cpu", "memory"} <= limits.keys() and resources.get("requests", limits) == limits


def _pod_spec(spec: Raw) -> None:
    _fill(spec, {"restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
                 "securityContext": {}, "schedulerName": "default-scheduler"})  # fmt: skip
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or []:
            _container(container)


def _container(container: Raw) -> None:
    policy = _policy(str(container.get("image", "")))
    _fill(container, {"imagePullPolicy": policy, "resources": {}, "terminationMessagePath": "/dev/termination-log",
                      "terminationMessagePolicy": "File"})  # fmt: skip
    for port in container.get("ports") or []:
        _fill(port, {"protocol": "TCP"})
    for name in _PROBES:
        if probe := container.get(name):
            _fill(probe, {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3})
            if "httpGet" in probe:
                _fill(probe["httpGet"], {"path": "/", "scheme": "HTTP"})
    for each in container.get("env") or []:
        if reference := (each.get("valueFrom") or {}).get("fieldRef"):
            _fill(reference, {"apiVersion": "v1"})


def _policy(image: str) -> str:
    """`Always` for what moves by its name: no tag, or `latest`."""
    last = image.partition("@")[0].rpartition("/")[2]
    tag = last.rpartition(":")[2] if ":" in last else "latest"
    return "Always" if tag == "latest" and "@" not in image else "IfNotPresent"


def _service(value: Raw) -> None:
    spec = value.setdefault("spec", {})
    _fill(spec, {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
                 "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"})  # fmt: skip
    for port in spec.get("ports") or []:
        _fill(port, {"protocol": "TCP", "targetPort": port.get("port")})
    value.setdefault("status", {}).setdefault("loadBalancer", {})


def _namespace(value: Raw) -> None:
    value.setdefault("metadata", {}).setdefault("labels", {})["kubernetes.io/metadata.name"] = value["metadata"]["name"]
    value.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    value.setdefault("status", {}).setdefault("phase", "Active")


def _event(value: Raw) -> None:
    _fill(value, {"eventTime": None, "firstTimestamp": None, "lastTimestamp": None, "source": {},
                  "reportingComponent": "", "reportingInstance": ""})  # fmt: skip


def _secret(value: Raw) -> None:
    _fill(value, {"type": "Opaque"})


def _fill(value: Raw, defaults: Raw) -> None:
    for key, default in defaults.items():
        if key not in value or (value[key] is None and default is not None):
            value[key] = default


_OF_KIND = {
    "Deployment": _deployment,
    "Event": _event,
    "Namespace": _namespace,
    "Pod": _pod,
    "ReplicaSet": _replica_set,
    "Secret": _secret,
    "Service": _service,
}
