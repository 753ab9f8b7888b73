"""The instructions that only change how a container starts: ENV, CMD, LABEL and their like.

The keys are those of an image's config, written as BuildKit writes them.
https://github.com/opencontainers/image-spec/blob/main/config.md
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from devloop.core.assemble_words import CannotAssembleError, said
from devloop.core.dockerfile import Instruction

METADATA = frozenset({
    "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "SHELL", "STOPSIGNAL",
    "USER", "VOLUME",
})  # fmt: skip
_SHELL = ["/bin/sh", "-c"]
_PORT = re.compile(r"(\d+)(?:-(\d+))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}
Expand = Callable[[str], str]


class Metadata:
    """What a container starts by, as far as it is known."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config, self.author = config, ""
        self._has_cmd = False

    @property
    def env(self) -> dict[str, str]:
        pairs = (str(each).partition("=") for each in self.config.get("Env") or ())
        return {name: value for name, _, value in pairs}

    @property
    def folder(self) -> str:
        return str(self.config.get("WorkingDir") or "/")

    def begin_stage(self) -> None:
        self._has_cmd = False

    def work_in(self, folder: str) -> None:
        self.config["WorkingDir"] = folder

    def take(self, instruction: Instruction, expand: Expand) -> None:
        """One of `METADATA`; raises `CannotAssembleError`."""
        getattr(self, f"_{instruction.name.lower()}")(instruction, expand)

    def _env(self, instruction: Instruction, expand: Expand) -> None:
        # All see the values from before the instruction.
        pairs = [arg.partition("=") for arg in instruction.args]
        set_now = {expand(name): expand(value) for name, _, value in pairs}
        self.config["Env"] = [f"{name}={value}" for name, value in {**self.env, **set_now}.items()]

    def _label(self, instruction: Instruction, expand: Expand) -> None:
        pairs = [arg.partition("=") for arg in instruction.args]
        given = {expand(name): expand(value) for name, _, value in pairs}
        self.config["Labels"] = {**(self.config.get("Labels") or {}), **given}

    def _cmd(self, instruction: Instruction, _: Expand) -> None:
        self.config["Cmd"] = self._command(instruction)
        self.config["ArgsEscaped"] = True
        self._has_cmd = True

    def _entrypoint(self, instruction: Instruction, _: Expand) -> None:
        self.config["Entrypoint"] = self._command(instruction)
        # A new entrypoint has no use for the arguments of the one below.
        if not self._has_cmd:
            self.config.pop("Cmd", None)

    def _command(self, instruction: Instruction) -> list[str]:
        if instruction.json:
            return list(instruction.args)
        return [*(self.config.get("Shell") or _SHELL), *instruction.args]

    def _shell(self, instruction: Instruction, _: Expand) -> None:
        if not instruction.json or not instruction.args:
            raise CannotAssembleError(f"`{said(instruction)}` needs a JSON list", instruction)
        self.config["Shell"] = list(instruction.args)

    def _expose(self, instruction: Instruction, expand: Expand) -> None:
        ports: dict[str, dict[str, str]] = dict(self.config.get("ExposedPorts") or {})
        for word in " ".join(map(expand, instruction.args)).split():
            match = _PORT.fullmatch(word)
            if match is None:
                raise CannotAssembleError(f"`{word}` of `{said(instruction)}` is no port", instruction)
            for port in range(int(match[1]), int(match[2] or match[1]) + 1):
                ports[f"{port}/{(match[3] or 'tcp').lower()}"] = {}
        self.config["ExposedPorts"] = ports

    def _volume(self, instruction: Instruction, expand: Expand) -> None:
        paths: dict[str, dict[str, str]] = {expand(word): {} for word in instruction.args}
        self.config["Volumes"] = {**(self.config.get("Volumes") or {}), **paths}

    def _user(self, instruction: Instruction, expand: Expand) -> None:
        self.config["User"] = expand(_text(instruction))

    def _stopsignal(self, instruction: Instruction, expand: Expand) -> None:
        self.config["StopSignal"] = expand(_text(instruction))

    def _maintainer(self, instruction: Instruction, _: Expand) -> None:
        self.author = _text(instruction)

    def _onbuild(self, instruction: Instruction, _: Expand) -> None:
        assert instruction.trigger is not None
        self.config["OnBuild"] = [*(self.config.get("OnBuild") or ()), instruction.trigger.text]

    def _healthcheck(self, instruction: Instruction, expand: Expand) -> None:
        kind, _, rest = _text(instruction).partition(" ")
        if kind.upper() == "NONE":
            self.config["Healthcheck"] = {"Test": ["NONE"]}
            return
        if kind.upper() != "CMD" or not rest.strip():
            raise CannotAssembleError(f"`{said(instruction)}` is neither CMD nor NONE", instruction)
        check: dict[str, Any] = {"Test": _test(rest.strip())}
        for flag, value in instruction.flags:
            check |= _timing(flag, value, instruction)
        self.config["Healthcheck"] = check


def _text(instruction: Instruction) -> str:
    if not instruction.args:
        raise CannotAssembleError(f"{instruction.name} needs an argument", instruction)
    return instruction.args[0]


def _test(command: str) -> list[str]:
    try:
        words = json.loads(command) if command.startswith("[") else None
    except ValueError:
        words = None
    return ["CMD", *map(str, words)] if isinstance(words, list) else ["CMD-SHELL", command]


def _timing(flag: str, value: str, instruction: Instruction) -> Mapping[str, int]:
    if flag == "retries" and value.isdecimal():
        return {"Retries": int(value)}
    parts = _DURATION.findall(value)
    if flag not in _TIMES or "".join(number + unit for number, unit in parts) != value or not value:
        raise CannotAssembleError(f"`--{flag}={value}` of HEALTHCHECK is not understood", instruction)
    return {_TIMES[flag]: int(sum(float(number) * _NANOSECONDS[unit] for number, unit in parts))}
