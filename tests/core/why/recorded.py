"""Situations of a real cluster, as `tests/e2e/recorder.py` wrote them down, read back as the facts that they were."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from devloop.core.service import WorkloadKey
from devloop.core.status import ContainerRef
from devloop.core.why.chain import chain
from devloop.core.why.diagnosis import diagnose
from devloop.core.why.facts import Facts, Unread
from devloop.core.why.routes import routes_of
from devloop.core.why.subject import NamespaceObjects, newest_of, snapshot_of
from devloop.views.why import Answer, answer_lines

RECORDED = Path(__file__).parents[2] / "data" / "why"


def facts_of(name: str) -> Facts:
    """The facts of one recording; what is made of the cluster's objects is made of them again."""
    told = json.loads((RECORDED / f"{name}.json").read_text("utf-8"))
    kind, _, workload = told["target"].partition("/")
    key = WorkloadKey(told["namespace"], kind, workload)
    objects = made(NamespaceObjects, told["objects"])
    snapshot = snapshot_of(objects, key)
    hints = get_type_hints(Facts)
    read = {field: made(hints[field], told[field]) for field in told.keys() & hints.keys() - {"now", "logs"}}
    routes = Unread("EndpointSlices may not be read here") if objects.slices is None else routes_of(objects, snapshot)
    own: dict[str, Any] = {"newest": newest_of(objects, key), "routes": routes, "logs": _logs(told["logs"])}
    return Facts(now=told["now"], key=key, snapshot=snapshot, **own, **read)


def text_of(name: str) -> str:
    """The plain answer, as a person in UTC reads it."""
    found = facts_of(name)
    causes = diagnose(found)
    answer = Answer(found.key, "kind-dev", chain(found, causes), causes, found.only)
    return "".join(f"{phrase.text}\n" for phrase in answer_lines(answer, found.now, UTC))


def made(kind: Any, value: Any) -> Any:
    """A value of that type out of its JSON."""
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{name: made(hints[name], each) for name, each in value.items()})
    origin, args = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return None if value is None else made(_one_of(args, value), value)
    if origin is tuple:
        return tuple(made(args[0], each) for each in value)
    if origin is frozenset:
        return frozenset(value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {name: made(args[1], each) for name, each in value.items()}
    return value


def _one_of(kinds: tuple[Any, ...], value: Any) -> Any:
    """The one of several types that the value is of: a dataclass whose fields it has, else what is none."""
    classes = [kind for kind in kinds if is_dataclass(kind)]
    fitting = [kind for kind in classes if isinstance(value, dict) and _fits(kind, value.keys())]
    return next(iter([*fitting, *(kind for kind in kinds if kind not in {*classes, NoneType})]))


def _fits(kind: Any, names: Any) -> bool:
    """Whether these may be its fields; those with a default may have come later than the recording."""
    own = {each.name for each in fields(kind)}
    needed = {each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING}
    return needed <= set(names) <= own


def _logs(told: list[dict[str, Any]]) -> dict[ContainerRef, tuple[str, ...]]:
    return {ContainerRef(**{k: v for k, v in each.items() if k != "lines"}): tuple(each["lines"]) for each in told}
