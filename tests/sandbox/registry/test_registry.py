"""The registry as clients use it: uploads of every kind, ranges, mounts, tags, errors; and devloop's own client."""

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from devloop.adapters.registry import HttpRegistry
from devloop.core.failure import Failure
from devloop.core.image import ImageRef, ResolvedImage, sha256_of
from devloop.sandbox.baseimage import put_base_image
from devloop.sandbox.registry.login import authorization, docker_config
from devloop.sandbox.registry.server import Registry
from tests.sandbox.images import INDEX, MANIFEST, layer, push, put

BLOB = b"0123456789"
DIGEST = sha256_of(BLOB)


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    async with Registry(tmp_path / "registry") as started:
        yield started


@pytest.fixture
async def client(registry: Registry) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://{registry.host}") as session:
        yield session


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Registry]:
    async with Registry(tmp_path / "guarded", token="s3cret") as started:
        yield started


async def begin(client: aiohttp.ClientSession, name: str = "app") -> str:
    async with client.post(f"/v2/{name}/blobs/uploads/") as answer:
        assert (answer.status, answer.headers["Range"]) == (202, "0-0")
        return answer.headers["Location"]


async def refused(request: Awaitable[aiohttp.ClientResponse]) -> tuple[int, str]:
    """Status and code of an error, which is told as the specification has it."""
    answer = await request
    (error,) = (await answer.json())["errors"]
    assert error["message"]
    answer.release()
    return answer.status, error["code"]


async def content(client: aiohttp.ClientSession, digest: str = DIGEST, name: str = "app") -> bytes | None:
    async with client.get(f"/v2/{name}/blobs/{digest}") as answer:
        return await answer.read() if answer.status == 200 else None


async def test_it_listens_on_loopback_alone_and_on_the_same_port_again(registry: Registry, tmp_path: Path) -> None:
    host = registry.host
    assert host.startswith("127.0.0.1:")
    await push(registry, "app", "dev", [layer({"a": "a"})])
    await registry.close()
    await registry.start()
    assert registry.host == host
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}/v2/app/tags/list") as answer:
        assert await answer.json() == {"name": "app", "tags": ["dev"]}
    await registry.close()
    async with (
        Registry(tmp_path / "registry") as later,
        aiohttp.ClientSession(f"http://{later.host}") as session,
        session.get("/v2/app/manifests/dev") as answer,
    ):
        assert answer.status == 200


async def test_a_blob_in_one_request(client: aiohttp.ClientSession) -> None:
    async with client.post(f"/v2/app/blobs/uploads/?digest={DIGEST}", data=BLOB) as answer:
        headers = answer.headers["Location"], answer.headers["Docker-Content-Digest"]
        assert (answer.status, headers) == (201, (f"/v2/app/blobs/{DIGEST}", DIGEST))
    assert await content(client) == BLOB


async def test_a_blob_in_two_requests(client: aiohttp.ClientSession) -> None:
    async with client.put(f"{await begin(client)}?digest={DIGEST}", data=BLOB) as answer:
        assert answer.status == 201
    assert await content(client) == BLOB


async def test_a_blob_in_chunks(client: aiohttp.ClientSession) -> None:
    where = await begin(client)
    for at, chunk in ((0, BLOB[:4]), (4, BLOB[4:7])):
        headers = {"Content-Range": f"{at}-{at + len(chunk) - 1}"}
        async with client.patch(where, data=chunk, headers=headers) as answer:
            assert (answer.status, answer.headers["Range"]) == (202, f"0-{at + len(chunk) - 1}")
    async with client.get(where) as answer:
        assert (answer.status, answer.headers["Range"]) == (204, "0-6")
    again = client.patch(where, data=BLOB[:4], headers={"Content-Range": "0-3"})
    assert await refused(again) == (416, "BLOB_UPLOAD_INVALID")
    assert await refused(client.patch(where, data=b"x", headers={"Content-Range": "7-9"})) == (400, "SIZE_INVALID")
    async with client.put(f"{where}?digest={DIGEST}", data=BLOB[7:]) as answer:
        assert answer.status == 201
    assert await content(client) == BLOB
    assert await refused(client.get(where)) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_a_blob_as_a_stream(client: aiohttp.ClientSession) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for at in range(len(BLOB)):
            yield BLOB[at : at + 1]

    where = await begin(client)
    async with client.patch(where, data=stream()) as answer:
        assert (answer.status, answer.headers["Range"]) == (202, "0-9")
    async with client.put(f"{where}?digest=sha512:{hashlib.sha512(BLOB).hexdigest()}") as answer:
        assert answer.status == 201
    assert await content(client, f"sha512:{hashlib.sha512(BLOB).hexdigest()}") == BLOB


