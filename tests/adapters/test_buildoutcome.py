"""Why a build or a push failed, where no engine is needed to find out."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from devloop.adapters.buildoutcome import push_failure
from devloop.adapters.buildx import BuildxBuilder
from devloop.core.failure import Failure, FailureCode
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
        ("EOF", FailureCode.REGISTRY_UNREACHABLE),
        ("failed to do request: Head: unexpected EOF", FailureCode.REGISTRY_UNREACHABLE),
        ("toomanyrequests: rate exceeded", FailureCode.REGISTRY_UNREACHABLE),
        ("unexpected status from PUT request: 429 Too Many Requests", FailureCode.REGISTRY_UNREACHABLE),
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


def test_a_tag_that_cannot_be_moved_is_named_as_the_cause() -> None:
    error = "the tag 'dev' already exists and cannot be overwritten because the repository is immutable"
    failure = push_failure(REQUEST, error, "/home/me/.docker/config.json")
    assert failure.code is FailureCode.PUSH_FAILED
    assert failure.hint.startswith("r.test:5000 does not let tags move: ")


@pytest.fixture
def builder(tmp_path: Path) -> BuildxBuilder:
    """With a plugin that would end well if it were run."""
    plugin = tmp_path / "cli-plugins" / "docker-buildx"
    plugin.parent.mkdir()
    plugin.write_text("#!/bin/sh\n")
    plugin.chmod(0o755)
    return BuildxBuilder(tmp_path, {"DOCKER_CONFIG": str(tmp_path), "DOCKER_HOST": "unix:///nowhere.sock"})


async def test_a_temporary_folder_that_is_gone_fails_the_build(
    builder: BuildxBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    failure = await builder.build(REQUEST, lambda _: None)
    assert isinstance(failure, Failure)
    assert failure.code is FailureCode.BUILD_FAILED
    assert failure.message == f"no temporary folder can be made in {tmp_path / 'gone'}: {os.strerror(errno.ENOENT)}"
    assert "TMPDIR" in failure.hint


async def test_without_any_temporary_folder_the_build_fails_with_all_that_were_tried(
    builder: BuildxBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/full", "/missing"])
    failure = await builder.build(REQUEST, lambda _: None)
    assert isinstance(failure, Failure)
    assert failure.code is FailureCode.BUILD_FAILED
    assert "/full" in failure.message
    assert "TMPDIR" in failure.hint
