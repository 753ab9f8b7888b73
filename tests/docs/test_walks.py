"""The pages whose commands run from the first to the last: in a sandbox always, and on a cluster where there is one."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.blocks import ROOT, Block, blocks_of
from tests.docs.notrun import NOT_RUN
from tests.docs.walk import Walk, typed_in
from tests.docs.world import NAMESPACE, REGISTRY, World, in_cluster, in_sandbox

TUTORIAL = "docs/tutorial.md"
WALKED = {
    TUTORIAL: False,
    "docs/events.md": True,
    "docs/howto/ci.md": True,
    "docs/howto/from-skaffold-or-tilt.md": True,
    "docs/howto/monorepo.md": False,
    "docs/howto/restoring.md": True,
    "docs/howto/several-people.md": True,
}
"""The pages, and whether they begin with what the tutorial has made: an app that runs, and its devloop.toml."""
MAKING = "## Part two"
"""From here on the tutorial makes it, up to the first session."""
PLACES = [
    pytest.param(in_sandbox, id="sandbox", marks=pytest.mark.programs),
    pytest.param(in_cluster, id="cluster", marks=pytest.mark.e2e),
]


@pytest.fixture(params=PLACES)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    place: Callable[[Path], AbstractContextManager[World]] = request.param
    with TemporaryDirectory(prefix="docs") as folder, place(Path(folder).resolve()) as found:
        yield found


def making() -> Iterator[Block]:
    """The blocks of the tutorial that make the app."""
    line = (ROOT / TUTORIAL).read_text("utf-8").partition(MAKING)[0].count("\n")
    for block in blocks_of(ROOT / TUTORIAL):
        if block.line > line and block.name not in NOT_RUN:
            if any(typed.stays for typed in typed_in(block)[1]):
                return
            yield block


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", WALKED)
def test_a_page_says_what_happens(page: str, world: World) -> None:
    blocks = [block for block in blocks_of(ROOT / page) if block.name not in NOT_RUN]
    if any("jq " in command for block in blocks for command in block.commands) and not shutil.which("jq"):
        pytest.skip("needs jq")
    with Walk(world) as walk:
        for block in [*(making() if WALKED[page] else ()), *blocks]:
            walk.go(block)


@pytest.mark.parametrize("typed", [Block("page.md", 1, "console", "$ false\n"), Block("page.md", 1, "sh", "false\n")])
def test_a_command_that_fails_in_silence_is_noticed(typed: Block, tmp_path: Path) -> None:
    walk = Walk(World(tmp_path, os.environ, REGISTRY, NAMESPACE, ()))
    with pytest.raises(AssertionError, match="false\nended with 1"):
        walk.go(typed)


@pytest.mark.e2e
@pytest.mark.timeout(120)
def test_the_role_of_the_guide_is_enough() -> None:
    """With nothing else devloop works, and misses nothing."""
    (role,) = [block for block in blocks_of(ROOT / "docs/howto/remote-cluster.md") if block.language == "yaml"]
    with TemporaryDirectory(prefix="docs") as folder, in_cluster(Path(folder).resolve()) as world, Walk(world) as walk:
        for block in making():
            walk.go(block)
        (world.folder / "role.yaml").write_text(role.text.replace("namespace: jo", f"namespace: {world.namespace}"))
        script = """
            kubectl apply -f role.yaml
            kubectl create serviceaccount jo
            namespace=$(kubectl config view -o jsonpath={..namespace})
            kubectl create rolebinding jo --role=devloop --serviceaccount=$namespace:jo
            token=$(kubectl create token jo)
            kubectl config unset users
            kubectl config set-credentials jo --token=$token
            kubectl config set-context --current --user=jo
            ! kubectl get secrets || exit 9
            devloop doctor
        """
        report = walk.typed(script)
        assert "all that devloop needs" in report
        assert "you may not" not in report
        events = [json.loads(line) for line in walk.typed("devloop up --once -o json 2> words.txt").splitlines()]
        assert [each["outcome"] for each in events if each["event"] == "cycle_finished"] == ["verified"]
        warned = {each["code"] for each in events if each["event"] == "warning_raised"}
        assert not warned & {"lease", "unreadable"}
