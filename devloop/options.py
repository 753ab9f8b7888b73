"""Options that several commands have, and that mean the same on each."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])

file = click.option(
    "-f", "--file", type=click.Path(path_type=Path), help="The configuration [default: the nearest devloop.toml]."
)
context = click.option("--context", default="", help="The kube context. Choosing it does not allow writing to it.")
namespace = click.option(
    "-n", "--namespace", default="", help="The namespace [default: the file's, else the context's]."
)


def shared(command: _F) -> _F:
    """The options that mean the same on every command that looks at a cluster."""
    for option in (namespace, context, file):
        command = option(command)
    return command


def output(help_text: str) -> Callable[[_F], _F]:
    choice = click.Choice(["plain", "json"])
    return click.option("-o", "--output", type=choice, default=None, help=help_text)


def take_over(help_text: str) -> Callable[[_F], _F]:
    return click.option("--take-over", is_flag=True, help=help_text)


def on_terminal() -> bool:
    """The full-screen view needs all three, and a terminal that can move its cursor."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream.isatty() for stream in streams) and os.environ.get("TERM", "dumb") != "dumb"
