"""`docs/why.md`: every cause of an old image and every wait of a rollout, from their docstrings."""

from devloop.core.why.cause import CauseCode
from devloop.core.why.wait import WaitCode
from tests.reference.docstrings import Docstrings, parted
from tests.reference.markdown import paragraph, table


def blocks() -> dict[str, str]:
    """The blocks of the page, by name."""
    causes, waits = Docstrings(CauseCode), Docstrings(WaitCode)
    return {
        "causes": "\n".join(f"### {code}\n\n{paragraph(causes[code.name])}" for code in CauseCode),
        "waits": table(("wait", "is", "what ends it"), ((f"`{code}`", *parted(waits[code.name])) for code in WaitCode)),
    }
