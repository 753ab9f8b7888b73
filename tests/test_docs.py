"""The prose is true: commands, make targets and links in the documents exist."""

import re
from pathlib import Path

import pytest

from devloop.cli import main

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text()


def test_every_command_is_in_the_readme() -> None:
    for name in main.commands:
        assert f"`devloop {name}" in README, name


def test_no_document_names_a_command_that_does_not_exist() -> None:
    for document in DOCUMENTS:
        unknown = set(re.findall(r"(?:\$ |`)devloop ([a-z]+)", document.read_text())) - set(main.commands)
        assert not unknown, document.name


def test_the_readme_says_what_stays_and_what_is_live() -> None:
    prose = " ".join(README.split())
    assert "devloop-base-" in (ROOT / "devloop" / "adapters" / "deltabuilder.py").read_text()
    for told in ("`devloop-base-...`", "Edits of it apply while a session runs", "put it into the `.dockerignore`"):
        assert told in prose


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        assert set(re.findall(r"`make ([a-z0-9]+)", document.read_text())) <= targets, document.name


def anchors(document: Path) -> set[str]:
    """What its headings are called in links."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    for target in re.findall(r"\]\(([^)]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE):
        path, _, anchor = target.partition("#")
        found = (document.parent / path) if path else document
        assert target.startswith("https://") or found.exists(), target
        assert not anchor or target.startswith("https://") or anchor in anchors(found), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_short_link_is_defined(document: Path) -> None:
    text = document.read_text()
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    used = set(re.findall(r"(?<![\]\w])\[([^\]\[]+)\](?![\[(:])", prose))
    assert used <= set(re.findall(r"^\[([^\]]+)\]: ", text, re.MULTILINE))
