"""`devloop init` from the command line, beside an API server that only lists."""

import tomllib
from pathlib import Path

import pytest

from tests.cli.initworld import HELPERS, WRITTEN, Cluster, Project

pytestmark = pytest.mark.programs


def test_yes_writes_what_validates_and_says_why(project: Project) -> None:
    (project.root / ".git").mkdir()
    code, out, err = project.run("init", "--yes")
    assert (code, err) == (0, ""), err
    assert out.startswith("2 Dockerfiles, 2 workloads in namespace shop of context colima\n")
    why = "web/Dockerfile -> deployment/web in shop: the image 127.0.0.1:1/shop/web ends in the folder's name, web"
    assert f"✔ {why}\n" in out
    assert f"# {why}.\n" in (project.root / "devloop.toml").read_text()
    assert out.endswith("→ devloop up       builds, pushes and proves\n")
    assert project.files == WRITTEN
    assert project.read()["services"]["web"] == {
        "image": "127.0.0.1:1/shop/web", "build": "web", "workload": "deployment/web",
    }  # fmt: skip
    assert project.read("devloop.local.toml") == {"cluster": {"context": "colima", "namespace": "shop"}}
    assert (project.root / ".gitignore").read_text() == "devloop.local.toml\n"
    assert project.run("validate")[:2] == (0, "devloop.toml is valid: api, web\n")


def test_a_second_time_nothing_has_to_be_written(project: Project) -> None:
    assert project.run("init", "--yes")[0] == 0
    mine = (project.root / "devloop.toml").read_text() + "\n[loop]\nparallel_builds = 2\n"
    (project.root / "devloop.toml").write_text(mine)
    before = {name: (project.root / name).read_text() for name in WRITTEN}
    code, out, err = project.run("init", "--yes")
    assert code == 0, err
    assert "devloop.toml stays as it is" in out
    assert "devloop.local.toml stays as it is" in out
    assert {name: (project.root / name).read_text() for name in WRITTEN} == before
    code, out, err = project.run("init", "--diff")
    assert (code, out) == (0, "")
    assert "devloop.toml stays as it is" in err


def test_an_overlay_need_not_say_what_devloop_toml_says(project: Project) -> None:
    assert project.run("init", "--yes")[0] == 0
    shared = project.root / "devloop.toml"
    rest = shared.read_text().partition("[services.")
    shared.write_text('[cluster]\ncontext = "colima"\nnamespace = "shop"\n\n' + "".join(rest[1:]))
    own = project.root / "devloop.local.toml"
    own.write_text("# mine\n[ui]\nnotify = false\n")
    code, out, err = project.run("init", "--diff")
    assert (code, out) == (0, ""), err
    assert "devloop.local.toml stays as it is" in err


@pytest.mark.parametrize("mode", ["--yes", "--diff"])
def test_what_cannot_be_added_line_by_line_is_told(mode: str, project: Project) -> None:
    own = '# mine\ncluster = { namespace = "shop" }\n[ui]\nnotify = false\n'
    (project.root / "devloop.local.toml").write_text(own)
    code, _, err = project.run("init", mode)
    assert code == 2
    lacks = 'devloop.local.toml does not say [cluster] context = "colima", and that cannot be added line by line'
    assert f"{lacks}: nothing was written\n→ add that yourself, or move devloop.local.toml away, and run" in err
    assert (project.root / "devloop.local.toml").read_text() == own
    assert project.files == {"devloop.local.toml"}


def test_what_is_written_is_valid_with_what_a_person_wrote(project: Project) -> None:
    own = '[cluster]\ncontext = "colima"\n\n[services.gone]\ntag = "x"\n'
    (project.root / "devloop.local.toml").write_text(own)
    code, _, err = project.run("init", "--yes")
    assert code == 2
    assert "devloop.local.toml:4: services.gone" in err
    assert "→ correct that, or move devloop.local.toml away, and run `devloop init` again" in err
    assert project.files == {"devloop.local.toml"}


