"""Real registries, with and without authentication; and a small server for what a real one cannot be made to do."""

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from devloop.adapters.registry import HttpRegistry
from devloop.adapters.registryauth import Challenge, challenges
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef, PlatformManifest, ResolvedImage
from tests.adapters.own_registry import OwnRegistry, own_registry

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


@dataclass
class Pushed:
    """An image pushed piece by piece, as raw requests."""

    host: str
    repository: str
    authorization: str = ""

    def _put(self, method: str, url: str, body: bytes = b"", type_: str = "application/octet-stream") -> str:
        request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": type_})
        if self.authorization:
            request.add_header("Authorization", self.authorization)
        with urllib.request.urlopen(request) as answer:
            return str(answer.headers.get("Location", ""))

    def blob(self, body: bytes) -> str:
        location = self._put("POST", f"http://{self.host}/v2/{self.repository}/blobs/uploads/")
        digest = digest_of(body)
        self._put("PUT", location + ("&" if "?" in location else "?") + f"digest={digest}", body)
        return digest

    def manifest(self, document: object, reference: str = "", type_: str = OCI_MANIFEST) -> str:
        body = json.dumps(document).encode()
        digest = digest_of(body)
        self._put("PUT", f"http://{self.host}/v2/{self.repository}/manifests/{reference or digest}", body, type_)
        return digest

    def image(self, os: str, architecture: str, reference: str = "", **more: str) -> PlatformManifest:
        config = json.dumps({"os": os, "architecture": architecture, **more}).encode()
        digest = self.blob(config)
        described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(config)}
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described, "layers": []}
        platform = "/".join([os, architecture, *more.values()])
        return PlatformManifest(platform, self.manifest(document, reference), digest)


def entry(image: PlatformManifest, **more: object) -> dict[str, object]:
    names = dict(zip(("os", "architecture", "variant"), image.platform.split("/"), strict=False))
    return {"mediaType": OCI_MANIFEST, "digest": image.digest, "size": 1, "platform": names, **more}


async def failure(asked: Awaitable[ResolvedImage | Failure | None]) -> Failure:
    result = await asked
    assert isinstance(result, Failure)
    return result


@pytest.mark.engine
async def test_a_manifest_gives_its_digest_its_config_and_its_platform(registry: str) -> None:
    image = Pushed(registry, "bld/one").image("linux", "arm64", "v1", variant="v8")
    ref = ImageRef.parse(f"{registry}/bld/one:v1")
    async with HttpRegistry() as asked:
        found = await asked.resolve(ref)
        assert found == ResolvedImage(image.digest, (image,))
        assert image.platform == "linux/arm64/v8"
        assert await asked.resolve(ref.with_digest(image.digest)) == found
        assert await asked.resolve(ref, configs=False) == ResolvedImage(image.digest, ())
        assert await asked.check(ref) is None


@pytest.mark.engine
async def test_an_index_gives_every_image_and_no_attestation(registry: str) -> None:
    pushed = Pushed(registry, "bld/index")
    amd, arm = pushed.image("linux", "amd64"), pushed.image("linux", "arm64")
    attestation = pushed.image("unknown", "unknown")
    note = {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [entry(amd), entry(arm), entry(attestation, **note)],
    }
    digest = pushed.manifest(index, "v1", OCI_INDEX)
    async with HttpRegistry() as asked:
        found = await asked.resolve(ImageRef.parse(f"{registry}/bld/index:v1"))
    assert found == ResolvedImage(digest, (amd, arm))
    assert found.digests == {digest, amd.digest, amd.config, arm.digest, arm.config}


@pytest.mark.engine
async def test_a_moved_tag_is_seen(registry: str) -> None:
    pushed, ref = Pushed(registry, "bld/moved"), ImageRef.parse(f"{registry}/bld/moved:dev")
    async with HttpRegistry() as asked:
        for architecture in ("amd64", "arm64", "amd64"):
            image = pushed.image("linux", architecture, "dev")
            assert await asked.resolve(ref) == ResolvedImage(image.digest, (image,))


