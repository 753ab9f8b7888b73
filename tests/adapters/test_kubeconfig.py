"""kubeconfig files as kubectl reads them, and the sentences for those that cannot be used."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from devloop.adapters.kubeconfig import (
    Kubeconfig,
    PinnedContext,
    contexts,
    kubeconfig_files,
    read,
    resolve,
    server_addresses,
    shown_server,
)
from devloop.core.failure import Failure, FailureCode

ONE = """
current-context: ""
clusters: [{name: c1, cluster: {server: "https://one:6443/", certificate-authority: pki/ca.crt}}]
users: [{name: u1, user: {tokenFile: token, exec: {command: ./bin/login}}}, {name: shared, user: {token: one}}]
contexts:
- {name: first, context: {cluster: c1, user: u1, namespace: shop}}
- {name: bare, context: {cluster: c1}}
"""
TWO = """
current-context: second
clusters: [{name: c2, cluster: {server: "https://two"}}, {name: c1, cluster: {server: "https://wrong"}}]
users: [{name: shared, user: {token: two}}]
contexts:
- {name: second, context: {cluster: c2, user: shared}}
- {name: lost, context: {cluster: gone, user: shared}}
- {name: stranger, context: {cluster: c2, user: gone}}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, ...]:
    one, two = tmp_path / "a" / "one", tmp_path / "two"
    one.parent.mkdir()
    one.write_text(ONE)
    two.write_text(TWO)
    monkeypatch.setenv("KUBECONFIG", f":{one}:{tmp_path / 'missing'}:{two}")
    return one, two


def failure(found: object) -> Failure:
    assert isinstance(found, Failure)
    assert found.code is FailureCode.CONFIG_INVALID
    return found


@pytest.mark.usefixtures("files")
def test_the_first_file_that_names_something_wins(files: tuple[Path, ...]) -> None:
    assert contexts() == ("first", "bare", "second", "lost", "stranger")
    assert resolve(None) == PinnedContext("second", "https://two", "default", "shared", files, "c2")
    assert resolve("first") == PinnedContext("first", "https://one:6443", "shop", "u1", files, "c1")
    assert resolve("bare") == PinnedContext("bare", "https://one:6443", "default", "", files, "c1")
    config = read(kubeconfig_files())
    assert isinstance(config, Kubeconfig)
    assert config.users["shared"].value["token"] == "one"


def test_paths_are_relative_to_the_file_that_names_them(files: tuple[Path, ...]) -> None:
    config = read(files)
    assert isinstance(config, Kubeconfig)
    folder = files[0].parent
    assert config.clusters["c1"].value["certificate-authority"] == str(folder / "pki" / "ca.crt")
    assert config.users["u1"].value["tokenFile"] == str(folder / "token")
    assert config.users["u1"].value["exec"]["command"] == str(folder / "bin" / "login")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("context", "message", "hint"),
    [
        ("secnod", "no context `secnod`", "did you mean `second`?"),
        ("zzz", "no context `zzz`", "it has: first, bare, second, lost, stranger"),
        ("lost", "names the cluster `gone`", ""),
        ("stranger", "names the user `gone`", ""),
    ],
)
def test_a_context_that_cannot_be_used(context: str, message: str, hint: str) -> None:
    found = failure(resolve(context))
    assert message in found.message
    assert hint in found.hint


def test_no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kubeconfig_files() == (tmp_path / ".kube" / "config",)
    assert str(tmp_path / ".kube" / "config") in failure(resolve(None)).message
    assert failure(contexts()) == failure(resolve("x"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: b\nclusters: ]", "is no valid YAML (line 2)"),
        (b"just text", "is no mapping"),
        (b"\xff\xfe\x00", "is no UTF-8"),
        (b"", "no current context"),
        (b"contexts: {name: x}\ncurrent-context: x", "no context `x`"),
        (b"contexts: [{name: x}]\ncurrent-context: x", "names the cluster ``"),
        (
            b"contexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c}]\ncurrent-context: x",
            "cluster `c` of context `x` has no server URL",
        ),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(content)
    assert message in failure(resolve(None, (file,))).message


def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    assert "cannot be read: Is a directory" in failure(resolve(None, (tmp_path,))).message


async def test_addresses_of_a_server() -> None:
    assert await server_addresses("https://127.0.0.1:6443") == ("127.0.0.1",)
    assert await server_addresses("https://0.0.0.0:6443") == ("0.0.0.0",)
    assert await server_addresses("https://203.0.113.7:6443") == ("203.0.113.7",)
    assert await server_addresses("https://does-not-exist.invalid") == ()
    assert await server_addresses(f"https://{'x' * 70}.example") == ()


async def test_an_address_of_this_machine_leads_to_this_machine() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.7", 9))
        except OSError:
            pytest.skip("this machine has no route to anywhere")
        own = probe.getsockname()[0]
    assert await server_addresses(f"https://{own}:6443") == ("127.0.0.1",)


def test_a_server_is_shown_without_credentials() -> None:
    assert shown_server("https://user:secret@host:1/path") == "https://host:1/path"
    assert shown_server("https://[::1]:6443") == "https://[::1]:6443"


def test_reading_loads_no_client() -> None:
    code = "import sys, devloop.adapters.kubeconfig; print({'kubernetes', 'aiohttp', 'pydantic'} & sys.modules.keys())"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"
