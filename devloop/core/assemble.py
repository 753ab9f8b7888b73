"""An image assembled from a Dockerfile without running anything: FROM, COPY and ADD of files, and metadata.

What such a Dockerfile gives is decided here, over data: the config of the base image, what the base holds, and the
picture of the context. Whatever needs an engine, and whatever is not certain, is a `CannotAssembleError` that names the
line; nothing is guessed. The rules are those of BuildKit's `dockerfile2llb`.
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from devloop.core.assemble_config import METADATA, Metadata
from devloop.core.assemble_copy import Copying, Placed, Tree
from devloop.core.assemble_words import CannotAssembleError, NeedsEngineError, said
from devloop.core.dockerfile import Dockerfile, Instruction, Stage
from devloop.core.dockerfile_words import BadWordError, expand
from devloop.core.picture import Picture
from devloop.core.why.imageconfig import OWN_BUILDER

SCRATCH = "scratch"
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages that an image is made of, and what it begins with."""

    stages: tuple[Stage, ...]
    """The lowest one first."""
    image: str
    """What the lowest is built on: a reference, or `scratch`."""
    args: Mapping[str, str]
    """What the ARG before the first FROM declare."""
    given: Mapping[str, str]
    """Build arguments."""
    escape: str


@dataclass(frozen=True, slots=True)
class Made:
    """What one instruction made."""

    created_by: str
    placed: tuple[Placed, ...] | None
    """Of its layer; None where it makes none."""
    unpacks: bool = False
    """An archive that it names would be unpacked."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """An image, but for its bytes."""

    config: Mapping[str, Any]
    """What a container starts by."""
    author: str
    made: tuple[Made, ...]


def plan(dockerfile: Dockerfile, target: str, given: Mapping[str, str], platform: str) -> Plan:
    """Which stages count; raises `CannotAssembleError`."""
    if dockerfile.problems:
        raise CannotAssembleError(dockerfile.problems[0])
    given = {**_platform_args(platform), **given}
    args: dict[str, str] = {}
    for instruction in dockerfile.args:
        args |= _declared(instruction, given, {**args}, dockerfile.escape, args)
    stages = [_target(dockerfile, target)]
    while True:
        base = _word(stages[0].base, {**_platform_args(platform), **args}, dockerfile.escape, f"FROM {stages[0].base}")
        earlier = [each for each in dockerfile.stages[: stages[0].index] if each.name == base.lower()]
        if not earlier:
            return Plan(tuple(stages), base, args, given, dockerfile.escape)
        stages.insert(0, earlier[-1])


def _target(dockerfile: Dockerfile, target: str) -> Stage:
    if not target:
        return dockerfile.stages[-1]
    named = [stage for stage in dockerfile.stages if stage.name == target.lower()]
    if not named:
        raise CannotAssembleError(f"there is no stage `{target}`")
    return named[-1]


def check(planned: Plan) -> None:
    """Raises `CannotAssembleError` where an instruction needs an engine, before anything is asked for."""
    for stage in planned.stages:
        for instruction in stage.instructions:
            if instruction.name not in {"COPY", "ADD", "WORKDIR", "ARG", *METADATA}:
                why = f"the sandbox has no engine and cannot run `{said(instruction)}`"
                raise NeedsEngineError(why, instruction)
            if instruction.name in {"COPY", "ADD"}:
                Copying.check(instruction)
    below = [each for stage in planned.stages[:-1] for each in stage.instructions if each.name == "ONBUILD"]
    if below:
        raise NeedsEngineError(f"`{said(below[0])}` of a stage below is left to an engine", below[0])


def assemble(planned: Plan, base: Mapping[str, Any], tree: Tree, picture: Picture) -> Assembled:
    """`base`: what a container of the base starts by; `tree` what it holds, which is changed. Raises
    `CannotAssembleError`."""
    check(planned)
    if base.get("OnBuild"):
        raise NeedsEngineError(f"{planned.image} has ONBUILD instructions, which are left to an engine")
    config = dict(base)
    if planned.image == SCRATCH:
        config |= {"Env": [f"PATH={_DEFAULT_PATH}"], "WorkingDir": "/"}
    assembling = _Assembling(planned, Metadata(config), tree, picture)
    made = tuple(one for stage in planned.stages for one in assembling.stage(stage))
    return Assembled(assembling.metadata.config, assembling.metadata.author, made)


@dataclass(slots=True)
class _Assembling:
    """Instruction by instruction."""

    planned: Plan
    metadata: Metadata
    tree: Tree
    picture: Picture
    args: dict[str, str] = field(default_factory=dict)
    """Declared in the stage by ARG."""

    def stage(self, stage: Stage) -> Iterator[Made]:
        self.args = {}
        self.metadata.begin_stage()
        for instruction in stage.instructions:
            yield self._step(instruction)

    def _step(self, instruction: Instruction) -> Made:
        if instruction.name == "ARG":
            known = self._variables()
            self.args |= _declared(instruction, self.planned.given, known, self.planned.escape, self.planned.args)
            return Made(said(instruction), None)
        if instruction.name == "WORKDIR":
            return self._work(instruction)
        if instruction.name in {"COPY", "ADD"}:
            words = [self._expanded(word, instruction) for word in instruction.args]
            flags = {name: self._expanded(value, instruction) for name, value in instruction.flags}
            # With --link the image below is not looked at.
            tree = Tree({}) if flags.get("link", "").lower() == "true" else self.tree
            copying = Copying(instruction, flags, self.metadata.folder, tree, self.picture)
            placed = tuple(copying.copied(words))
            self.tree.lay(placed)
            return Made(f"{said(instruction)}{OWN_BUILDER}", placed, instruction.name == "ADD")
        self.metadata.take(instruction, lambda word: self._expanded(word, instruction))
        return Made(said(instruction), None)

    def _work(self, instruction: Instruction) -> Made:
        folder = self._expanded(instruction.args[0], instruction)
        self.metadata.work_in(posixpath.normpath(posixpath.join(self.metadata.folder, folder)))
        placed = tuple(self.tree.folders_to(self.metadata.folder, instruction))
        return Made(said(instruction), placed or None)

    def _variables(self) -> dict[str, str]:
        """ENV wins over ARG."""
        return {**self.args, **self.metadata.env}

    def _expanded(self, word: str, instruction: Instruction) -> str:
        return _word(word, self._variables(), self.planned.escape, said(instruction), instruction)


def _declared(
    instruction: Instruction, given: Mapping[str, str], known: Mapping[str, str], escape: str, outer: Mapping[str, str]
) -> dict[str, str]:
    """ARG: what is passed in, else its default, else what the ARG before the first FROM says."""
    found: dict[str, str] = {}
    for arg in instruction.args:
        name, equals, default = arg.partition("=")
        if name in given:
            found[name] = given[name]
        elif equals:
            found[name] = _word(default, {**known, **found}, escape, said(instruction), instruction)
        elif name in outer:
            found[name] = outer[name]
    return found


def _word(word: str, known: Mapping[str, str], escape: str, where: str, instruction: Instruction | None = None) -> str:
    try:
        expanded = expand(word, known.get, escape)
    except BadWordError as error:
        raise CannotAssembleError(f"`{where}`: {error}", instruction) from None
    if expanded.unknown:
        raise NeedsEngineError(f"`{where}`: the pattern in `{word}` is left to an engine", instruction)
    return expanded.text


def _platform_args(platform: str) -> dict[str, str]:
    system, _, rest = platform.partition("/")
    machine, _, variant = rest.partition("/")
    parts = {"PLATFORM": platform, "OS": system, "ARCH": machine, "VARIANT": variant}
    return {f"{side}{name}": value for side in ("TARGET", "BUILD") for name, value in parts.items()}