def test_what_the_file_says_is_an_answer(project: Project, cluster: Cluster) -> None:
    """A workload that only a person could name, an image and a comment of their own: none of it is asked or changed."""
    cluster.deploy("mail-worker", "127.0.0.1:1/shop/jobs")
    project.source("mailer")
    assert project.run("init", "--yes")[0] == 0
    said = '\n# ours\n[services.mailer]\nimage = "127.0.0.1:1/team/mail:{user}"\n'
    said += 'build = {context = "mailer"}\nworkload = "deploy/mail-worker"\n'
    mine = (project.root / "devloop.toml").read_text() + said
    (project.root / "devloop.toml").write_text(mine)
    for way in ("--yes", "--diff", "--print"):
        code, out, err = project.run("init", way)
        assert code == 0, err
        report = out if way == "--yes" else err
        assert "✔ mailer/Dockerfile -> deployment/mail-worker in shop: devloop.toml has it already" in report
        assert "✔ web/Dockerfile -> deployment/web in shop: devloop.toml has it already" in report
        if way == "--print":
            assert out.startswith(mine)
    assert (project.root / "devloop.toml").read_text() == mine


def test_a_new_dockerfile_comes_below_what_is_there(project: Project, cluster: Cluster) -> None:
    assert project.run("init", "--yes")[0] == 0
    before = (project.root / "devloop.toml").read_text()
    cluster.deploy("cart", "127.0.0.1:1/a/cart")
    project.source("cart")
    code, out, _ = project.run("init", "--print")
    assert (code, out.startswith(before)) == (0, True)
    added = tomllib.loads(out)["services"]
    assert (set(added), added["cart"]["workload"]) == ({"web", "api", "cart"}, "deployment/cart")


def test_a_file_below_which_nothing_can_come_is_told(project: Project) -> None:
    own = 'services = {mine = {image = "localhost:1/mine", build = "web"}}\n'
    (project.root / "devloop.toml").write_text(own)
    code, _, err = project.run("init", "--diff")
    assert code == 2
    assert "devloop.toml is there, and what is new cannot come below it" in err
    assert "`[services.NAME]`" in err


def test_a_service_whose_workload_is_not_there_is_kept_and_told(project: Project, cluster: Cluster) -> None:
    assert project.run("init", "--yes")[0] == 0
    cluster.workloads = [each for each in cluster.workloads if each[2] != "api"]
    code, out, err = project.run("init", "--yes")
    assert code == 0, err
    said = "! api/Dockerfile: devloop.toml has it already; its deployment/api was not found in namespace shop\n"
    assert said in out
    assert "devloop.toml stays as it is" in out
    assert out.endswith("→ correct `workload` of `api` in devloop.toml, or deploy it; `devloop doctor` checks it\n")
    assert "builds, pushes and proves" not in out
    cluster.workloads = []
    cluster.deploy("else", "127.0.0.1:1/shop/else")
    code, out, err = project.run("init", "--yes")
    assert code == 3
    assert (
        "→ correct `workload` of `api` and `web` in devloop.toml, or deploy them, or look elsewhere: --context" in err
    )


def test_of_several_workloads_the_one_that_is_not_there_is_told(project: Project) -> None:
    (project.root / "devloop.toml").write_text(
        '[services.web]\nimage = "127.0.0.1:1/shop/web"\nbuild = "web"\n'
        'workload = ["deployment/web", "deployment/webb"]\n'
    )
    code, _, err = project.run("init", "--print")
    assert code == 0
    assert "devloop.toml has it already\n      its deployment/webb was not found in namespace shop\n" in err
    assert "→ correct `workload` of `web` in devloop.toml" in project.run("init", "--diff")[2]


def test_a_service_is_looked_for_in_the_namespace_that_it_names(project: Project, cluster: Cluster) -> None:
    cluster.deploy("mail", "127.0.0.1:1/shop/mail", namespace="post")
    project.source("mail")
    (project.root / "devloop.toml").write_text(
        '[services.mail]\nimage = "127.0.0.1:1/shop/mail"\nbuild = "mail"\nnamespace = "post"\n'
    )
    code, _, err = project.run("init", "--print")
    assert code == 0
    assert "mail/Dockerfile -> deployment/mail in post: devloop.toml has it already" in err
    cluster.forbidden = {"/apis/apps/v1/namespaces/post/deployments"}
    code, _, err = project.run("init", "--print")
    assert code == 0
    assert "! mail/Dockerfile: devloop.toml has it already\n" in err, "what cannot be listed may be there"
    assert "may not list /apis/apps/v1/namespaces/post/deployments" in err


def test_the_own_name_of_the_registry_is_written_for_a_file_that_came_without(
    project: Project, cluster: Cluster
) -> None:
    """devloop.toml is shared; what holds on one machine is not in it."""
    cluster.hosting = {"host": "localhost:5001", "hostFromContainerRuntime": "127.0.0.1:1"}
    assert project.run("init", "--yes")[0] == 0
    own = (project.root / "devloop.local.toml").read_text()
    assert "push_image" in own
    (project.root / "devloop.local.toml").unlink()
    assert project.run("init", "--yes")[0] == 0
    assert tomllib.loads((project.root / "devloop.local.toml").read_text()) == tomllib.loads(own)


