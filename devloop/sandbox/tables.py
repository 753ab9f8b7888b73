"""What `kubectl get` prints: Tables, which the server makes."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from devloop.sandbox import times
from devloop.sandbox.kinds import Kind
from devloop.sandbox.selectors import written

Raw = dict[str, Any]


class Column(NamedTuple):
    """A column and how its cell is made."""

    name: str
    cell: Callable[[Raw], Any]
    wide: bool = False
    type: str = "string"


def table(kind: Kind, items: Sequence[Raw], metadata: Raw, include: str, *, head: bool = True) -> Raw:
    """`include`: what comes with each row: `Metadata` (if empty), `Object` or `None`."""
    columns = COLUMNS.get(kind.name, _PLAIN)
    definitions = [_definition(column) for column in columns] if head else None
    rows = [{"cells": [column.cell(raw) for column in columns], **_object(kind, raw, include)} for raw in items]
    return {
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows,
    }  # fmt: skip


def _definition(column: Column) -> Raw:
    format_ = "name" if column.name == "Name" else ""
    return {"name": column.name, "type": column.type, "format": format_, "description": "",
            "priority": int(column.wide)}  # fmt: skip


def _object(kind: Kind, raw: Raw, include: str) -> Raw:
    if include == "None":
        return {}
    if include == "Object":
        return {"object": {"apiVersion": kind.api_version, "kind": kind.name, **raw}}
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return {"object": {**partial, "metadata": raw["metadata"]}}


def _name(raw: Raw) -> str:
    return str(raw["metadata"]["name"])


def _age(raw: Raw) -> str:
    return times.age(raw["metadata"].get("creationTimestamp"))


def _spec(raw: Raw) -> Raw:
    return raw.get("spec") or {}


def _status(raw: Raw) -> Raw:
    return raw.get("status") or {}


def _template(raw: Raw) -> list[Raw]:
    return list(_spec(raw).get("template", {}).get("spec", {}).get("containers") or [])


def _count(key: str) -> Callable[[Raw], int]:
    return lambda raw: int(_status(raw).get(key) or 0)


def _pod_ready(raw: Raw) -> str:
    statuses = _status(raw).get("containerStatuses") or []
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{len(_spec(raw).get('containers') or [])}"


def _pod_status(raw: Raw) -> str:
    """One word for a Pod, by the rules of the real server's printer."""
    status = _status(raw)
    reason = status.get("reason") or status.get("phase") or "Unknown"
    starting = _initializing(raw)
    if starting:
        reason = starting
    else:
        for each in reversed(status.get("containerStatuses") or []):
            reason = _container_word(each) or reason
        states = [each.get("state", {}) for each in status.get("containerStatuses") or []]
        if reason == "Completed" and any("running" in state for state in states):
            reason = "Running" if _is_ready(status) else "NotReady"
    if raw["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str(reason)


def _initializing(raw: Raw) -> str:
    containers = _spec(raw).get("initContainers") or []
    for index, each in enumerate(_status(raw).get("initContainerStatuses") or []):
        state = each.get("state", {})
        if (state.get("terminated") or {}).get("exitCode") == 0:
            continue
        word = _container_word(each)
        return f"Init:{word}" if word and word != "PodInitializing" else f"Init:{index}/{len(containers)}"
    return ""


def _container_word(status: Raw) -> str:
    state = status.get("state", {})
    if (waiting := state.get("waiting")) and waiting.get("reason"):
        return str(waiting["reason"])
    if terminated := state.get("terminated"):
        return str(terminated.get("reason") or f"ExitCode:{terminated.get('exitCode')}")
    return ""


def _is_ready(status: Raw) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or [])


def _restarts(raw: Raw) -> str:
    statuses = _status(raw).get("containerStatuses") or []
    count = sum(int(s.get("restartCount") or 0) for s in statuses)
    ended = [t["finishedAt"] for s in statuses if (t := (s.get("lastState") or {}).get("terminated"))]
    return f"{count} ({times.age(max(ended))} ago)" if count and ended else str(count)


def _node_status(raw: Raw) -> str:
    return "Ready" if _is_ready(_status(raw)) else "NotReady"


def _info(key: str) -> Callable[[Raw], str]:
    return lambda raw: str(_status(raw).get("nodeInfo", {}).get(key) or "<unknown>")


def _address(raw: Raw) -> str:
    found = (a["address"] for a in _status(raw).get("addresses") or [] if a["type"] == "InternalIP")
    return str(next(found, "<none>"))


def _ports(raw: Raw) -> str:
    ports = _spec(raw).get("ports") or []
    return ",".join(f"{p['port']}/{p.get('protocol', 'TCP')}" for p in ports) or "<none>"


