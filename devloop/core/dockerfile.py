"""A Dockerfile as BuildKit's parser reads it: directives, stages, instructions; heredoc bodies are no instructions.

The rules are those of moby/buildkit `frontend/dockerfile/parser` and
https://docs.docker.com/reference/dockerfile/. What BuildKit would refuse, and what is not understood here, becomes a
sentence in `problems`: with one of those nothing that is missing can be relied on. `dockerfile_target.py` answers
what gets into an image.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from devloop.core.dockerfile_words import GO_SPACE, UNKNOWN, BadWordError, Heredoc, heredocs_of

_SPACES = re.compile(r"[\t\v\f\r ]+")
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)")
_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_DOCKERS_SYNTAX = re.compile(r"(?:.*/)?dockerfile(?:-upstream)?(?:[:@].*)?")
_LISTS = frozenset({"ADD", "COPY", "VOLUME"})
_COMMANDS = frozenset({"RUN", "CMD", "ENTRYPOINT", "SHELL"})
_PAIRS = frozenset({"ENV", "LABEL"})
_WHOLE = frozenset({"HEALTHCHECK", "MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR"})
_KNOWN = _LISTS | _COMMANDS | _PAIRS | _WHOLE | {"ARG", "EXPOSE", "FROM", "ONBUILD"}
_NEEDS = {"ADD": 2, "COPY": 2, "ARG": 1, "ENV": 1, "WORKDIR": 1}
_HOLDS_HEREDOCS = frozenset({"RUN", "COPY", "ADD"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, whatever lines it is written on."""

    name: str
    """Upper case."""
    line: int
    """Where it begins, from 1."""
    text: str
    """As written, its lines joined, without the bodies of heredocs."""
    flags: tuple[tuple[str, str], ...] = ()
    """Name and value; `--link` alone has the value `true`."""
    args: tuple[str, ...] = ()
    """As written, with quotes and variables. COPY, ADD, FROM: words; ENV, ARG: `NAME=value`; others: one text."""
    json: bool = False
    """The arguments are a JSON list."""
    heredocs: tuple[Heredoc, ...] = ()
    trigger: "Instruction | None" = None
    """What ONBUILD adds to a stage that is built on this one."""

    def flag(self, name: str) -> str:
        """The value of the last flag of that name; empty when there is none."""
        return next(iter(reversed(self.values(name))), "")

    def values(self, name: str) -> tuple[str, ...]:
        """The values of a flag that may be repeated, like `--exclude` and `--mount`."""
        return tuple(value for flag, value in self.flags if flag == name)


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM and what follows it."""

    index: int
    name: str
    """Lower case; empty for a stage without `AS`."""
    base: str
    """What it is built on, as written: an earlier stage or an image."""
    instructions: tuple[Instruction, ...] = ()

    @property
    def label(self) -> str:
        return self.name or str(self.index)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A Dockerfile, read."""

    stages: tuple[Stage, ...] = ()
    args: tuple[Instruction, ...] = ()
    """ARG before the first FROM: what FROM can use."""
    syntax: str = ""
    """The image of the frontend that it asks for."""
    escape: str = "\\"
    problems: tuple[str, ...] = ()
    """A sentence for each thing that BuildKit refuses or that is not understood, with its line."""