def test_a_file_that_says_something_else_stays(project: Project) -> None:
    own = '[services.mine]\nimage = "localhost:1/mine"\nbuild = "web"\n'
    (project.root / "devloop.toml").write_text(own)
    code, _, err = project.run("init", "--yes")
    assert code == 2
    first, way = err.splitlines()
    assert first == "devloop.toml is there and does not have all of it: nothing was written"
    assert "`devloop init --diff` shows what is new" in way
    assert (project.root / "devloop.toml").read_text() == own
    assert project.files == {"devloop.toml"}
    code, out, _ = project.run("init", "--diff")
    assert code == 0
    assert "--- devloop.toml\n+++ devloop.toml\n" in out
    assert " [services.mine]\n" in out
    assert "+[services.api]\n" in out
    assert "\n-" not in out.replace("\n---", ""), "nothing of it goes"
    assert "--- /dev/null\n+++ devloop.local.toml\n" in out
    assert "--- /dev/null\n+++ .gitignore\n" in out
    assert out.endswith("\n+devloop.local.toml\n")
    assert project.files == {"devloop.toml"}


@pytest.mark.parametrize("before", ["*.pyc\nbuild/\n", "*.pyc\nbuild/", "*.pyc\r\nbuild/\r\n"])
def test_the_difference_has_the_line_of_gitignore(project: Project, before: str) -> None:
    path = project.root / ".gitignore"
    path.write_bytes(before.encode())
    code, out, _ = project.run("init", "--diff")
    assert code == 0
    assert "--- .gitignore\n+++ .gitignore\n@@ -1,2 +1,3 @@\n *.pyc\n build/\n+devloop.local.toml\n" in out
    assert path.read_bytes() == before.encode()
    assert project.run("init", "--yes")[0] == 0
    assert path.read_text().splitlines() == ["*.pyc", "build/", "devloop.local.toml"]
    assert ".gitignore" not in project.run("init", "--diff")[1]


def test_print_writes_nothing_and_its_stdout_is_a_valid_file(project: Project) -> None:
    code, out, err = project.run("init", "--print")
    assert code == 0
    assert set(tomllib.loads(out)["services"]) == {"web", "api"}
    assert '# context = "colima"' in out
    assert "web/Dockerfile -> deployment/web in shop: the image" in err
    assert project.files == set()


def test_without_a_terminal_it_says_what_to_add(project: Project) -> None:
    code, out, err = project.run("init")
    assert (code, out) == (2, "")
    assert err.endswith(
        "Error: there is no terminal to ask on: add --yes to write what is found, or --print to see it\n"
    )
    assert project.files == set()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--print", "--diff"), "--print and --diff show the same in two ways"),
        (("--yes", "-n", "x", "--all-namespaces"), "--all-namespaces already means all of them"),
    ],
)
def test_options_that_contradict_each_other(project: Project, args: tuple[str, ...], words: str) -> None:
    code, _, err = project.run("init", *args)
    assert code == 2
    assert words in err


def test_a_project_without_a_dockerfile(project: Project) -> None:
    for folder in ("web", "api"):
        (project.root / folder / "Dockerfile").unlink()
    code, _, err = project.run("init", "--yes")
    assert code == 2
    assert f"there is no Dockerfile in {project.root} or below it" in err


@pytest.mark.parametrize("command", [("plan",), ("up", "--once")])
def test_above_dockerfiles_and_without_a_file_other_commands_name_init(
    project: Project, command: tuple[str, ...]
) -> None:
    code, _, err = project.run(*command)
    assert code == 2
    assert f"there is no Dockerfile in {project.root}, and no devloop.toml here or above" in err
    assert "--build FOLDER, or let `devloop init` write a devloop.toml for the Dockerfiles below" in err


def test_a_cluster_that_runs_nothing_of_it(project: Project, cluster: Cluster) -> None:
    cluster.workloads = [("statefulsets", "shop", "web", ["127.0.0.1:1/shop/web"])]
    code, out, err = project.run("init", "--yes")
    assert code == 3
    assert "✘ web/Dockerfile: statefulset/web in shop runs it, and devloop rolls out Deployments alone; left out" in out
    assert "none of the workloads in all namespaces runs what is built here" in err
    assert project.files == set()


