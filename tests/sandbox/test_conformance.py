"""The same requests to the sandbox and to a real cluster: what both answer has to be alike, so that one does not drift
from the other. What the sandbox knowingly leaves out stands in `LEFT_OUT`."""

import asyncio
import json
import os
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from devloop.adapters.kubeconfig import kubeconfig_files
from devloop.sandbox.cluster import Cluster
from tests.sandbox.client import APPLY, JSON_PATCH, MERGE, STRATEGIC, Answer, Api, Raw, collect, rolled_out
from tests.sandbox.scripted import ScriptedProgram, ScriptedRuntime

pytestmark = pytest.mark.e2e

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
LEFT_OUT = frozenset({
    "metadata.selfLink",
    "status.resources",  # of Pods, since 1.33
    "status.containerStatuses.user",
    "status.containerStatuses.volumeMounts",
    "spec.containers.volumeMounts",  # the token of the service account
    "spec.volumes",
    "spec.serviceAccount",
    "spec.serviceAccountName",
    "metadata.managedFields",  # of controllers: compared for who writes by hand
    "rows.object.metadata.managedFields",  # in the order of their seconds
    "columnDefinitions.description",
})  # fmt: skip
"""Paths that a real object has, and the sandbox's has not."""


@dataclass(frozen=True)
class Ask:
    """A request; `{ns}` is the namespace."""

    method: str
    path: str
    body: Any = None
    type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    exact: bool = True
    """Whether the sentence of a failure has to be the same, too."""


