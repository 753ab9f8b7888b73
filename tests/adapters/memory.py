"""A state folder without a disk."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Memory:
    """A state folder that outlives whoever writes to it."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def load(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def store(self, name: str, data: bytes) -> None:
        self.kept[name] = data

    def session_file(self, session: str) -> Path | None:
        return None
