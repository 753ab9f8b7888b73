"""What the API server answers when it does not do what it was asked: `Status` objects, in the real one's words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

Status = dict[str, Any]


class Cause(NamedTuple):
    """One field that is wrong."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, code: int, reason: str, message: str, details: Status | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    @property
    def status(self) -> Status:
        """The body of the answer."""
        body: Status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body |= {"message": self.message} | ({"reason": self.reason} if self.reason else {})
        return body | ({} if self.details is None else {"details": self.details}) | {"code": self.code}


def details(name: str, group: str, kind: str, **more: Any) -> Status:
    """Which object a Status is about; without what is empty."""
    return {key: value for key, value in {"name": name, "group": group, "kind": kind, **more}.items() if value}


def qualified(name: str, group: str) -> str:
    """`deployments.apps`, `pods`."""
    return f"{name}.{group}" if group else name


def not_found(name: str, group: str, plural: str) -> ApiError:
    message = f'{qualified(plural, group)} "{name}" not found'
    return ApiError(404, "NotFound", message, details(name, group, plural))


def exists(name: str, group: str, plural: str) -> ApiError:
    message = f'{qualified(plural, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details(name, group, plural))


def conflict(name: str, group: str, kind: str, why: str = "") -> ApiError:
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {qualified(kind, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, details(name, group, kind))


def invalid(name: str, group: str, kind: str, causes: Sequence[Cause]) -> ApiError:
    """The fields that are wrong, each with its sentence."""
    told = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    listed = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    message = f'{qualified(kind, group)} "{name}" is invalid: {text}'
    return ApiError(422, "Invalid", message, details(name, group, kind, causes=listed))


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unknown_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def too_old(version: int, oldest: int) -> ApiError:
    return ApiError(410, "Expired", f"too old resource version: {version} ({oldest})")


def too_large(version: int, current: int) -> ApiError:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {version}, current: {current}"
    return ApiError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})
