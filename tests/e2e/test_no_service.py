"""A `devloop.toml` that says where to work, and has no service for the workload that is named."""

import tomllib

import pytest

from tests.e2e.harness import Devloop, run
from tests.e2e.scene import SERVE, Scene

pytestmark = [pytest.mark.shared, pytest.mark.timeout(90)]

LACKS = "has no service for deployment/web; going by this, which you may add to it:"


@pytest.fixture
def lacking(scene: Scene) -> Scene:
    scene.deploy()
    scene.program(SERVE)
    scene.configure()
    toml = scene.folder / "devloop.toml"
    toml.write_text(toml.read_text().partition("[loop]")[0])
    return scene


def test_what_is_shown_can_be_added_to_the_file(lacking: Scene) -> None:
    done = run(lacking.folder / "web", "plan", "deployment/web")
    assert done.returncode == 0, done.stderr
    first, _, addition = done.stderr.partition("\n")
    assert first == f"../devloop.toml {LACKS}"
    assert list(tomllib.loads(addition)) == ["services"]
    toml = lacking.folder / "devloop.toml"
    toml.write_text(toml.read_text() + addition)
    assert run(lacking.folder, "validate").stdout == "devloop.toml is valid: web\n"
    planned = run(lacking.folder, "plan")
    assert (planned.stdout, planned.stderr) == (done.stdout, "")


def test_a_session_on_the_workload_says_so_too(lacking: Scene) -> None:
    with Devloop.start(lacking.folder / "web", "deployment/web", "--once") as devloop:
        code = devloop.finish()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    assert LACKS in "\n".join(devloop.errors)


def test_without_a_workload_every_command_says_what_the_file_is_good_for(lacking: Scene) -> None:
    wrong = "services: no service is defined; add `[services.NAME]` with an `image`; "
    for command in ("validate", "plan", "doctor"):
        done = run(lacking.folder, command)
        said = " ".join((done.stdout + done.stderr).split())
        assert f"{wrong}without one only `devloop up deployment/NAME` works here" in said
        assert done.returncode == (3 if command == "doctor" else 2)
    named = run(lacking.folder / "web", "doctor", "deployment/web")
    assert "../devloop.toml has no service for it; going by the workload: 1 service, web" in named.stdout
