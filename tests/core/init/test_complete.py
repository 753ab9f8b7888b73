"""A file of a person's gets the lines that it lacks, and keeps all the others."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core.init.complete import Block, completed, lacking
from devloop.core.layers import merge

CLUSTER = Block(("cluster",), {"context": "far"}, notes="# why\n")
WEB = Block(("services", "web"), {"push_image": "localhost:5001/web"}, "# its own name\n")


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("", '[cluster]\n# why\ncontext = "far"\n'),
        ("# mine\n", '# mine\n\n[cluster]\n# why\ncontext = "far"\n'),
        ('[cluster]\n# context = "far"\n# more\n', '[cluster]\ncontext = "far"\n# more\n'),
        ('[cluster] # mine\n# team\nnamespace = "a"', '[cluster] # mine\n# team\nnamespace = "a"\ncontext = "far"'),
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
    added = '# its own name\n[services.web]\npush_image = "localhost:5001/web"\n'
    assert completed(text, [WEB]) == f'[services.api]\ntag = "x"\n\n{added}'


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ('cluster.namespace = "a"\n', 'cluster.namespace = "a"\ncluster.context = "far"\n'),
        ('[cluster]\n"context" = "near"\n', '[cluster]\n"context" = "far"\n'),
        ('cluster = { context = "near", namespace = "a" }\n', 'cluster = { context = "far", namespace = "a" }\n'),
        ("[cluster]\n# \u2028\n", '[cluster]\ncontext = "far"\n# \u2028\n'),
        ('[cluster]\n# why\nnamespace = "a"\n', '[cluster]\n# why\ncontext = "far"\nnamespace = "a"\n'),
        ("[cluster.allow]\ndev = []\n", '[cluster.allow]\ndev = []\n\n[cluster]\n# why\ncontext = "far"\n'),
    ],
)
def test_other_ways_to_write_a_table(text: str, made: str) -> None:
    assert completed(text, [CLUSTER]) == made


def test_dotted_keys_below_a_header_get_one_more() -> None:
    text = '[services]\nweb.tag = "x"\napi.tag = "y"\n'
    made = '[services]\nweb.tag = "x"\nweb.push_image = "localhost:5001/web"\napi.tag = "y"\n'
    assert completed(text, [WEB]) == made


@pytest.mark.parametrize(
    "text", ['cluster = { namespace = "a" }\n', '[cluster]\ncontext = """\nnear"""\n', "[cluster\n", "cluster = 3\n"]
)
def test_what_would_take_more_than_a_line_is_named(text: str) -> None:
    assert completed(text, [CLUSTER]) is None
    assert lacking(text, [CLUSTER]) == ['[cluster] context = "far"']


def test_what_is_said_already_is_not_lacking() -> None:
    text = '[cluster]\ncontext = "far"\n'
    assert lacking(text, [CLUSTER, WEB]) == ['[services.web] push_image = "localhost:5001/web"']


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
