"""`docs/reference/commands.md`: every command as its `--help` tells it, from what click knows."""

import inspect
import re
from collections.abc import Iterator

import click

from devloop.cli import main
from tests.reference.markdown import code, paragraph, table

_NOT_WRAPPED = "\b\n"
_DEFAULT = re.compile(r" \[default: (.*)\](?=\.?$)")


def blocks() -> dict[str, str]:
    """The blocks of the page, by name."""
    whole = click.Context(main, info_name="devloop", **main.context_settings)
    each = (click.Context(main.commands[name], whole, name) for name in main.list_commands(whole))
    return {"commands": "\n".join(map(_section, [whole, *each]))}


def _section(ctx: click.Context) -> str:
    """One command: its usage, its help, its options."""
    usage = " ".join([ctx.command_path, *ctx.command.collect_usage_pieces(ctx)])
    options = list(_options(ctx))
    parts = [f"## `{ctx.command_path}`\n", f"```text\n{usage}\n```\n", *_help(ctx.command)]
    return "\n".join([*parts, *([table(("option", "meaning", "default"), options)] if options else [])])


def _help(command: click.Command) -> Iterator[str]:
    for text in inspect.cleandoc(command.help or "").split("\n\n"):
        if not text.startswith(_NOT_WRAPPED):
            yield paragraph(" ".join(text.split()))
            continue
        head, _, lines = text.removeprefix(_NOT_WRAPPED).partition("\n")
        yield f"{head}\n\n```text\n{inspect.cleandoc(lines)}\n```\n"


def _options(ctx: click.Context) -> Iterator[tuple[str, str, str]]:
    for option in ctx.command.params:
        record = option.get_help_record(ctx)
        if isinstance(option, click.Option) and record is not None:
            names, told = record
            default = _DEFAULT.search(told)
            yield code(names), _DEFAULT.sub("", told), default[1] if default else ""
