"""What the API server refuses to store, in its own words: the mistakes that people and tools make most."""

import json
import re
from collections.abc import Iterator
from typing import Any

from devloop.sandbox.errors import Cause, bad_request, invalid
from devloop.sandbox.kinds import Kind
from devloop.sandbox.selectors import matches_labels

Raw = dict[str, Any]
_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_POLICIES = ("Always", "IfNotPresent", "Never")
_GO: dict[type, str] = {int: "int32", bool: "bool", str: "string", list: "[]", dict: "map[string]"}
_CONTAINER: tuple[tuple[str, type], ...] = (
    ("", dict), (".name", str), (".image", str), (".imagePullPolicy", str), (".workingDir", str), (".command", list),
    (".command.*", str), (".args", list), (".args.*", str), (".env", list), (".env.*", dict), (".env.*.name", str),
    (".env.*.value", str), (".ports", list), (".ports.*", dict), (".ports.*.containerPort", int),
    *((f".{probe}{more}", type_) for probe in ("livenessProbe", "readinessProbe", "startupProbe")
      for more, type_ in (("", dict), (".periodSeconds", int), (".failureThreshold", int), (".successThreshold", int),
                          (".timeoutSeconds", int), (".initialDelaySeconds", int), (".httpGet", dict),
                          (".tcpSocket", dict), (".exec", dict), (".exec.command", list))),
)  # fmt: skip
_POD_SPEC: tuple[tuple[str, type], ...] = (
    ("", dict), (".terminationGracePeriodSeconds", int), (".restartPolicy", str), (".nodeSelector", dict),
    (".nodeName", str), (".tolerations", list), (".tolerations.*", dict),
    *((f".{kind}{more}", type_) for kind in ("containers", "initContainers")
      for more, type_ in (("", list), *((f".*{more}", type_) for more, type_ in _CONTAINER))),
)  # fmt: skip
_TYPES: tuple[tuple[str, type], ...] = (
    ("metadata", dict), ("metadata.labels", dict), ("metadata.annotations", dict), ("metadata.name", str),
    ("metadata.finalizers", list), ("metadata.ownerReferences", list), ("metadata.ownerReferences.*", dict),
    ("metadata.managedFields", list), ("metadata.managedFields.*", dict),
    ("spec", dict), ("status", dict), ("spec.replicas", int), ("spec.minReadySeconds", int),
    ("spec.progressDeadlineSeconds", int), ("spec.revisionHistoryLimit", int), ("spec.paused", bool),
    ("spec.strategy", dict), ("spec.strategy.rollingUpdate", dict), ("spec.template", dict), ("spec.selector", dict),
    ("spec.template.metadata", dict), ("spec.template.metadata.labels", dict),
    ("spec.template.metadata.annotations", dict), ("spec.ports", list), ("spec.ports.*", dict),
    *((f"spec{more}", type_) for more, type_ in _POD_SPEC),
    *((f"spec.template.spec{more}", type_) for more, type_ in _POD_SPEC),
)  # fmt: skip
_REQUIRED = "FieldValueRequired"


def validate(kind: Kind, value: Raw, before: Raw | None) -> None:
    """Raise what is wrong with the object, or with changing `before` into it."""
    causes = [*_metadata(value, before), *_of_kind(kind, value, before)]
    if causes:
        raise invalid(value["metadata"].get("name", ""), kind.group, kind.name, causes)


def check_types(kind: Kind, body: Any) -> None:
    """Refuse what is of another type than the API says, for what the sandbox itself reads."""
    for path, type_ in _TYPES:
        for at, found in _found(body, path.split(".")):
            if found is not None and (not isinstance(found, type_) or isinstance(found, bool) is not (type_ is bool)):
                name = _GO[type_]
                raise bad_request(
                    f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: '
                    f"json: cannot unmarshal {_json_type(found)} into Go struct field {kind.name}.{at} of type {name}"
                )


def _found(value: Any, path: list[str], at: str = "") -> Iterator[tuple[str, Any]]:
    if not path:
        yield at, value
    elif path[0] == "*":
        for item in value if isinstance(value, list) else ():
            yield from _found(item, path[1:], at)
    elif isinstance(value, dict) and path[0] in value:
        yield from _found(value[path[0]], path[1:], f"{at}.{path[0]}".strip("."))


