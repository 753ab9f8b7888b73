"""The environment of a container: what its spec names, and what it refers to."""

import base64
import re
from collections.abc import Mapping
from typing import Any

from devloop.sandbox import kinds
from devloop.sandbox.resources import Resources

Raw = dict[str, Any]
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


class ConfigError(Exception):
    """Something that the spec refers to is not there; the text is what the kubelet would say."""


def environment(resources: Resources, pod: Raw, container: Raw, extra: Mapping[str, str]) -> dict[str, str]:
    """`extra` is what every container on the node gets; the spec's own comes over it."""
    found = dict(extra)
    for source in container.get("envFrom") or []:
        found |= _all_of(resources, pod, source)
    for each in container.get("env") or []:
        found[each["name"]] = _value(resources, pod, each, found)
    return found


def expanded(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` as Kubernetes expands it in commands and values."""
    return _REFERENCE.sub(lambda m: "$" if m[1] is None else env.get(m[1], m[0]), text)


def _value(resources: Resources, pod: Raw, each: Raw, found: Mapping[str, str]) -> str:
    source = each.get("valueFrom") or {}
    if reference := source.get("fieldRef"):
        return _field(pod, reference["fieldPath"])
    for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if reference := source.get(key):
            data = _data(resources, pod, kind, reference)
            if reference["key"] not in data and not reference.get("optional"):
                at = f"{pod['metadata']['namespace']}/{reference['name']}"
                raise ConfigError(f"couldn't find key {reference['key']} in {kind} {at}")
            return data.get(reference["key"], "")
    return expanded(str(each.get("value", "")), found)


def _all_of(resources: Resources, pod: Raw, source: Raw) -> dict[str, str]:
    prefix = source.get("prefix", "")
    for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        if reference := source.get(key):
            return {prefix + name: value for name, value in _data(resources, pod, kind, reference).items()}
    return {}


def _data(resources: Resources, pod: Raw, kind: str, reference: Raw) -> dict[str, str]:
    found = resources.find(kinds.named(kind), pod["metadata"]["namespace"], reference["name"])
    if found is None:
        if reference.get("optional"):
            return {}
        raise ConfigError(f'{kind.lower()} "{reference["name"]}" not found')
    if kind == "Secret":
        return {
            key: base64.b64decode(value).decode(errors="replace") for key, value in (found.get("data") or {}).items()
        }
    return dict(found.get("data") or {})


def _field(pod: Raw, path: str) -> str:
    short = {"spec.nodeName": pod["spec"].get("nodeName"), "spec.serviceAccountName": "default",
             "status.podIP": pod["status"].get("podIP"), "status.hostIP": pod["status"].get("hostIP")}  # fmt: skip
    if path in short:
        return str(short[path] or "")
    kind, _, key = path.removeprefix("metadata.").partition("[")
    value = pod["metadata"].get(kind, "")
    return str(value.get(key.strip("]'\""), "")) if isinstance(value, dict) else str(value)