def test_a_cluster_without_a_registry(project: Project, cluster: Cluster) -> None:
    (project.root.parent / "docker" / "config.json").write_text("{}")
    cluster.workloads = []
    cluster.deploy("web", "web:dev")
    code, out, err = project.run("init", "--yes")
    assert code == 3
    assert "deployment/web in shop runs web:dev, which cannot be pushed to, and no other registry was found" in out
    assert err.startswith("no registry was found to push images to")


def test_a_namespace_that_is_not_there(project: Project) -> None:
    code, out, err = project.run("init", "--yes", "-n", "shopp")
    assert (code, out) == (3, "")
    assert err == (
        "there is no namespace `shopp` in the cluster of context colima\n"
        "→ correct -n, or look at all that you may list: --all-namespaces\n"
    )


@pytest.mark.parametrize("name", ["devloop.toml", "devloop.local.toml"])
def test_a_namespace_of_a_file_that_is_not_there(project: Project, name: str) -> None:
    assert project.run("init", "--yes")[0] == 0
    (project.root / name).write_text('[cluster]\nnamespace = "shopp"\n')
    code, out, err = project.run("init", "--yes")
    assert (code, out) == (3, "")
    first, way = err.splitlines()
    assert first == "there is no namespace `shopp` in the cluster of context colima"
    assert way.startswith(f"→ correct `namespace` in {name}, or look elsewhere: -n")


def test_a_namespace_of_a_file_further_up_that_is_not_there(project: Project) -> None:
    (project.root / "devloop.toml").write_text('[cluster]\nnamespace = "shopp"\n')
    project.root = project.root / "web"
    code, _, err = project.run("init", "--yes")
    assert code == 3
    assert "→ correct `namespace` in ../devloop.toml, or" in err
    assert project.run("init", "--yes", "-n", "shop")[0] == 0


@pytest.mark.parametrize("mode", ["--yes", "--print", "--diff"])
@pytest.mark.parametrize(
    ("wrong", "at_fault"),
    [
        (["devloop.toml"], "devloop.toml"),
        (["devloop.local.toml"], "devloop.local.toml"),
        (["devloop.toml", "devloop.local.toml"], "devloop.toml and devloop.local.toml"),
    ],
)
def test_files_with_mistakes_are_told_and_left_alone(
    project: Project, wrong: list[str], at_fault: str, mode: str
) -> None:
    assert project.run("init", "--yes")[0] == 0
    for name in wrong:
        path = project.root / name
        path.write_text(path.read_text().replace("namespace =", "namespac =").replace("context =", "contxt ="))
    before = {name: (project.root / name).read_text() for name in WRITTEN}
    code, out, err = project.run("init", mode)
    assert (code, out) == (2, "")
    said = project.run("validate")[2]
    assert [line.partition(":")[0] for line in said.splitlines()] == wrong
    assert err == f"{said}→ correct that, or move {at_fault} away, and run `devloop init` again\n"
    assert {name: (project.root / name).read_text() for name in WRITTEN} == before


def test_an_overlay_with_mistakes_is_told_where_it_is_alone(project: Project) -> None:
    (project.root / "devloop.local.toml").write_text('[cluster]\ncontxt = "colima"\n[services.web]\nload = "auto"\n')
    code, out, err = project.run("init", "--yes")
    assert (code, out) == (2, "")
    first, way = err.splitlines()
    assert first.startswith("devloop.local.toml:2: cluster.contxt: ")
    assert way.startswith("→ correct that, or move devloop.local.toml away")
    (project.root / "devloop.local.toml").write_text('[services.web]\npush_image = "localhost:1/web"\n')
    assert "image" not in project.run("init", "--yes")[2], "what devloop.toml has is missing in no overlay"


def test_a_file_with_mistakes_further_up_is_nothing_to_wait_for(project: Project) -> None:
    (project.root / "devloop.toml").write_text("[cluster]\nnamespac = 'x'\n")
    project.root = project.root / "web"
    code, _, err = project.run("init", "--yes")
    assert code == 0, err


@pytest.mark.parametrize("name", ["devloop.toml", "devloop.local.toml", ".gitignore"])
def test_what_is_no_file_is_told(project: Project, name: str) -> None:
    (project.root / name).mkdir()
    code, _, err = project.run("init", "--yes")
    assert code == 2
    assert err.startswith(f"{name} is there and cannot be read (Is a directory), so nothing was written\n→ move {name}")
    assert project.files == set()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that can be opened and not be read")
