"""The command `devloop init` and how it asks: what it does is in `devloop.session.init`."""

import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from devloop import options

if TYPE_CHECKING:
    from devloop.core.failure import Failure
    from devloop.session.init.request import Person

_T = TypeVar("_T")
_NO_TEXT = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)?|[\x00-\x1f\x7f]")
"""What keys send that write nothing."""
_HOW = "Enter takes the answer in brackets; Ctrl-C ends it, and nothing is written"


@click.command()
@options.context
@options.namespace
@click.option("--all-namespaces", is_flag=True, help="Look at all namespaces that you may list.")
@click.option("--yes", is_flag=True, help="Write what was found, without questions; replaces no file.")
@click.option("--print", "only_print", is_flag=True, help="Print it instead; writes nothing.")
@click.option("--diff", is_flag=True, help="Show how it differs from what is there; writes nothing.")
@click.pass_context
def init(
    ctx: click.Context, context: str, namespace: str, all_namespaces: bool, yes: bool, only_print: bool, diff: bool
) -> None:
    """Write a devloop.toml for what runs in the cluster.

    Matches the Dockerfiles below this folder with live Deployments, by their images, names and labels and by what
    compose.yaml and skaffold.yaml say, finds the registry to push to or the local cluster to load images into, and says
    why for each. Looks at the namespace and, where nothing in it fits, at all that you may list.

    What everybody shares goes to devloop.toml, what is yours alone (the kube context, names that hold on this machine)
    to devloop.local.toml, with a line in .gitignore. Reads the cluster and changes nothing there.

    Enter is a good answer to every question but one: a file that is there is changed only after a y.

    \b
    Examples:
      devloop init                    asks what is not clear, and before it writes
      devloop init --yes -n shop      for scripts
      devloop init --diff             what it would write today

    Exits with 0 when it is written or nothing had to be, 2 when a file stands in the way or has mistakes, the answer
    was no or there is no Dockerfile, 3 when the cluster does not answer, has no such namespace or runs nothing that is
    built here, or when no registry was found to push to.
    """
    if only_print and diff:
        raise click.UsageError("--print and --diff show the same in two ways: name one of them")
    if namespace and all_namespaces:
        raise click.UsageError("--all-namespaces already means all of them: leave -n out, or --all-namespaces")
    asks = not (yes or only_print or diff)
    if asks and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("there is no terminal to ask on: add --yes to write what is found, or --print to see it")
    from devloop.session.commands import run_init
    from devloop.session.init.request import InitRequest, Mode

    if asks:
        _say(_HOW)
    mode = Mode.PRINT if only_print else Mode.DIFF if diff else Mode.ASK if asks else Mode.WRITE
    code = run_init(InitRequest(mode, context, namespace, all_namespaces, _person() if asks else None))
    if code == 0 and mode is Mode.ASK:
        try:
            _offer(ctx, context)
        except KeyboardInterrupt:
            sys.exit(130)
    sys.exit(code)


def _offer(ctx: click.Context, context: str) -> None:
    """The two next steps; looking comes first, and writing to the cluster needs a yes."""
    from devloop.session.commands import run_doctor
    from devloop.session.request import Request
    from devloop.views.init import commands

    doctor, up = commands(context)
    click.echo()
    if not _yes("Check everything with `devloop doctor` now?", True):
        click.echo(f"→ {doctor}, then {up}")
        return
    click.echo()
    if run_doctor(Request(context=context, writes=False), as_json=False, before_up=True):
        click.echo(f"\n→ mend what failed, then: {up}")
        return
    click.echo()
    group = ctx.parent.command if ctx.parent else None
    if isinstance(group, click.Group) and _yes(
        "Start `devloop up` now? It builds, pushes and restarts the workloads.", False
    ):
        ctx.invoke(group.commands["up"], context=context)
    click.echo(f"→ {up}")


def _person() -> "Person":
    from devloop.session.init.request import Person

    return Person(_yes, _choose, _text, _permit)


def _fitting(question: str, answer: str) -> str:
    """In lines of the terminal's width, with room for what is written after it: the answer that Enter gives."""
    from devloop.session import say
    from devloop.views.wrapping import wrapped

    return "\n".join(wrapped(question, say.columns() - len(f" [{answer}]: ")))


def _entered(question: str, shown: str) -> str:
    """What was typed, empty for Enter alone; Esc and arrows are no text, and nothing else that was meant."""
    text = _fitting(question, shown) + (f" [{shown}]" if shown else "")
    while True:
        typed = str(asked(lambda: click.prompt(text, default="", show_default=False, err=True)))
        entry = _NO_TEXT.sub("", typed).strip()
        if entry or not typed:
            return entry
        _say("Esc is no answer: type one, or press Enter; Ctrl-C ends devloop init")


def _say(sentence: str) -> None:
    from devloop.session import say

    say.fitted_err(sentence)


def _yes(question: str, default: bool) -> bool:
    while entry := _entered(question, "Y/n" if default else "y/N"):
        if entry.lower() in {"y", "yes", "n", "no"}:
            return entry.lower().startswith("y")
        _say(f"`{entry}` is neither y nor n; Enter means {'yes' if default else 'no'}")
    return default


def _offered(head: str, answer: str) -> None:
    from devloop.session import say
    from devloop.views.wrapping import wrapped

    say.err(*wrapped(answer, say.columns(), head, " " * len(head)))


def _choose(question: str, answers: Sequence[str]) -> int | None:
    for number, answer in enumerate(answers, 1):
        _offered(f"  {number}) ", answer)
    _offered("  0) ", "none of them: leave it out")
    while entry := _entered(question, "0"):
        if entry.isdecimal() and int(entry) <= len(answers):
            return int(entry) - 1 if int(entry) else None
        _say(f"`{entry}` is no number from 0 to {len(answers)}; Enter means 0, which leaves it out")
    return None


def _text(question: str, default: str) -> str:
    return _entered(question, default) or default


def _permit(context: str, failure: "Failure") -> bool:
    """Only the whole name, typed by a person, permits a context that is no known local cluster."""
    _say(failure.message)
    while entry := _entered(f"Type `{context}` to permit it in devloop.local.toml, or press Enter", ""):
        if entry == context:
            return True
        _say(f"`{entry}` is not `{context}`: type the whole name, or press Enter to leave it open")
    _say(f"devloop is not permitted to write to context {context}; `context` in devloop.local.toml settles that later")
    return False


def asked(ask: Callable[[], _T]) -> _T:
    """Ctrl-C and the end of input end the command as they end any other."""
    try:
        return ask()
    except click.Abort:
        click.echo(err=True)
        raise KeyboardInterrupt from None
