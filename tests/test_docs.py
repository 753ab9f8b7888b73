"""The prose is true: commands, exit codes, make targets and links in the documents exist."""

import re
from pathlib import Path

import pytest

from devloop.cli import main
from devloop.core.failure import ExitCode

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()


def test_every_command_is_in_the_readme() -> None:
    for name in main.commands:
        assert f"`devloop {name}" in README, name


def test_no_document_names_a_command_that_does_not_exist() -> None:
    for document in DOCUMENTS:
        unknown = set(re.findall(r"(?:\$ |`)devloop ([a-z]+)", document.read_text())) - set(main.commands)
        assert not unknown, document.name


def test_the_exit_codes_are_all_in_the_readme_and_in_the_help() -> None:
    table = README.partition("## Exit codes")[2].partition("##")[0]
    epilog = main.epilog or ""
    for code in ExitCode:
        assert re.search(rf"^\| (?:[\d, ]*\b)?{code.value}\b", table, re.MULTILINE), code
        assert re.search(rf"\b{code.value}\b", epilog), code


def test_the_readme_says_what_stays_and_what_is_live() -> None:
    prose = " ".join(README.split())
    assert "devloop-base-" in (ROOT / "devloop" / "adapters" / "deltabuilder.py").read_text()
    for told in ("`devloop-base-...`", "Edits of it apply while a session runs", "put it into the `.dockerignore`"):
        assert told in prose


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        assert set(re.findall(r"`make ([a-z0-9]+)", document.read_text())) <= targets, document.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        assert target.startswith("https://") or (document.parent / target).exists(), target
