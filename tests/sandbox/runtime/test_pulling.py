"""What a node has, what it asks for, and what it says when it cannot have it."""

import json
import re

import aiohttp
import pytest

from devloop.core.image import sha256_of
from devloop.sandbox.runtimeport import ContainerSpec, PullFailed
from tests.sandbox.images import INDEX, MANIFEST, layer, push, put
from tests.sandbox.runtime.conftest import Site, lines


async def _says(site: Site, node: int, image_id: str) -> str:
    spec = ContainerSpec(f"default/app-{node}/u", "app", image_id, ("python3", "say.py"), (), {}, "/", 0)
    container = await site.nodes[node].start(spec)
    assert await container.wait() == 0
    return lines(container)[-1][2]


async def test_a_node_that_has_the_tag_runs_the_old_image_until_it_is_told_to_ask(site: Site) -> None:
    """The stale image itself."""
    first = await push(site.registry, "app", "dev", [layer({"say.py": "print('one')"})])
    on_one = await site.nodes[0].pull(site.name(), "IfNotPresent")
    assert (on_one.image_id, on_one.cached) == (f"{site.registry.host}/app@{first}", False)

    second = await push(site.registry, "app", "dev", [layer({"say.py": "print('two')"})])
    site.asked.clear()
    stale = await site.nodes[0].pull(site.name(), "IfNotPresent")
    assert (stale.image_id, stale.cached) == (on_one.image_id, True)
    assert site.asked == []
    assert await _says(site, 0, stale.image_id) == "one"

    fresh = await site.nodes[1].pull(site.name(), "IfNotPresent")
    assert fresh.image_id == f"{site.registry.host}/app@{second}"
    assert await _says(site, 1, fresh.image_id) == "two"

    asked = await site.nodes[0].pull(site.name(), "Always")
    assert (asked.image_id, asked.cached) == (fresh.image_id, False)
    assert (await site.nodes[0].pull(site.name(), "IfNotPresent")).image_id == fresh.image_id


async def test_always_asks_and_fetches_nothing_that_is_there(site: Site) -> None:
    await push(site.registry, "app", "dev", [layer({"a": "a"})])
    await site.nodes[0].pull(site.name(), "Always")
    site.asked.clear()
    await site.nodes[0].pull(site.name(), "Always")
    assert site.asked == [("HEAD", "/v2/app/manifests/dev")]


async def test_a_layer_that_is_on_the_node_is_not_fetched_again(site: Site) -> None:
    base = layer({"base": "base"})
    await push(site.registry, "app", "dev", [base])
    await site.nodes[0].pull(site.name(), "Always")
    site.asked.clear()
    await push(site.registry, "app", "dev", [base, layer({"top": "top"})])
    await site.nodes[0].pull(site.name(), "Always")
    assert [path for method, path in site.asked if method == "GET"].count(f"/v2/app/blobs/{sha256_of(base)}") == 0


async def test_a_digest_names_its_image_whatever_the_tag_does(site: Site) -> None:
    first = await push(site.registry, "app", "dev", [layer({"say.py": "print('one')"})])
    await push(site.registry, "app", "dev", [layer({"say.py": "print('two')"})])
    pinned = f"{site.name()}@{first}"
    pulled = await site.nodes[0].pull(pinned, "IfNotPresent")
    assert pulled.image_id.endswith(first)
    assert (await site.nodes[0].pull(pinned, "IfNotPresent")).cached
    assert await _says(site, 0, pulled.image_id) == "one"


async def test_never_takes_what_is_there(site: Site) -> None:
    await push(site.registry, "app", "dev", [layer({"a": "a"})])
    with pytest.raises(PullFailed) as failed:
        await site.nodes[0].pull(site.name(), "Never")
    assert str(failed.value) == f'Container image "{site.name()}" is not present with pull policy of Never'
    await site.nodes[0].pull(site.name(), "Always")
    assert (await site.nodes[0].pull(site.name(), "Never")).cached


