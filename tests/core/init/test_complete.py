"""A file of a person's gets the lines that it lacks, and keeps all the others."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core.init.complete import Block, completed
from devloop.core.layers import merge

CLUSTER = Block(("cluster",), {"context": "far"}, notes="# why\n")
WEB = Block(("services", "web"), {"push_image": "localhost:5001/web"}, "# its own name\n")


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("", '[cluster]\n# why\ncontext = "far"\n'),
        ("# mine\n", '# mine\n\n[cluster]\n# why\ncontext = "far"\n'),
        ('[cluster]\n# context = "far"\n# more\n', '[cluster]\ncontext = "far"\n# more\n'),
        ('[cluster] # mine\n# team\nnamespace = "a"', '[cluster] # mine\ncontext = "far"\n# team\nnamespace = "a"\n'),
        ('[cluster]\ncontext = "near" # "x"\n', '[cluster]\ncontext = "far" # "x"\n'),
        ('[cluster]\ncontext = \'near\'\n', '[cluster]\ncontext = "far"\n'),
        ('cluster.context = "near"\n', 'cluster.context = "far"\n'),
        ('[ui]\n# context = "far"\n\n[cluster]\n', '[ui]\n# context = "far"\n\n[cluster]\ncontext = "far"\n'),
        ('[cluster]\ncontext = "far"\n', '[cluster]\ncontext = "far"\n'),
    ],
)  # fmt: skip
def test_what_lacks_is_put_in(text: str, made: str) -> None:
    assert completed(text, [CLUSTER]) == made


def test_a_table_that_lacks_comes_last_with_its_reason() -> None:
    text = '[services.api]\ntag = "x"\n\n\n'
    assert completed(text, [WEB]) == '[services.api]\ntag = "x"\n\n# its own name\n' + WEB.header + (
        '\npush_image = "localhost:5001/web"\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        'cluster = { namespace = "a" }\n',
        'cluster.namespace = "a"\n',
        '[cluster]\ncontext = """\nnear"""\n',
        '[cluster]\n"context" = "near"\n',
    ],
)
def test_what_would_take_more_than_a_line_is_left_to_others(text: str) -> None:
    assert completed(text, [CLUSTER]) is None


def test_a_table_without_values_is_not_wanted() -> None:
    assert completed("# mine\n", [Block(("cluster",), {}, notes="# why\n")]) == "# mine\n"


_VALUES = st.text(st.sampled_from("ab\"'\\#= \n"), max_size=6)
_LINES = st.lists(
    st.sampled_from(["[cluster]", "[services.web]", "[services.a]", "# context = \"far\"", "# x", "", "tag = 'a'",
                     'namespace = "n"', 'context = "near"', "push_image = 'a'  # \"b\"", '"context" = "q"']),
    max_size=9,
)  # fmt: skip


@given(_LINES, _VALUES, _VALUES)
def test_it_says_both_and_loses_no_comment(lines: list[str], context: str, image: str) -> None:
    text = "\n".join(lines)
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    blocks = [Block(("cluster",), {"context": context}), Block(("services", "web"), {"push_image": image})]
    made = completed(text, blocks)
    if made is None:
        return
    new = {"cluster": {"context": context}, "services": {"web": {"push_image": image}}}
    assert tomllib.loads(made) == merge(before, new)
    uncommented = f"# context = {tomllib_line(context)}"
    for line in lines:
        if line.startswith(("#", "[", "tag", "namespace")) and line != uncommented:
            assert made.splitlines().count(line) >= lines.count(line)


def tomllib_line(context: str) -> str:
    return Block(("x",), {"c": context}).text.partition(" = ")[2].rstrip("\n")