@pytest.mark.engine
@pytest.mark.parametrize("name", ["busybox:never", "bld/never:1", "busybox@sha256:" + "0" * 64])
@pytest.mark.parametrize("configs", [True, False])
async def test_what_is_not_there_is_none(registry: str, name: str, configs: bool) -> None:
    async with HttpRegistry() as asked:
        assert await asked.resolve(ImageRef.parse(f"{registry}/{name}"), configs=configs) is None


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[OwnRegistry]:
    async with own_registry(tmp_path) as own:
        yield own


@pytest.mark.engine
async def test_credentials_from_the_docker_configuration(own: OwnRegistry) -> None:
    ref = ImageRef.parse(f"{own.host}/bld/private:v1")
    basic = "Basic " + base64.b64encode(b"dev:registry-pw-1").decode()
    image = Pushed(own.host, "bld/private", basic).image("linux", "amd64", "v1")
    async with HttpRegistry(env={"DOCKER_CONFIG": str(own.docker_config())}) as asked:
        assert await asked.check(ref) is None
        assert await asked.resolve(ref) == ResolvedImage(image.digest, (image,))


@pytest.mark.engine
@pytest.mark.parametrize("password", [None, "wrong-pw-1"])
async def test_refused_access_names_the_login_and_the_file(own: OwnRegistry, password: str | None) -> None:
    folder = own.docker_config(password)
    ref = ImageRef.parse(f"{own.host}/bld/private:v1")
    async with HttpRegistry(env={"DOCKER_CONFIG": str(folder)}) as asked:
        refused = await failure(asked.resolve(ref))
        assert refused.code is FailureCode.REGISTRY_DENIED
        assert f"`docker login {own.host}`" in refused.hint
        assert str(folder / "config.json") in refused.hint
        assert "wrong-pw-1" not in repr(refused)
        checked = await asked.check(ref)
        assert checked is not None
        assert "does not let you push to bld/private" in checked.message


@pytest.mark.engine
async def test_a_login_in_mid_session_is_found(own: OwnRegistry) -> None:
    ref, folder = ImageRef.parse(f"{own.host}/bld/later:v1"), own.docker_config("wrong-pw-1")
    async with HttpRegistry(env={"DOCKER_CONFIG": str(folder)}) as asked:
        assert await asked.check(ref) is not None
        (folder / "config.json").write_bytes((own.docker_config() / "config.json").read_bytes())
        assert await asked.check(ref) is None