async def test_an_image_of_several_platforms_is_that_of_the_node(site: Site) -> None:
    digest = await push(site.registry, "app", "amd64", [layer({"say.py": "print('amd64')"})])
    other = await push(site.registry, "app", "arm64", [layer({"say.py": "print('arm64')"})])
    entries = [
        {"mediaType": MANIFEST, "digest": each, "size": 1, "platform": {"os": "linux", "architecture": name}}
        for each, name in ((other, "arm64"), (digest, "amd64"))
    ]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    async with aiohttp.ClientSession(f"http://{site.registry.host}") as session:
        whole = await put(session, "app", "dev", index, INDEX)
        await put(session, "app", "other", {**index, "manifests": entries[:1]}, INDEX)
    pulled = await site.nodes[0].pull(site.name(), "Always")
    assert pulled.image_id.endswith(whole)
    assert await _says(site, 0, pulled.image_id) == "amd64"
    with pytest.raises(PullFailed, match=r"no match for platform in manifest sha256:[0-9a-f]+: not found"):
        await site.nodes[0].pull(site.name("other"), "Always")


FAILURES = {
    "no such tag": ("app:gone", r'code = NotFound .*resolve reference "\S+/app:gone": \S+/app:gone: not found'),
    "no such repository": ("nothing", r'code = NotFound .*"\S+/nothing:latest": \S+/nothing:latest: not found'),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
async def test_what_it_says_is_what_containerd_says(site: Site, case: str) -> None:
    image, words = FAILURES[case]
    with pytest.raises(PullFailed) as failed:
        await site.nodes[0].pull(f"{site.registry.host}/{image}", "Always")
    assert re.search(words, str(failed.value)), failed.value
    assert str(failed.value).startswith("rpc error: code = NotFound desc = failed to pull and unpack image ")


async def test_a_registry_that_is_away_and_one_that_is_not_ours(site: Site) -> None:
    await push(site.registry, "app", "dev", [layer({"a": "a"})])
    await site.nodes[0].pull(site.name(), "Always")
    await site.registry.close()
    with pytest.raises(PullFailed, match=f"dial tcp {site.registry.host}: connect: connection refused"):
        await site.nodes[0].pull(site.name(), "Always")
    assert (await site.nodes[0].pull(site.name(), "IfNotPresent")).cached
    with pytest.raises(PullFailed, match=r"does not reach docker\.io"):
        await site.nodes[0].pull("busybox:1", "IfNotPresent")
    with pytest.raises(PullFailed, match='couldn\'t parse image name "A B": invalid reference format'):
        await site.nodes[0].pull("A B", "IfNotPresent")
    await site.registry.start()
    assert not (await site.nodes[0].pull(site.name(), "Always")).cached


async def test_a_layer_that_cannot_be_unpacked_leaves_no_image(site: Site) -> None:
    await push(site.registry, "app", "dev", [layer({"a": "a"}), b"no archive at all" * 100])
    for _ in range(2):
        with pytest.raises(PullFailed, match="failed to extract layer sha256:"):
            await site.nodes[0].pull(site.name(), "IfNotPresent")
    assert site.nodes[0].images() == {}


async def test_a_digest_is_checked_and_is_no_path(site: Site) -> None:
    async with aiohttp.ClientSession(f"http://{site.registry.host}") as session:
        await push(site.registry, "app", "dev", [])
        async with session.get("/v2/app/manifests/dev") as answer:
            manifest = json.loads(await answer.read())
        foreign = {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "size": 1}
        await put(session, "app", "dev", {**manifest, "layers": [{**foreign, "digest": "sha256:../../x"}]}, MANIFEST)
    with pytest.raises(PullFailed, match=r"unsupported digest sha256:\.\./\.\./x"):
        await site.nodes[0].pull(site.name(), "Always")


@pytest.mark.parametrize("config", [b"no json", b"[1]", b'{"config": 7}'])
async def test_an_image_that_is_none(site: Site, config: bytes) -> None:
    """Whatever was pushed: the node says that it cannot have it."""
    about = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha256_of(config), "size": 1}
    async with aiohttp.ClientSession(f"http://{site.registry.host}") as session:
        (await session.post(f"/v2/app/blobs/uploads/?digest={sha256_of(config)}", data=config)).release()
        await put(session, "app", "dev", {"schemaVersion": 2, "config": about, "layers": []}, MANIFEST)
    with pytest.raises(PullFailed, match="failed to pull and unpack image"):
        await site.nodes[0].pull(site.name(), "Always")
