"""The conversation of `devloop init` on a terminal."""

import re
import subprocess
from contextlib import suppress

import pytest

from tests.cli.initworld import WRITTEN, Cluster, Project
from tests.onterminal import OnTerminal

pytestmark = pytest.mark.programs


def let_it_write(terminal: OnTerminal) -> None:
    """The last two questions: yes to the files, no to doctor."""
    terminal.until("Write devloop.toml")
    terminal.press(b"\n")
    terminal.until("doctor")
    terminal.press(b"n\n")
    assert terminal.finish() == 0


def test_on_a_terminal_enter_all_the_way_gives_a_good_file(project: Project) -> None:
    with project.terminal("init") as terminal:
        terminal.until(
            "Write devloop.toml and devloop.local.toml, and a line in .gitignore for devloop.local.toml? [Y/n]"
        )
        assert "web/Dockerfile -> deployment/web in shop" in terminal.said
        assert project.files == set()
        terminal.press(b"\n")
        terminal.until("Check everything with `devloop doctor` now? [Y/n]")
        terminal.press(b"\n")
        terminal.until("→ mend what failed, then: devloop up")
        assert terminal.finish() == 0
        assert "✘ engine" in terminal.said
    assert project.files == WRITTEN
    assert project.run("validate")[0] == 0


def test_no_writes_nothing(project: Project) -> None:
    with project.terminal("init") as terminal:
        terminal.until("? [Y/n]")
        terminal.press(b"n\n")
        terminal.until("nothing was written")
        assert terminal.finish() == 2
    assert project.files == set()


def test_ctrl_c_writes_nothing(project: Project) -> None:
    with project.terminal("init") as terminal:
        terminal.until("? [Y/n]")
        # Between what is drawn and the read that a signal interrupts lies a moment in which it is only noted.
        while terminal.process.poll() is None:
            terminal.press(b"\x03")
            with suppress(subprocess.TimeoutExpired):
                terminal.process.wait(1)
        assert terminal.finish() == 130
    assert project.files == set()


def test_adding_to_a_file_can_be_declined(project: Project) -> None:
    own = '[services.mine]\nimage = "localhost:1/mine"\nbuild = "web"\n'
    (project.root / "devloop.toml").write_text(own)
    with project.terminal("init") as terminal:
        terminal.until("devloop.toml is there and does not have that yet. Add it? [Y/n]")
        terminal.press(b"n\n")
        assert terminal.finish() == 2
    assert (project.root / "devloop.toml").read_text() == own
    with project.terminal("init") as terminal:
        terminal.until("Add it? [Y/n]")
        terminal.press(b"\n")
        terminal.until("Write devloop.local.toml")
        terminal.press(b"\n")
        terminal.until("doctor")
        terminal.press(b"n\n")
        terminal.until("→ devloop doctor, then devloop up")
        assert terminal.finish() == 0
    assert set(project.read()["services"]) == {"mine", "api"}
    assert (project.root / "devloop.toml").read_text().startswith(own)


def test_a_line_that_lacks_is_added_to_what_a_person_wrote(project: Project) -> None:
    assert project.run("init", "--yes")[0] == 0
    path = project.root / "devloop.local.toml"
    written = path.read_text()
    own = "# mine\n" + written.replace("\ncontext", "\n# context") + "\n[ui]\nnotify = false # mine\n"
    path.write_text(own)
    with project.terminal("init") as terminal:
        terminal.until("-# context")
        terminal.until("devloop.local.toml is there and does not have that yet. Add it? [Y/n]")
        terminal.press(b"\n")
        terminal.until("wrote devloop.local.toml")
        terminal.until("doctor")
        terminal.press(b"n\n")
        assert terminal.finish() == 0
    assert path.read_text() == own.replace("\n# context", "\ncontext")