def _json_type(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return names.get(type(value), "value")


def _metadata(value: Raw, before: Raw | None) -> Iterator[Cause]:
    name = value["metadata"].get("name", "")
    if not name:
        yield Cause("metadata.name", "Required value: name or generateName is required", _REQUIRED)
    elif before is None and not _SUBDOMAIN.match(name):
        yield Cause("metadata.name", f'Invalid value: "{name}": {_SUBDOMAIN_TEXT}')
    for key, text in (value["metadata"].get("labels") or {}).items():
        if not isinstance(text, str) or len(text) > 63:
            yield Cause("metadata.labels", f"Invalid value: {_json(text)}: must be no more than 63 bytes ({key})")


def _of_kind(kind: Kind, value: Raw, before: Raw | None) -> Iterator[Cause]:
    spec = value.get("spec") or {}
    if kind.name in {"Deployment", "ReplicaSet"}:
        yield from _workload(spec, (before or {}).get("spec"))
    elif kind.name == "Pod":
        yield from _pod_spec(spec, "spec")
    elif kind.name == "Service" and not spec.get("ports") and spec.get("clusterIP") != "None":
        yield Cause("spec.ports", "Required value", _REQUIRED)


def _workload(spec: Raw, before: Raw | None) -> Iterator[Cause]:
    selector, template = spec.get("selector"), spec.get("template") or {}
    if not selector:
        yield Cause("spec.selector", "Required value", _REQUIRED)
    labels = template.get("metadata", {}).get("labels")
    if not selector or not matches_labels(selector, labels or {}):
        text = f"Invalid value: {_json(labels)}: `selector` does not match template `labels`"
        yield Cause("spec.template.metadata.labels", text)
    replicas = spec.get("replicas")
    if isinstance(replicas, int) and replicas < 0:
        yield Cause("spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0")
    yield from _pod_spec(template.get("spec") or {}, "spec.template.spec")
    yield from _strategy(spec.get("strategy") or {})
    if before is not None and selector != before.get("selector"):
        yield Cause("spec.selector", f"Invalid value: {_json(selector)}: field is immutable")


def _strategy(strategy: Raw) -> Iterator[Cause]:
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate"):
        text = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield Cause("spec.strategy.rollingUpdate", text, "FieldValueForbidden")
    rolling = strategy.get("rollingUpdate") or {}
    if rolling and all(str(rolling.get(key)) in {"0", "0%"} for key in ("maxSurge", "maxUnavailable")):
        text = "Invalid value: 0: may not be 0 when `maxSurge` is 0"
        yield Cause("spec.strategy.rollingUpdate.maxUnavailable", text)


def _pod_spec(spec: Raw, at: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield Cause(f"{at}.containers", "Required value", _REQUIRED)
    seen: set[str] = set()
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind) or []):
            yield from _container(container, f"{at}.{kind}[{index}]", seen)


def _container(container: Raw, at: str, seen: set[str]) -> Iterator[Cause]:
    name, policy = container.get("name"), container.get("imagePullPolicy")
    if not name:
        yield Cause(f"{at}.name", "Required value", _REQUIRED)
    elif name in seen:
        yield Cause(f"{at}.name", f'Duplicate value: "{name}"', "FieldValueDuplicate")
    seen.add(str(name))
    if not container.get("image"):
        yield Cause(f"{at}.image", "Required value", _REQUIRED)
    if policy and policy not in _POLICIES:
        supported = ", ".join(f'"{each}"' for each in _POLICIES)
        text = f'Unsupported value: "{policy}": supported values: {supported}'
        yield Cause(f"{at}.imagePullPolicy", text, "FieldValueNotSupported")
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(key) is not None:
            yield from _probe(container[key], f"{at}.{key}")


def _probe(probe: Raw, at: str) -> Iterator[Cause]:
    if not any(probe.get(handler) for handler in ("exec", "grpc", "httpGet", "tcpSocket")):
        yield Cause(at, "Required value: must specify a handler type", _REQUIRED)
    for handler in ("httpGet", "tcpSocket"):
        port = (probe.get(handler) or {"port": "some"}).get("port", 0)
        if isinstance(port, int) and not 1 <= port <= 65535:
            yield Cause(f"{at}.{handler}.port", f"Invalid value: {port}: must be between 1 and 65535, inclusive")


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
