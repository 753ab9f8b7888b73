"""The API server of the sandbox: Kubernetes' HTTP API on a port of this machine alone, for whoever has the token."""

import asyncio
import hmac
import json
import logging
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from devloop.sandbox import discovery, kinds, podlogs, protobuf, proxying, reviews, scale
from devloop.sandbox.errors import ApiError, bad_request, details, not_allowed, unknown_path
from devloop.sandbox.kinds import Kind
from devloop.sandbox.listing import listed
from devloop.sandbox.patches import APPLY, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE
from devloop.sandbox.paths import Target, target_of
from devloop.sandbox.podaccess import PodAccess
from devloop.sandbox.queries import number
from devloop.sandbox.resources import Resources
from devloop.sandbox.strategy import check_name
from devloop.sandbox.tables import table
from devloop.sandbox.views import seen_as, stored_from
from devloop.sandbox.watching import Shown, Watch

Raw = dict[str, Any]
_LOG = logging.getLogger(__name__)
_LARGEST = 3 * 2**20
"""Bytes of a request, as the real one allows."""
_BODIES = ("application/json", "application/yaml")
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_TRUE = frozenset({"true", "1"})


class ApiServer:
    """Serves `resources` at `https://127.0.0.1:PORT` between `start` and `stop`."""

    def __init__(self, resources: Resources, access: PodAccess, token: str, tls: ssl.SSLContext | None) -> None:
        self.port = 0
        self._resources = resources
        self._access = access
        self._token = token
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self.open_requests: set[asyncio.Task[Any]] = set()
        """Those that are being answered, watches and logs included."""

    async def start(self) -> None:
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_route("*", "/{path:.*}", self._handle)
        # A request whose client left is over: a watch would wait for its next event otherwise.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        connector = aiohttp.TCPConnector(force_close=True)
        self._session = aiohttp.ClientSession(connector=connector, trust_env=False, auto_decompress=False)

    async def stop(self) -> None:
        """End all requests, those that stay open too."""
        for task in tuple(self.open_requests):
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self.open_requests.add(task)
        try:
            return await self._answer(request)
        except ApiError as error:
            return _json(error.status, error.code)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            _LOG.exception("the sandbox failed at %s %s", request.method, request.rel_url.raw_path)
            return _json(ApiError(500, "InternalError", f"Internal error occurred: {error!r}").status, 500)
        finally:
            self.open_requests.discard(task)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._authenticate(request)
        path = request.rel_url.raw_path
        if (about := self._about(request, path)) is not None:
            return about
        target = target_of(path)
        if target is None:
            raise unknown_path()
        if target.subresource in {"log", "proxy", "exec"}:
            return await self._of_pod(request, target)
        if request.method == "GET":
            return await self._read(request, target)
        return await self._write(request, target)

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self._token.encode()):
            raise ApiError(401, "Unauthorized", "Unauthorized")

    def _about(self, request: web.Request, path: str) -> web.Response | None:
        """The answers about the server itself."""
        parts = path.strip("/").split("/")
        found: Raw | None = None
        if path in {"/healthz", "/livez", "/readyz"}:
            return web.Response(text="ok")
        if parts == ["version"]:
            found = discovery.version()
        elif parts in (["api"], ["apis"]):
            core = parts == ["api"]
            if "as=APIGroupDiscoveryList" in request.headers.get("Accept", "") and "v=v2;" in _accepted(request):
                return _json(discovery.aggregated(core), type_=discovery.AGGREGATED)
            found = discovery.versions(f"127.0.0.1:{self.port}") if core else discovery.groups()
        elif parts == ["openapi", "v3"]:
            found = discovery.openapi()
        elif parts[:2] == ["openapi", "v3"]:
            found = discovery.openapi_of("/" + "/".join(parts[2:]))
        elif parts[0] == "api" and len(parts) == 2:
            found = discovery.resources("", parts[1])
        elif parts[0] == "apis" and len(parts) == 2 and parts[1] in kinds.GROUPS:
            found = {"kind": "APIGroup", "apiVersion": "v1", **discovery.group(parts[1])}
        elif parts[0] == "apis" and len(parts) == 3:
            found = discovery.resources(parts[1], parts[2])
        return None if found is None else _json(found)

    async def _of_pod(self, request: web.Request, target: Target) -> web.StreamResponse:
        if target.subresource == "proxy":
            assert self._session is not None
            return await proxying.answer(request, self._resources, self._access, self._session, target)
        pod = self._resources.get(target.kind, target.namespace, target.name)
        if target.subresource == "log":
            return await podlogs.answer(request, self._access, pod)
        raise ApiError(
            501, "NotImplemented", "the devloop sandbox has no exec: look at logs, or ask the Pod by proxy", {}
        )

    async def _read(self, request: web.Request, target: Target) -> web.StreamResponse:
        kind, query = target.kind, request.query
        if "get" not in kind.verbs:
            raise not_allowed()
        include = query.get("includeObject", "")
        as_table = "as=Table" in request.headers.get("Accept", "")
        if target.name:
            found = self._resources.get(kind, target.namespace, target.name)
            if target.subresource == "scale":
                return _json(scale.seen(found))
            value = seen_as(kind, found)
            metadata = {"resourceVersion": found["metadata"]["resourceVersion"]}
            return _json(table(kind, [value], metadata, include) if as_table else value)
        if query.get("watch") in _TRUE:
            watch = Watch(self._resources.store, kind, target.namespace, query, _shown(target, include, as_table))
            return await watch.run(request)
        found = listed(self._resources.store, kind, target.namespace, query)
        return _json(table(kind, found["items"], found["metadata"], include) if as_table else found)

    async def _write(self, request: web.Request, target: Target) -> web.Response:
        allowed = {"POST"} if not target.name else {"PUT", "PATCH", "DELETE"}
        if not target.name:
            allowed |= {"DELETE"}
        verb = _VERBS.get(request.method, "")
        if request.method not in allowed or verb not in target.kind.verbs:
            raise not_allowed()
        if request.method == "POST":
            return await self._create(request, target)
        if request.method == "DELETE":
            return await self._delete(request, target)
        return await self._change(request, target)

    async def _create(self, request: web.Request, target: Target) -> web.Response:
        kind, body = target.kind, await _body(request, target.kind.name)
        if "get" not in kind.verbs:
            return _json(reviews.answered(kind, body), 201)
        if kind.namespaced and not target.namespace:
            raise bad_request("an empty namespace may not be set during creation")
        if not isinstance(body, dict):
            raise bad_request(f"the object provided is unrecognized (must be of type {kind.name})")
        stored = _stored_kind(target)
        made = self._resources.create(
            stored, target.namespace, stored_from(kind, body), _manager(request), dry=_dry(request)
        )
        return self._object(request, target, made, 201)

    async def _change(self, request: web.Request, target: Target) -> web.Response:
        resources, kind, dry = self._resources, _stored_kind(target), _dry(request)
        at = (kind, target.namespace, target.name)
        sub = target.subresource if target.subresource != "finalize" else ""
        if request.method == "PUT":
            body = await _body(request, kind.name)
            if target.subresource == "scale":
                live = resources.get(*at)
                changed = resources.update(*at, scale.written(live, body), _manager(request), "scale", dry=dry)
                return _json(scale.seen(changed))
            value = stored_from(target.kind, body) if isinstance(body, dict) else body
            check_name(value, target.name)
            return self._object(request, target, resources.update(*at, value, _manager(request), sub, dry=dry))
        type_, body = await _patch(request)
        if target.subresource == "scale":
            live = resources.get(*at)
            changed = resources.update(*at, scale.patched_with(live, type_, body), _manager(request), "scale", dry=dry)
            return _json(scale.seen(changed))
        manager = request.query.get("fieldManager", "") if type_ == APPLY else _manager(request)
        force = request.query.get("force") in _TRUE
        existed = resources.find(*at) is not None
        changed = resources.patch(*at, type_, body, manager, sub, force=force, dry=dry)
        return self._object(request, target, changed, 200 if existed else 201)

    async def _delete(self, request: web.Request, target: Target) -> web.Response:
        kind = _stored_kind(target)
        options = await _options(request)
        if not target.name:
            return self._delete_all(request, target, options)
        last, gone = self._resources.delete(kind, target.namespace, target.name, options, dry=_dry(request))
        if not gone or kind.name in {"Pod", "Service", "ServiceAccount", "Namespace"}:
            return self._object(request, target, last)
        about = details(target.name, kind.group, kind.plural, uid=last["metadata"]["uid"])
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": about}
        return _json(status)

    def _delete_all(self, request: web.Request, target: Target, options: Mapping[str, Any]) -> web.Response:
        if "deletecollection" not in target.kind.verbs:
            raise not_allowed()
        found = listed(self._resources.store, target.kind, target.namespace, request.query)
        for each in found["items"]:
            metadata = each["metadata"]
            with suppress(ApiError):
                self._resources.delete(
                    _stored_kind(target), metadata.get("namespace", ""), metadata["name"], options, dry=_dry(request)
                )
        return _json(found)

    def _object(self, request: web.Request, target: Target, value: Raw, status: int = 200) -> web.Response:
        value = seen_as(target.kind, value)
        if "as=Table" in request.headers.get("Accept", ""):
            metadata = {"resourceVersion": value["metadata"].get("resourceVersion", "")}
            return _json(table(target.kind, [value], metadata, request.query.get("includeObject", "")), status)
        return _json(value, status)