def test_what_a_person_says_otherwise_is_changed_after_a_yes_alone(project: Project) -> None:
    assert project.run("init", "--yes")[0] == 0
    path = project.root / "devloop.local.toml"
    written = path.read_text()
    context = re.search(r'context = (".*")', written)
    assert context
    own = written.replace(context[1], '"another" # of last year')
    path.write_text(own)
    for answer, code, text in ((b"\n", 2, own), (b"y\n", 0, own.replace('"another"', context[1]))):
        with project.terminal("init", "--context", context[1].strip('"')) as terminal:
            terminal.until("devloop.local.toml is there and says something else. Change it as shown? [y/N]")
            terminal.press(answer)
            if not code:
                terminal.until("doctor")
                terminal.press(b"n\n")
            assert terminal.finish() == code
        assert path.read_text() == text


def test_what_is_not_clear_is_asked(project: Project, cluster: Cluster) -> None:
    cluster.workloads = []
    cluster.deploy("web", "127.0.0.1:1/a/web", namespace="one")
    cluster.deploy("web", "127.0.0.1:1/a/web", namespace="two")
    cluster.deploy("backend", "127.0.0.1:1/a/server", namespace="two")
    with project.terminal("init", "--all-namespaces") as terminal:
        terminal.until("2) deployment/web in two (127.0.0.1:1/a/web)")
        terminal.until("What runs web/Dockerfile? [0]")
        terminal.press(b"2\n")
        terminal.until("api/Dockerfile: no Deployment has a name, an image or a label like `api`")
        terminal.until("2) deployment/backend in two (127.0.0.1:1/a/server)")
        terminal.until("What runs api/Dockerfile? [0]")
        terminal.press(b"2\n")
        let_it_write(terminal)
    services = project.read()["services"]
    assert services["api"]["workload"] == "deployment/backend"
    assert services["web"]["workload"] == "deployment/web"
    assert project.read()["cluster"] == {"namespace": "two"}


def test_a_deployment_with_a_stand_in_for_an_image_can_be_named_too(project: Project, cluster: Cluster) -> None:
    """As `kubectl create deployment` leaves it; what may have been built here comes first."""
    cluster.hosting = {"host": "localhost:5001"}
    cluster.workloads = []
    cluster.deploy("mail-worker", "nginx:1.27")
    cluster.deploy("server", "127.0.0.1:1/a/backend")
    cluster.deploy("web", "127.0.0.1:1/a/web")
    with project.terminal("init") as terminal:
        terminal.until("1) deployment/server in shop (127.0.0.1:1/a/backend)")
        terminal.until("2) deployment/mail-worker in shop (nginx:1.27)")
        terminal.until("What runs api/Dockerfile? [0]")
        terminal.press(b"2\n")
        terminal.until("Registry to push api to")
        terminal.press(b"\n")
        let_it_write(terminal)
    assert project.read()["services"]["api"]["workload"] == "deployment/mail-worker"


def test_what_is_clear_is_not_asked_and_what_has_few_answers_comes_first(project: Project, cluster: Cluster) -> None:
    cluster.workloads = []
    cluster.deploy("web", "127.0.0.1:1/a/web", namespace="one")
    cluster.deploy("web", "127.0.0.1:1/a/web", namespace="two")
    cluster.deploy("db", "127.0.0.1:1/a/db", namespace="two", kind="statefulsets")
    cluster.deploy("backend", "127.0.0.1:1/a/server", namespace="two")
    project.source("db")
    (project.root / "web" / "Dockerfile.dev").write_text("FROM scratch\n")
    with project.terminal("init", "--all-namespaces") as terminal:
        terminal.until("What runs web/Dockerfile? [0]")
        terminal.press(b"2\n")
        terminal.until("2) deployment/backend in two (127.0.0.1:1/a/server)")
        terminal.until("What runs api/Dockerfile? [0]")
        assert "deployment/web in two" not in terminal.said.rpartition("api/Dockerfile: ")[2]
        terminal.press(b"2\n")
        terminal.until("Write devloop.toml")
        terminal.press(b"n\n")
        assert terminal.finish() == 2
        assert "What runs db" not in terminal.said
        assert "What runs web/Dockerfile.dev" not in terminal.said


