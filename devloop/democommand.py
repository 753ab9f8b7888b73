"""The command `devloop demo`: what it does is in `devloop.session.demo`."""

import sys
from pathlib import Path

import click

from devloop import options


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), help="Where to put the app [default: ./devloop-demo].")
@options.output("How to tell what happens, line by line; implies --headless.")
@click.option("--headless", is_flag=True, help="Line by line, also on a terminal.")
@click.option("--script", is_flag=True, help="Do and check everything there is to try, then exit.")
def demo(folder: Path | None, output: str | None, headless: bool, script: bool) -> None:
    """Try devloop with nothing but Python: no Docker, no cluster.

    Copies an app of two services into a folder, starts a sandbox (an API server with two nodes and a registry, on this
    machine alone, for trying devloop; it is not Kubernetes), shows there how an old image keeps running, and begins an
    ordinary session: on a terminal after Enter, so that the old page can be looked at. Nothing runs any more when it is
    over; the folder stays.

    \b
    Examples:
      devloop demo                    on the screen, with what to try at its foot
      devloop demo --script           by itself, in half a minute

    Exits like `up`; --script with 0 when all that it told is so, else 1.
    """
    if script:
        if output or headless:
            raise click.UsageError("--script prints its steps: leave --headless and --output out")
        from devloop.session.demo.command import run_script

        sys.exit(run_script(folder))
    from devloop.session.demo.command import run_demo
    from devloop.session.renderers import Output

    by_line = Output(output or "plain") if headless or output or not options.on_terminal() else None
    sys.exit(run_demo(folder, by_line))
