"""Kubernetes' protobuf form, as far as `kubectl create` sends it: its typed objects come in nothing else.

Field numbers are those of `generated.proto` in https://github.com/kubernetes/api and apimachinery. A field that is not
known here refuses the object: what was asked for must not get lost.
"""

import base64
from collections.abc import Iterator
from typing import Any

from devloop.sandbox.errors import ApiError

TYPE = "application/vnd.kubernetes.protobuf"
Raw = dict[str, Any]
Schema = dict[int, tuple[str, Any]]
"""By number: the name, and `str`, `int` (0 is absent), `set-int` (0 is a value), `bool`, `bytes`, `map`, `bytes-map`,
`int-or-string`, `skip`, a schema, or a list of one of these."""
_MAGIC = b"k8s\x00"

_META: Schema = {
    1: ("name", "str"), 2: ("generateName", "str"), 3: ("namespace", "str"), 5: ("uid", "str"),
    6: ("resourceVersion", "str"), 7: ("generation", "int"), 8: ("creationTimestamp", "skip"), 11: ("labels", "map"),
    12: ("annotations", "map"), 14: ("finalizers", ["str"]), 4: ("selfLink", "skip"),
}  # fmt: skip
_SELECTOR: Schema = {
    1: ("matchLabels", "map"),
    2: ("matchExpressions", [{1: ("key", "str"), 2: ("operator", "str"), 3: ("values", ["str"])}]),
}
_CONTAINER: Schema = {
    1: ("name", "str"), 2: ("image", "str"), 3: ("command", ["str"]), 4: ("args", ["str"]), 5: ("workingDir", "str"),
    6: ("ports", [{1: ("name", "str"), 3: ("containerPort", "int"), 4: ("protocol", "str"), 2: ("hostPort", "int"),
                   5: ("hostIP", "str")}]),
    7: ("env", [{1: ("name", "str"), 2: ("value", "str")}]), 8: ("resources", {}),
    13: ("terminationMessagePath", "str"), 14: ("imagePullPolicy", "str"), 20: ("terminationMessagePolicy", "str"),
    16: ("stdin", "bool"), 17: ("stdinOnce", "bool"), 18: ("tty", "bool"),
}  # fmt: skip
_POD_SPEC: Schema = {
    2: ("containers", [_CONTAINER]), 3: ("restartPolicy", "str"), 4: ("terminationGracePeriodSeconds", "set-int"),
    6: ("dnsPolicy", "str"), 7: ("nodeSelector", "map"), 8: ("serviceAccountName", "str"), 9: ("serviceAccount", "str"),
    10: ("nodeName", "str"), 11: ("hostNetwork", "bool"), 12: ("hostPID", "bool"), 13: ("hostIPC", "bool"),
    16: ("hostname", "str"), 17: ("subdomain", "str"), 19: ("schedulerName", "str"),
    20: ("initContainers", [_CONTAINER]), 24: ("priorityClassName", "str"),
}  # fmt: skip
_TEMPLATE: Schema = {1: ("metadata", _META), 2: ("spec", _POD_SPEC)}
_DEPLOYMENT_SPEC: Schema = {
    1: ("replicas", "set-int"), 2: ("selector", _SELECTOR), 3: ("template", _TEMPLATE),
    4: ("strategy", {1: ("type", "str"),
                     2: ("rollingUpdate", {1: ("maxUnavailable", "int-or-string"), 2: ("maxSurge", "int-or-string")})}),
    5: ("minReadySeconds", "int"), 6: ("revisionHistoryLimit", "set-int"), 7: ("paused", "bool"),
    9: ("progressDeadlineSeconds", "set-int"),
}  # fmt: skip
_SERVICE_SPEC: Schema = {
    1: ("ports", [{1: ("name", "str"), 2: ("protocol", "str"), 3: ("port", "int"), 4: ("targetPort", "int-or-string"),
                   5: ("nodePort", "int")}]),
    2: ("selector", "map"), 3: ("clusterIP", "str"), 4: ("type", "str"), 7: ("sessionAffinity", "str"),
    8: ("loadBalancerIP", "str"), 10: ("externalName", "str"), 11: ("externalTrafficPolicy", "str"),
    12: ("healthCheckNodePort", "int"), 13: ("publishNotReadyAddresses", "bool"),
}  # fmt: skip
_RESOURCE_ATTRIBUTES: Schema = {
    number: (name, "str")
    for number, name in enumerate(("namespace", "verb", "group", "version", "resource", "subresource", "name"), 1)
}
_KINDS: dict[str, Schema] = {
    "ConfigMap": {1: ("metadata", _META), 2: ("data", "map"), 3: ("binaryData", "bytes-map"), 4: ("immutable", "bool")},
    "Deployment": {1: ("metadata", _META), 2: ("spec", _DEPLOYMENT_SPEC), 3: ("status", "skip")},
    "Namespace": {1: ("metadata", _META), 2: ("spec", {1: ("finalizers", ["str"])}), 3: ("status", "skip")},
    "Secret": {1: ("metadata", _META), 2: ("data", "bytes-map"), 3: ("type", "str"), 4: ("stringData", "map"),
               5: ("immutable", "bool")},
    "SelfSubjectAccessReview": {
        1: ("metadata", _META), 3: ("status", "skip"),
        2: ("spec", {1: ("resourceAttributes", _RESOURCE_ATTRIBUTES),
                     2: ("nonResourceAttributes", {1: ("path", "str"), 2: ("verb", "str")})}),
    },
    "Service": {1: ("metadata", _META), 2: ("spec", _SERVICE_SPEC), 3: ("status", "skip")},
    "ServiceAccount": {1: ("metadata", _META)},
}  # fmt: skip