@pytest.mark.engine
async def test_a_credential_helper_is_asked_once_for_many_requests(own: OwnRegistry, tmp_path: Path) -> None:
    helper = tmp_path / "bin" / "docker-credential-counting"
    helper.parent.mkdir()
    answer = json.dumps({"ServerURL": own.host, "Username": "dev", "Secret": "registry-pw-1"})
    helper.write_text(f"#!/bin/sh\ncat >/dev/null\necho asked >>{tmp_path}/asked\necho '{answer}'\n")
    helper.chmod(0o755)
    config = own.docker_config(None)
    (config / "config.json").write_text(json.dumps({"credHelpers": {own.host: "counting"}}))
    ref = ImageRef.parse(f"{own.host}/bld/private:v1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(helper.parent), prepend=":")
        async with HttpRegistry(env={"DOCKER_CONFIG": str(config)}) as asked:
            await asyncio.gather(*(asked.resolve(ref) for _ in range(3)), asked.check(ref))
    assert (tmp_path / "asked").read_text() == "asked\n"


async def test_a_refused_connection_is_unreachable() -> None:
    ref = ImageRef.parse("127.0.0.1:1/app:dev")
    async with HttpRegistry() as asked:
        refused = await failure(asked.resolve(ref))
        assert await asked.check(ref) == refused
    assert refused.code is FailureCode.REGISTRY_UNREACHABLE
    assert refused.message == "the registry 127.0.0.1:1 cannot be reached: connection refused"


async def test_a_name_that_does_not_exist_is_unreachable() -> None:
    async with HttpRegistry() as asked:
        unknown = await failure(asked.resolve(ImageRef.parse("registry.invalid/app:dev")))
    assert unknown.code is FailureCode.REGISTRY_UNREACHABLE
    assert "its name cannot be resolved" in unknown.message


async def test_a_server_that_hangs_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hung:
        host = f"127.0.0.1:{hung.getsockname()[1]}"
        async with HttpRegistry(read=0.2) as asked:
            late = await failure(asked.resolve(ImageRef.parse(f"{host}/app:dev")))
    assert late.code is FailureCode.REGISTRY_UNREACHABLE
    assert late.message.endswith("no answer within 0.2 s")


async def test_the_engine_is_asked_for_what_cannot_be_reached_from_here() -> None:
    seen = ResolvedImage("sha256:" + "1" * 64, ())

    async def engine(_: ImageRef) -> ResolvedImage:
        return seen

    async with HttpRegistry(fallback=engine) as asked:
        assert await asked.resolve(ImageRef.parse("127.0.0.1:1/app:dev")) == seen


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Stub:
    """A registry and its token server in one, with exactly the answers of a test."""

    host: str = ""
    scopes: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def token(self, *actions: str) -> str:
        """A JWT that allows those actions."""
        payload = json.dumps({"access": [{"type": "repository", "name": "app", "actions": actions}]}).encode()
        return f"e30.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.{len(self.tokens)}"


@contextlib.asynccontextmanager
async def serving(registry: Handler, token: Handler | None = None, *, address: str = "127.0.0.1") -> AsyncIterator[str]:
    app = web.Application()
    if token:
        app.router.add_route("*", "/token", token)
    app.router.add_route("*", "/v2/{rest:.*}", registry)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, address, 0).start()
    try:
        yield f"{address}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def bearer(*granted: str, lifetime: int = 300) -> AsyncIterator[Stub]:
    """A registry that wants a token; its token server gives one that allows `granted`."""
    stub = Stub()
    manifest = json.dumps({"config": {}}).encode()

    async def token(request: web.Request) -> web.Response:
        stub.scopes.append(request.query["scope"])
        stub.tokens.append(stub.token(*granted))
        return web.json_response({"token": stub.tokens[-1], "expires_in": lifetime})

    async def registry(request: web.Request) -> web.Response:
        if stub.tokens and request.headers.get("Authorization") == f"Bearer {stub.tokens[-1]}":
            return web.Response(body=manifest)
        challenge = f'Bearer realm="http://{request.host}/token",service="stub",scope="repository:app:pull,push"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    async with serving(registry, token) as host:
        stub.host = host
        yield stub


async def test_a_token_is_fetched_for_the_scope_and_used_again() -> None:
    async with bearer("pull") as stub, HttpRegistry(env={"DOCKER_CONFIG": "/nowhere"}) as asked:
        ref = ImageRef.parse(f"{stub.host}/app:dev")
        first = await asked.resolve(ref)
        assert isinstance(first, ResolvedImage)
        assert await asked.resolve(ref) == first
        assert stub.scopes == ["repository:app:pull"]


async def test_a_token_that_is_no_good_any_more_is_fetched_again() -> None:
    async with bearer("pull") as stub, HttpRegistry(env={"DOCKER_CONFIG": "/nowhere"}) as asked:
        ref = ImageRef.parse(f"{stub.host}/app:dev")
        await asked.resolve(ref)
        stub.tokens.append("the one that was given is no good any more")
        assert isinstance(await asked.resolve(ref), ResolvedImage)
        assert len(stub.scopes) == 2


async def test_a_token_that_has_run_out_is_not_sent() -> None:
    async with bearer("pull", lifetime=1) as stub, HttpRegistry(env={"DOCKER_CONFIG": "/nowhere"}) as asked:
        ref = ImageRef.parse(f"{stub.host}/app:dev")
        await asked.resolve(ref)
        await asked.resolve(ref.with_tag("other"))
        assert len(stub.scopes) == 2


