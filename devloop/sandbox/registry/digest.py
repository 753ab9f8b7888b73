"""Digests and names as the distribution specification writes them."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from devloop.sandbox.registry.errors import Code, Refused

_LENGTHS = {"sha256": 64, "sha512": 128}
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_LONGEST_NAME = 255
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Digest:
    """`sha256:...` or `sha512:...`; safe to be part of a path."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Raises `Refused`."""
        algorithm, _, encoded = text.partition(":")
        if len(encoded) != _LENGTHS.get(algorithm) or not re.fullmatch(r"[0-9a-f]+", encoded):
            raise Refused(Code.DIGEST_INVALID, f"`{text}` is no sha256 or sha512 digest")
        return cls(algorithm, encoded)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    def is_of(self, content: bytes) -> bool:
        return hashlib.new(self.algorithm, content).hexdigest() == self.hex

    def is_of_file(self, path: Path) -> bool:
        with path.open("rb") as file:
            return hashlib.file_digest(file, self.algorithm).hexdigest() == self.hex


def digest_of(content: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(content).hexdigest())


def check_name(name: str) -> str:
    """The name of a repository; raises `Refused`."""
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise Refused(Code.NAME_INVALID, f"`{name}` is no name of a repository")
    return name


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None
