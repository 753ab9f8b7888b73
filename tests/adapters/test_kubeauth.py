"""Credentials: plugins that are heard, tokens that expire, and a context that stays the one it was."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from devloop.adapters import execplugin
from devloop.adapters.kube import KubeCluster
from devloop.core.failure import FailureCode
from devloop.core.service import WorkloadKey
from tests.adapters.fakeapi import FakeApi, credential, failure, fake_api, pinned, plugin

KEY = WorkloadKey("shop", "deployment", "web")


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with fake_api() as api:
        yield api


def only(token: str) -> Callable[[web.Request], Any]:
    """Accepts one token."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {token}":
            return web.json_response({"message": "Unauthorized"}, status=401)
        return web.json_response({"metadata": {"name": "web"}})

    return handler


async def test_a_plugin_is_run_again_when_its_token_expired(api: FakeApi, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    count = f"open({str(runs)!r}, 'a').write('x') and str(len(open({str(runs)!r}).read()))"
    cluster = KubeCluster(pinned(tmp_path, api.url, plugin(credential(count))))
    api.handler = only("1")
    assert isinstance(await cluster.read(KEY), dict)
    api.handler = only("2")
    answers = await asyncio.gather(*(cluster.read(KEY) for _ in range(5)))
    assert all(isinstance(answer, dict) for answer in answers)
    assert runs.read_text() == "xx"
    await cluster.close()


async def test_a_plugin_is_not_run_over_and_over_when_its_tokens_are_refused(api: FakeApi, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    code = f"open({str(runs)!r}, 'a').write('x'); " + credential("'secret'")
    cluster = KubeCluster(pinned(tmp_path, api.url, plugin(code)))
    api.handler = only("other")
    for _ in range(3):
        found = failure(await cluster.read(KEY), FailureCode.CLUSTER_LOGIN)
        assert "401" in found.message
        assert "secret" not in str(found)
    assert runs.read_text() == "xx"
    await cluster.close()


async def test_a_token_that_was_written_to_the_kubeconfig_anew(api: FakeApi, tmp_path: Path) -> None:
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "old"}))
    api.handler = only("new")
    pinned(tmp_path, api.url, {"token": "new"})
    assert isinstance(await cluster.read(KEY), dict)
    await cluster.close()


async def test_a_context_that_now_means_another_server_is_refused(api: FakeApi, tmp_path: Path) -> None:
    cluster = KubeCluster(pinned(tmp_path, api.url, {"token": "old"}))
    api.handler = only("old")
    assert isinstance(await cluster.read(KEY), dict)
    pinned(tmp_path, "https://production", {"token": "new"})
    assert isinstance(await cluster.read(KEY), dict)
    api.handler = only("new")
    found = failure(await cluster.read(KEY), FailureCode.CONTEXT_REFUSED)
    assert "https://production" in found.message
    await cluster.close()


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (
            plugin("import sys; sys.stderr.write('noise\\nsession expired: run login\\n'); sys.exit(1)"),
            "session expired",
        ),
        (plugin("raise SystemExit(3)"), "exit code 3"),
        (plugin("print('not json')"), "did not print an ExecCredential"),
        (plugin('print(\'{"apiVersion": "other", "status": {}}\')'), "speaks other"),
        (plugin(credential("''")), "neither a token nor a certificate"),
        ({"exec": {"command": "no-such-plugin", "apiVersion": "v1"}}, "`no-such-plugin` is not installed"),
        ({"exec": {"command": "x", "apiVersion": "v1", "interactiveMode": "Always"}}, "`x` needs a terminal"),
        ({"tokenFile": "missing"}, "missing"),
    ],
)
async def test_no_credentials(
    api: FakeApi, tmp_path: Path, user: dict[str, Any], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster = KubeCluster(pinned(tmp_path, api.url, user))
    assert words in failure(await cluster.read(KEY), FailureCode.CLUSTER_LOGIN).message
    assert api.requests == []
    await cluster.close()
    assert capfd.readouterr() == ("", "")


async def test_a_plugin_ends_with_the_task_that_waits_for_it(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    child = f"import os, signal; print(os.getpid(), file=open({str(fifo)!r}, 'w'), flush=True); signal.pause()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    task = asyncio.create_task(execplugin.run_plugin(plugin(parent)["exec"], {}))
    pid = int(await asyncio.to_thread(fifo.read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while _runs(pid):
        await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    """Whether it runs, and is not merely waiting for init to notice that it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_plugin_gets_the_cluster_that_it_asks_for(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text("certificate")
    info = "json.loads(os.environ['KUBERNETES_EXEC_INFO'])"
    code = f"import json, os; print(json.dumps({{'apiVersion': 'v', 'status': {{**{info}, 'a': os.environ['A']}}}}))"
    wish = {"apiVersion": "v", "provideClusterInfo": True, "env": [{"name": "A", "value": "b"}]}
    entry = {**plugin(code)["exec"], **wish}
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    cluster = {"server": "https://one", "certificate-authority": str(ca), "extensions": [extension]}
    given = await execplugin.run_plugin(entry, cluster)
    assert given["a"] == "b"
    assert given["spec"] == {
        "interactive": False,
        "cluster": {
            "server": "https://one",
            "certificate-authority-data": "Y2VydGlmaWNhdGU=",
            "config": {"audience": "x"},
        },
    }


async def test_a_user_entry_that_impersonates_has_no_more_rights_here_than_in_kubectl(
    api: FakeApi, tmp_path: Path
) -> None:
    user = {"token": "t", "as": "jane", "as-groups": ["dev", "qa"], "as-uid": "7", "as-user-extra": {"Scopes": ["a"]}}
    cluster = KubeCluster(pinned(tmp_path, api.url, user))
    await cluster.read(KEY)
    headers = api.requests[0].headers
    assert headers.getall("Impersonate-Group") == ["dev", "qa"]
    assert (headers["Impersonate-User"], headers["Impersonate-Uid"]) == ("jane", "7")
    assert headers["Impersonate-Extra-scopes"] == "a"
    await cluster.close()


async def test_passwords_and_proxies(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    cluster = KubeCluster(pinned(tmp_path, api.url, {"username": "jane", "password": "p"}))
    failure(await cluster.read(KEY), FailureCode.WORKLOAD_ABSENT)
    assert [each.headers["Authorization"] for each in api.requests] == ["Basic amFuZTpw"] * 2, "the namespace, too"
    await cluster.close()
    there = KubeCluster(pinned(tmp_path, "http://192.0.2.1", {"token": "t"}))
    failure(await there.read(KEY), FailureCode.CLUSTER_UNREACHABLE)
    await there.close()
    monkeypatch.setenv("http_proxy", api.url)
    proxied = KubeCluster(pinned(tmp_path, "http://192.0.2.1", {"token": "t"}))
    failure(await proxied.read(KEY), FailureCode.WORKLOAD_ABSENT)
    asked = [str(each.url) for each in api.requests[-2:]]
    assert asked[0].startswith("http://192.0.2.1/apis/apps/v1/")
    assert asked[1] == "http://192.0.2.1/api/v1/namespaces/shop"
    await proxied.close()
