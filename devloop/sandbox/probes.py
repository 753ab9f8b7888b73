"""Probes: whether a container has started, may be asked, and still lives; in the kubelet's words when not."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from devloop.sandbox.runtimeport import Running

Raw = dict[str, Any]
_MOST = 10 * 2**10
"""Bytes of an answer that are looked at."""


@dataclass(frozen=True, slots=True)
class Probed:
    """Where a probe looks: the program, and the address that the Pod has for everybody else."""

    running: Running
    address: str
    port: Callable[[Any], int | None]
    """From a port of the spec (a number or a name) to its number."""


async def probe(spec: Raw, at: Probed) -> str:
    """Empty when it succeeds, else why it failed."""
    seconds = float(spec.get("timeoutSeconds", 1))
    if "exec" in spec:
        return await _exec(spec["exec"], at, seconds)
    if "tcpSocket" in spec:
        return await _tcp(spec["tcpSocket"], at, seconds)
    if "httpGet" in spec:
        return await _http(spec["httpGet"], at, seconds)
    return ""


async def _exec(action: Raw, at: Probed, seconds: float) -> str:
    command = [str(part) for part in action.get("command") or []]
    try:
        async with asyncio.timeout(seconds + 1):
            code, output = await at.running.execute(command, seconds)
    except (TimeoutError, OSError) as error:
        text = str(error) or f"timeout: {seconds:g}s"
        return f"command timed out: {' '.join(command)}: {text}" if isinstance(error, TimeoutError) else text
    return "" if code == 0 else output or f"exit code {code}"


async def _tcp(action: Raw, at: Probed, seconds: float) -> str:
    shown = f"{at.address}:{at.port(action['port'])}"
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection("127.0.0.1", at.running.port)
    except TimeoutError:
        return f"dial tcp {shown}: i/o timeout"
    except OSError:
        return f"dial tcp {shown}: connect: connection refused"
    writer.close()
    return ""


async def _http(action: Raw, at: Probed, seconds: float) -> str:
    scheme, path = str(action.get("scheme", "HTTP")).lower(), "/" + str(action.get("path") or "/").lstrip("/")
    shown = f"{scheme}://{at.address}:{at.port(action['port'])}{path}"
    headers = {str(each["name"]): str(each["value"]) for each in action.get("httpHeaders") or []}
    headers.setdefault("User-Agent", "kube-probe/1.36")
    connector = aiohttp.TCPConnector(force_close=True, ssl=False)
    try:
        async with asyncio.timeout(seconds), aiohttp.ClientSession(connector=connector, trust_env=False) as session:
            url = f"{scheme}://127.0.0.1:{at.running.port}{path}"
            async with session.get(url, headers=headers, allow_redirects=False) as answer:
                await answer.content.read(_MOST)
                return "" if 200 <= answer.status < 400 else f"HTTP probe failed with statuscode: {answer.status}"
    except TimeoutError:
        return f'Get "{shown}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    except aiohttp.ClientConnectorError:
        return f'Get "{shown}": dial tcp {at.address}:{at.port(action["port"])}: connect: connection refused'
    except (aiohttp.ClientError, OSError):
        return f'Get "{shown}": EOF'


class Worker:
    """One probe of one start of a container: `told` hears each verdict, and why where it failed."""

    def __init__(self, spec: Raw, at: Probed, told: Callable[[bool, str], None]) -> None:
        self._spec = spec
        self._at = at
        self._told = told

    async def run(self, *, until_passed: bool = False) -> bool:
        """Probe until cancelled. `until_passed`: until the first success (True), or until it is given up (False)."""
        period = float(self._spec.get("periodSeconds", 10))
        good, bad = 0, 0
        await asyncio.sleep(float(self._spec.get("initialDelaySeconds", 0)))
        while True:
            failure = await probe(self._spec, self._at)
            good, bad = (0, bad + 1) if failure else (good + 1, 0)
            self._told(not failure, failure)
            if until_passed and good >= int(self._spec.get("successThreshold", 1)):
                return True
            if until_passed and bad >= int(self._spec.get("failureThreshold", 3)):
                return False
            await asyncio.sleep(period)
