"""Which flags of `docker buildx build`, and fields of its caches, a configuration may pass on.

The flags are those of `docker buildx build --help` (buildx 0.29) and of older releases.
"""

from collections.abc import Sequence

from devloop.core.masking import secret_like
from devloop.core.values import InvalidValueError

_BY_KEY = {
    "--file": "dockerfile",
    "--target": "target",
    "--build-arg": "args",
    "--secret": "secrets",
    "--ssh": "ssh",
    "--platform": "platform",
    "--builder": "builder",
    "--cache-from": "cache_from",
    "--cache-to": "cache_to",
}
_DIGEST = "devloop proves the pushed image by its digest and turns attestations off"
_OUTPUT = "devloop pushes what it builds"
_REPORT = "devloop reads the build's report itself"
_WHY = {
    "--push": _OUTPUT,
    "--output": _OUTPUT,
    "--load": _OUTPUT,
    "--call": _OUTPUT,
    "--check": _OUTPUT,
    "--print": _OUTPUT,
    "--progress": _REPORT,
    "--quiet": _REPORT,
    "--metadata-file": _REPORT,
    "--iidfile": _REPORT,
    "--provenance": _DIGEST,
    "--sbom": _DIGEST,
    "--attest": _DIGEST,
}
_SHORT = {"f": "--file", "o": "--output", "t": "--tag", "q": "--quiet"}
_ALONE = {"--no-cache", "--pull", "--debug", "-D"}
"""Flags that take no value in the next item."""


def owned_flags() -> set[str]:
    """The long names of all that is refused."""
    return {*_BY_KEY, *_WHY, *_SHORT.values()}


def check_flags(flags: Sequence[str]) -> None:
    """Raise `InvalidValueError` for the first item that devloop owns or that is no flag; it repeats no value."""
    takes_value = False
    for item in flags:
        if item.startswith("-"):
            _check_flag(item)
            takes_value = "=" not in item and item not in _ALONE
        elif takes_value:
            takes_value = False
        else:
            raise InvalidValueError(
                "one of the items is no flag and follows none", 'write one item a word, like `["--network", "host"]`'
            )


def check_caches(specs: Sequence[str]) -> None:
    """Raise `InvalidValueError` for the first field that holds a credential; it repeats no value.

    Everybody on the machine may read a command line. What is read instead of each field is from
    https://docs.docker.com/build/cache/backends/.
    """
    for spec in specs:
        for part in spec.split(","):
            name, equals, _ = part.strip(' "').partition("=")
            if equals and secret_like(name):
                raise InvalidValueError(
                    f"`{name}` would show a credential in the list of processes",
                    "remove it and set the environment variable that is read instead: `AWS_ACCESS_KEY_ID`, "
                    "`AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` for s3, `ACTIONS_RUNTIME_TOKEN` for gha, "
                    "`AZURE_CLIENT_SECRET` and its like, where BuildKit runs, for azblob",
                )


def _check_flag(item: str) -> None:
    name = item.partition("=")[0]
    if any(letter.isspace() for letter in name):
        flag = name.split()[0]
        raise InvalidValueError(
            f"`{flag}` and its value are in one item", f'write them apart, like `["{flag}", "VALUE"]`, or with a `=`'
        )
    if item == "--":
        raise InvalidValueError("`--` ends the flags", "remove it")
    owned = name if name.startswith("--") else _short_flag(name)
    if owned in _BY_KEY:
        raise InvalidValueError(f"`{owned}` belongs to devloop", f"use the key `build.{_BY_KEY[owned]}`")
    if owned == "--tag":
        raise InvalidValueError("`--tag` belongs to devloop", "use the service's `image` and `tag`")
    if owned in _WHY:
        raise InvalidValueError(f"`{owned}` belongs to devloop", f"remove it: {_WHY[owned]}")


def _short_flag(letters: str) -> str:
    """The long form of the first owned letter: `-Dt` is `--debug` and `--tag`."""
    return next((_SHORT[letter] for letter in letters[1:].lstrip("D")[:1] if letter in _SHORT), "")