class _RefusedError(ValueError):
    """BuildKit refuses this line; the message says why."""


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile; what cannot be read is named in `problems`, nothing raises."""
    # A NUL stands for what is unknown in a word, and has no business in a Dockerfile.
    lines = text.removeprefix("\ufeff").replace(UNKNOWN, "\ufffd").split("\n")
    syntax, escape, problems = _directives(lines)
    reader = _Reader(lines, escape, problems)
    if syntax and not _DOCKERS_SYNTAX.fullmatch(syntax):
        problems.append(f"`{syntax}` is not Docker's own syntax of Dockerfiles")
    return replace(_stages(reader, problems), syntax=syntax, escape=escape, problems=tuple(problems))


def _directives(lines: list[str]) -> tuple[str, str, list[str]]:
    """`syntax`, `escape` and what is wrong with them; they end with the first line that is no directive."""
    found: dict[str, str] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        match = _DIRECTIVE.fullmatch(line.strip(GO_SPACE)) if line else None
        if not match or (name := match[1].lower()) not in _DIRECTIVES:
            break
        if name in found:
            problems.append(f"line {number}: the directive `{name}` is there twice")
        found.setdefault(name, match[2])
    escape = found.get("escape", "\\")
    if escape not in {"\\", "`"}:
        problems.append(f"`{escape}` is no escape character: it has to be a backslash or a backtick")
        escape = "\\"
    return found.get("syntax", "").partition(" ")[0], escape, problems


def _stages(reader: "_Reader", problems: list[str]) -> Dockerfile:
    args: list[Instruction] = []
    stages: list[Stage] = []
    for instruction in reader.instructions():
        if instruction.name == "FROM":
            stages.append(_stage(instruction, len(stages), problems))
        elif stages:
            stages[-1] = replace(stages[-1], instructions=(*stages[-1].instructions, instruction))
        elif instruction.name == "ARG":
            args.append(instruction)
        else:
            problems.append(f"line {instruction.line}: {instruction.name} comes before the first FROM")
    if not stages:
        problems.append("there is no FROM")
    return Dockerfile(tuple(stages), tuple(args))


def _stage(instruction: Instruction, index: int, problems: list[str]) -> Stage:
    base, *rest = instruction.args or ("",)
    name = rest[1].lower() if len(rest) == 2 and rest[0].lower() == "as" else ""
    if not base or (rest and not _STAGE_NAME.fullmatch(name)):
        problems.append(f"line {instruction.line}: `{instruction.text}` names no image, or no valid stage")
    return Stage(index, name, base)


@dataclass(slots=True)
class _Reader:
    """Reads instruction by instruction, with their heredocs."""

    lines: list[str]
    escape: str
    problems: list[str]
    at: int = 0
    continued: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        escape = re.escape(self.escape)
        # An escape before the last one takes its meaning.
        self.continued = re.compile(rf"((?:^|[^{escape}])){escape}[ \t]*\Z")

    def instructions(self) -> Iterator[Instruction]:
        while self.at < len(self.lines):
            line = self.at + 1
            if text := self._logical_line():
                yield from self._instruction(text, line)

    def _logical_line(self) -> str:
        """The next line with those that continue it; empty for a comment or an empty line."""
        text, more = self._piece(self._next("").lstrip(GO_SPACE))
        while more and self.at < len(self.lines):
            # Comments and empty lines do not end an instruction.
            if (line := self._next("\n")).strip(GO_SPACE):
                piece, more = self._piece(line)
                text += piece
        return text

    def _next(self, comment: str) -> str:
        line = self.lines[self.at].rstrip("\r")
        self.at += 1
        return comment if line.lstrip(GO_SPACE).startswith("#") else line

    def _piece(self, line: str) -> tuple[str, bool]:
        text, more = self.continued.subn(r"\1", line)
        return text, more > 0

    def _instruction(self, text: str, line: int) -> Iterator[Instruction]:
        try:
            instruction = _read_instruction(text, line, self.escape)
            heredocs = heredocs_of(text) if "<<" in text and _may_hold_heredocs(instruction) else ()
        except (_RefusedError, BadWordError) as error:
            self.problems.append(f"line {line}: {error}")
            return
        for heredoc in heredocs:
            self._skip_body(heredoc, line)
        inner = instruction.trigger or instruction
        if len(inner.args) < _NEEDS.get(inner.name, 0):
            self.problems.append(f"line {line}: {inner.name} needs more arguments")
            return
        yield _with_heredocs(instruction, heredocs)

    def _skip_body(self, heredoc: Heredoc, line: int) -> None:
        while self.at < len(self.lines):
            body = self.lines[self.at].rstrip("\r")
            self.at += 1
            if (body.lstrip("\t") if heredoc.tabs else body) == heredoc.name:
                return
        self.problems.append(f"line {line}: the heredoc `{heredoc.name}` has no end")


def _may_hold_heredocs(instruction: Instruction) -> bool:
    inner = instruction.trigger or instruction
    return inner.name in _HOLDS_HEREDOCS and not inner.json


def _with_heredocs(instruction: Instruction, heredocs: tuple[Heredoc, ...]) -> Instruction:
    if instruction.trigger:
        instruction = replace(instruction, trigger=replace(instruction.trigger, heredocs=heredocs))
    return replace(instruction, heredocs=heredocs)


def _read_instruction(text: str, line: int, escape: str) -> Instruction:
    """One logical line; raises `_RefusedError`."""
    text = text.strip(GO_SPACE)
    name, *rest = _SPACES.split(text, maxsplit=1)
    name = name.upper()
    if name not in _KNOWN:
        raise _RefusedError(f"`{name}` is no instruction")
    flags, rest_text = _flags("".join(rest), escape)
    rest_text = rest_text.strip(GO_SPACE)
    if name == "ONBUILD":
        return Instruction(name, line, text, flags, trigger=_trigger(rest_text, line, escape))
    listed = _json_list(name, rest_text) if name in _LISTS | _COMMANDS else None
    args = listed if listed is not None else tuple(_arguments(name, rest_text, escape))
    return Instruction(name, line, text, flags, args, listed is not None)


def _trigger(text: str, line: int, escape: str) -> Instruction:
    name = _SPACES.split(text, maxsplit=1)[0].upper()
    if name in {"ONBUILD", "FROM", "MAINTAINER"}:
        raise _RefusedError(f"ONBUILD takes no {name}")
    return _read_instruction(text, line, escape)


def _json_list(name: str, text: str) -> tuple[str, ...] | None:
    """The items of a JSON list; None for what is none, which BuildKit then reads as words."""
    if not text.startswith("["):
        return None
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(item, str) for item in items):
        raise _RefusedError(f"the list of {name} may only hold strings")
    return tuple(item.replace(UNKNOWN, "\ufffd") for item in items)


def _arguments(name: str, text: str, escape: str) -> Iterator[str]:
    if name in _LISTS or name in {"FROM", "EXPOSE"}:
        yield from filter(None, _SPACES.split(text))
    elif name == "ARG":
        yield from _words(text, escape)
    elif name in _PAIRS:
        yield from _pairs(name, text, escape)
    elif text:
        yield text


def _pairs(name: str, text: str, escape: str) -> Iterator[str]:
    """`NAME=value ...`, or the old form `NAME value`, which takes the rest of the line."""
    words = _words(text, escape)
    if words and "=" not in words[0]:
        key, *value = _SPACES.split(text, maxsplit=1)
        if not value:
            raise _RefusedError(f"{name} needs a name and a value")
        yield f"{key}={value[0]}"
        return
    for word in words:
        if "=" not in word or word.startswith("="):
            raise _RefusedError(f"`{word}` of {name} is no NAME=value")
        yield word


def _words(text: str, escape: str) -> list[str]:
    """Split at spaces outside quotes; quotes and escapes stay."""
    words, word, quote, at = [], "", "", 0
    while at < len(text):
        char, at = text[at], at + 1
        if not quote and char in GO_SPACE:
            words.append(word)
            word = ""
            continue
        if char in {quote, "'", '"'}:
            quote = "" if char == quote else quote or char
        elif char == escape and quote != "'":
            # At the end of the line it escapes nothing, and is dropped.
            char, at = (char + text[at], at + 1) if at < len(text) else ("", at)
        word += char
    return [word for word in (*words, word) if word]


def _flags(text: str, escape: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The `--name=value` at the start, without their quotes, and what follows them."""
    flags: list[tuple[str, str]] = []
    while (text := text.lstrip(GO_SPACE)).startswith("--"):
        word, text = _flag_word(text, escape)
        if word == "--":
            break
        name, equals, value = word[2:].partition("=")
        flags.append((name, value if equals else "true"))
    return tuple(flags), text


def _flag_word(text: str, escape: str) -> tuple[str, str]:
    word, quote, at = "", "", 0
    while at < len(text) and (quote or text[at] not in GO_SPACE):
        char, at = text[at], at + 1
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char == escape:
            word, at = word + text[at : at + 1], at + 1
        else:
            word += char
    return word, text[at:]
