"""What is written about the keys agrees with the models."""

import re

import pytest

from devloop.core.buildflags import owned_flags
from tests.core.config_table import DOCUMENT, TABLES, table, tables_of


@pytest.mark.parametrize("name", TABLES)
def test_the_reference_is_that_of_the_models(name: str) -> None:
    assert tables_of(DOCUMENT.read_text("utf-8"))[name] == table(TABLES[name]), "python -m tests.core.config_table"


def test_every_refused_flag_is_told() -> None:
    text = DOCUMENT.read_text("utf-8")
    paragraph = text[text.index("`flags` refuses") :].partition("\n\n")[0]
    assert set(re.findall(r"`(--[a-z-]+)`", paragraph)) == owned_flags()
