"""Credential plugins: the commands that a kubeconfig's `exec` names, run without a terminal.

The protocol: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

import asyncio
import base64
import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

PLUGIN_TIMEOUT = 120.0
"""Seconds; a plugin may be waiting for a person in a browser."""

_EXEC_EXTENSION = "client.authentication.k8s.io/exec"


class PluginError(Exception):
    """A credential plugin gave no credentials; the text is its last word."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


async def run_plugin(plugin: Mapping[str, Any], cluster: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `status` of the ExecCredential that a credential plugin prints; raises `PluginError`.

    It gets neither terminal nor standard input, and what it writes to standard error is kept for the failure.
    """
    command, version = str(plugin.get("command") or ""), str(plugin.get("apiVersion") or "")
    name = Path(command).name
    if plugin.get("interactiveMode") == "Always":
        raise PluginError(f"`{name}` needs a terminal", "log in with it first, and start again")
    info: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        info["cluster"] = _cluster_info(cluster)
    request = {"apiVersion": version, "kind": "ExecCredential", "spec": info}
    extra = {str(item["name"]): str(item["value"]) for item in plugin.get("env") or []}
    environment = {**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(request)}
    arguments = [str(argument) for argument in plugin.get("args") or []]
    try:
        output = await _output(command, arguments, environment)
    except FileNotFoundError:
        hint = str(plugin.get("installHint") or "").strip()
        raise PluginError(f"`{name}` is not installed", hint or f"install `{name}`, or put it on PATH") from None
    return _status(output, name, version)


def _status(output: bytes, name: str, version: str) -> Mapping[str, Any]:
    try:
        credential = json.loads(output)
        status, answered = credential["status"], credential.get("apiVersion")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PluginError(f"`{name}` did not print an ExecCredential") from None
    if answered != version or not isinstance(status, Mapping):
        raise PluginError(f"`{name}` speaks {answered}, and the kubeconfig asks for {version}")
    return status


async def _output(command: str, arguments: list[str], environment: Mapping[str, str]) -> bytes:
    process = await asyncio.create_subprocess_exec(
        command,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(PLUGIN_TIMEOUT):
            output, errors = await process.communicate()
    except TimeoutError:
        raise PluginError(f"`{Path(command).name}` did not end within {PLUGIN_TIMEOUT:.0f} s") from None
    finally:
        if process.returncode is None:
            await _end(process)
    if process.returncode:
        said = errors.decode(errors="replace").strip().splitlines()
        raise PluginError(said[-1].strip()[:300] if said else f"it ended with exit code {process.returncode}")
    return output


async def _end(process: asyncio.subprocess.Process) -> None:
    """Whatever the plugin started goes with it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _cluster_info(cluster: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
    info = {key: cluster[key] for key in keys if cluster.get(key)}
    if (file := cluster.get("certificate-authority")) and "certificate-authority-data" not in info:
        info["certificate-authority-data"] = base64.b64encode(Path(file).read_bytes()).decode()
    extensions = {item.get("name"): item.get("extension") for item in cluster.get("extensions") or []}
    if config := extensions.get(_EXEC_EXTENSION):
        info["config"] = config
    return info
