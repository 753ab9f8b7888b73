"""What `devloop why --slow` says when there is nothing to measure, or nothing could be read."""

from pathlib import Path
from typing import Any

import pytest

from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.core.why.subject import NamespaceObjects
from devloop.session.request import Request
from devloop.session.why import slow as command
from tests.adapters.fakeapi import pinned
from tests.core.why.test_subject import DEPLOYED


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask about deployment/api where this is what the cluster answers."""
    pinned(tmp_path, "https://127.0.0.1:1", {})
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.chdir(tmp_path)

    async def ask(objects: NamespaceObjects | Failure, context: str = "") -> ExitCode:
        async def read(*_: object) -> dict[str, NamespaceObjects | Failure]:
            return {"shop": objects}

        monkeypatch.setattr(command, "read_namespaces", read)
        request = Request(("deployment/api",), namespace="shop", context=context)
        return await command.slow(request, everything=False, as_json=False)

    return ask


async def test_a_failure_holds_no_secrets(asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    failure = Failure(
        FailureCode.CLUSTER_UNREACHABLE, "https://u:hunter2@api/?token=hunter2", "see https://u:hunter2@x"
    )
    assert await asked(failure) is ExitCode.UNREACHABLE
    assert "https://api/" in (told := capsys.readouterr().err)
    assert "hunter2" not in told


@pytest.mark.parametrize(("context", "there"), [("", ""), ("fake", " --context fake")])
async def test_the_next_step_goes_to_the_same_cluster(
    asked: Any, capsys: pytest.CaptureFixture[str], context: str, there: str
) -> None:
    assert await asked(DEPLOYED, context) is ExitCode.DONE
    assert capsys.readouterr().out.endswith(f"→ devloop why deployment/api -n shop{there}\n")