def test_what_can_be_opened_and_not_be_read_is_told(project: Project) -> None:
    (project.root / "devloop.local.toml").symlink_to("/proc/self/mem")
    code, _, err = project.run("init", "--yes")
    assert code == 2
    assert err.startswith(
        "devloop.local.toml is there and cannot be read (Input/output error), so nothing was written\n"
    )


def test_a_cluster_that_is_away(project: Project, cluster: Cluster) -> None:
    project._url = "http://127.0.0.1:1"
    project.context("colima")
    code, out, err = project.run("init", "--yes")
    assert (code, out) == (3, "")
    assert "127.0.0.1:1" in err
    assert len(err.splitlines()) == 2


def test_where_nothing_in_the_namespace_fits_all_others_are_looked_at(project: Project, cluster: Cluster) -> None:
    cluster.workloads = []
    cluster.deploy("web", "127.0.0.1:1/shop/web", namespace="team")
    cluster.deploy("web", "127.0.0.1:1/shop/web", namespace="kube-system")
    code, out, _ = project.run("init", "--yes")
    assert code == 0
    assert "1 workload in all namespaces" in out
    assert "web/Dockerfile -> deployment/web in team" in out
    assert project.read()["cluster"] == {"namespace": "team"}
    code, _, err = project.run("init", "--yes", "-n", "empty")
    assert code == 3, "who names a namespace means it"
    assert "there is no namespace `empty`" in err


def test_what_the_file_has_is_looked_for_where_the_file_says(project: Project, cluster: Cluster) -> None:
    assert project.run("init", "--yes")[0] == 0
    cluster.deploy("other", "127.0.0.1:1/shop/other", namespace="other")
    code, out, err = project.run("init", "--yes", "-n", "other")
    assert code == 0, err
    assert "not found" not in out + err


def test_where_the_own_namespace_may_not_be_listed_others_may(project: Project, cluster: Cluster) -> None:
    cluster.workloads = []
    cluster.deploy("web", "127.0.0.1:1/shop/web", namespace="team")
    cluster.forbidden = {"/apis/apps/v1/deployments", "/apis/apps/v1/namespaces/shop/deployments"}
    code, _, err = project.run("init", "--print")
    assert code == 0
    assert "1 workload in namespace team, the only one that you may list, of context colima" in err
    for args in ((), ("-n", "shop"), ("--all-namespaces",)):
        cluster.forbidden |= {"/api/v1/namespaces"}
        code, _, err = project.run("init", "--print", *args)
        assert code == 3
        assert err.endswith("→ name a namespace whose Deployments you may list: -n NAMESPACE\n")


def test_all_namespaces_that_one_may_list(project: Project, cluster: Cluster) -> None:
    cluster.deploy("api", "127.0.0.1:1/shop/api", namespace="other")
    cluster.deploy("web", "127.0.0.1:1/shop/web", namespace="secret")
    cluster.forbidden = {"/apis/apps/v1/deployments", "/apis/apps/v1/namespaces/secret/deployments"}
    code, out, _ = project.run("init", "--yes", "--all-namespaces")
    assert code == 0
    assert "in the 2 namespaces that you may list" in out
    assert "! api/Dockerfile: it may be `deployment/api in other` or `deployment/api in shop`" in out
    assert set(project.read()["services"]) == {"web"}
    assert "# [services.api]" in (project.root / "devloop.toml").read_text()


def test_the_config_map_names_the_registry(project: Project, cluster: Cluster) -> None:
    cluster.hosting = {"host": "localhost:5001", "hostFromContainerRuntime": "registry:5000"}
    cluster.workloads = []
    cluster.deploy("web", "registry:5000/shop/web:latest")
    cluster.deploy("api", "nginx", HELPERS)
    code, out, _ = project.run("init", "--yes")
    assert code == 0, out
    assert project.read("devloop.local.toml")["services"] == {"web": {"push_image": "localhost:5001/shop/web"}}
    assert project.read()["services"]["web"]["tag"] == "dev"
    assert "! api/Dockerfile: it may be" in out, "which of two containers it is, nobody can tell"


def test_only_a_local_cluster_is_permitted_without_a_word(project: Project) -> None:
    project.context("prod")
    code, out, _ = project.run("init", "--yes")
    assert code == 0
    assert "context prod is no known local cluster" in out
    assert "context" not in project.read("devloop.local.toml").get("cluster", {})
    assert '# context = "prod"' in (project.root / "devloop.local.toml").read_text()


