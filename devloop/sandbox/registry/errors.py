"""What a registry refuses, in the codes of the distribution specification.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

from collections.abc import Mapping
from enum import Enum

from aiohttp import web


class Code(Enum):
    """An error code, with the status that it is answered with."""

    BLOB_UNKNOWN = 404
    BLOB_UPLOAD_INVALID = (416, "range")
    BLOB_UPLOAD_UNKNOWN = (404, "upload")
    DIGEST_INVALID = 400
    MANIFEST_BLOB_UNKNOWN = (404, "part")
    MANIFEST_INVALID = (400, "manifest")
    MANIFEST_UNKNOWN = (404, "manifest")
    NAME_INVALID = (400, "name")
    NAME_UNKNOWN = (404, "name")
    SIZE_INVALID = (400, "size")
    TOO_LARGE = 413
    UNAUTHORIZED = 401
    UNSUPPORTED = 405

    @property
    def status(self) -> int:
        # The second part only keeps members with the same status apart.
        return self.value if isinstance(self.value, int) else self.value[0]


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """A request that is answered with an error; the message is for people."""

    def __init__(self, code: Code, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.headers = code, headers

    def response(self) -> web.Response:
        body = {"errors": [{"code": self.code.name, "message": str(self), "detail": None}]}
        return web.json_response(body, status=self.code.status, headers=self.headers)
