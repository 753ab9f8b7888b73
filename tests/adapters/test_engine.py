"""Which engine is asked, that a real one answers, and that an absent or hung one never blocks."""

import asyncio
import base64
import hashlib
import json
import os
import socket
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devloop.adapters.dockerconfig import DEFAULT_HOST, Credentials, CredentialsError, DockerConfig, Endpoint
from devloop.adapters.engine import DockerEngine, engine_unreachable
from devloop.adapters.threads import in_daemon_thread
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef


def config(folder: Path, data: object = None, **env: str) -> DockerConfig:
    if data is not None:
        (folder / "config.json").write_text(json.dumps(data))
    return DockerConfig.load({"DOCKER_CONFIG": str(folder), "PATH": os.environ["PATH"], **env})


def add_context(folder: Path, name: str, host: str) -> None:
    meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


def test_without_anything_it_is_the_default_socket(tmp_path: Path) -> None:
    assert config(tmp_path).endpoint() == Endpoint(DEFAULT_HOST)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        add_context(tmp_path, name, f"tcp://{name}:2375")
    data = {"currentContext": "one"}
    assert config(tmp_path, data).endpoint() == Endpoint("tcp://one:2375")
    assert config(tmp_path, data, DOCKER_CONTEXT="two").endpoint() == Endpoint("tcp://two:2375")
    both = config(tmp_path, data, DOCKER_CONTEXT="two", DOCKER_HOST="tcp://three:1", DOCKER_TLS_VERIFY="1")
    assert both.endpoint() == Endpoint("tcp://three:1", tmp_path, verify=True)


@pytest.mark.parametrize(("env", "source"), [({"DOCKER_CONTEXT": "gone"}, "DOCKER_CONTEXT"), ({}, "config.json")])
async def test_an_unknown_context_fails_loudly(tmp_path: Path, env: dict[str, str], source: str) -> None:
    (tmp_path / "config.json").write_text('{"currentContext": "gone"}')
    failure = await DockerEngine({"DOCKER_CONFIG": str(tmp_path), **env}).ping()
    assert failure is not None
    assert failure.code is FailureCode.ENGINE_UNREACHABLE
    assert "`gone`" in failure.message
    assert source in failure.message


def test_a_file_that_is_no_json_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    assert config(tmp_path).endpoint() == Endpoint(DEFAULT_HOST)