def _stored_kind(target: Target) -> Kind:
    return kinds.EVENT if target.kind.stored_as else target.kind


def _shown(target: Target, include: str, as_table: bool) -> Shown:
    """A watch of Tables has the columns in its first one."""
    told: list[bool] = []

    def show(raw: Raw) -> Raw:
        if not as_table:
            return raw
        told.append(True)
        metadata = {"resourceVersion": raw["metadata"].get("resourceVersion", "")}
        return table(target.kind, [raw], metadata, include, head=len(told) == 1)

    return show


def _json(value: Any, status: int = 200, type_: str = "application/json") -> web.Response:
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    return web.Response(status=status, body=body, headers={"Content-Type": type_, "Cache-Control": "no-cache, private"})


def _accepted(request: web.Request) -> str:
    return request.headers.get("Accept", "").replace(" ", "") + ";"


def _manager(request: web.Request) -> str:
    agent = request.headers.get("User-Agent", "").partition("/")[0]
    return request.query.get("fieldManager") or agent or "unknown"


def _dry(request: web.Request) -> bool:
    return "All" in request.query.getall("dryRun", [])


async def _body(request: web.Request, name: str, types: tuple[str, ...] = _BODIES) -> Any:
    if request.content_type == protobuf.TYPE:
        return protobuf.decoded(await request.read())
    if request.content_type not in types:
        media = f"application/json, application/yaml, {protobuf.TYPE}"
        message = f"the body of the request was in an unknown format - accepted media types include: {media}"
        raise ApiError(415, "UnsupportedMediaType", message)
    text = await request.read()
    try:
        return yaml.safe_load(text) if "yaml" in request.content_type else json.loads(text)
    except (ValueError, yaml.YAMLError) as error:
        why = f"couldn't get version/kind; json parse error: {error}"
        raise bad_request(f"the object provided is unrecognized (must be of type {name}): {why}") from None


async def _patch(request: web.Request) -> tuple[str, Any]:
    type_ = request.content_type
    if type_ not in {JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE, APPLY}:
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    text = await request.read()
    try:
        return type_, yaml.safe_load(text) if type_ == APPLY else json.loads(text)
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"error decoding patch: {error}") from None


async def _options(request: web.Request) -> Raw:
    """How to delete: in the body, or in the query."""
    options: Raw = {}
    if request.can_read_body and (text := await request.read()):
        try:
            options = json.loads(text)
        except ValueError as error:
            raise bad_request(f"error decoding DeleteOptions: {error}") from None
    if not isinstance(options, dict):
        raise bad_request("the object provided is unrecognized (must be of type DeleteOptions)")
    if (grace := number(request.query, "gracePeriodSeconds")) is not None:
        options["gracePeriodSeconds"] = grace
    if "propagationPolicy" in request.query:
        options["propagationPolicy"] = request.query["propagationPolicy"]
    return options
