"""What `devloop why` takes its arguments for, and what it says of a namespace with nothing in it."""

from dataclasses import replace
from pathlib import Path

import pytest

from devloop.adapters.kubeconfig import PinnedContext
from devloop.core.config import Config
from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.core.service import WorkloadKey
from devloop.core.why.cause import Cause, CauseCode
from devloop.core.why.subject import NamespaceObjects
from devloop.session.project import Place
from devloop.session.request import Request
from devloop.session.why.command import _of_target, failed, there
from devloop.session.why.target import Question, Target, owners_of, read_question
from tests.adapters.fakeapi import pinned

TOML = """
[services.web]
image = "localhost:5001/shop/web"
namespace = "dev"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service of namespace dev that runs on deployment/web."""
    pinned(tmp_path, "https://127.0.0.1:1", {})
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    (tmp_path / "devloop.toml").write_text(TOML)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.chdir(tmp_path)


async def targets(name: str, namespace: str = "") -> list[tuple[str, str, str, bool]]:
    question = await read_question(Request((name,), namespace=namespace), everything=False)
    assert isinstance(question, Question), question
    return [(t.namespace, t.kind, t.name, t.service is not None) for t in question.targets]


@pytest.mark.usefixtures("project")
async def test_a_namespace_that_was_named_wins_over_the_services_own() -> None:
    own = [("dev", "deployment", "web", True)]
    assert await targets("deployment/web") == own
    assert await targets("web") == own
    assert await targets("deployment/web", "dev") == own
    assert await targets("deployment/web", "prod") == [("prod", "deployment", "web", False)]
    assert await targets("web", "prod") == [("prod", "", "web", False)]


SHARED = """
[services.api]
image = "localhost:5001/shop/api"
workload = "deployment/backend"
container = "api"

[services.worker]
image = "localhost:5001/shop/worker"
workload = "deployment/backend"
container = "worker"
"""


@pytest.mark.usefixtures("project")
async def test_a_workload_is_asked_about_for_every_service_that_runs_on_it() -> None:
    Path("devloop.toml").write_text(SHARED)
    question = await read_question(Request(("deploy/backend",)), everything=False)
    assert isinstance(question, Question), question
    assert [each.service and each.service.name for each in question.targets] == ["api", "worker"]
    key = WorkloadKey("default", "deployment", "backend")
    (api, worker) = question.services
    whole = Target("default")  # as `--all -n NAMESPACE` and `pod/NAME` ask
    assert owners_of(question.services, whole, key) == [api, worker]
    assert owners_of(question.services, Target("default", "deployment", "backend", worker), key) == [worker]
    assert owners_of(question.services, whole, replace(key, name="mail")) == [None]


def place(chosen: str = "") -> Place:
    return Place(Config(), "", Path(), PinnedContext("other", "", "default", ""), (), "default", chosen)


async def everything_of(objects: NamespaceObjects) -> Failure:
    question = Question(place(), (Target("typo"),), ())
    (answer,) = await _of_target(question, question.targets[0], objects, None, "")  # type: ignore[arg-type]
    assert isinstance(answer, Failure)
    return answer


async def test_a_namespace_without_any_workload_is_not_well() -> None:
    failure = await everything_of(NamespaceObjects("typo", {}))
    assert (failure.code, failure.exit_code) == (FailureCode.WORKLOAD_ABSENT, ExitCode.UNREACHABLE)
    assert failure.message == "there is no workload in namespace typo"


async def test_what_may_not_be_listed_is_not_called_absent() -> None:
    failure = await everything_of(NamespaceObjects("typo", {}, denied=frozenset({"deployment"})))
    assert failure.code is FailureCode.CLUSTER_DENIED
    assert failure.message.startswith("deployments may not be listed in namespace typo")


def fix(text: str) -> str:
    return there(Cause(CauseCode.PAUSED, "", (), text), place(), "current").fix


def test_a_fix_names_its_context_once() -> None:
    assert fix("kubectl get pods && kubectl delete pod a") == (
        "kubectl --context other get pods && kubectl --context other delete pod a"
    )
    assert fix("kubectl --context a get pods") == "kubectl --context a get pods"


def test_the_hint_of_a_failure_goes_to_the_same_cluster() -> None:
    absent = Failure(FailureCode.WORKLOAD_ABSENT, "there is none", "see what there is: kubectl get pods -n shop")
    hint = "see what there is: kubectl --context other get pods -n shop"
    assert failed(absent, place(), "current", str).hint == hint
    assert failed(absent, place(), "other", str).hint == absent.hint
