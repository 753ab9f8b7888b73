"""Brings a blob from one repository into another: mounted where both are in one registry, else copied."""

import tempfile
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from devloop.adapters.appending import upload
from devloop.adapters.layer import NoLayerError
from devloop.adapters.registryauth import Scope
from devloop.adapters.registryhttp import RegistryHttp
from devloop.core.failure import Failure


async def bring(http: RegistryHttp, origin: Scope, into: Scope, layer: Mapping[str, Any]) -> Failure | None:
    """Raises `NoLayerError` where the blob cannot be had, or is not taken."""
    digest, blobs = str(layer["digest"]), f"/v2/{into.repository}/blobs/"
    known = await http.request("HEAD", into, blobs + digest)
    if isinstance(known, Failure) or known.status == 200:
        return known if isinstance(known, Failure) else None
    if origin.host == into.host:
        query = urlencode({"mount": digest, "from": origin.repository})
        path = f"{blobs}uploads/?{query}"
        mounted = await http.request("POST", into, path, body=b"", media_type="application/octet-stream")
        if isinstance(mounted, Failure) or mounted.status == 201:
            return mounted if isinstance(mounted, Failure) else None
    return await _copy(http, origin, into, digest)


async def _copy(http: RegistryHttp, origin: Scope, into: Scope, digest: str) -> Failure | None:
    with tempfile.TemporaryFile(prefix="devloop-") as file:
        answer = await http.download(origin, f"/v2/{origin.repository}/blobs/{digest}", file)
        if isinstance(answer, Failure):
            return answer
        if answer.status != 200:
            raise NoLayerError(f"the registry does not have the layer {digest} of {origin.repository}")
        file.seek(0)
        return await upload(http, into, file.read(), digest)
