"""`devloop init` beside a devloop.toml whose services are not where its files and the context would have them be."""

import pytest

from tests.cli.initworld import Cluster, Project

pytestmark = pytest.mark.programs


def shop_in(cluster: Cluster, *namespaces: str) -> None:
    """The services run there alone; what the context's namespace has is of somebody else."""
    cluster.workloads = []
    cluster.deploy("redis", "redis:7")
    for namespace in namespaces:
        for name in ("web", "api"):
            cluster.deploy(name, f"127.0.0.1:1/shop/{name}:1", namespace=namespace)


@pytest.fixture
def clone(project: Project, cluster: Cluster) -> Project:
    """Of a project that was set up in s1 by somebody else: there is no devloop.local.toml."""
    shop_in(cluster, "s1")
    (project.root / ".git").mkdir()
    assert project.run("init", "--yes", "-n", "s1")[0] == 0
    (project.root / "devloop.local.toml").unlink()
    return project


def says(project: Project, namespace: str) -> None:
    (project.root / "devloop.local.toml").write_text(f'[cluster]\nnamespace = "{namespace}" # mine\n')


def test_a_fresh_checkout_is_set_up_from_the_namespace_that_runs_it(clone: Project) -> None:
    before = (clone.root / "devloop.toml").read_text()
    code, out, err = clone.run("init", "--yes")
    assert code == 0, err
    assert out.startswith("2 Dockerfiles, 2 workloads in namespace s1 of context colima\n  ! no file names the ")
    assert "the workloads of devloop.toml are in s1, and not in shop, the context's\n" in out
    assert "✔ api/Dockerfile -> deployment/api in s1: devloop.toml has it already\n" in out
    assert "nothing here builds" not in out
    assert (clone.root / "devloop.toml").read_text() == before
    assert clone.read("devloop.local.toml")["cluster"] == {"context": "colima", "namespace": "s1"}


def test_what_the_contexts_namespace_runs_of_it_is_enough(clone: Project, cluster: Cluster) -> None:
    cluster.deploy("web", "nginx:1")
    assert clone.run("init", "--yes")[0] == 0
    assert clone.read("devloop.local.toml")["cluster"]["namespace"] == "shop"


def test_a_new_dockerfile_does_not_keep_it_from_the_namespace_of_the_others(clone: Project, cluster: Cluster) -> None:
    clone.source("cart", "mail")
    cluster.deploy("cart", "127.0.0.1:1/shop/cart:1")
    cluster.deploy("mail", "127.0.0.1:1/shop/mail:1", namespace="s1")
    code, out, _ = clone.run("init", "--print")
    assert code == 0
    assert "[services.mail]\n" in out
    assert "[services.cart]\n" not in out, "that is somewhere else"
    assert '# namespace = "s1"\n' in out


def test_a_lost_line_is_added(clone: Project) -> None:
    assert clone.run("init", "--yes")[0] == 0
    path = clone.root / "devloop.local.toml"
    path.write_text(path.read_text().replace('namespace = "s1"\n', "# mine\n"))
    with clone.terminal("init") as terminal:
        terminal.until('+namespace = "s1"')
        terminal.until("devloop.local.toml is there and does not have that yet. Add it? [Y/n]")
        terminal.press(b"\n")
        terminal.until("doctor")
        terminal.press(b"n\n")
        assert terminal.finish() == 0
    assert clone.read("devloop.local.toml")["cluster"]["namespace"] == "s1"
    assert "# mine\n" in path.read_text()


@pytest.mark.parametrize("is_there", [True, False])
def test_a_wrong_one_is_changed_to_the_one_that_is_asked_for(clone: Project, cluster: Cluster, is_there: bool) -> None:
    if is_there:
        cluster.deploy("else", "127.0.0.1:1/x/else", namespace="s9")
    says(clone, "s9")
    code, _, err = clone.run("init", "--yes", "-n", "s1")
    assert code == 2
    assert err.startswith("devloop.local.toml is there and says something else: nothing was written\n")
    with clone.terminal("init", "-n", "s1") as terminal:
        terminal.until("devloop.local.toml is there and says something else. Change it as shown? [y/N]")
        assert '-namespace = "s9" # mine' in terminal.said
        terminal.press(b"y\n")
        terminal.until("doctor")
        terminal.press(b"n\n")
        assert terminal.finish() == 0
    assert 'namespace = "s1" # mine\n' in (clone.root / "devloop.local.toml").read_text()