def test_a_registry_is_asked_for_where_the_image_is_nobodys_to_push(project: Project, cluster: Cluster) -> None:
    cluster.hosting = {"host": "localhost:5001"}
    cluster.workloads = []
    cluster.deploy("web", "nginx")
    with project.terminal("init") as terminal:
        terminal.until("[localhost:5001]: ")
        terminal.press(b"no host\n")
        terminal.until("`no host` is no registry: write a registry's host")
        terminal.press(b"\n")
        let_it_write(terminal)
    assert project.read()["services"]["web"]["image"] == "localhost:5001/shop/web"


def test_a_path_in_the_registry_that_was_found_is_pulled_under_its_other_name(
    project: Project, cluster: Cluster
) -> None:
    cluster.hosting = {"host": "localhost:5001", "hostFromContainerRuntime": "registry:5000"}
    cluster.workloads = []
    cluster.deploy("web", "nginx")
    with project.terminal("init") as terminal:
        terminal.until("[registry:5000]: ")
        terminal.press(b"localhost:5001/team\n")
        let_it_write(terminal)
    assert project.read()["services"]["web"]["image"] == "registry:5000/team/web"
    assert project.read("devloop.local.toml")["services"] == {"web": {"push_image": "localhost:5001/team/web"}}


def test_why_a_registry_is_asked_for_comes_before_the_question_and_0_is_told_as_the_answer(
    project: Project, cluster: Cluster
) -> None:
    cluster.workloads = []
    cluster.deploy("web", "python:3")
    with project.terminal("init") as terminal:
        terminal.until("Registry to push web to, or 0 to leave it out")
        asked, why = (
            terminal.said.index("Registry to push"),
            "web/Dockerfile: deployment/web in shop runs python:3 now, which is not its own",
        )
        assert why in terminal.said[:asked]
        terminal.press(b"0\n")
        terminal.until(f"{why}; left out, as you answered")
        terminal.until("without a registry to push images to there is nothing to write")
        assert terminal.finish() == 2
        assert "no other registry was found" not in terminal.said
    assert project.files == set()


def test_where_no_registry_was_found_0_is_what_enter_takes(project: Project, cluster: Cluster) -> None:
    (project.root.parent / "docker" / "config.json").write_text("{}")
    cluster.workloads = []
    cluster.deploy("web", "python:3")
    with project.terminal("init") as terminal:
        terminal.until("Registry to push web to, or 0 to leave it out [0]: ")
        terminal.press(b"\n")
        terminal.until("left out, as you answered")
        assert terminal.finish() == 2


def test_another_cluster_is_permitted_by_typing_its_name_after_all_that_was_found(project: Project) -> None:
    project.context("prod")
    with project.terminal("init") as terminal:
        terminal.until("web/Dockerfile -> deployment/web in shop")
        terminal.until("tag dev-")
        terminal.until("context prod is no known local cluster")
        terminal.until("Type `prod` to permit it in devloop.local.toml, or press Enter")
        terminal.press(b"prod\n")
        let_it_write(terminal)
    assert project.read("devloop.local.toml")["cluster"]["context"] == "prod"


def test_what_is_clear_is_said_before_the_rest_is_asked(project: Project, cluster: Cluster) -> None:
    cluster.hosting = {"host": "localhost:5001"}
    cluster.workloads = []
    cluster.deploy("web", "nginx")
    cluster.deploy("backend", "127.0.0.1:1/a/server")
    with project.terminal("init") as terminal:
        terminal.until("✔ web/Dockerfile -> deployment/web in shop")
        terminal.until("What runs api/Dockerfile? [0]")
        terminal.press(b"\n")
        terminal.until("Registry to push web to")
        assert terminal.said.count("✔ web/Dockerfile") == 1
        terminal.press(b"\n")
        terminal.until("✔ web/Dockerfile")
        let_it_write(terminal)