def executable(path: Path, script: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return path


def test_plugins_are_found_as_docker_finds_them(tmp_path: Path) -> None:
    own = executable(tmp_path / "cli-plugins" / "docker-x")
    extra = executable(tmp_path / "extra" / "docker-x")
    (tmp_path / "cli-plugins" / "docker-notexecutable").write_text("")
    assert config(tmp_path).plugin("x") == own
    assert config(tmp_path, {"cliPluginsExtraDirs": [str(extra.parent)]}).plugin("x") == extra
    assert config(tmp_path).plugin("notexecutable") is None


def test_credentials_come_from_the_file(tmp_path: Path) -> None:
    found = config(tmp_path, {"auths": {"r.example:5000": {"auth": "ZGV2OnB3OjE="}}})
    assert found.credentials("r.example:5000") == Credentials("dev", "pw:1")
    assert found.credentials("other.example") is None
    assert "pw:1" in set(found.stored_secrets())


def test_credentials_come_from_a_helper(tmp_path: Path) -> None:
    answer = '{"ServerURL":"r","Username":"u","Secret":"s3cret"}'
    executable(tmp_path / "bin" / "docker-credential-fake", f"cat >/dev/null; echo '{answer}'")
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", path)
        assert config(tmp_path, {"credHelpers": {"r": "fake"}}).credentials("r") == Credentials("u", "s3cret")


def test_a_helper_that_fails_is_an_error_in_words(tmp_path: Path) -> None:
    executable(tmp_path / "bin" / "docker-credential-fake", "echo 'locked keychain'; exit 1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        with pytest.raises(CredentialsError, match=r"helper for r failed.*locked keychain"):
            config(tmp_path, {"credsStore": "fake"}).credentials("r")


@pytest.mark.parametrize("keys", [{"credsStore": "nowhere"}, {"credHelpers": {"r": "nowhere"}}])
def test_a_helper_that_is_not_there_is_named(tmp_path: Path, keys: dict[str, object]) -> None:
    with pytest.raises(
        CredentialsError, match=r"^the credential helper for r, docker-credential-nowhere, is not in PATH$"
    ):
        config(tmp_path, keys).credentials("r")


def test_what_python_warns_of_stays_as_it_is_while_a_helper_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those filters are one list for all threads, so two of them that put it back would put back each other's."""
    os.mkfifo(tmp_path / "told")
    answer = '{"ServerURL":"r","Username":"u","Secret":"s3cret"}'
    executable(tmp_path / "bin" / "docker-credential-slow", f"cat >/dev/null; cat '{tmp_path}/told'; echo '{answer}'")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    before = [*warnings.filters]
    with ThreadPoolExecutor() as pool:
        found = pool.submit(config(tmp_path, {"credsStore": "slow"}).credentials, "r")
        with (tmp_path / "told").open("w"):  # which waits for the helper
            during = [*warnings.filters]
    assert found.result() == Credentials("u", "s3cret")
    assert during == before


async def test_a_missing_socket_is_named_with_its_cause() -> None:
    failure = await DockerEngine({"DOCKER_HOST": "unix:///nowhere.sock"}).ping()
    assert failure is not None
    assert failure.code is FailureCode.ENGINE_UNREACHABLE
    assert failure.message == (
        "no Docker engine answers at unix:///nowhere.sock (from DOCKER_HOST): no such file or directory"
    )


async def test_what_named_the_engine_is_told(tmp_path: Path) -> None:
    add_context(tmp_path, "away", "unix:///nowhere.sock")
    failure = await DockerEngine({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "away"}).ping()
    assert failure is not None
    assert "unix:///nowhere.sock (from the Docker context `away`): " in failure.message
    default = config(tmp_path).endpoint()
    assert isinstance(default, Endpoint)
    assert default.source == "the default socket"


def test_words_that_every_engine_that_is_away_gets_are_not_repeated() -> None:
    said = "Cannot connect to the Docker daemon at tcp://e:1. Is the docker daemon running?"
    failure = engine_unreachable(Endpoint("tcp://e:1", source="from DOCKER_HOST"), said)
    assert failure.message == "no Docker engine answers at tcp://e:1 (from DOCKER_HOST)"


async def test_an_engine_that_hangs_counts_as_unreachable(tmp_path: Path) -> None:
    """A bound socket that nobody accepts from: what a stopped dockerd looks like from here."""
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "s"))
        hung.listen()
        failure = await DockerEngine({"DOCKER_HOST": f"unix://{tmp_path}/s"}, patience=0.2).ping()
    assert failure is not None
    assert "no answer within 0.2 s" in failure.message


def test_a_call_that_never_returns_does_not_hold_the_end_of_the_loop() -> None:
    release = threading.Event()

    async def leave() -> str:
        call = asyncio.ensure_future(in_daemon_thread(release.wait))
        await asyncio.sleep(0)
        call.cancel()
        return "left"

    assert asyncio.run(leave()) == "left"
    release.set()


@pytest.mark.engine
async def test_a_real_engine_answers(registry: str) -> None:
    engine = DockerEngine()
    assert await engine.ping() is None
    assert (await engine.platform()).startswith("linux/")
    insecure = await engine.insecure_registries()
    assert insecure is not None
    assert "127.0.0.0/8" in insecure
    found = await engine.inspect_distribution(ImageRef.parse(f"{registry}/busybox:1"))
    assert found is not None
    assert not isinstance(found, Failure)
    assert found.digest.startswith("sha256:")
    assert await engine.inspect_distribution(ImageRef.parse(f"{registry}/nothere:1")) is None


def test_the_registries_that_docker_is_logged_in_to(tmp_path: Path) -> None:
    auths: dict[str, object] = {"https://index.docker.io/v1/": {}, "ghcr.io": {}, "http://localhost:5001": {}, "": {}}
    data = {"auths": auths, "credHelpers": {"eu.gcr.io": "gcloud", "ghcr.io": "x"}}
    assert DockerConfig(tmp_path, data, {}).logins() == ("docker.io", "ghcr.io", "localhost:5001", "eu.gcr.io")
    assert DockerConfig(tmp_path, {}, {}).logins() == ()


def test_whose_names_repositories_begin_with(tmp_path: Path) -> None:
    def login(user: str, password: str = "p") -> dict[str, str]:
        return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}

    auths = {"https://index.docker.io/v1/": login("Jo"), "ghcr.io": login("t", "t"), "r.example.com": login("x")}
    data = {"auths": auths, "credHelpers": {"quay.io": "not-there"}}
    assert DockerConfig(tmp_path, data, {"PATH": ""}).users() == {"docker.io": "jo"}
    assert DockerConfig(tmp_path, {}, {}).users() == {}
