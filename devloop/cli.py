"""The command line: commands and options. What a command needs is imported inside it, so that help is instant."""

import signal
import sys
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from devloop import __version__, options
from devloop.core.failure import MEANINGS
from devloop.democommand import demo
from devloop.initcommand import asked, init

if TYPE_CHECKING:
    from devloop.core.failure import Failure
    from devloop.session.request import Request

_COLUMNS = 78
"""Of help that is laid out here: no terminal is narrower, and click fills no more."""
_WHOLE = 1_000
"""Characters of a command's first sentence: none is cut off."""


def _exit_codes() -> str:
    lines = (wrap(meaning, _COLUMNS, initial_indent=f"  {code:<3}  ", subsequent_indent=" " * 7)
             for code, meaning in MEANINGS.items())  # fmt: skip
    return "\n".join(["\b", "Exit codes:", *(line for each in lines for line in each)])


class _Commands(click.Group):
    """Lists the commands in the order in which one meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """With whole sentences: click would cut off those that need a second line."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(_WHOLE)) for name, each in self.commands.items()])


@click.group(cls=_Commands, epilog=_exit_codes(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="devloop", message="%(prog)s %(version)s")
def main() -> None:
    """Save a file, and know that Kubernetes runs it.

    devloop rebuilds the image when source changes, pushes it to a dev tag, restarts the Deployment that runs it, and
    proves by digest that every ready Pod runs what was pushed. It adopts Deployments that exist, and puts them back
    with `devloop restore`.

    \b
    Examples:
      devloop init                 a devloop.toml for what runs in the cluster
      devloop up deployment/api    beside a Dockerfile, without any file
      devloop up                   all services of devloop.toml
      devloop up web --once        one cycle, then exit (for scripts and CI)
      devloop plan                 what `up` would do; writes nothing
      devloop why deployment/api   why an old image runs, and what mends it
      devloop doctor               what is wrong between here and the Pod
      devloop restore --all        put everything back as it was
    """


main.add_command(init)
main.add_command(demo)


@main.command()
@click.argument("services", nargs=-1)
@options.shared
@options.output("How to tell what happens, line by line; implies --headless.")
@click.option("--headless", is_flag=True, help="Line by line, also on a terminal.")
@click.option("--once", is_flag=True, help="One cycle for each service, then exit.")
@click.option("--build", default="", metavar="DIR", help="The folder to build when there is no file [default: .].")
@click.option("--logs/--no-logs", default=None, help="Pod logs [default: yes for plain, no for json].")
@click.option(
    "--on-exit",
    type=click.Choice(["keep", "restore"]),
    help="Leave the workloads so, or put them back [default: the file's, else keep].",
)
@options.take_over("Write also to workloads that somebody else works on; their session then looks on.")
def up(
    services: tuple[str, ...],
    file: Path | None,
    context: str,
    namespace: str,
    output: str | None,
    headless: bool,
    once: bool,
    build: str,
    logs: bool | None,
    on_exit: str | None,
    take_over: bool,
) -> None:
    """Build, push, roll out and prove; again at each save.

    SERVICES are names in devloop.toml; all of them when none is given. What they depend on comes with them. Without a
    devloop.toml, name one workload (`deployment/api`), or nothing beside a Dockerfile that fits exactly one.

    Where another session works on a workload, this one looks on, read-only, until that one ends or --take-over.

    Ctrl-C ends the session; what it left on the workloads is told, with the command that undoes it.

    Exits with 2, 3 or 7 when it cannot begin, with 0 at q on the screen and 130 at Ctrl-C, and under --once with the
    highest exit code of all failures, 0 when there is none.
    """
    if not (headless or once or output) and logs is None and options.on_terminal():
        from devloop.session.terminal import run_terminal

        asked = _request(services, file, context, namespace, build)
        sys.exit(run_terminal(asked, on_exit=on_exit, take_over=take_over))
    from devloop.session.commands import run_up
    from devloop.session.renderers import Output

    chosen = Output(output or "plain")
    pod_logs = chosen is Output.PLAIN if logs is None else logs
    request = _request(services, file, context, namespace, build)
    sys.exit(run_up(request, chosen, once=once, pod_logs=pod_logs, on_exit=on_exit, take_over=take_over))


@main.command()
@click.argument("services", nargs=-1)
@options.shared
@options.output("How to print the plan.")
@click.option("--build", default="", metavar="DIR", help="The folder to build when there is no file [default: .].")
def plan(
    services: tuple[str, ...], file: Path | None, context: str, namespace: str, output: str | None, build: str
) -> None:
    """Show what `up` would do, and why; writes nothing.

    For each service: the buildx command line, what is watched and what is ignored by which pattern, the containers,
    and the exact patch.

    Exits with 0, with 2 when the file is wrong, or with 3 when a workload cannot be planned for.
    """
    from devloop.session.commands import run_plan

    request = _request(services, file, context, namespace, build, writes=False)
    sys.exit(run_plan(request, as_json=output == "json"))


@main.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@options.shared
@options.output("How to print the answer.")
@click.option("--all", "everything", is_flag=True, help="A table of all services, or with -n of a whole namespace.")
@click.option("--watch", is_flag=True, help="Look again every two seconds, and tell when the answer changes.")
@click.option("--slow", is_flag=True, help="Instead: what its rollouts wait for, the longest first.")
def why(
    targets: tuple[str, ...],
    file: Path | None,
    context: str,
    namespace: str,
    output: str | None,
    everything: bool,
    watch: bool,
    slow: bool,
) -> None:
    """Say why Kubernetes runs an old image, and what mends it.

    TARGET is a service of devloop.toml, deployment/NAME, statefulset/NAME, daemonset/NAME, pod/NAME, or a bare NAME.
    Needs no file, no session, and no rights beyond reading; writes nothing. Follows the image from the source to the
    running container, and names the first link that does not hold.

    \b
    Examples:
      devloop why deployment/api -n team-x
      devloop why web                 a service, or whatever is called so
      devloop why --all -n shop       everything in a namespace, worst first
      devloop why --slow web          what its last rollout waited for, in seconds

    Exits with 0 when the newest image provably runs, 6 when it does not, 3 when that cannot be told.
    """
    from devloop.session.commands import run_slow, run_why

    if not targets and not everything:
        raise click.UsageError("name what to look at, like `devloop why deployment/api`, or use --all")
    if targets and everything:
        raise click.UsageError("--all already means everything: leave the names out, or --all")
    if slow and watch:
        raise click.UsageError("--slow measures the last rollout, which does not change: leave --watch out")
    request = _request(targets, file, context, namespace, "", writes=False)
    if slow:
        sys.exit(run_slow(request, everything=everything, as_json=output == "json"))
    sys.exit(run_why(request, everything=everything, watch=watch, as_json=output == "json"))


@main.command()
@click.argument("services", nargs=-1)
@options.shared
@options.output("How to print the report.")
def doctor(services: tuple[str, ...], file: Path | None, context: str, namespace: str, output: str | None) -> None:
    """Check all between editor and Pod: a tick or a fix each.

    Looks at this machine, the source, the Docker engine and builder, the registries and the cluster, for the SERVICES
    that are named, else for all of devloop.toml; without one at what there is. Changes nothing anywhere. The report
    holds no secrets and is made to be pasted into a question.

    Exits with 0, or with 3 when something would make `devloop up` fail; notes (!) stop nothing.
    """
    from devloop.session.commands import run_doctor

    request = _request(services, file, context, namespace, "", writes=False)
    sys.exit(run_doctor(request, as_json=output == "json"))


@main.command()
@click.argument("targets", nargs=-1)
@options.shared
@options.output("How to tell what was done.")
@click.option("--all", "everything", is_flag=True, help="Every workload of the namespace that devloop changed.")
@options.take_over("Put back also what a session works on that still runs.")
def restore(
    targets: tuple[str, ...],
    file: Path | None,
    context: str,
    namespace: str,
    output: str | None,
    everything: bool,
    take_over: bool,
) -> None:
    """Put workloads back as they were before devloop.

    TARGETS are services of devloop.toml or workloads (`deployment/api`), for which no file is needed. Only what still
    holds what devloop wrote goes back; what somebody else changed meanwhile is kept and reported. Every mark of devloop
    is removed. Waits for the rollout. What a session works on that still runs is put back with --take-over only.

    Exits with 0 when everything is back, 3 when something cannot be reached or a session works on it, 5 when a rollout
    fails, 7 when the kube context is refused.
    """
    from devloop.session.commands import run_restore

    if not targets and not everything:
        raise click.UsageError("name what to restore, like `devloop restore deployment/api`, or use --all")
    if targets and everything:
        raise click.UsageError("--all already means everything: leave the names out, or --all")
    request = _request(targets, file, context, namespace, "")
    sys.exit(run_restore(request, everything=everything, as_json=output == "json", take_over=take_over))


@main.command()
@click.argument("services", nargs=-1)
@options.file
@options.output("How to print it.")
def status(services: tuple[str, ...], file: Path | None, output: str | None) -> None:
    """Ask the running session how its services stand.

    The session is this project's; ask from any other terminal, or a script. Exits with 0, or with 3 where none runs.
    """
    from devloop.session.commands import run_status
    from devloop.session.request import Asked

    sys.exit(run_status(Asked(services, file, output == "json")))


@main.command()
@click.argument("services", nargs=-1)
@options.file
@options.output("How to print it.")
@click.option("--restart", is_flag=True, help="Start the Pods anew with the image that was pushed last; build nothing.")
def trigger(services: tuple[str, ...], file: Path | None, output: str | None, restart: bool) -> None:
    """Ask the running session for a cycle now.

    The session is this project's; the cycle is one of the SERVICES that are named, else of all, whether or not files
    changed. Does not wait: `devloop wait` does. Exits with 0, or with 3 where no session runs.
    """
    from devloop.session.commands import run_trigger
    from devloop.session.request import Asked

    sys.exit(run_trigger(Asked(services, file, output == "json"), restart=restart))


@main.command()
@click.argument("services", nargs=-1)
@options.file
@options.output("How to print it.")
@click.option("--timeout", default="", metavar="TIME", help="Give up after so long, like 90s or 5m [default: never].")
def wait(services: tuple[str, ...], file: Path | None, output: str | None, timeout: str) -> None:
    """Wait until every Pod provably runs what was saved last.

    What was saved before this command began counts, also if nothing has noticed it yet. Returns when the newest save
    of all the SERVICES (all of the session when none is named) is proved, or as soon as a cycle of one of them fails.
    Meanwhile stderr tells what it waits for.

    \b
    Examples:
      devloop wait web && pytest e2e
      devloop wait --timeout 2m || devloop status

    Exits with 0 when all is proved, with the exit code of the failure when a cycle fails, with 6 at the timeout or when
    something changed what was proved, with 3 where no session runs.
    """
    from devloop.core.values import InvalidValueError, parse_duration
    from devloop.session.commands import run_wait
    from devloop.session.request import Asked

    try:
        seconds = parse_duration(timeout) if timeout else None
    except InvalidValueError as error:
        raise click.UsageError(f"--timeout: {error}") from None
    sys.exit(run_wait(Asked(services, file, output == "json"), timeout=seconds))


@main.command()
@click.argument("recording", type=click.Path(path_type=Path), metavar="[FILE]", required=False)
@options.output("How to print it, instead of showing it on the screen.")
@click.option("--speed", type=float, default=None, metavar="N", help="N times as fast as it was [default: 1].")
@click.option("--at-once", is_flag=True, help="Everything at once: the last frame, to look around in.")
def replay(recording: Path | None, output: str | None, speed: float | None, at_once: bool) -> None:
    """Play a recorded session on the screen; needs no cluster.

    FILE is what a session left in the state folder (its last line names it), or what `devloop up --output json` wrote;
    without one the newest session is played. It plays at its own pace, but pauses of more than three seconds are
    shortened to three, and stays on its last frame. Look around with the same keys as in a session; those that would
    act only say that this is a replay; q quits.

    Where there is no terminal the plain text of the session is printed at once.

    \b
    Examples:
      devloop replay
      devloop replay 3b5daf82.ndjson --speed 4
      devloop replay 3b5daf82.ndjson -o plain | less

    Exits with 0, or with 2 when FILE cannot be read as a recording.
    """
    from devloop.session.renderers import Output
    from devloop.session.replay import run_replay

    if speed is not None and at_once:
        raise click.UsageError("--at-once leaves no time for a --speed: name one of them")
    if speed is not None and not 0 < speed < float("inf"):
        raise click.UsageError(f"--speed {speed:g} is no pace: name a number above 0, like 4 or 0.5")
    printed = Output(output) if output else None if options.on_terminal() else Output.PLAIN
    sys.exit(run_replay(recording, speed=speed or 1.0, at_once=at_once, output=printed))


@main.command()
@options.file
@options.output("How to print what is wrong.")
def validate(file: Path | None, output: str | None) -> None:
    """Check devloop.toml alone: no engine, no cluster.

    Exits with 0 when it is valid, else with 2.
    """
    from devloop.session.commands import run_validate

    sys.exit(run_validate(file, as_json=output == "json"))


@main.command()
def schema() -> None:
    """Print the JSON schema of devloop.toml, for editors."""
    from devloop.session.commands import run_schema

    sys.exit(run_schema())


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell.

    \b
    For example, in ~/.bashrc:
      eval "$(devloop completion bash)"
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(found(main, {}, "devloop", "_DEVLOOP_COMPLETE").source())


def _request(
    names: tuple[str, ...], file: Path | None, context: str, namespace: str, build: str, *, writes: bool = True
) -> "Request":
    from devloop.session.request import Request

    confirm = _confirm if sys.stdin.isatty() and sys.stderr.isatty() else None
    verb = click.get_current_context().info_name or "up"
    return Request(names, file, context, namespace, build, writes=writes, confirm=confirm, verb=verb)


def _confirm(context: str, failure: "Failure") -> bool:
    """Only the whole name, typed by a person, allows a context that nothing else does."""
    from devloop.session import say

    say.fitted_err(failure.message)
    question = f"Type `{context}` to allow it for this session"
    # The event loop's own handler would only note Ctrl-C, and wait for the answer.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return asked(lambda: click.prompt(question, default="", show_default=False, err=True)) == context
    finally:
        signal.signal(signal.SIGINT, before)