def test_a_narrow_terminal_gets_whole_words_below_their_indent(project: Project) -> None:
    with project.terminal("init", size=(60, 24)) as terminal:
        for _ in ("write", "doctor"):
            terminal.until("[Y/n]: ")
            terminal.press(b"\n")
        assert terminal.finish() == 0
        assert "→ start Docker" in terminal.said
    lines = terminal.said.splitlines()
    assert [line for line in lines if len(line) > 60 and len(line.split()) > 1] == []
    at = next(number for number, line in enumerate(lines) if "api/Dockerfile ->" in line)
    assert lines[at + 1].startswith("    ")


def test_a_question_and_its_answers_break_between_words(project: Project, cluster: Cluster) -> None:
    cluster.workloads = []
    for namespace in ("one", "two"):
        cluster.deploy("web", "127.0.0.1:1/a/folder-of-some-more-length/web", namespace=namespace)
    with project.terminal("init", "--all-namespaces", size=(70, 24)) as terminal:
        terminal.until("What runs web/Dockerfile? [0]")
        lines = terminal.said.splitlines()
        at = next(number for number, line in enumerate(lines) if line.startswith("web/Dockerfile: it may be"))
        assert [line for line in lines[at:] if len(line) > 70] == []
        assert lines[at + 1].endswith("reasons")
        assert lines[at + 3] == "     (127.0.0.1:1/a/folder-of-some-more-length/web)"


def test_doctor_looks_at_the_context_that_was_chosen(project: Project) -> None:
    project.context("prod", current="elsewhere")
    with project.terminal("init", "--context", "prod") as terminal:
        terminal.until("or press Enter")
        terminal.press(b"\n")
        terminal.until("Write devloop.toml")
        terminal.press(b"\n")
        terminal.until("Check everything")
        terminal.press(b"\n")
        terminal.until("→ mend what failed, then: devloop up --context prod")
        assert terminal.finish() == 0
        assert "context prod (http://127.0.0.1" in terminal.said.replace("\n", " ")


def test_esc_and_wrong_entries_are_told_in_a_sentence_and_asked_again(project: Project, cluster: Cluster) -> None:
    project.context("prod")
    cluster.workloads = []
    cluster.deploy("web", "nginx")
    cluster.deploy("backend", "127.0.0.1:1/a/server")
    with project.terminal("init") as terminal:
        terminal.until("Ctrl-C ends it, and nothing is written")
        terminal.until("0) none of them: leave it out")
        terminal.until("What runs api/Dockerfile? [0]")
        terminal.press(b"\x1b\n")
        terminal.until("Esc is no answer")
        terminal.until("What runs api/Dockerfile? [0]")
        terminal.press(b"9\n")
        terminal.until("`9` is no number from 0 to")
        terminal.until("What runs api/Dockerfile? [0]")
        terminal.press(b"\x1b[A1\n")
        terminal.until("Registry to push web to, or 0 to leave it out")
        terminal.press(b"n\n")
        terminal.until("`n` is no registry")
        terminal.until("Registry to push web to")
        terminal.press(b"0\n")
        terminal.until("Type `prod`")
        terminal.press(b"pord\n")
        terminal.until("`pord` is not `prod`")
        terminal.until("Type `prod`")
        terminal.press(b"\x1b\n")
        terminal.until("Type `prod`")
        terminal.press(b"\n")
        terminal.until("devloop is not permitted to write to context prod")
        terminal.until("Write devloop.toml")
        terminal.press(b"maybe\n")
        terminal.until("`maybe` is neither y nor n; Enter means yes")
        let_it_write(terminal)
        assert "Error" not in terminal.said
    assert project.read()["services"].keys() == {"api"}
    assert "context" not in project.read("devloop.local.toml")["cluster"]
