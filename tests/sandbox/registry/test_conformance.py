"""The distribution specification's own conformance tests, against the sandbox's registry.

They are a Go module, github.com/opencontainers/distribution-spec/conformance. `DEVLOOP_CONFORMANCE` names its compiled
program; where it is not set and `DEVLOOP_CONFORMANCE_GO` names a `go`, the program is compiled with that, which gets
the module from the Go module proxy that is configured.
"""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from devloop.sandbox.registry.server import Registry

_MODULE = "github.com/opencontainers/distribution-spec/conformance"
_VERSION = "v0.0.0-20260831232431-97274622c111"
_EVERYTHING = (
    "OCI_API_BLOBS_DIGEST_HEADER",
    "OCI_API_BLOBS_UPLOAD_CANCEL",
    "OCI_API_MANIFESTS_DIGEST_HEADER",
    "OCI_API_MANIFESTS_TAG_PARAM",
)
"""What the specification leaves to a registry, and the tests leave out unless they are asked."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The compiled tests."""
    if compiled := os.environ.get("DEVLOOP_CONFORMANCE"):
        return compiled
    go = os.environ.get("DEVLOOP_CONFORMANCE_GO")
    if not go:
        pytest.skip("conformance: set DEVLOOP_CONFORMANCE (the compiled program) or DEVLOOP_CONFORMANCE_GO (a `go`)")
    folder = tmp_path_factory.mktemp("conformance")
    env = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "-mod=mod"}
    subprocess.run([go, "install", f"{_MODULE}@{_VERSION}"], env=env, check=True, timeout=500)
    return str(folder / "conformance")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", ["1.1", "dev"])
async def test_the_specifications_own_tests_pass(program: str, tmp_path: Path, version: str) -> None:
    async with Registry(tmp_path / "registry") as registry:
        env = {
            "OCI_REGISTRY": registry.host,
            "OCI_TLS": "disabled",
            "OCI_VERSION": version,
            "OCI_RESULTS_DIR": str(tmp_path / "results"),
            **dict.fromkeys(_EVERYTHING, "true"),
        }
        process = await asyncio.create_subprocess_exec(
            program, env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said, _ = await process.communicate()
    failures = [line for line in said.decode().splitlines() if "FAIL" in line or "level=WARN" in line]
    assert process.returncode == 0, "\n".join(failures)
    assert "Pass" in said.decode()
