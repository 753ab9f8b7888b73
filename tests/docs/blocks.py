"""The fenced blocks of the documents, and the command lines that they show."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from devloop.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = ("console", "sh")
PLACEHOLDERS = {"SHELL": "bash", "COMMAND": "up"}
"""Of arguments that take only certain words, and of commands."""
_FENCE = re.compile(
    r"^(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_ENDS = {"&&", "||", "|", ";", "&", ">", ">>", "<", "(", ")"}
_ASSIGNMENT = re.compile(r"^\w+=")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: str
    """Relative to the root."""
    line: int
    language: str
    text: str
    file: str = ""
    """What a comment above it says that it is the content of."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def name(self) -> str:
        """Says which it is for as long as its first line stays."""
        return f"{self.page}: {self.text.partition(chr(10))[0].partition('  #')[0].rstrip()}"

    @property
    def commands(self) -> list[str]:
        """What is typed in it; output has no `$` before it."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            return [line[2:] for line in lines if line.startswith("$ ")]
        return [line for line in lines if line.strip()] if self.language == "sh" else []


def blocks_of(page: Path) -> list[Block]:
    """In order."""
    text, name = page.read_text("utf-8"), str(page.relative_to(ROOT))
    return [
        Block(name, text.count("\n", 0, m.start("language")) + 1, m["language"], m["text"], m["file"] or "")
        for m in _FENCE.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def inline_commands(page: Path) -> Iterator[str]:
    """Those that prose and tables name in backticks."""
    prose = _FENCE.sub("", page.read_text("utf-8"))
    for found in re.findall(r"`(devloop [^`]+)`", prose):
        yield re.sub(r"\s+", " ", found)


def calls_of_devloop(command: str) -> Iterator[list[str]]:
    """The arguments of each devloop in a command line."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word in _ENDS:
            while words and _ASSIGNMENT.match(words[0]):
                del words[0]
            if words[:1] == ["devloop"]:
                yield words[1:-1] if word == ">" and words[-1] == "2" else words[1:]
            words = []
        else:
            words.append(word)


def misread(args: list[str]) -> str:
    """What click says of such a command line; empty when it takes it."""
    words = [PLACEHOLDERS.get(word, word) for word in args if word not in {"-h", "--help"}]
    if not words or words[0] not in main.commands:
        return "" if words in ([], ["--version"]) else f"there is no command {words[0]}"
    try:
        main.commands[words[0]].make_context(words[0], words[1:], parent=click.Context(main))
    except click.UsageError as error:
        return error.format_message()
    return ""