MAPS, WEB = "/api/v1/namespaces/{ns}/configmaps", "/apis/apps/v1/namespaces/{ns}/deployments/web"
DEPLOYMENTS = WEB.rpartition("/")[0]
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"app": "x"}}, "data": {"k": "v"}}
LABELS = {"app": "web"}
CONTAINER = {"name": "web", "image": "IMAGE", "command": ["sleep", "600"], "ports": [{"containerPort": 80}]}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [CONTAINER]}}
DEPLOYMENT: Raw = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
    "spec": {"replicas": 0, "selector": {"matchLabels": LABELS}, "template": TEMPLATE},
}  # fmt: skip
BAD_PROBES: tuple[Raw, ...] = ({}, {"httpGet": {"path": "/"}}, {"tcpSocket": {"port": 99999}}, {"httpGet": {}})
OPTIONS = {"apiVersion": "v1", "kind": "DeleteOptions"}
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases"
REQUESTS = (
    Ask("GET", MAPS + "?fieldSelector=metadata.name=a"),
    Ask("POST", MAPS + "?fieldManager=tester", MAP),
    Ask("POST", MAPS, MAP),
    Ask("GET", MAPS + "/a"),
    Ask("GET", MAPS + "?labelSelector=app%3Dx"),
    Ask("GET", MAPS + "?labelSelector=app%20in%20(x,y),!b"),
    Ask("GET", MAPS + "?labelSelector=a%20b%20c"),
    Ask("GET", MAPS + "?fieldSelector=spec.foo%3Dx"),
    Ask("GET", MAPS + "?resourceVersion=abc"),
    Ask("GET", MAPS + "?limit=1&continue=xyz", exact=False),
    Ask("GET", MAPS + "?limit=abc"),
    Ask("GET", MAPS + "?limit=-1"),
    Ask("GET", MAPS + "?watch=1&timeoutSeconds=abc"),
    Ask("PATCH", MAPS + "/a?fieldManager=tester", {"data": {"k": "w", "l": "1"}}, MERGE),
    Ask("PATCH", MAPS + "/a?fieldManager=other", {"data": {"l": None}}, STRATEGIC),
    Ask("PATCH", MAPS + "/a?fieldManager=other", [{"op": "replace", "path": "/data/k", "value": "x"}], JSON_PATCH),
    Ask("PATCH", MAPS + "/a", [{"op": "test", "path": "/data/k", "value": "no"}], JSON_PATCH),
    Ask("PATCH", MAPS + "/a", {"metadata": {"resourceVersion": "1"}, "data": {"q": "1"}}, MERGE),
    Ask("PATCH", MAPS + "/a", {"data": {}}, "application/json"),
    Ask("PUT", MAPS + "/b", MAP),
    Ask("PUT", MAPS, MAP),
    Ask("POST", MAPS + "/a", MAP),
    Ask("POST", MAPS, b"text", "text/plain", exact=False),
    Ask("POST", MAPS, b"{bad", exact=False),
    Ask("POST", MAPS, {**MAP, "kind": "Secret"}, exact=False),
    Ask("POST", MAPS, {"metadata": {"name": "Bad_Name"}}),
    Ask("POST", MAPS + "?dryRun=All&fieldManager=tester", {"metadata": {"generateName": "a-"}}),
    Ask("POST", "/api/v1/namespaces/no-such/configmaps", MAP),
    Ask("DELETE", MAPS + "/a", {**OPTIONS, "preconditions": {"uid": "1"}}, exact=False),
    Ask("DELETE", MAPS + "/a"),
    Ask("DELETE", MAPS + "/a"),
    Ask("GET", MAPS + "/a"),
    Ask("GET", "/api/v1/nopes"),
    Ask("GET", "/apis/apps/v1/nopes"),
    Ask("GET", WEB),
    Ask("POST", DEPLOYMENTS, {"metadata": {"name": "w"}}),
    *(Ask("POST", DEPLOYMENTS, {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "template": {**TEMPLATE, "spec": {
        "containers": [{"name": "web", "image": "IMAGE", "readinessProbe": probe}]}}}}) for probe in BAD_PROBES),
    Ask("POST", DEPLOYMENTS + "?fieldManager=kubectl-create", DEPLOYMENT),
    Ask("GET", WEB + "/scale"),
    Ask("PATCH", WEB, {"spec": {"selector": {"matchLabels": {"a": "b"}}}}, MERGE),
    Ask("PATCH", WEB, {"metadata": {"uid": "1"}}, STRATEGIC),
    Ask("PATCH", WEB, {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": ""}]}}}}, STRATEGIC),
    Ask("PATCH", WEB + "?fieldManager=devloop",
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "imagePullPolicy": "Always"}]}}}}, STRATEGIC),
    Ask("PATCH", WEB + "?fieldManager=bob", {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 3}}, APPLY),
    Ask("PATCH", WEB, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}, APPLY),
    Ask("GET", DEPLOYMENTS, headers={"Accept": TABLE}),
    Ask("GET", WEB, headers={"Accept": TABLE}),
    Ask("DELETE", WEB + "?gracePeriodSeconds=abc"),
    Ask("DELETE", WEB),
    Ask("POST", LEASES, {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me", "leaseDurationSeconds": 30}}),
    Ask("PATCH", LEASES + "/l", {"spec": {"holderIdentity": "you"}}, MERGE),
    Ask("DELETE", LEASES + "/l", {**OPTIONS, "preconditions": {"resourceVersion": "1"}}, exact=False),
    Ask("DELETE", LEASES + "/l"),
    Ask("POST", REVIEW, {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
                         "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}, exact=False),
    Ask("GET", "/api"),
    Ask("GET", "/api/v1/namespaces/{ns}"),
    Ask("GET", "/api/v1/namespaces/{ns}/pods/nope/log"),
    Ask("GET", "/api/v1/namespaces/{ns}/services/nope:80/proxy/"),
)  # fmt: skip


@dataclass
class Side:
    """One of the two, and the namespace there."""

    api: Api
    namespace: str
    image: str

    async def ask(self, ask: Ask) -> Answer:
        body = json.loads(json.dumps(ask.body).replace("IMAGE", self.image)) if _is_json(ask.body) else ask.body
        return await self.api.send(ask.method, ask.path.replace("{ns}", self.namespace), body, ask.type, **ask.headers)

    def at(self, path: str) -> str:
        return path.replace("{ns}", self.namespace)

    def plain(self, text: str) -> str:
        """A sentence without what differs from run to run."""
        text = text.replace(self.namespace, "NS").replace(self.api.server, "SERVER")
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "UID", text)
        text = re.sub(r"\bweb(-[a-z0-9]+)+\b", "web-X", text)
        text = re.sub(r"\d+(\.\d+)?m?s\b", "TIME", text)
        return re.sub(r"to \S+$|Image size: \d+", "...", text)


@pytest.fixture
async def sides(tmp_path: Path) -> AsyncIterator[tuple[Side, Side]]:
    """The sandbox and the real cluster, each with an empty namespace."""
    image, name = f"{os.environ['DEVLOOP_E2E_REGISTRY']}/busybox:1", f"devloop-e2e-{uuid.uuid4().hex[:8]}"
    nodes = {node: ScriptedRuntime(tmp_path) for node in ("node1", "node2")}
    for node in nodes.values():
        node.begin = _as_it_says
        node.images[image] = f"{image.rpartition(':')[0]}@sha256:{'a' * 64}"
    body = {"metadata": {"name": name, "labels": {"devloop-e2e": "true"}}}
    (real,) = [file for file in kubeconfig_files() if file.exists()][:1]
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(Cluster.start(tmp_path, nodes))
        ours = await stack.enter_async_context(Api.of(cluster.kubeconfig))
        theirs = await stack.enter_async_context(Api.of(real, os.environ["DEVLOOP_E2E_CONTEXT"]))
        for api in (ours, theirs):
            await api.create("/api/v1/namespaces", body)
        try:
            yield Side(ours, name, image), Side(theirs, name, image)
        finally:
            await theirs.send("DELETE", f"/api/v1/namespaces/{name}")


async def test_requests_are_answered_alike(sides: tuple[Side, Side]) -> None:
    ours, theirs = sides
    differences: list[str] = []
    for ask in REQUESTS:
        mine, real = await ours.ask(ask), await theirs.ask(ask)
        what = f"{ask.method} {ask.path} {json.dumps(ask.body) if _is_json(ask.body) else ask.body}"
        if mine.status != real.status:
            differences.append(f"{what}: status {mine.status} instead of {real.status}: {mine.body} {real.body}")
            continue
        differences += [f"{what}: {each}" for each in _differences(mine.body, real.body)]
        if real.status >= 400 and ask.exact and isinstance(real.body, dict):
            said, expected = ours.plain(mine.message), theirs.plain(real.message)
            differences += [f"{what}: says {said!r} instead of {expected!r}"] if said != expected else []
        if real.status < 300 and "fieldManager" in ask.path and _entries(mine.body) != _entries(real.body):
            differences.append(f"{what}: {_entries(mine.body)} instead of {_entries(real.body)}")
    assert not differences, "\n".join(differences)


async def test_watches_tell_alike(sides: tuple[Side, Side]) -> None:
    told = []
    for side in sides:
        path = side.at(MAPS)
        start = (await side.api.get(path))["metadata"]["resourceVersion"]
        await side.api.create(path, MAP)
        for label in ("y", "x"):
            await side.api.patch(f"{path}/a", {"metadata": {"labels": {"app": label}}}, MERGE)
        await side.api.patch(f"{path}/a", {"metadata": {"labels": {"app": "x"}}}, MERGE)
        await side.api.send("DELETE", f"{path}/a")
        selected = f"{path}?labelSelector=app%3Dx&resourceVersion={start}"
        named = f"{path}?fieldSelector=metadata.name%3Da&resourceVersion={start}"
        events = [*await collect(side.api.watch(selected), 4), *await collect(side.api.watch(named), 4)]
        told.append(_seen(events))
    assert told[0] == told[1]


async def test_a_watch_from_what_is_long_over_ends_alike(sides: tuple[Side, Side]) -> None:
    """A cluster that is some minutes old has forgotten nothing yet: then there is nothing to compare."""
    ours, theirs = sides
    watched = [side.api.watch(f"{side.at(MAPS)}?resourceVersion=1&timeoutSeconds=5") for side in (ours, theirs)]
    mine, real = [_seen([event async for event in events]) for events in watched]
    assert [kind for kind, _, _ in mine] == ["ERROR"]
    assert mine == real or "ERROR" not in [kind for kind, _, _ in real]


CRASHES = "test -e /was/here && exec sleep 600; touch /was/here; exit 3"
"""Once; then it runs."""
ENDS = CRASHES.replace("exec sleep 600", "exit 0")


async def test_logs_of_containers_that_ended_are_answered_alike(sides: tuple[Side, Side]) -> None:
    ours, theirs = [await _logs(side) for side in sides]
    assert ours == theirs
    assert theirs["ends", "?previous=true"] == (200, "unable to retrieve container logs for ID")


def _as_it_says(program: ScriptedProgram) -> None:
    """What the programs of the sandbox do, which run nothing."""
    script = program.spec.command[-1]
    if "exit 3" in script and not program.spec.attempt:
        program.exit(3)
    elif "exit 0" in script:
        program.exit(0)


async def _logs(side: Side) -> dict[tuple[str, str], Any]:
    """Of a container that runs again after it crashed, and of one that ended once more."""
    pods = f"/api/v1/namespaces/{side.namespace}/pods"
    spec: Raw = {"restartPolicy": "OnFailure", "volumes": [{"name": "was", "emptyDir": {}}]}
    found: dict[tuple[str, str], Any] = {}
    async with asyncio.timeout(50):
        for name, command, state in (("runs", CRASHES, "running"), ("ends", ENDS, "terminated")):
            container = {
                "name": "web", "image": side.image, "command": ["sh", "-c", f"echo started; {command}"],
                "volumeMounts": [{"name": "was", "mountPath": "/was"}],
            }  # fmt: skip
            body = {"metadata": {"name": name}, "spec": {**spec, "containers": [container]}}
            await side.api.create(pods, body)
            await side.api.until(f"{pods}/{name}", partial(_again, state))
            for query in ("", "?previous=true"):
                found[name, query] = await _log(side, f"{pods}/{name}/log{query}")
    return found


def _again(state: str, pod: Raw) -> bool:
    statuses = pod["status"].get("containerStatuses") or [{"restartCount": 0}]
    return bool(statuses[0]["restartCount"] == 1 and state in statuses[0]["state"])


async def _log(side: Side, path: str) -> Any:
    answer = await side.api.send("GET", path)
    while "/ends/log?previous" in path and answer.body == "started\n":  # its container is removed a moment later
        answer = await side.api.send("GET", path)
    return answer.status, re.sub(r"[a-z]+://[0-9a-f]{64}", "ID", str(answer.body))


def _seen(events: list[Raw]) -> list[Any]:
    return [(each["type"], _shape(each["object"]), each["object"].get("reason")) for each in events]


async def test_a_rollout_is_told_alike(sides: tuple[Side, Side]) -> None:
    ours, theirs = [await _rollout(side) for side in sides]
    assert ours.events == theirs.events
    assert ours.steps == theirs.steps
    for mine, real in zip(ours.objects, theirs.objects, strict=True):
        assert list(_differences(mine, real)) == [], real["kind"]


@dataclass
class Told:
    """What was seen of one rollout."""

    objects: list[Raw]
    """Deployment, ReplicaSet, Pod."""
    events: dict[str, list[tuple[str, str, str]]]
    """Type, reason and message by the kind of what they are about, in order."""
    steps: list[Any]
    """Reasons of the Deployment's conditions, each time that one changed."""


async def _rollout(side: Side) -> Told:
    """One Pod with an image, then a restart by another template."""
    web, pods = side.at(WEB), f"/api/v1/namespaces/{side.namespace}/pods"
    start = (await side.api.get(side.at(DEPLOYMENTS)))["metadata"]["resourceVersion"]
    body = json.loads(json.dumps(DEPLOYMENT).replace("IMAGE", side.image))
    body["spec"]["replicas"] = 1
    body["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    async with asyncio.timeout(50):
        await side.api.create(side.at(DEPLOYMENTS), body)
        await side.api.until(web, rolled_out)
        note = {"spec": {"template": {"metadata": {"annotations": {"again": "1"}}}}}
        await side.api.patch(web, note)
        found = await side.api.until(web, rolled_out)
        listed = await side.api.until(pods, lambda all_: len(all_["items"]) == 1)
        events = f"/api/v1/namespaces/{side.namespace}/events"
        await side.api.until(events, lambda all_: sum(e["reason"] == "Killing" for e in all_["items"]) == 1)
        reasons = [_reasons(event["object"]) for event in await _history(side, start, found)]
    sets = (await side.api.get(f"{side.at(DEPLOYMENTS).replace('deployments', 'replicasets')}"))["items"]
    own = next(each for each in sets if each["spec"]["replicas"])
    return Told(
        [found, {"kind": "ReplicaSet", **own}, {"kind": "Pod", **listed["items"][0]}],
        _told(side, (await side.api.get(events))["items"]),
        [each for index, each in enumerate(reasons) if index == 0 or each != reasons[index - 1]],
    )


async def _history(side: Side, start: str, last: Raw) -> list[Raw]:
    """The Deployment's changes until it is as it was last."""
    found: list[Raw] = []
    async with aclosing(side.api.watch(f"{side.at(DEPLOYMENTS)}?resourceVersion={start}")) as events:
        async for event in events:
            found.append(event)
            if event["object"]["metadata"]["resourceVersion"] == last["metadata"]["resourceVersion"]:
                break
    return found


def _reasons(deployment: Raw) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in deployment["status"].get("conditions") or []}


def _told(side: Side, events: list[Raw]) -> dict[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = {}
    for event in sorted(events, key=lambda e: int(e["metadata"]["resourceVersion"])):
        about = event["involvedObject"]["kind"]
        told = (event["type"], event["reason"], side.plain(event["message"]))
        if about != "Pod":
            found.setdefault(about, []).append(told)
        else:
            # Two Pods, told apart by nothing that both sides share: what is told of any, in the order of the first.
            found.setdefault(about, [])
            found[about] += [told] if told not in found[about] else []
    return found


def _is_json(body: Any) -> bool:
    return body is not None and not isinstance(body, bytes)


def _shape(value: Any) -> Any:
    """Keys and types."""
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items() if key not in {"managedFields", "annotations"}}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return type(value).__name__


def _differences(mine: Any, real: Any, at: str = "") -> Iterator[str]:
    """Where keys or types are not the same."""
    if at in LEFT_OUT or (at.startswith(("items.", "object.")) and at.partition(".")[2] in LEFT_OUT):
        return
    if isinstance(mine, dict) and isinstance(real, dict):
        for key in sorted(mine.keys() | real.keys()):
            path = f"{at}.{key}".strip(".")
            if key in mine and key in real:
                yield from _differences(mine[key], real[key], path)
            elif path not in LEFT_OUT:
                yield f"{path} is {'missing' if key in real else 'too much'}"
    elif isinstance(mine, list) and isinstance(real, list):
        if bool(mine) != bool(real):
            yield f"{at} has {len(mine)} items instead of {len(real)}"
        for one, other in zip(mine[:1], real[:1], strict=False):
            yield from _differences(one, other, at)
    elif type(mine) is not type(real):
        yield f"{at} is {mine!r} instead of {real!r}"


def _entries(body: Raw) -> list[Any]:
    """Who wrote what by hand."""
    found = body["metadata"].get("managedFields") or []
    return [
        (entry["manager"], entry["operation"], entry["fieldsV1"])
        for entry in found
        if entry["manager"] not in {"kube-controller-manager", "kubelet"}
    ]
