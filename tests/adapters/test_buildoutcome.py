"""Why a push failed, from the engine's words alone."""

from pathlib import Path

import pytest

from devloop.adapters.buildoutcome import push_failure
from devloop.core.failure import FailureCode
from devloop.core.image import ImageRef
from devloop.core.ports import BuildRequest
from devloop.core.service import BuildSpec

REQUEST = BuildRequest(BuildSpec(Path("/src"), Path("/src/Dockerfile")), ImageRef.parse("r.test:5000/web:dev"), "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("denied", FailureCode.REGISTRY_DENIED),
        ("denied: requested access to the resource is denied", FailureCode.REGISTRY_DENIED),
        ("unexpected status from POST request: 403 Forbidden", FailureCode.REGISTRY_DENIED),
        ("no basic auth credentials", FailureCode.REGISTRY_DENIED),
        ("dial tcp 127.0.0.1:5000: connect: connection refused", FailureCode.REGISTRY_UNREACHABLE),
        ("open /var/lib/registry/x: permission denied", FailureCode.PUSH_FAILED),
        ("blob upload invalid", FailureCode.PUSH_FAILED),
    ],
)
def test_why_a_push_failed(error: str, code: FailureCode) -> None:
    failure = push_failure(REQUEST, error, "/home/me/.docker/config.json")
    assert failure.code is code
    assert "r.test:5000/web:dev" in failure.message
    assert error in failure.message
    assert failure.hint