async def test_an_upload_that_is_wrong_or_cancelled_leaves_nothing(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    assert await refused(client.put(f"{await begin(client)}?digest={DIGEST}", data=b"no")) == (400, "DIGEST_INVALID")
    where = await begin(client)
    async with client.delete(where) as answer:
        assert answer.status == 204
    assert await refused(client.put(f"{where}?digest={DIGEST}", data=BLOB)) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert await refused(client.put(await begin(client), data=BLOB)) == (400, "DIGEST_INVALID")
    assert await content(client) is None
    assert len(list((tmp_path / "registry/uploads").iterdir())) == 1


async def test_two_ends_of_one_upload_at_a_time(client: aiohttp.ClientSession) -> None:
    where = await begin(client)
    answers = await asyncio.gather(*(client.put(f"{where}?digest={DIGEST}", data=BLOB) for _ in range(2)))
    assert 201 in {answer.status for answer in answers}
    assert {answer.status for answer in answers} <= {201, 400, 404}
    for answer in answers:
        answer.release()


async def test_head_and_ranges(client: aiohttp.ClientSession) -> None:
    await client.post(f"/v2/app/blobs/uploads/?digest={DIGEST}", data=BLOB)
    path = f"/v2/app/blobs/{DIGEST}"
    async with client.head(path) as answer:
        headers = answer.headers["Content-Length"], answer.headers["Docker-Content-Digest"]
        assert (answer.status, headers, await answer.read()) == (200, ("10", DIGEST), b"")
    async with client.get(path, headers={"Range": "bytes=2-4"}) as answer:
        assert (answer.status, answer.headers["Content-Range"]) == (206, "bytes 2-4/10")
        assert await answer.read() == b"234"
    async with client.get(path, headers={"Range": "bytes=20-"}) as answer:
        assert answer.status == 416
    async with client.head(f"/v2/other/blobs/{DIGEST}") as answer:
        assert answer.status == 404


async def test_a_mount(client: aiohttp.ClientSession) -> None:
    await client.post(f"/v2/team/base/blobs/uploads/?digest={DIGEST}", data=BLOB)
    for name, origin in (("app", "&from=team/base"), ("other", "")):
        async with client.post(f"/v2/{name}/blobs/uploads/?mount={DIGEST}{origin}") as answer:
            assert (answer.status, answer.headers["Location"]) == (201, f"/v2/{name}/blobs/{DIGEST}")
        assert await content(client, name=name) == BLOB
    async with client.post(f"/v2/app/blobs/uploads/?mount={sha256_of(b'unknown')}&from=team/base") as answer:
        assert answer.status == 202
    async with client.delete(f"/v2/team/base/blobs/{DIGEST}") as answer:
        assert answer.status == 202
    assert await content(client, name="team/base") is None
    assert await content(client) == BLOB


async def test_manifests_by_tag_and_digest(registry: Registry, client: aiohttp.ClientSession) -> None:
    first = await push(registry, "team/app", "dev", [layer({"a": "1"})])
    second = await push(registry, "team/app", "dev", [layer({"a": "2"})])
    for reference, digest in (("dev", second), (first, first)):
        async with client.get(f"/v2/team/app/manifests/{reference}") as answer:
            headers = answer.headers["Docker-Content-Digest"], answer.headers["Content-Type"]
            assert (headers, sha256_of(await answer.read())) == ((digest, MANIFEST), digest)
    async with client.delete("/v2/team/app/manifests/dev") as answer:
        assert answer.status == 202
    assert await refused(client.get("/v2/team/app/manifests/dev")) == (404, "MANIFEST_UNKNOWN")
    async with client.head(f"/v2/team/app/manifests/{second}") as answer:
        assert answer.status == 200
    await push(registry, "team/app", "dev", [layer({"a": "2"})])
    async with client.delete(f"/v2/team/app/manifests/{second}") as answer:
        assert answer.status == 202
    assert await refused(client.get("/v2/team/app/manifests/dev")) == (404, "MANIFEST_UNKNOWN")


async def test_tags_page_by_page(registry: Registry, client: aiohttp.ClientSession) -> None:
    for tag in ("c", "a", "b", "D"):
        await push(registry, "app", tag, [layer({"a": "1"})])
    found, path = [], "/v2/app/tags/list?n=3"
    while path:
        async with client.get(path) as answer:
            found.append((await answer.json())["tags"])
            path = answer.headers.get("Link", "").partition(">")[0].lstrip("<")
    assert found == [["D", "a", "b"], ["c"]]
    async with client.get("/v2/app/tags/list?last=a") as answer:
        assert (await answer.json())["tags"] == ["b", "c"]
    async with client.get("/v2/app/tags/list?n=0") as answer:
        assert (await answer.json())["tags"] == []
    assert await refused(client.get("/v2/nobody/tags/list")) == (404, "NAME_UNKNOWN")


Send = Callable[[aiohttp.ClientSession], Awaitable[aiohttp.ClientResponse]]


def _manifest(body: object, kind: str = MANIFEST, reference: str = "dev", name: str = "app") -> Send:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": kind}
    return lambda client: client.put(f"/v2/{name}/manifests/{reference}", data=io.BytesIO(data), headers=headers)


REFUSED: dict[str, tuple[Send, tuple[int, str]]] = {
    "no JSON": (_manifest(b"{"), (400, "MANIFEST_INVALID")),
    "no object": (_manifest([]), (400, "MANIFEST_INVALID")),
    "layers that are none": (_manifest({"layers": "x"}), (400, "MANIFEST_INVALID")),
    "a config that is none": (_manifest({"config": "x"}), (400, "MANIFEST_INVALID")),
    "two types": (_manifest({"mediaType": INDEX}), (400, "MANIFEST_INVALID")),
    "another digest": (_manifest({}, reference=DIGEST), (400, "DIGEST_INVALID")),
    "no tag": (_manifest({}, reference="-x"), (400, "MANIFEST_INVALID")),
    "a layer that is not there": (_manifest({"layers": [{"digest": DIGEST}]}), (404, "MANIFEST_BLOB_UNKNOWN")),
    "a manifest that is not there": (_manifest({"manifests": [{"digest": DIGEST}]}), (404, "MANIFEST_BLOB_UNKNOWN")),
    "a name": (_manifest({}, name="Team/App"), (400, "NAME_INVALID")),
    "a name that leads out": (_manifest({}, name="..%2f..%2fx"), (400, "NAME_INVALID")),
    "too large": (_manifest({"annotations": {"x": "y" * 2**22}}), (413, "TOO_LARGE")),
    "no digest": (lambda client: client.get("/v2/app/blobs/sha256:x"), (400, "DIGEST_INVALID")),
    "no such algorithm": (lambda client: client.get(f"/v2/app/blobs/md5:{'0' * 32}"), (400, "DIGEST_INVALID")),
    "no such blob": (lambda client: client.get(f"/v2/app/blobs/{DIGEST}"), (404, "BLOB_UNKNOWN")),
    "no such method": (lambda client: client.put("/v2/app/tags/list"), (405, "UNSUPPORTED")),
    "no such path": (lambda client: client.get("/v2/app"), (404, "NAME_UNKNOWN")),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused(client: aiohttp.ClientSession, case: str, tmp_path: Path) -> None:
    send, expected = REFUSED[case]
    assert await refused(send(client)) == expected
    assert not list((tmp_path / "registry").rglob("_tags"))


async def test_devloops_own_client_reads_what_is_there(registry: Registry) -> None:
    digest = await push(registry, "app", "dev", [layer({"a": "1"})])
    async with aiohttp.ClientSession(f"http://{registry.host}") as session:
        entry = {"mediaType": MANIFEST, "digest": digest, "size": 1}
        platform = {"os": "linux", "architecture": "amd64"}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{**entry, "platform": platform}]}
        whole = await put(session, "app", "all", index, INDEX)
    async with HttpRegistry(env={}) as http:
        one, several, none = [
            await http.resolve(ImageRef.parse(f"{registry.host}/app:{tag}")) for tag in ("dev", "all", "gone")
        ]
        assert await http.check(ImageRef.parse(f"{registry.host}/app")) is None
    assert none is None
    assert one is not None
    assert not isinstance(one, Failure)
    assert (one.digest, one.platforms) == (digest, ("linux/amd64",))
    assert several is not None
    assert not isinstance(several, Failure)
    assert (several.digest, several.platforms) == (whole, ("linux/amd64",))
    assert several.digests >= one.digests


