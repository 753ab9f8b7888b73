"""The greeting of the demo's page, as somebody wrote it who tries the demo."""

from pathlib import Path

import pytest

from devloop.session.demo.byhand import NotAsToldError, greeting_of, set_greeting


@pytest.mark.parametrize(
    ("line", "greeting"),
    [
        ('GREETING = "Good morning!"', "Good morning!"),
        ("GREETING = 'Single'", "Single"),
        ("GREETING='Say \"hi\"'  # mine", 'Say "hi"'),
        ("GREETING = 'It\\'s late'", "It's late"),
    ],
)
def test_it_is_read_and_written_in_either_quotes(tmp_path: Path, line: str, greeting: str) -> None:
    file = tmp_path / "web.py"
    file.write_text(f"import os\n\n{line}\nCOLOR = 'blue'\n")
    assert greeting_of(file) == greeting
    set_greeting(file, "Good evening!")
    assert file.read_text() == "import os\n\nGREETING = \"Good evening!\"\nCOLOR = 'blue'\n"


@pytest.mark.parametrize("line", ["", 'HELLO = "x"', "GREETING = str(1)", "GREETING = 1", 'GREETING = "x'])
def test_where_it_is_gone_the_file_is_known(tmp_path: Path, line: str) -> None:
    file = tmp_path / "web.py"
    file.write_text(f"{line}\n")
    with pytest.raises(NotAsToldError, match="has no line GREETING") as raised:
        greeting_of(file)
    assert raised.value.file == file
