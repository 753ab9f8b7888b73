"""Label and field selectors, as queries and as objects write them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from devloop.sandbox.errors import bad_request
from devloop.sandbox.kinds import Kind

Raw = Mapping[str, Any]
Matches = Callable[[Raw], bool]
_SET = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[^\s!=,()]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s!=,()]*)$")
_EXISTS = re.compile(r"^(?P<not>!)?\s*(?P<key>[^\s!=,()]+)$")
_COMMA = re.compile(r",(?![^()]*\))")


def label_selector(text: str) -> Matches:
    """What `labelSelector=` asks for."""
    terms = [_label_term(part.strip()) for part in _COMMA.split(text) if part.strip()]
    return lambda raw: all(term(raw["metadata"].get("labels") or {}) for term in terms)


def field_selector(text: str, kind: Kind) -> Matches:
    """What `fieldSelector=` asks for."""
    terms = [_field_term(part.strip(), kind) for part in text.split(",") if part.strip()]
    return lambda raw: all(term(raw) for term in terms)


def matches_labels(selector: Raw | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector object selects these labels; an absent one selects nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_expression(each, labels) for each in selector.get("matchExpressions") or ())


def written(selector: Raw | None) -> str:
    """A LabelSelector object as text."""
    wanted = (selector or {}).get("matchLabels") or {}
    parts = [f"{key}={wanted[key]}" for key in sorted(wanted)]
    for each in (selector or {}).get("matchExpressions") or ():
        values = f" ({','.join(sorted(each.get('values') or ()))})"
        parts.append({"Exists": each["key"], "DoesNotExist": f"!{each['key']}"}.get(
            each["operator"], f"{each['key']} {each['operator'].lower()}{values}"))  # fmt: skip
    return ",".join(parts)


def _expression(each: Raw, labels: Mapping[str, str]) -> bool:
    key, values = each["key"], each.get("values") or ()
    found = {
        "In": key in labels and labels[key] in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }
    return found[each["operator"]]


def _label_term(text: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET.match(text):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["op"] == "in":
            return lambda labels: key in labels and labels[key] in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.match(text):
        key, value = found["key"], found["value"]
        if found["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(text):
        key, absent = found["key"], bool(found["not"])
        return lambda labels: (key in labels) != absent
    odd = text.split()[1] if len(text.split()) > 1 else text
    raise bad_request(f"unable to parse requirement: found '{odd}', expected: in, notin, =, ==, !=, gt, lt")


def _field_term(text: str, kind: Kind) -> Matches:
    found = _EQUAL.match(text)
    if found is None:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    known = ("metadata.name", *(("metadata.namespace",) if kind.namespaced else ()), *kind.fields)
    key, value, unequal = found["key"], found["value"], found["op"] == "!="
    if key not in known:
        only = ", ".join(f'"{name}"' for name in known)
        raise bad_request(f'"{key}" is not a known field selector: only {only}')
    return lambda raw: (_field(raw, key) == value) != unequal


def _field(raw: Raw, path: str) -> str:
    value: Any = raw
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    if path == "source":
        value = (raw.get("source") or {}).get("component") or raw.get("reportingComponent")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
