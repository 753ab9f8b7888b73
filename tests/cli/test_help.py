"""What the command line says of itself, and how it takes what it does not understand."""

import re

import click
import pytest
from click.testing import CliRunner

from devloop import __version__
from devloop.cli import main
from devloop.core.failure import ExitCode

COMMANDS = sorted(main.commands)
SHARED = ("file", "context", "namespace")


def run(*args: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    done = CliRunner().invoke(main, args, prog_name="devloop")
    return done.exit_code, done.stdout, done.stderr


def options(command: str) -> dict[str, click.Option]:
    return {str(p.name): p for p in main.commands[command].params if isinstance(p, click.Option)}


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command_and_every_exit_code(flag: str) -> None:
    code, text, _ = run(flag)
    assert code == 0
    listed = text.partition("\nCommands:\n")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^  (\w+)", listed, re.MULTILINE)) == COMMANDS
    told = text.partition("Exit codes:\n")[2]
    assert {int(number) for number in re.findall(r"(?<!\w)\d+(?!\w)", told)} == set(ExitCode)


def test_every_command_is_listed_with_its_whole_first_sentence() -> None:
    listed = run("--help")[1].partition("\nCommands:\n")[2].partition("\n\n")[0]
    assert "..." not in listed
    told = " ".join(listed.split())
    assert [name for name in COMMANDS if main.commands[name].get_short_help_str(1_000) not in told] == []


@pytest.mark.parametrize("args", [(), *((command,) for command in COMMANDS)])
def test_help_fits_a_terminal_of_80_columns(args: tuple[str, ...]) -> None:
    text = CliRunner().invoke(main, [*args, "--help"], prog_name="devloop", terminal_width=80).stdout
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_the_examples_of_the_help_are_commands() -> None:
    examples = re.findall(r"^    devloop (\S+)", run("--help")[1], re.MULTILINE)
    assert examples
    assert set(examples) <= set(COMMANDS)


def test_the_version() -> None:
    assert run("--version") == (0, f"devloop {__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does_and_so_does_each_of_its_options(command: str) -> None:
    code, text, _ = run(command, "--help")
    assert code == 0
    assert f"Usage: devloop {command}" in text
    assert len((main.commands[command].help or "").split()) > 4
    silent = [option.name for option in options(command).values() if not option.help]
    assert silent == []


@pytest.mark.parametrize("command", ["up", "plan", "doctor", "restore"])
def test_the_shared_options_are_on_every_command_that_looks_at_a_cluster(command: str) -> None:
    assert set(SHARED) <= set(options(command))
    assert "output" in options(command)


@pytest.mark.parametrize("name", [*SHARED, "output"])
def test_a_shared_option_means_the_same_everywhere(name: str) -> None:
    found = [options(command)[name] for command in COMMANDS if name in options(command)]
    assert len(found) >= 3
    assert len({tuple(option.opts) for option in found}) == 1
    assert len({repr(option.type.to_info_dict()) for option in found}) == 1
    assert len({repr(option.default) for option in found}) == 1
    if name != "output":  # what is told differs from command to command
        assert len({option.help for option in found}) == 1


def test_short_options_mean_one_thing() -> None:
    short = {
        (flag, option.name)
        for command in COMMANDS
        for option in options(command).values()
        for flag in option.opts
        if not flag.startswith("--")
    }
    assert short == {("-f", "file"), ("-n", "namespace"), ("-o", "output")}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("deploy",), "No such command 'deploy'"),
        (("up", "--nope"), "No such option '--nope'"),
        (("up", "-o", "xml"), "'xml' is not one of 'plain', 'json'"),
        (("up", "-f"), "Option '-f' requires an argument"),
        (("plan", "--on-exit", "keep"), "No such option '--on-exit'"),
        (("restore",), "name what to restore, like `devloop restore deployment/api`, or use --all"),
        (("restore", "web", "--all"), "--all already means everything: leave the names out, or --all"),
        (("schema", "web"), "Got unexpected extra argument (web)"),
        (("completion", "tcsh"), "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_sentence_on_stderr(args: tuple[str, ...], words: str) -> None:
    code, out, err = run(*args)
    assert (code, out) == (ExitCode.USAGE, "")
    (sentence,) = [line for line in err.splitlines() if line.startswith("Error: ")]
    assert words in sentence
    assert err.endswith(f"{sentence}\n")


def test_without_a_command_the_help_is_told() -> None:
    code, out, err = run()
    assert code == ExitCode.USAGE
    assert "Usage: devloop [OPTIONS] COMMAND" in out + err


@pytest.mark.parametrize(
    ("shell", "words"), [("bash", "complete -o"), ("zsh", "#compdef devloop"), ("fish", "complete --no-files")]
)
def test_completion_scripts_are_printed(shell: str, words: str) -> None:
    code, out, _ = run("completion", shell)
    assert code == 0
    assert words in out
    assert f"_DEVLOOP_COMPLETE={shell}_complete" in out
