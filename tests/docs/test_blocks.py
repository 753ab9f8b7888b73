"""Every block of every document is what its language says, and every command of devloop in it exists."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from devloop.adapters.configfile import FILE, OVERLAY, check_texts
from devloop.cli import main
from devloop.core.config import Problems
from devloop.core.dockerfile import parse
from tests.docs.blocks import BLOCKS, PAGES, ROOT, SHELL, Block, calls_of_devloop, inline_commands, misread

DRAWING = ""
LANGUAGES = {DRAWING, "text", "console", "sh", "toml", "json", "yaml", "python", "dockerfile", "diff"}


def of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def lay_out(folder: Path, service: Mapping[str, Any]) -> None:
    """The files that a service names."""
    build, watch = service.get("build", "."), service.get("watch", ())
    build = {"context": build} if isinstance(build, str) else build
    context = folder / build.get("context", ".")
    (context / "Dockerfile").parent.mkdir(parents=True, exist_ok=True)
    for path in (context / "Dockerfile", *(folder / build[key] for key in ("dockerfile",) if key in build)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("FROM scratch\n")
    for name in [watch] if isinstance(watch, str) else watch:
        (folder / name).mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_of_a_language_that_is_checked(page: Path) -> None:
    found = [block for block in BLOCKS if ROOT / block.page == page]
    assert {block.language for block in found} <= LANGUAGES
    assert page.read_text("utf-8").count("\n```") == 2 * len(found), "a block that is not closed, or is indented"


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_a_configuration_is_valid(block: Block, tmp_path: Path) -> None:
    """A fragment is laid over a file that has what it leaves out."""
    services = tomllib.loads(block.text).get("services", {"web": {}})
    named = {*services, *(name for each in services.values() for name in each.get("depends_on", ()))}
    base = "".join(f'[services.{name}]\nimage = "registry.example.com/{name}"\n' for name in sorted(named))
    whole = any("image" in service for service in services.values())
    texts = {FILE: block.text} if whole else {FILE: base, OVERLAY: block.text}
    environment = dict.fromkeys(re.findall(r"\$\{(\w+)", block.text), "of-the-environment")
    for service in services.values():
        lay_out(tmp_path, service)
    found = check_texts(texts, tmp_path, environment)
    assert not isinstance(found, Problems), "\n".join(map(str, found))


@pytest.mark.parametrize("block", of(*SHELL), ids=str)
def test_every_command_of_devloop_exists(block: Block) -> None:
    for command in block.commands:
        for args in calls_of_devloop(command):
            assert not misread(args), f"devloop {' '.join(args)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_prose_names_exists(page: Path) -> None:
    for command in inline_commands(page):
        for args in calls_of_devloop(command):
            words = [word for word in args if "[" not in word]
            alone = len(words) == 1 and words[0] in main.commands
            assert alone or not misread(words), command


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    for line in block.text.splitlines():
        json.loads(line)


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_yaml_is_yaml(block: Block) -> None:
    assert [*yaml.safe_load_all(block.text)]


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_is_python(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", of("dockerfile"), ids=str)
def test_a_dockerfile_has_a_stage(block: Block) -> None:
    assert parse(block.text).stages


def test_a_call_is_found_wherever_it_stands() -> None:
    line = 'A=1 devloop wait web && devloop up --once -o json 2> log | jq -r ".event" > out; echo devloop # devloop x'
    assert [*calls_of_devloop(line)] == [["wait", "web"], ["up", "--once", "-o", "json"]]


def test_what_does_not_exist_is_noticed() -> None:
    assert not misread(["up", "web", "--once"])
    assert misread(["down"])
    assert misread(["up", "--twice"])
    assert misread(["completion", "tcsh"])
