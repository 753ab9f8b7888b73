"""`docs/reference/codes.md`: every exit code, failure code and cause of `why`, with what mends it."""

from collections.abc import Iterator

from devloop.core.failure import EXIT_CODES, MEANINGS, ExitCode, FailureCode
from devloop.core.why.cause import LINKS, CauseCode
from tests.reference.docstrings import Docstrings, first_sentence, parted
from tests.reference.markdown import table


def blocks() -> dict[str, str]:
    """The blocks of the page, by name."""
    return {
        "exit codes": table(("exit code", "meaning"), ((str(int(code)), MEANINGS[code]) for code in ExitCode)),
        "failure codes": table(("code", "exit code", "meaning", "what mends it"), _failures()),
        "causes": table(("code", "broken link", "meaning", "what mends it"), _causes()),
    }


def _failures() -> Iterator[tuple[str, ...]]:
    told = Docstrings(FailureCode)
    yield from ((f"`{code}`", str(int(EXIT_CODES[code])), *parted(told[code.name])) for code in FailureCode)


def _causes() -> Iterator[tuple[str, ...]]:
    told = Docstrings(CauseCode)
    for code in CauseCode:
        meaning, fix = parted(told[code.name])
        yield f"[`{code}`](../why.md#{code})", LINKS.get(code, ""), first_sentence(meaning), fix
