"""Requests to Pods and Services through the API server."""

import random
from typing import Any

import aiohttp
from aiohttp import web

from devloop.sandbox import kinds
from devloop.sandbox.errors import ApiError
from devloop.sandbox.paths import Target
from devloop.sandbox.podaccess import PodAccess
from devloop.sandbox.resources import Resources

Raw = dict[str, Any]
_OF_THE_HOP = frozenset({"host", "authorization", "connection", "transfer-encoding", "content-length", "keep-alive",
                         "upgrade"})  # fmt: skip


async def answer(
    request: web.Request, resources: Resources, access: PodAccess, session: aiohttp.ClientSession, target: Target
) -> web.Response:
    """What the program behind it answers."""
    name, port = _name_and_port(target.name)
    if target.kind is kinds.POD:
        pod = resources.get(kinds.POD, target.namespace, name)
        port = port or _first_port(pod)
    else:
        pods, port = ready_behind(resources, target.namespace, name, port)
        pod = random.choice(pods)  # noqa: S311
    there = access.host_port(pod["metadata"]["uid"], port)
    if there is None:
        raise _unreachable(f"dial tcp {pod['status'].get('podIP', '')}:{port}: connect: connection refused")
    headers = {key: value for key, value in request.headers.items() if key.lower() not in _OF_THE_HOP}
    url = f"http://127.0.0.1:{there}{target.rest or '/'}"
    query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
    try:
        async with session.request(
            request.method, url + query, headers=headers, data=await request.read() or None, allow_redirects=False
        ) as found:
            kept = {key: value for key, value in found.headers.items() if key.lower() not in _OF_THE_HOP}
            return web.Response(status=found.status, body=await found.read(), headers=kept)
    except (aiohttp.ClientError, OSError) as error:
        raise _unreachable(str(error)) from None


def _name_and_port(text: str) -> tuple[str, str]:
    """`[SCHEME:]NAME[:PORT]`."""
    parts = text.split(":")
    if len(parts) == 3 or (len(parts) == 2 and parts[0] in {"http", "https"}):
        parts = parts[1:]
    return parts[0], parts[1] if len(parts) > 1 else ""


def _first_port(pod: Raw) -> str:
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports") or []]
    return str(ports[0]["containerPort"]) if ports else "80"


def ready_behind(resources: Resources, namespace: str, name: str, port: str) -> tuple[list[Raw], str]:
    """The ready Pods of a Service, at least one, and the port there."""
    service = resources.get(kinds.SERVICE, namespace, name)
    ports = service["spec"].get("ports") or []
    chosen = next((p for p in ports if port in {str(p["port"]), p.get("name", ""), ""}), None)
    if chosen is None:
        raise ApiError(503, "ServiceUnavailable", f'no service port "{port}" found for service "{name}"')
    slices = [
        each
        for each in resources.all_of(kinds.ENDPOINT_SLICE, namespace)
        if each["metadata"].get("labels", {}).get("kubernetes.io/service-name") == name
    ]
    ready = [e for each in slices for e in each.get("endpoints") or [] if e.get("conditions", {}).get("ready")]
    pods = [resources.find(kinds.POD, namespace, e["targetRef"]["name"]) for e in ready]
    there = [pod for pod in pods if pod is not None]
    if not there:
        raise ApiError(503, "ServiceUnavailable", f'no endpoints available for service "{name}"')
    return there, str(chosen.get("targetPort", chosen["port"]))


def _unreachable(why: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", f"error trying to reach service: {why}")