def decoded(data: bytes) -> Raw:
    """The object as JSON would have it."""
    try:
        if not data.startswith(_MAGIC):
            raise ValueError("no envelope")
        envelope = _message(data[4:], {1: ("type", {1: ("apiVersion", "str"), 2: ("kind", "str")}), 2: ("raw", "bytes"),
                                       3: ("contentEncoding", "str"), 4: ("contentType", "str")})  # fmt: skip
        head = envelope["type"]
        return {**head, **_message(envelope.get("raw", b""), _KINDS[head["kind"]])}
    except (ValueError, LookupError) as error:
        message = f"the devloop sandbox does not know all of this protobuf ({error}): send it as JSON"
        raise ApiError(415, "UnsupportedMediaType", f"{message}, as `kubectl apply` does") from None


def _message(data: bytes, schema: Schema) -> Raw:
    found: Raw = {}
    for number, content in _fields(data):
        if number not in schema:
            if content:
                raise ValueError(f"field {number} beside {sorted(name for name, _ in schema.values())}")
            continue
        name, kind = schema[number]
        if isinstance(kind, list):
            found.setdefault(name, []).append(_value(content, kind[0]))
        elif kind in ("map", "bytes-map"):
            key, value = _entry(content, kind)
            found.setdefault(name, {})[key] = value
        elif (value := _value(content, kind)) not in (None, ""):
            found[name] = value
    return found


def _value(content: Any, kind: Any) -> Any:
    if isinstance(kind, dict):
        return _message(content, kind)
    if kind == "str":
        return content.decode()
    if kind == "bytes":
        return content
    if kind == "bool":
        return True if content else None
    if kind in ("int", "set-int"):
        return content if content or kind == "set-int" else None
    if kind == "int-or-string":
        either = _message(content, {1: ("type", "int"), 2: ("int", "set-int"), 3: ("text", "str")})
        # A port that is not set is the number 0.
        return either.get("text") if either.get("type") else either.get("int") or None
    return None


def _entry(content: bytes, kind: str) -> tuple[str, str]:
    parts = dict(_fields(content))
    value = parts.get(2, b"")
    return parts.get(1, b"").decode(), base64.b64encode(value).decode() if kind == "bytes-map" else value.decode()


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Numbers and contents, in the order in which they were written."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
        elif tag & 7 == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("it ends too early")
            yield tag >> 3, data[at : at + size]
            at += size
        else:
            raise ValueError(f"wire type {tag & 7}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