@pytest.mark.parametrize("args", [(), ("--all-namespaces",)])
def test_a_wrong_one_of_a_file_is_told_with_the_way_to_the_right_one(
    clone: Project, cluster: Cluster, args: tuple[str, ...]
) -> None:
    cluster.deploy("else", "127.0.0.1:1/x/else", namespace="s9")
    says(clone, "s9")
    code, out, err = clone.run("init", "--yes", *args)
    assert code == 3
    assert "! api/Dockerfile: devloop.toml has it already; its deployment/api was not found in namespace s9\n" in out
    left = out.partition("nothing here builds ")[2]
    assert left, "others are there"
    assert "deployment/api" not in left
    assert err == (
        "the workloads of devloop.toml are not in namespace s9, which devloop.local.toml names; there are such in s1\n"
        "→ say in which namespace they are: `devloop init -n s1`\n"
    )


def test_of_several_namespaces_a_person_says_which(clone: Project, cluster: Cluster) -> None:
    shop_in(cluster, "alice", "bob")
    cluster.deploy("web", "nginx", namespace="blog")
    code, _, err = clone.run("init", "--yes")
    assert code == 3
    assert err == (
        "the workloads of devloop.toml are not in namespace shop, the context's own; there are such in alice and bob\n"
        "→ say in which namespace they are: `devloop init -n alice` or `devloop init -n bob`\n"
    )
    assert clone.run("init", "--yes", "-n", "bob")[0] == 0
    assert clone.read("devloop.local.toml")["cluster"]["namespace"] == "bob"


def test_what_only_has_the_name_is_never_taken_for_it(clone: Project, cluster: Cluster) -> None:
    cluster.workloads = []
    cluster.deploy("web", "127.0.0.1:1/blog/web", namespace="blog")
    code, _, err = clone.run("init", "--yes")
    assert code == 3
    assert err.endswith("→ say in which namespace they are: `devloop init -n blog`\n")
    assert "devloop.local.toml" not in clone.files


def test_a_service_of_another_namespace_is_added_beside_the_files_own(clone: Project, cluster: Cluster) -> None:
    assert clone.run("init", "--yes")[0] == 0
    clone.source("cart")
    cluster.deploy("cart", "127.0.0.1:1/shop/cart:1", namespace="s2")
    code, out, _ = clone.run("init", "--print", "-n", "s2")
    assert code == 0
    assert 'workload = "deployment/cart"\nnamespace = "s2"\n' in out
    assert '# namespace = "s1"\n' in out


def test_outside_of_version_control_it_goes_to_the_overlay_too(clone: Project) -> None:
    (clone.root / ".git").rmdir()
    assert clone.run("init", "--yes")[0] == 0
    assert clone.read("devloop.local.toml")["cluster"]["namespace"] == "s1"
    (clone.root / "devloop.local.toml").unlink()
    text = (clone.root / "devloop.toml").read_text()
    (clone.root / "devloop.toml").write_text(f'[cluster]\nnamespace = "s1"\n\n{text}')
    assert clone.run("init", "--yes")[0] == 0
    assert "namespace" not in clone.read("devloop.local.toml")["cluster"], "devloop.toml says it"


@pytest.mark.parametrize("command", [("plan",), ("why", "web"), ("why", "deployment/web"), ("why", "--slow", "web")])
def test_other_commands_of_a_fresh_checkout_name_init(clone: Project, command: tuple[str, ...]) -> None:
    way = "→ no file says the namespace: `devloop init` finds it and writes it down; else see what there is: kubectl "
    code, out, err = clone.run(*command)
    assert code == 3
    assert way in out + err
    code, out, err = clone.run(*command, "-n", "shop")
    assert code == 3
    assert "devloop init" not in out + err, "it was said"
    says(clone, "shop")
    code, out, err = clone.run(*command)
    assert code == 3
    assert "devloop init" not in out + err, "a file says it"


@pytest.mark.parametrize("way", ["--yes", "--diff"])
def test_a_dockerfile_that_nothing_runs_is_left_out_with_the_way_to_have_it(clone: Project, way: str) -> None:
    assert clone.run("init", "--yes")[0] == 0
    clone.source("cron")
    code, out, err = clone.run("init", way)
    assert code == 0
    assert "✘ cron/Dockerfile: no Deployment has a name, an image or a label like `cron`; left out\n" in out + err
    assert "devloop.toml stays as it is\n" in out + err
    assert "→ to have cron/Dockerfile too: deploy what runs it, then `devloop init` again\n" in out + err


def test_what_a_person_left_out_is_nothing_to_deploy(clone: Project, cluster: Cluster) -> None:
    assert clone.run("init", "--yes")[0] == 0
    clone.source("cron")
    cluster.deploy("else", "127.0.0.1:1/x/else", namespace="s1")
    with clone.terminal("init") as terminal:
        terminal.until("What runs cron/Dockerfile? [0]")
        terminal.press(b"\n")
        terminal.until("cron/Dockerfile: as you said; left out")
        terminal.until("doctor")
        terminal.press(b"n\n")
        assert terminal.finish() == 0
        assert "devloop.toml stays as it is" in terminal.said
        assert "to have cron/Dockerfile too" not in terminal.said