def _addresses(raw: Raw) -> str:
    found = [address for each in raw.get("endpoints") or [] for address in each.get("addresses") or []]
    return ",".join(found) or "<unset>"


def _slice_ports(raw: Raw) -> str:
    return ",".join(str(port.get("port")) for port in raw.get("ports") or []) or "<unset>"


def _event_time(raw: Raw) -> str:
    series = (raw.get("series") or {}).get("lastObservedTime")
    return times.age(series or raw.get("lastTimestamp") or raw.get("eventTime") or raw["metadata"]["creationTimestamp"])


def _about(raw: Raw) -> str:
    about = raw.get("involvedObject") or raw.get("regarding") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _event_source(raw: Raw) -> str:
    source = raw.get("source") or {}
    component = source.get("component") or raw.get("reportingComponent")
    parts = (component, source.get("host") or raw.get("reportingInstance"))
    return ", ".join(part for part in parts if part)


def _images(raw: Raw) -> str:
    return ",".join(c["image"] for c in _template(raw))


def _containers(raw: Raw) -> str:
    return ",".join(c["name"] for c in _template(raw))


NAME, AGE = Column("Name", _name), Column("Age", _age)
_OF_TEMPLATE = (
    Column("Containers", _containers, True),
    Column("Images", _images, True),
    Column("Selector", lambda raw: written(_spec(raw).get("selector")), True),
)
_PLAIN = (NAME, AGE)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "ConfigMap": (NAME, Column("Data", lambda raw: len(raw.get("data") or {}), type="string"), AGE),
    "Deployment": (
        NAME,
        Column("Ready", lambda raw: f"{_count('readyReplicas')(raw)}/{_spec(raw).get('replicas', 1)}"),
        Column("Up-to-date", _count("updatedReplicas")),
        Column("Available", _count("availableReplicas")),
        AGE,
        *_OF_TEMPLATE,
    ),
    "EndpointSlice": (
        NAME,
        Column("AddressType", lambda raw: raw.get("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _addresses),
        AGE,
    ),
    "Event": (
        Column("Last Seen", _event_time),
        Column("Type", lambda raw: raw.get("type")),
        Column("Reason", lambda raw: raw.get("reason")),
        Column("Object", _about),
        Column("Subobject", lambda raw: (raw.get("involvedObject") or {}).get("fieldPath", ""), True),
        Column("Source", _event_source, True),
        Column("Message", lambda raw: str(raw.get("message") or raw.get("note") or "").strip()),
        Column("First Seen", lambda raw: times.age(raw.get("firstTimestamp") or raw.get("eventTime")), True),
        Column("Count", lambda raw: raw.get("count") or 1, True),
        Column("Name", _name, True),
    ),
    "Lease": (NAME, Column("Holder", lambda raw: _spec(raw).get("holderIdentity", "")), AGE),
    "Namespace": (NAME, Column("Status", lambda raw: _status(raw).get("phase", "")), AGE),
    "Node": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", lambda _: "<none>"),
        AGE,
        Column("Version", _info("kubeletVersion")),
        Column("Internal-IP", _address, True),
        Column("External-IP", lambda _: "<none>", True),
        Column("OS-Image", _info("osImage"), True),
        Column("Kernel-Version", _info("kernelVersion"), True),
        Column("Container-Runtime", _info("containerRuntimeVersion"), True),
    ),
    "Pod": (
        NAME,
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        AGE,
        Column("IP", lambda raw: _status(raw).get("podIP") or "<none>", True),
        Column("Node", lambda raw: _spec(raw).get("nodeName") or "<none>", True),
        Column("Nominated Node", lambda _: "<none>", True),
        Column("Readiness Gates", lambda _: "<none>", True),
    ),
    "ReplicaSet": (
        NAME,
        Column("Desired", lambda raw: _spec(raw).get("replicas", 1), type="integer"),
        Column("Current", _count("replicas"), type="integer"),
        Column("Ready", _count("readyReplicas"), type="integer"),
        AGE,
        *_OF_TEMPLATE,
    ),
    "Secret": (
        NAME,
        Column("Type", lambda raw: raw.get("type", "")),
        Column("Data", lambda raw: len(raw.get("data") or {})),
        AGE,
    ),
    "Service": (
        NAME,
        Column("Type", lambda raw: _spec(raw).get("type", "")),
        Column("Cluster-IP", lambda raw: _spec(raw).get("clusterIP") or "<none>"),
        Column("External-IP", lambda _: "<none>"),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", lambda raw: written({"matchLabels": _spec(raw).get("selector")}) or "<none>", True),
    ),
}
