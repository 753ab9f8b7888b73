"""Follows the instructions of stages: what each reads from the build context and writes into its image, in order.

Variables, working directory and known folders are carried along as BuildKit's `dockerfile2llb` does it: a stage that
is built on another begins where that one ended, with the triggers of its ONBUILD. What decides an answer and is not
known becomes a sentence in `doubts`.
"""

import csv
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from devloop.core.dockerfile import Dockerfile, Instruction, Stage
from devloop.core.dockerfile_match import Source
from devloop.core.dockerfile_words import UNKNOWN, BadWordError, Expanded, Lookup, expand, heredoc_of

_PLATFORM = re.compile(r"(?:BUILD|TARGET)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT|STAGE)")
"""Set by BuildKit before the first FROM."""
REMOTE = re.compile(r"(?:https?|ssh|git)://|[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:", re.IGNORECASE)
"""What ADD fetches; `github.com/x` without a protocol is a path."""
_WINDOWS = re.compile(r"[a-zA-Z]:|.*\\", re.DOTALL)
_FLAGS = {
    "COPY": {"from", "chown", "chmod", "link", "parents", "exclude"},
    "ADD": {"chown", "chmod", "link", "exclude", "checksum", "keep-git-dir", "unpack"},
}


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a COPY or ADD puts things."""

    path: str = ""
    """Absolute; empty when it is not known."""
    folder: bool = False
    """It is certainly a folder; otherwise that may depend on what the base image holds."""
    doubt: str = ""
    """Why the path is not known, in words."""


@dataclass(frozen=True, slots=True)
class Step:
    """A RUN, COPY or ADD of a stage."""

    stage: Stage
    instruction: Instruction
    sources: tuple[Source, ...] = ()
    """What it reads from the build context."""
    landing: Landing | None = None
    """Of COPY and ADD."""
    origin: str = ""
    """`--from`, as written; empty for the context."""
    doubt: str = ""
    """Why it is not certain that it reads its sources."""


@dataclass(slots=True)
class State:
    """What the instructions of a stage see, and what they leave behind."""

    env: dict[str, str] = field(default_factory=dict)
    scratch: bool = False
    """Nothing below this stage can set a variable."""
    working_dir: str = ""
    """Empty: not known."""
    folders: set[str] = field(default_factory=set)
    """Paths that are certainly folders of the image."""

    def copy(self) -> "State":
        return State(dict(self.env), self.scratch, self.working_dir, set(self.folders))

    def lookup(self, name: str) -> str | None:
        """What is not set here may be set by the base image; BuildKit sets `PATH` in any case."""
        return self.env.get(name, None if self.scratch and name != "PATH" else UNKNOWN)

    def add_folder(self, path: str) -> None:
        while path not in self.folders:
            self.folders.add(path)
            path = posixpath.dirname(path)


@dataclass(slots=True)
class Walked:
    """A stage, followed to its end; the steps of the stage that it is built on are not repeated."""

    stage: Stage
    base: "Walked | None"
    state: State
    image: str = ""
    """What it is built on where that is no stage; with `UNKNOWN` in it where a variable is not known."""
    steps: list[Step] = field(default_factory=list)
    external: list[str] = field(default_factory=list)
    """The images that its COPY --from and RUN --mount=from read."""
    needs: list["Walked"] = field(default_factory=list)
    """The stages that its COPY --from and RUN --mount=from read."""
    doubts: list[str] = field(default_factory=list)


class Walker:
    """Follows stages of one Dockerfile, each once."""

    def __init__(
        self, dockerfile: Dockerfile, args: Mapping[str, str], working_dir: str, contexts: Iterable[str]
    ) -> None:
        self._dockerfile = dockerfile
        self._args = args
        self._working_dir = working_dir
        self._contexts = {name.lower().removesuffix(":latest") for name in contexts}
        self._walked: dict[int, Walked] = {}
        self._globals: dict[str, str] = {}
        for instruction in dockerfile.args:
            self._declare(instruction, self._globals, self._global)

    def find(self, name: str) -> int | None:
        """The index of the last stage of that name."""
        stages = reversed(self._dockerfile.stages)
        return next((stage.index for stage in stages if stage.name and stage.name == name.lower()), None)

    def walk(self, index: int) -> Walked:
        if index not in self._walked:
            self._walked[index] = self._follow(self._dockerfile.stages[index])
        return self._walked[index]

    def _follow(self, stage: Stage) -> Walked:
        if replaced := self._context_doubt(stage.name):
            return Walked(stage, None, State(), doubts=[replaced])
        walked = self._begin(stage)
        if walked.base:
            triggers = (instruction.trigger for instruction in walked.base.stage.instructions)
            for trigger in filter(None, triggers):
                self._step(walked, trigger)
        for instruction in stage.instructions:
            self._step(walked, instruction)
        return walked

    def _begin(self, stage: Stage) -> Walked:
        doubts: list[str] = []
        base = self._word(stage.base, self._global, doubts, f"FROM {stage.base}").text
        earlier = [other for other in self._dockerfile.stages[: stage.index] if other.name]
        found = next((other for other in reversed(earlier) if other.name == base.lower()), None)
        if found:
            below = self.walk(found.index)
            return Walked(stage, below, below.state.copy())
        doubts += filter(None, [self._context_doubt(base)])
        # What is not known of a name matters only when it may be the name of a stage.
        if not base or (UNKNOWN in base and any(_may_be(base.lower(), other.name) for other in earlier)):
            doubts.append(f"it is not known which stage or image `FROM {stage.base}` names")
        state = State(scratch=base == "scratch", working_dir="/" if base == "scratch" else self._working_dir)
        if doubts:
            state.working_dir = ""
        if "onbuild" in base.lower():
            doubts.append(f"the image `{stage.base}` may have ONBUILD instructions that read the context")
        return Walked(stage, None, state, base, doubts=doubts)

    def _context_doubt(self, name: str) -> str:
        replaced = name.lower().removesuffix(":latest") in self._contexts
        return f"`{name}` is replaced by a build context of that name" if replaced else ""

    def _step(self, walked: Walked, instruction: Instruction) -> None:
        name, state = instruction.name, walked.state
        if name in {"COPY", "ADD"}:
            self._copy(walked, instruction)
        elif name == "RUN":
            self._run(walked, instruction)
        elif name == "ARG":
            self._declare(instruction, state.env, state.lookup)
        elif name == "ENV":
            self._set(walked, instruction)
        elif name == "WORKDIR":
            path = self._expand(walked, instruction, instruction.args[0]).text
            state.working_dir = _absolute(state.working_dir, path)
            if state.working_dir:
                state.add_folder(state.working_dir)

    def _set(self, walked: Walked, instruction: Instruction) -> None:
        # All see the values from before the instruction.
        pairs = (arg.partition("=") for arg in instruction.args)
        walked.state.env |= {
            self._expand(walked, instruction, name).text: self._expand(walked, instruction, value).text
            for name, _, value in pairs
        }

    def _declare(self, instruction: Instruction, env: dict[str, str], lookup: Lookup) -> None:
        """ARG: what is passed in, else its default, else what the ARG before the first FROM says."""
        for arg in instruction.args:
            name, equals, default = arg.partition("=")
            value = self._args.get(name)
            if value is None:
                value = self._word(default, lookup, [], "").text if equals else self._global(name)
            if value is not None:
                env[name] = value

    def _global(self, name: str) -> str | None:
        value = self._globals.get(name, self._args.get(name) if _PLATFORM.fullmatch(name) else None)
        return UNKNOWN if value is None and _PLATFORM.fullmatch(name) else value

    def _expand(self, walked: Walked, instruction: Instruction, word: str) -> Expanded:
        return self._word(word, walked.state.lookup, walked.doubts, f"line {instruction.line}")

    def _word(self, word: str, lookup: Lookup, doubts: list[str], where: str) -> Expanded:
        try:
            return expand(word, lookup, self._dockerfile.escape)
        except BadWordError as error:
            doubts.append(f"{where}: {error}")
            return Expanded(UNKNOWN)

    def _copy(self, walked: Walked, instruction: Instruction) -> None:
        *written, last = instruction.args
        patterns = [self._expand(walked, instruction, arg) for arg in written if not _is_heredoc(arg)]
        destination = self._expand(walked, instruction, last).text
        origin = instruction.flag("from") if instruction.name == "COPY" else ""
        if origin:
            self._need(walked, instruction, origin, by_index=True)
            patterns = []
        excludes, parents = instruction.values("exclude"), _is_on(instruction, "parents")
        local = (pattern for pattern in patterns if not REMOTE.match(pattern.text))
        sources = tuple(Source(self._slashes(word.text), excludes, parents, unknown=word.unknown) for word in local)
        landing = _landing(walked.state, destination, several=len(written) > 1, link=_is_on(instruction, "link"))
        walked.steps.append(Step(walked.stage, instruction, sources, landing, origin, _flag_doubt(instruction)))

    def _slashes(self, pattern: str) -> str:
        return pattern.replace("\\", "/") if self._dockerfile.escape == "`" else pattern

    def _need(self, walked: Walked, instruction: Instruction, name: str, *, by_index: bool) -> None:
        """Remember the stage that an instruction reads."""
        where = f"line {instruction.line}"
        walked.doubts += filter(None, [self._context_doubt(name)])
        if "$" in name:
            walked.doubts.append(f"{where}: `{name}` is not replaced by the value of a variable")
            return
        index = int(name[:9]) if by_index and name.isascii() and name.isdecimal() else self.find(name)
        if index is not None and index < walked.stage.index:
            walked.needs.append(self.walk(index))
        elif index is not None:
            walked.doubts.append(f"{where}: the stage `{name}` has to come before")
        else:
            walked.external.append(name)

    def _run(self, walked: Walked, instruction: Instruction) -> None:
        sources: list[Source] = []
        doubt = ""
        for mount in instruction.values("mount"):
            fields = self._mount(walked, instruction, mount)
            kind = fields.get("type", Expanded("bind")).text.lower()
            origin = fields.get("from", Expanded("")).text
            if kind in {"tmpfs", "secret", "ssh"}:
                continue
            if origin:
                self._need(walked, instruction, origin, by_index=False)
            elif kind != "cache":
                doubt = doubt or ("" if kind == "bind" else "the type of its --mount is not known")
                source = fields.get("source", Expanded(""))
                sources.append(Source(source.text, literal=True, unknown=source.unknown))
        walked.steps.append(Step(walked.stage, instruction, tuple(sources), doubt=doubt))

    def _mount(self, walked: Walked, instruction: Instruction, mount: str) -> dict[str, Expanded]:
        """The fields of `--mount=type=bind,source=x`; the last of a name counts."""
        try:
            parts = next(csv.reader([mount]), [])
        except csv.Error as error:
            walked.doubts.append(f"line {instruction.line}: `--mount={mount}` cannot be read: {error}")
            return {"type": Expanded("tmpfs")}
        found: dict[str, Expanded] = {}
        for key, _, value in (part.partition("=") for part in parts):
            name = "source" if key.lower() == "src" else key.lower()
            found[name] = Expanded(value) if name == "from" else self._expand(walked, instruction, value)
        return found


def _may_be(word: str, name: str) -> bool:
    """Whether a word that is known in part can be this name."""
    return re.fullmatch(".*".join(map(re.escape, word.split(UNKNOWN))), name) is not None


def _is_on(instruction: Instruction, flag: str) -> bool:
    return instruction.flag(flag).lower() == "true"


def _flag_doubt(instruction: Instruction) -> str:
    unknown = next((name for name, _ in instruction.flags if name not in _FLAGS[instruction.name]), "")
    return f"it is not known what its `--{unknown}` does" if unknown else ""


def _is_heredoc(word: str) -> bool:
    try:
        return heredoc_of(word) is not None
    except BadWordError:
        return False


def _absolute(folder: str, path: str) -> str:
    """A path of the image; empty when that cannot be told."""
    if UNKNOWN in path or _WINDOWS.match(path) or not (folder or path.startswith("/")):
        return ""
    return "/" + posixpath.normpath(posixpath.join(folder or "/", path)).lstrip("/")


def _landing(state: State, destination: str, *, several: bool, link: bool) -> Landing:
    path = _absolute(state.working_dir, destination)
    marked = destination in {"", "."} or destination.endswith(("/", "/."))
    if marked and path:
        state.add_folder(path)
    # Several sources need a folder, says the documentation. With --link the image below is not looked at.
    folder = several or marked or (path in state.folders and not link)
    return Landing(path, folder, "" if path else _why_unknown(destination))


def _why_unknown(destination: str) -> str:
    if UNKNOWN in destination:
        return "the value of a variable in its destination is not known"
    if _WINDOWS.match(destination):
        return "its destination is a path of Windows"
    return "the working directory that its destination is relative to is not known"
