"""Why a Dockerfile cannot be assembled without an engine, in words that name the place."""

from devloop.core.dockerfile import Instruction

_SHOWN = 100
"""Characters of an instruction."""


class CannotAssembleError(Exception):
    """The message is a clause for people."""

    def __init__(self, why: str, instruction: Instruction | None = None) -> None:
        super().__init__(why if instruction is None else f"line {instruction.line}: {why}")


class NeedsEngineError(CannotAssembleError):
    """The Dockerfile may well be right, but asks for more than files and metadata."""


def said(instruction: Instruction) -> str:
    """An instruction in one line."""
    text = " ".join(instruction.text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
