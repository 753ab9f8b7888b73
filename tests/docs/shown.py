"""Output as a document shows it and as a program wrote it: equal but for times, digests and names that are made up."""

import re

ANY = "..."
"""A line that stands for any number of lines; at the end of a line `…` stands for its rest."""
_MADE_UP = (
    (r"\b\d{4}-\d\d-\d\d\b", "DATE"),
    (r"\b\d\d:\d\d(:\d\d)?(\.\d+)?Z?\b", "TIME"),
    (r" in [\d.]+ ?m?s( \([^)]*\))?", " in TIME"),
    (r"\b\d+(\.\d+)? ?(ms|s|m)\b", "SECONDS"),
    (r"; \d+ old Pods? still terminating", ""),
    (r"\b(\w[\w-]*?)-[0-9a-f]{6,10}-[a-z0-9]{5}\b", r"\1-POD"),
    (r"\b(\w[\w-]*?)-[0-9a-f]{6,10}\b", r"\1-REVISION"),
    (r"── \w{5} restarted", "── POD restarted"),
    (r"\b[0-9a-f]{12,64}\b", "DIGEST"),
    (r"\bnode\d\b", "NODE"),
    (r"\S+\.ndjson", "RECORDING"),
    (r"session [0-9a-f]{8}\b", "session ID"),
    (r"\b\w+@[\w.-]+/\d+", "HOLDER"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"devloop \d+\.\d+\.\d+\S*", "devloop VERSION"),
    (r"─+$", "─"),
)


def plain(line: str) -> str:
    """Without what differs from run to run."""
    for pattern, word in _MADE_UP:
        line = re.sub(pattern, word, line)
    return re.sub(r" {2,}", "  ", line).rstrip()


def _pattern(line: str) -> str:
    return re.escape(plain(line[:-2])) + ".*" if line.endswith(" …") else re.escape(plain(line))


def says(shown: str, line: str) -> bool:
    """Whether a line of the program is that one of the document."""
    return re.fullmatch(_pattern(shown), plain(line)) is not None


def is_shown(shown: list[str], written: list[str]) -> bool:
    """Whether a document shows all that was written, line by line."""
    pattern = "".join(r"(?:.*\n)*?" if line == ANY else _pattern(line) + "\n" for line in shown)
    return re.fullmatch(pattern, "".join(plain(line) + "\n" for line in written)) is not None


def in_order(shown: list[str], written: list[str]) -> bool:
    """Whether all that a document shows was written, in that order; more may stand between."""
    lines = iter(written)
    return all(any(says(each, line) for line in lines) for each in shown if each != ANY)