def test_a_context_that_the_file_allows_need_not_be_in_an_overlay_that_is_there(project: Project) -> None:
    project.context("prod")
    assert project.run("init", "--yes")[0] == 0
    path = project.root / "devloop.toml"
    path.write_text(path.read_text().replace("[cluster]\n", '[cluster]\nallow = ["prod"]\n'))
    before = {name: (project.root / name).read_text() for name in WRITTEN}
    code, out, err = project.run("init", "--yes")
    assert code == 0, err
    assert "devloop.local.toml stays as it is" in out
    assert {name: (project.root / name).read_text() for name in WRITTEN} == before
    (project.root / "devloop.local.toml").write_text('[services.web]\ntag = "mine"\n')
    assert project.run("init", "--yes")[0] == 0, "nor its table"
    (project.root / "devloop.local.toml").unlink()
    assert project.run("init", "--yes")[0] == 0
    assert project.read("devloop.local.toml")["cluster"] == {"context": "prod"}, "a fresh checkout gets the line"


def test_an_overlay_for_another_context_says_something_else(project: Project) -> None:
    project.context("prod")
    (project.root / "devloop.toml").write_text('[cluster]\nallow = ["prod"]\n')
    (project.root / "devloop.local.toml").write_text('[cluster]\ncontext = "test"\n')
    code, _, err = project.run("init", "--yes", "--context", "prod")
    assert code == 2
    assert "devloop.local.toml are there and say something else" in err


def test_a_context_that_was_chosen_is_in_what_comes_next(project: Project) -> None:
    """The file does not name it, and the current one may be another cluster."""
    project.context("prod")
    code, out, _ = project.run("init", "--yes", "--context", "prod")
    assert code == 0
    assert out.endswith(
        "→ devloop doctor --context prod   checks everything between here and the Pods\n"
        "→ devloop up --context prod       builds, pushes and proves\n"
    )


def test_the_next_time_the_context_of_the_file_is_looked_at(project: Project) -> None:
    assert project.run("init", "--yes")[0] == 0
    project.context("other")
    code, _, err = project.run("init", "--yes")
    assert code == 2
    assert "has no context `colima`" in err


def test_a_file_further_up_is_mentioned(project: Project, cluster: Cluster) -> None:
    cluster.deploy("x", "127.0.0.1:1/shop/x")
    project.source("deep/x")
    (project.root / "devloop.toml").write_text('[services.x]\nimage = "127.0.0.1:1/shop/x"\nbuild = "deep/x"\n')
    project.root = project.root / "deep"
    code, out, _ = project.run("init", "--yes")
    assert code == 0
    assert "! ../devloop.toml is there as well" in out


def test_a_local_cluster_without_a_registry_is_loaded(project: Project, cluster: Cluster) -> None:
    project.context("kind-dev")
    cluster.workloads = []
    cluster.deploy("web", "frontend:dev")
    cluster.deploy("api", "nginx")
    cluster.images = [["docker.io/library/frontend:dev"], ["docker.io/library/nginx@sha256:" + "a" * 64]]
    (project.root / ".git").mkdir()
    code, out, err = project.run("init", "--yes")
    assert (code, err) == (0, ""), out + err
    assert "loaded into the kind cluster `dev`: the cluster announces no registry\n" in out
    services = project.read()["services"]
    assert {name: (each["image"], each["load"]) for name, each in services.items()} == {
        "web": ("frontend", "auto"), "api": ("shop/api", "auto"),
    }  # fmt: skip
    assert project.run("validate")[0] == 0
    code, _, err = project.run("plan", "--output", "json")
    assert "load" not in err, "what it proposes is nothing that devloop objects to"


def test_files_that_the_image_would_take_are_named_with_the_lines_that_leave_them_out(
    project: Project, cluster: Cluster
) -> None:
    cluster.deploy("shop", "127.0.0.1:1/shop/shop:1")
    (project.root / "Dockerfile").write_text("FROM scratch\nCOPY . /app\n")
    told = "! devloop.toml and devloop.local.toml become part of the image of shop, so each edit builds anew"
    lines = "write the lines `devloop.toml` and `devloop.local.toml` into .dockerignore\n"
    _, out, _ = project.run("init", "--yes")
    assert told in out
    assert lines in out
    note = "shop: devloop.toml and devloop.local.toml are part of the image, so an edit of them makes another one"
    assert note in " ".join(project.run("doctor")[1].split())
    (project.root / ".dockerignore").write_text("devloop*.toml\n")
    _, out, err = project.run("init", "--diff")
    assert told not in out + err
    assert note not in " ".join(project.run("doctor")[1].split())
