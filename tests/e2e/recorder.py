"""Records what `devloop why` reads of a situation on the cluster, for the pure tests in `tests/core/why/`.

Only where DEVLOOP_WHY_RECORD names a folder: `DEVLOOP_WHY_RECORD=tests/data/why pytest tests/e2e/test_why*.py`. A
recording is a JSON file of the objects as the API server sent them, without what tells of this machine, and of what
registry, engine, source and earlier sessions told, in the fields of `core.why.facts`.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from devloop.adapters.engine import DockerEngine
from devloop.adapters.kube import KubeCluster
from devloop.adapters.kubeobjects import read_namespace
from devloop.adapters.registry import HttpRegistry
from devloop.core.why.facts import Facts, Unread
from devloop.core.why.subject import NamespaceObjects, find
from devloop.session.project import Refusal
from devloop.session.request import Request
from devloop.session.why.gather import Gatherer
from devloop.session.why.target import Question, owners_of, read_question

_READ = ("containers", "references", "known", "created", "controller", "nodes", "expected", "source", "pushes", "only")
"""The facts that are recorded as they are; the others are made again from the objects."""
_COPY = {"kubectl.kubernetes.io/last-applied-configuration", "f:kubectl.kubernetes.io/last-applied-configuration"}


def record(name: str, folder: Path, target: str, *, context: str = "", namespace: str = "") -> None:
    """Write NAME.json when it is asked for; `folder` is where `devloop why TARGET` would be called."""
    if to := os.environ.get("DEVLOOP_WHY_RECORD"):
        path = Path(to).absolute() / f"{name}.json"
        with contextlib.chdir(folder):
            recorded = asyncio.run(_read(Request((target,), context=context, namespace=namespace, writes=False)))
        text = json.dumps(recorded, indent=1, ensure_ascii=False)
        path.write_text(_without_this_machine(text, recorded["namespace"], folder) + "\n")


async def _read(request: Request) -> dict[str, Any]:
    question = await read_question(request, everything=False)
    assert not isinstance(question, Refusal), question.lines
    cluster, engine = KubeCluster(question.place.pinned), DockerEngine()
    registry = HttpRegistry(insecure=engine.insecure_registries)
    try:
        return await _recorded(question, cluster, Gatherer(cluster, registry, engine, question.note))
    finally:
        await registry.close()
        await cluster.close()


async def _recorded(question: Question, cluster: KubeCluster, gatherer: Gatherer) -> dict[str, Any]:
    (target,) = question.targets
    await gatherer.prepare()
    objects = await read_namespace(cluster, target.namespace)
    assert isinstance(objects, NamespaceObjects), objects
    found = find(objects, target.kind, target.name)
    assert found is not None, target
    key, only = found
    facts = await gatherer.facts(objects, key, only, owners_of(question.services, target, key)[0])
    told = {name: _plain(getattr(facts, name)) for name in _READ}
    return {
        "now": facts.now,
        "target": str(key),
        "namespace": key.namespace,
        **told,
        **_logs(facts),
        **_raw(objects, facts),
    }


def _logs(facts: Facts) -> dict[str, Any]:
    """JSON has no keys of three parts."""
    return {"logs": [{**asdict(ref), "lines": list(lines)} for ref, lines in facts.logs.items()]}


def _raw(objects: NamespaceObjects, facts: Facts) -> dict[str, Any]:
    """The workload and its Pods, and what is behind the same Services; of a namespace without others: everything."""
    routes = () if isinstance(facts.routes, Unread) else facts.routes
    names = {pod.name for pod in facts.snapshot.pods} | {name for route in routes for name in route.others}
    pods = [raw for raw in objects.pods if raw["metadata"]["name"] in names]
    uids = {raw["metadata"]["uid"] for raw in pods}
    events = [raw for raw in objects.events or () if raw["involvedObject"].get("uid") in uids]
    told = {each.name: getattr(objects, each.name) for each in fields(objects) if each.name != "nodes"}
    told = {name: _slim(each, name == "workloads") for name, each in told.items()}
    return {"objects": {**told, "pods": _slim(pods, False), "events": _slim(events, False)}}


def _plain(value: Any) -> Any:
    """As JSON; which of several dataclasses it was is told by its fields."""
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted(value)
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Enum) else value


def _slim(value: Any, managed: bool) -> Any:
    """Without what no judgement looks at: who wrote what (but of workloads), and kubectl's own copy of an object."""
    if isinstance(value, Mapping):
        drop = _COPY if managed else {*_COPY, "managedFields"}
        return {key: _slim(each, managed) for key, each in value.items() if key not in drop}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_slim(each, managed) for each in value if not _of_status(each)]
    return value


def _of_status(value: Any) -> bool:
    """What a controller wrote into a status, as managedFields tell it."""
    return isinstance(value, Mapping) and value.get("subresource") == "status"


def _without_this_machine(text: str, namespace: str, folder: Path) -> str:
    return text.replace(namespace, "shop").replace(f"{folder}/", "").replace(str(folder), ".")
