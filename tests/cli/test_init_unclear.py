"""What `devloop init` says where it writes nothing, because nothing is clear or nothing fits."""

import pytest

from tests.cli.initworld import Cluster, Project

pytestmark = pytest.mark.programs


def test_the_same_in_two_namespaces_names_those_that_decide(project: Project, cluster: Cluster) -> None:
    cluster.workloads = []
    for namespace in ("default", "team"):
        cluster.deploy("api", "127.0.0.1:1/a/api", namespace=namespace)
    cluster.deploy("payments-api", "127.0.0.1:1/pay/payments-api", namespace="vague")
    code, out, err = project.run("init", "--yes")
    assert code == 3
    assert "  ! there is no namespace shop, which context colima names\n" in out
    may_be = "it may be `deployment/api in default` or `deployment/api in team`, for equally good reasons; left out\n"
    assert f"! api/Dockerfile: {may_be}" in out
    asks = "say which it is: `-n default` or `-n team`; on a terminal `devloop init` asks"
    assert err == f"it is not clear what runs any of it, so nothing is written\n→ {asks}\n"
    code, out, err = project.run("init", "--print", "--all-namespaces")
    assert (code, out) == (3, "")
    assert f"{may_be}" in err
    assert "there is no namespace shop" not in err, "it was not to be looked at"
    assert err.endswith(f"→ {asks}\n")
    assert project.run("init", "--yes", "-n", "team")[0] == 0
    assert project.read()["services"]["api"]["workload"] == "deployment/api"


def test_what_no_namespace_decides_is_asked_on_a_terminal(project: Project, cluster: Cluster) -> None:
    cluster.workloads = []
    cluster.deploy("payments-api", "127.0.0.1:1/pay/payments-api")
    code, out, err = project.run("init", "--yes")
    assert code == 3
    assert "which is not certain; left out\n" in out
    said = "it is not clear what runs any of it, so nothing is written\n→ on a terminal `devloop init` asks; or look"
    assert err == f"{said} elsewhere: -n NAMESPACE, --all-namespaces, --context CONTEXT\n"
    code, _, err = project.run("init", "--yes", "--all-namespaces")
    assert err == f"{said} elsewhere: --context CONTEXT\n"


@pytest.mark.parametrize("args", [(), ("--all-namespaces",)])
def test_all_namespaces_are_not_proposed_where_they_were_looked_at(
    project: Project, cluster: Cluster, args: tuple[str, ...]
) -> None:
    cluster.workloads = []
    cluster.deploy("other", "127.0.0.1:1/a/other")
    code, _, err = project.run("init", "--yes", *args)
    assert code == 3
    named = (
        "; if `deployment/other` runs one of them, `devloop init` asks on a terminal, or write `[services.NAME]` with "
        '`workload = "deployment/other"`\n'
    )
    assert err == (
        "none of the workloads in all namespaces runs what is built here, so there is nothing to write\n"
        f"→ deploy it first, or look elsewhere: --context CONTEXT{named}"
    )
    alone = project.run("init", "--yes", "-n", "shop")[2]
    assert alone.endswith(f"-n NAMESPACE, --all-namespaces, --context CONTEXT{named}")


def test_a_container_of_docker_hub_is_treated_alike_with_an_answer_and_without(
    project: Project, cluster: Cluster
) -> None:
    cluster.hosting = {"host": "localhost:5001"}
    cluster.deploy("worker", "nginx:1", "acme/worker:1.2")
    project.source("worker")
    why = "which may be somebody else's, as Docker is not logged in to Docker Hub"
    code, commented, err = project.run("init", "--print")
    assert code == 0
    assert "of the first ends in the folder's name, worker, but may be somebody else's" in err
    with project.terminal("init", size=(250, 30)) as terminal:
        terminal.until("1) deployment/worker in shop, container c1 (acme/worker:1.2)")
        terminal.until("What runs worker/Dockerfile? [0]")
        terminal.press(b"1\n")
        terminal.until("[localhost:5001]: ")
        assert why in " ".join(terminal.said.split())
        terminal.press(b"\n")
        terminal.until("Write devloop.toml")
        terminal.press(b"\n")
        terminal.until("doctor")
        terminal.press(b"n\n")
        assert terminal.finish() == 0
    written = project.read()["services"]["worker"]
    assert f'# image = "{written["image"]}"\n' in commented
    assert f'# container = "{written["container"]}"\n' in commented
    assert why in commented.replace("\n# ", " ")