@pytest.mark.parametrize(
    "sent",
    [
        {},
        authorization("guess"),
        {"Authorization": "Bearer s3cret"},
        {"Authorization": "Basic %"},
        {"Authorization": "Basic é"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/"),
        ("GET", "/v2"),
        ("HEAD", f"/v2/app/blobs/{DIGEST}"),
        ("GET", f"/v2/app/blobs/{DIGEST}"),
        ("DELETE", f"/v2/app/blobs/{DIGEST}"),
        ("POST", "/v2/app/blobs/uploads/"),
        ("PATCH", "/v2/app/blobs/uploads/1"),
        ("GET", "/v2/app/manifests/dev"),
        ("PUT", "/v2/app/manifests/dev"),
        ("DELETE", "/v2/app/manifests/dev"),
        ("GET", "/v2/app/tags/list"),
        ("GET", f"/v2/app/referrers/{DIGEST}"),
        ("GET", "/anything"),
    ],
)
async def test_nobody_gets_in_without_the_token(
    guarded: Registry, sent: dict[str, str], method: str, path: str
) -> None:
    async with aiohttp.ClientSession() as session:
        answer = await session.request(method, f"http://{guarded.host}{path}", headers=sent)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        answer.release()


async def test_devloops_client_gets_in_with_what_a_login_leaves(guarded: Registry, tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(docker_config(guarded.host, "s3cret"))
    await put_base_image(guarded.host, token="s3cret")
    base = ImageRef.parse(f"{guarded.host}/python:3")
    async with HttpRegistry(env={"DOCKER_CONFIG": str(tmp_path / "docker")}) as registry:
        assert isinstance(await registry.resolve(base), ResolvedImage)
    async with HttpRegistry(env={"DOCKER_CONFIG": str(tmp_path)}) as stranger:
        assert isinstance(await stranger.resolve(base), Failure)