async def test_the_check_wants_a_token_that_may_push() -> None:
    async with bearer("pull") as stub, HttpRegistry(env={"DOCKER_CONFIG": "/nowhere"}) as asked:
        refused = await asked.check(ImageRef.parse(f"{stub.host}/app:dev"))
        assert refused is not None
        assert refused.code is FailureCode.REGISTRY_DENIED
        assert stub.scopes == ["repository:app:pull,push"]
    async with bearer("pull", "push") as stub, HttpRegistry(env={"DOCKER_CONFIG": "/nowhere"}) as asked:
        assert await asked.check(ImageRef.parse(f"{stub.host}/app:dev")) is None


def with_credentials(folder: Path, host: str, **entry: str) -> dict[str, str]:
    (folder / "config.json").write_text(json.dumps({"auths": {host: entry}}))
    return {"DOCKER_CONFIG": str(folder)}


async def test_an_identity_token_is_exchanged(tmp_path: Path) -> None:
    forms: list[dict[str, str]] = []

    async def token(request: web.Request) -> web.Response:
        forms.append({key: str(value) for key, value in (await request.post()).items()})
        return web.json_response({"access_token": "t"})

    async def registry(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") == "Bearer t":
            return web.json_response({})
        return web.Response(
            status=401, headers={"WWW-Authenticate": f'Bearer realm="http://{request.host}/token",service="s"'}
        )

    async with serving(registry, token) as host:
        env = with_credentials(tmp_path, host, identitytoken="refresh-me")
        async with HttpRegistry(env=env) as asked:
            assert isinstance(await asked.resolve(ImageRef.parse(f"{host}/app:dev")), ResolvedImage)
    assert forms[0]["refresh_token"] == "refresh-me"
    assert forms[0]["grant_type"] == "refresh_token"


async def test_credentials_are_never_sent_unencrypted_to_elsewhere(tmp_path: Path) -> None:
    async def registry(_: web.Request) -> web.Response:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Bearer realm="http://elsewhere.invalid/token"'})

    async with serving(registry) as host:
        env = with_credentials(tmp_path, host, auth=base64.b64encode(b"u:p").decode())
        async with HttpRegistry(env=env) as asked:
            refused = await failure(asked.resolve(ImageRef.parse(f"{host}/app:dev")))
    assert refused.code is FailureCode.REGISTRY_DENIED
    assert "unencrypted" in refused.message


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, FailureCode.REGISTRY_DENIED),
        (429, FailureCode.REGISTRY_UNREACHABLE),
        (503, FailureCode.REGISTRY_UNREACHABLE),
        (418, FailureCode.REGISTRY_UNREACHABLE),
    ],
)
async def test_other_answers(status: int, code: FailureCode) -> None:
    async def registry(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serving(registry) as host, HttpRegistry() as asked:
        answered = await failure(asked.resolve(ImageRef.parse(f"{host}/app:dev")))
    assert answered.code is code
    assert str(status) in answered.message


@pytest.mark.parametrize(("status", "after", "met"), [(429, "0", True), (503, "0", True), (429, "3600", False)])
async def test_a_registry_that_asks_to_wait_a_moment_is_asked_again(status: int, after: str, met: bool) -> None:
    asked: list[str] = []

    async def registry(request: web.Request) -> web.Response:
        asked.append(request.method)
        if len(asked) == 1:
            return web.Response(status=status, headers={"Retry-After": after})
        return web.Response(text=json.dumps({"manifests": []}))

    async with serving(registry) as host, HttpRegistry() as http:
        found = await http.resolve(ImageRef.parse(f"{host}/app:dev"))
    assert isinstance(found, ResolvedImage) is met
    assert (len(asked) > 1) is met


async def test_a_sparse_index_and_one_without_a_digest_header_are_read() -> None:
    missing = "sha256:" + "2" * 64
    body = json.dumps({"manifests": [{"digest": missing, "platform": {"os": "linux", "architecture": "s390x"}}]})

    async def registry(request: web.Request) -> web.Response:
        return web.Response(text=body) if request.path.endswith("/dev") else web.Response(status=404)

    expected = ResolvedImage(digest_of(body.encode()), (PlatformManifest("linux/s390x", missing, ""),))
    async with serving(registry) as host, HttpRegistry() as asked:
        ref = ImageRef.parse(f"{host}/app:dev")
        assert await asked.resolve(ref) == expected
        head = await asked.resolve(ref, configs=False)
        assert isinstance(head, ResolvedImage)
        assert head.digest == expected.digest


async def test_what_has_not_changed_is_not_read_again() -> None:
    """A GET of a manifest counts as a pull on Docker Hub; a HEAD does not."""
    bodies, asked_for = [json.dumps({"manifests": [], "n": n}).encode() for n in (1, 2)], list[str]()

    async def registry(request: web.Request) -> web.Response:
        asked_for.append(request.method)
        return web.Response(body=bodies[0], headers={"Docker-Content-Digest": digest_of(bodies[0])})

    async with serving(registry) as host, HttpRegistry() as asked:
        ref = ImageRef.parse(f"{host}/app:dev")
        first = await asked.resolve(ref)
        assert await asked.resolve(ref) == first
        assert asked_for == ["GET", "HEAD"]
        del bodies[0]
        moved = await asked.resolve(ref)
        assert isinstance(moved, ResolvedImage)
        assert moved.digest == digest_of(bodies[0])
        assert asked_for[2:] == ["HEAD", "GET"]


async def test_what_is_no_registry_says_so() -> None:
    async def registry(_: web.Request) -> web.Response:
        return web.Response(status=404)

    async with serving(registry) as host, HttpRegistry() as asked:
        refused = await asked.check(ImageRef.parse(f"{host}/app:dev"))
    assert refused is not None
    assert "not as a registry (404 at /v2/)" in refused.message


def address_of_this_machine() -> str:
    """An address that other machines would use; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        return str(probe.getsockname()[0])


@pytest.mark.parametrize(
    ("listed", "reached"), [("other:5000", False), ("{address}:{port}", True), ("{address}/32", True)]
)
async def test_plain_http_only_where_the_engine_allows_it(listed: str, reached: bool) -> None:
    async def registry(_: web.Request) -> web.Response:
        return web.json_response({})

    address = address_of_this_machine()
    async with serving(registry, address=address) as host:

        async def insecure() -> frozenset[str]:
            return frozenset([listed.format(address=address, port=host.rpartition(":")[2])])

        async with HttpRegistry(insecure=insecure) as asked:
            found = await asked.resolve(ImageRef.parse(f"{host}/app:dev"))
    assert isinstance(found, ResolvedImage) is reached
    assert reached or "does not speak TLS" in repr(found)


def test_challenges_are_read_with_commas_inside_quotes_and_several_in_one_header() -> None:
    header = 'Basic realm="a, b", Bearer realm="https://t/x",service=plain,scope="repository:x:pull,push"'
    assert challenges([header, "Negotiate"]) == [
        Challenge("basic", {"realm": "a, b"}),
        Challenge("bearer", {"realm": "https://t/x", "service": "plain", "scope": "repository:x:pull,push"}),
    ]


async def test_a_registry_that_asked_for_credentials_for_a_while_is_asked_afresh(tmp_path: Path) -> None:
    """Nobody has any for it: what it asked for once must not be taken for what it asks for now."""
    asks = True

    async def registry(_: web.Request) -> web.StreamResponse:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}) if asks else web.Response()

    async with serving(registry) as host, HttpRegistry(env={"DOCKER_CONFIG": str(tmp_path)}) as client:
        ref = ImageRef.parse(f"{host}/app:dev")
        denied = await client.check(ref)
        assert denied is not None
        assert denied.code is FailureCode.REGISTRY_DENIED
        asks = False
        assert await client.check(ref) is None
