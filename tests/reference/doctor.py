"""`docs/doctor.md`: every check, in its group, from the docstrings of the topics."""

from itertools import groupby

from devloop.core.checkup import Topic
from tests.reference.docstrings import Docstrings, parted
from tests.reference.markdown import table


def blocks() -> dict[str, str]:
    """The blocks of the page, by name."""
    return {group: _checks(list(topics)) for group, topics in groupby(Topic, lambda topic: topic.value[0])}


def _checks(topics: list[Topic]) -> str:
    told = Docstrings(Topic)
    rows = ((f"`{topic.value[1]}`", *parted(told[topic.name])) for topic in topics)
    return table(("check", "looks at", "when it is not well"), rows)
