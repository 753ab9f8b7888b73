"""The sandbox's API server: what it answers, in the shape and words of a real one."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from devloop.sandbox import watching
from devloop.sandbox.cluster import Cluster
from tests.sandbox.client import (
    APPLY,
    APPS,
    CORE,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Answer,
    Api,
    Raw,
    collect,
    deployment,
)  # fmt: skip

MAPS = f"{CORE}/configmaps"
WEB = f"{APPS}/deployments/web"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def config_map(name: str, **data: str) -> Raw:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def idle(**container: Any) -> Raw:
    """A Deployment whose Pods nobody waits for."""
    return deployment(replicas=0, **container)


def names(listed: Raw) -> list[str]:
    return [each["metadata"]["name"] for each in listed["items"]]


async def test_created_read_changed_and_deleted(api: Api) -> None:
    made = await api.create(MAPS, config_map("a", colour="red"))
    metadata = made["metadata"]
    assert metadata.keys() == {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "managedFields"}
    assert await api.get(f"{MAPS}/a") == made
    changed = (await api.send("PUT", f"{MAPS}/a", {**made, "data": {"colour": "blue"}})).body
    assert changed["data"] == {"colour": "blue"}
    assert int(changed["metadata"]["resourceVersion"]) > int(metadata["resourceVersion"])
    again = (await api.send("PUT", f"{MAPS}/a", changed)).body
    assert again == changed, "nothing changed, so it is the same version"
    gone = await api.send("DELETE", f"{MAPS}/a")
    assert gone.body["details"] == {"name": "a", "kind": "configmaps", "uid": metadata["uid"]}
    assert (await api.send("GET", f"{MAPS}/a")).status == 404


async def test_a_dry_run_changes_nothing(api: Api) -> None:
    answer = await api.send("POST", f"{MAPS}?dryRun=All", {"metadata": {"generateName": "a-"}})
    assert answer.status == 201
    assert answer.body["metadata"]["name"].startswith("a-")
    assert (await api.get(MAPS))["items"] == []


async def test_an_older_version_is_a_conflict(api: Api) -> None:
    made = await api.create(f"{APPS}/deployments", idle())
    await api.patch(WEB, {"metadata": {"labels": {"a": "b"}}}, MERGE)
    answer = await api.send("PUT", WEB, made)
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert answer.message == (
        'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your '
        "changes to the latest version and try again"
    )
    assert answer.body["details"] == {"name": "web", "group": "apps", "kind": "deployments"}
    for wrong in ({"resourceVersion": "1"}, {"uid": "1"}):
        refused = await api.send("DELETE", WEB, {"kind": "DeleteOptions", "preconditions": wrong})
        assert refused.status == 409
        assert "in the precondition (1) does not match" in refused.message


@pytest.mark.parametrize(
    ("method", "path", "body", "type_", "status", "message"),
    [
        ("GET", f"{APPS}/deployments/nope", None, "", 404, 'deployments.apps "nope" not found'),
        ("GET", "/api/v1/nopes", None, "", 404, "the server could not find the requested resource"),
        ("GET", f"{WEB}/nope", None, "", 404, "the server could not find the requested resource"),
        ("PUT", f"{APPS}/deployments", {}, MERGE,
         405, "the server does not allow this method on the requested resource"),
        ("POST", MAPS, b"x", "text/plain", 415, "the body of the request was in an unknown format"),
        ("PATCH", WEB, {}, "application/json", 415, "415: Unsupported Media Type"),
        ("PATCH", WEB, [{"op": "test", "path": "/metadata/name", "value": "x"}], JSON_PATCH,
         422, "the server rejected"),
        ("POST", MAPS, b"{bad", "application/json", 400, "the object provided is unrecognized (must be of type"),
        ("POST", MAPS, {"kind": "Secret", "metadata": {"name": "a"}}, "application/json", 400, "Secret in version"),
        ("POST", MAPS, config_map("Bad_Name"), "application/json",
         422, 'ConfigMap "Bad_Name" is invalid: metadata.name'),
        ("POST", "/api/v1/namespaces/no/configmaps", config_map("a"), "application/json",
         404, 'namespaces "no" not found'),
        ("POST", f"{APPS}/deployments", idle(), "application/json", 409, 'deployments.apps "web" already exists'),
        ("PATCH", WEB, {"spec": {"replicas": "x"}}, MERGE, 400, 'Deployment in version "v1" cannot be handled'),
        ("PATCH", WEB, {"metadata": {"uid": "1"}}, MERGE,
         422, 'Deployment.apps "web" is invalid: metadata.uid: Invalid'),
        ("PATCH", WEB, {"spec": {"selector": {"matchLabels": {"a": "b"}}}}, MERGE,
         422, 'Deployment.apps "web" is invalid'),
        ("GET", f"{MAPS}?labelSelector=a%20b%20c", None, "", 400, "unable to parse requirement: found 'b'"),
        ("GET", f"{MAPS}?fieldSelector=spec.foo%3Dx", None, "", 400, '"spec.foo" is not a known field selector'),
        ("GET", f"{MAPS}?resourceVersion=abc", None, "", 400, "invalid resource version"),
        ("GET", f"{MAPS}?resourceVersion=99999999", None, "", 504, "Timeout: Too large resource version"),
        ("GET", f"{MAPS}?limit=1&continue=xyz", None, "", 400, "invalid continue token"),
    ],
)  # fmt: skip
async def test_what_is_refused(
    api: Api, method: str, path: str, body: Any, type_: str, status: int, message: str
) -> None:
    await api.create(f"{APPS}/deployments", idle())
    answer = await api.send(method, path, body, type_)
    assert (answer.status, answer.body["kind"], answer.body["status"]) == (status, "Status", "Failure"), answer
    assert answer.message.startswith(message)
    assert answer.body["code"] == status


async def test_all_that_is_wrong_with_an_object_is_named(api: Api) -> None:
    answer = await api.send("POST", f"{APPS}/deployments", {"metadata": {"name": "w"}})
    assert answer.message == (
        'Deployment.apps "w" is invalid: [spec.selector: Required value, spec.template.metadata.labels: Invalid value: '
        "null: `selector` does not match template `labels`, spec.template.spec.containers: Required value]"
    )
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == [
        "spec.selector", "spec.template.metadata.labels", "spec.template.spec.containers",
    ]  # fmt: skip


async def test_nobody_is_let_in_without_the_token(api: Api, cluster: Cluster) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False), headers=headers) as session:
            stranger = await Api(api.server, session).send("GET", "/version")
        assert (stranger.status, stranger.body["reason"]) == (401, "Unauthorized")
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(api.server)


async def test_lists_are_selected_by_labels_and_fields(api: Api) -> None:
    for name, labels in (("a", {"app": "x"}), ("b", {"app": "y", "tier": "back"}), ("c", {})):
        body = config_map(name)
        body["metadata"]["labels"] = labels
        await api.create(MAPS, body)
    for selector, expected in {
        "app=x": ["a"], "app!=x": ["b", "c"], "app": ["a", "b"], "!app": ["c"], "app in (x,y),tier": ["b"],
        "app notin (x)": ["b", "c"], "app==y,tier=back": ["b"],
    }.items():  # fmt: skip
        assert names(await api.get(f"{MAPS}?labelSelector={selector}")) == expected, selector
    assert names(await api.get(f"{MAPS}?fieldSelector=metadata.name=b")) == ["b"]
    assert names(await api.get(f"{MAPS}?fieldSelector=metadata.name!=b")) == ["a", "c"]


async def test_a_list_in_pages_is_one_picture(api: Api) -> None:
    for name in "abc":
        await api.create(MAPS, config_map(name))
    first = await api.get(f"{MAPS}?limit=2")
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["a", "b"], 1)
    await api.create(MAPS, config_map("d"))
    await api.send("DELETE", f"{MAPS}/c")
    rest = await api.get(f"{MAPS}?limit=2&continue={first['metadata']['continue']}")
    assert names(rest) == ["c"], "what came and went in between is for a watch from there on"
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    events = await collect(api.watch(f"{MAPS}?resourceVersion={rest['metadata']['resourceVersion']}"), 2)
    assert [(e["type"], e["object"]["metadata"]["name"]) for e in events] == [("ADDED", "d"), ("DELETED", "c")]


async def test_a_page_of_a_picture_that_is_forgotten(api: Api, cluster: Cluster) -> None:
    for name in "ab":
        await api.create(MAPS, config_map(name))
    token = (await api.get(f"{MAPS}?limit=1"))["metadata"]["continue"]
    await api.create(MAPS, config_map("c"))
    cluster.resources.store.forget()
    answer = await api.send("GET", f"{MAPS}?limit=1&continue={token}")
    assert (answer.status, answer.body["reason"]) == (410, "Expired")


async def test_a_watch_tells_each_change_in_order(api: Api) -> None:
    start = (await api.get(MAPS))["metadata"]["resourceVersion"]
    await api.create(MAPS, config_map("a"))
    await api.patch(f"{MAPS}/a", {"data": {"x": "1"}}, MERGE)
    await api.send("DELETE", f"{MAPS}/a")
    events = await collect(api.watch(f"{MAPS}?resourceVersion={start}"), 3)
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))
    assert events[2]["object"]["data"] == {"x": "1"}


async def test_a_watch_without_a_version_begins_with_what_is_there(api: Api) -> None:
    await api.create(MAPS, config_map("a"))
    (event,) = await collect(api.watch(MAPS), 1)
    assert (event["type"], event["object"]["kind"], event["object"]["apiVersion"]) == ("ADDED", "ConfigMap", "v1")
    events = await collect(api.watch(f"{MAPS}?sendInitialEvents=true&allowWatchBookmarks=true"
                                     "&resourceVersionMatch=NotOlderThan"), 2)  # fmt: skip
    assert events[1]["type"] == "BOOKMARK"
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_what_enters_and_leaves_a_selection_is_added_and_deleted(api: Api) -> None:
    made = await api.create(MAPS, config_map("a"))
    for labels in ({"app": "x"}, {"app": "y"}):
        await api.patch(f"{MAPS}/a", {"metadata": {"labels": labels}}, MERGE)
    path = f"{MAPS}?labelSelector=app=x&resourceVersion={made['metadata']['resourceVersion']}"
    events = await collect(api.watch(path), 2)
    assert [event["type"] for event in events] == ["ADDED", "DELETED"]
    assert events[1]["object"]["metadata"]["labels"] == {"app": "x"}, "as it was last seen"


async def test_a_version_that_is_forgotten_ends_a_watch(api: Api, cluster: Cluster) -> None:
    old = (await api.get(MAPS))["metadata"]["resourceVersion"]
    await api.create(MAPS, config_map("a"))
    cluster.resources.store.forget()
    events = [event async for event in api.watch(f"{MAPS}?resourceVersion={old}")]
    assert [event["type"] for event in events] == ["ERROR"]
    assert (events[0]["object"]["code"], events[0]["object"]["reason"]) == (410, "Expired")


async def test_bookmarks_come_while_nothing_happens(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "BOOKMARK_EVERY", 0.01)
    now = (await api.get(MAPS))["metadata"]["resourceVersion"]
    (event,) = await collect(api.watch(f"{MAPS}?resourceVersion={now}&allowWatchBookmarks=true"), 1)
    assert event["type"] == "BOOKMARK"
    assert int(event["object"]["metadata"]["resourceVersion"]) >= int(now)


async def test_a_watch_ends_when_its_time_is_over(api: Api) -> None:
    assert [event async for event in api.watch(f"{MAPS}?timeoutSeconds=1")] == []


async def test_generation_counts_what_is_asked_for(api: Api) -> None:
    await api.create(f"{APPS}/deployments", idle())
    labelled = await api.patch(WEB, {"metadata": {"labels": {"a": "b"}}}, MERGE)
    assert labelled["metadata"]["generation"] == 1
    annotated = await api.patch(WEB, {"metadata": {"annotations": {"a": "b"}}}, MERGE)
    assert annotated["metadata"]["generation"] == 2, "a Deployment's controller reads its annotations"
    asked = await api.patch(WEB, {"spec": {"minReadySeconds": 1}}, MERGE)
    assert asked["metadata"]["generation"] == 3


async def test_status_and_the_rest_are_written_apart(api: Api) -> None:
    await api.create(f"{APPS}/deployments", idle())
    both = {"spec": {"minReadySeconds": 3}, "status": {"collisionCount": 7}}
    changed = await api.patch(WEB, both, MERGE)
    assert "collisionCount" not in changed["status"]
    changed = await api.patch(f"{WEB}/status", {**both, "spec": {"minReadySeconds": 9}}, MERGE)
    assert (changed["spec"]["minReadySeconds"], changed["status"]["collisionCount"]) == (3, 7)


async def test_scale(api: Api) -> None:
    await api.create(f"{APPS}/deployments", idle())
    scale = await api.get(f"{WEB}/scale")
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {})
    assert scale["status"] == {"replicas": 0, "selector": "app=web"}
    answer = await api.send("PUT", f"{WEB}/scale", {**scale, "spec": {"replicas": 2}})
    assert answer.status in {200, 409}, "its controller may have been faster"


async def test_both_kinds_of_events_are_the_same_events(api: Api) -> None:
    newer = "/apis/events.k8s.io/v1/namespaces/default/events"
    about = {"kind": "ConfigMap", "namespace": "default", "name": "a", "uid": "1"}
    body = {"metadata": {"name": "e"}, "regarding": about, "note": "hello", "reason": "Why", "type": "Normal"}
    made = await api.create(newer, {**body, "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "me"})
    assert (made["apiVersion"], made["note"]) == ("events.k8s.io/v1", "hello")
    found = await api.get(f"{CORE}/events/e")
    assert (found["apiVersion"], found["message"], found["involvedObject"]) == ("v1", "hello", about)
    assert names(await api.get(f"{newer}?fieldSelector=regarding.name=a")) == ["e"]
    assert names(await api.get(f"{CORE}/events?fieldSelector=involvedObject.name=a,reason=Why")) == ["e"]


async def test_tables(api: Api) -> None:
    await api.create(f"{APPS}/deployments", idle())
    answer = await api.send("GET", f"{APPS}/deployments", Accept=f"{TABLE},application/json")
    assert (answer.body["kind"], answer.body["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    columns = [c["name"] for c in answer.body["columnDefinitions"] if not c["priority"]]
    assert columns == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    (row,) = answer.body["rows"]
    assert row["cells"][:4] == ["web", "0/0", 0, 0]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    for path in ("/api/v1/nodes", "/api/v1/namespaces", f"{CORE}/pods", f"{CORE}/events", f"{CORE}/services",
                 f"{APPS}/replicasets", f"{APPS}/statefulsets", "/apis/discovery.k8s.io/v1/endpointslices",
                 "/apis/coordination.k8s.io/v1/leases", f"{CORE}/secrets", f"{CORE}/serviceaccounts"):  # fmt: skip
        assert (await api.send("GET", path, Accept=TABLE)).body["kind"] == "Table", path


async def test_discovery_names_what_there_is(api: Api) -> None:
    assert (await api.get("/api"))["versions"] == ["v1"]
    groups = [group["name"] for group in (await api.get("/apis"))["groups"]]
    assert {"apps", "coordination.k8s.io", "events.k8s.io"} <= set(groups)
    resources = {each["name"] for each in (await api.get("/apis/apps/v1"))["resources"]}
    assert {"deployments", "deployments/scale", "deployments/status", "replicasets"} <= resources
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    found = await api.send("GET", "/apis", Accept=accept)
    assert found.body["kind"] == "APIGroupDiscoveryList"
    assert {item["metadata"]["name"] for item in found.body["items"]} == set(groups)
    assert (await api.get("/version"))["gitVersion"].endswith("devloop-sandbox")


async def test_who_asks_may_do_anything(api: Api) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    attributes = {"resourceAttributes": {"verb": "patch", "resource": "deployments"}}
    found = await api.create(path, {"kind": "SelfSubjectAccessReview", "spec": attributes})
    assert (found["spec"], found["status"]) == (attributes, {"allowed": True})
    review = await api.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", {"kind": "SelfSubjectReview"})
    assert review["status"]["userInfo"]["username"] == "devloop-sandbox"


async def test_the_registry_is_told_as_kep_1755_has_it(api: Api) -> None:
    found = await api.get("/api/v1/namespaces/kube-public/configmaps/local-registry-hosting")
    assert "host: 127.0.0.1:5000" in found["data"]["localRegistryHosting.v1"]


async def test_finalizers_keep_an_object(api: Api) -> None:
    body = config_map("a")
    body["metadata"]["finalizers"] = ["example.com/wait"]
    await api.create(MAPS, body)
    marked = await api.send("DELETE", f"{MAPS}/a")
    assert marked.body["metadata"]["deletionTimestamp"]
    assert (await api.get(f"{MAPS}/a"))["metadata"]["finalizers"] == ["example.com/wait"]
    await api.patch(f"{MAPS}/a", {"metadata": {"finalizers": None}}, MERGE)
    assert (await api.send("GET", f"{MAPS}/a")).status == 404


async def test_a_collection_is_deleted(api: Api) -> None:
    for name in "ab":
        await api.create(MAPS, config_map(name))
    assert (await api.send("DELETE", f"{MAPS}?fieldSelector=metadata.name=a")).status == 200
    assert names(await api.get(MAPS)) == ["b"]


async def apply(api: Api, manager: str, spec: Raw, *, force: bool = False) -> Answer:
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    return await api.send("PATCH", f"{WEB}?fieldManager={manager}&force={str(force).lower()}", body, APPLY)


async def test_server_side_apply(api: Api) -> None:
    whole = idle()["spec"]
    made = await apply(api, "helm", whole)
    assert made.status == 201
    conflict = await apply(api, "bob", {"replicas": 3})
    assert conflict.message == 'Apply failed with 1 conflict: conflict with "helm" using apps/v1: .spec.replicas'
    assert conflict.body["details"]["causes"][0]["reason"] == "FieldManagerConflict"
    forced = await apply(api, "bob", {"replicas": 3, "minReadySeconds": 1}, force=True)
    assert forced.body["spec"]["replicas"] == 3
    kept = await apply(api, "bob", {"replicas": 3})
    assert "minReadySeconds" not in kept.body["spec"], "nobody asks for it any more"
    whole["template"]["spec"]["containers"][0] |= {"env": [{"name": "A", "value": "1"}]}
    del whole["replicas"]
    assert (await apply(api, "helm", whole)).status == 200
    del whole["template"]["spec"]["containers"][0]["env"]
    again = await apply(api, "helm", whole)
    assert "env" not in again.body["spec"]["template"]["spec"]["containers"][0]
    assert again.body["spec"]["replicas"] == 3
    assert (await apply(api, "", {"replicas": 1})).status == 422


async def test_a_field_taken_by_a_patch_conflicts_with_its_owners_apply(api: Api) -> None:
    whole = idle()["spec"]
    await apply(api, "helm", whole)
    container = {"name": "web", "image": "r/app:2"}
    await api.patch(WEB, {"spec": {"template": {"spec": {"containers": [container]}}}}, STRATEGIC, "devloop")
    whole["template"]["spec"]["containers"][0]["image"] = "r/app:3"
    answer = await apply(api, "helm", whole)
    assert answer.message == (
        'Apply failed with 1 conflict: conflict with "devloop" using apps/v1: '
        '.spec.template.spec.containers[name="web"].image'
    )


async def test_nothing_listens_after_the_end(tmp_path: Path) -> None:
    async with Cluster.start(tmp_path, {}) as cluster:
        port = cluster.server.port
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"https://127.0.0.1:{port}/")
