"""Decides how a service is built, and writes the command line that builds it."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from devloop.core.masking import MASK, Masker, secret_like, secrets_of_args, secrets_of_caches, url_password
from devloop.core.ports import BuildRequest
from devloop.core.service import BuildSpec, Load

BUILDX, DELTA, ASSEMBLED = "buildx", "delta", "assembled"
NO_LAYER = "the image is loaded into the nodes, and layers are added in a registry"
"""Why a build is always a full one."""

_BUILDERS_OWN = re.compile(
    r"PATH|HOME|USER|SHELL|TMPDIR|LANG|PWD|(DOCKER|BUILDX|BUILDKIT|OTEL|SSH|SSL|LD|DYLD|XDG|LC|GO)[A-Z_].*|"
    r"(HTTP|HTTPS|FTP|ALL|NO)_PROXY",
    re.IGNORECASE,
)
"""Variables that mean something to buildx itself; setting them for a build argument would change how it works."""


@dataclass(frozen=True, slots=True)
class BuilderChoice:
    """Which builder builds a service, and why."""

    name: str
    reason: str


def choose_builder(spec: BuildSpec, load: Load | None = None) -> BuilderChoice:
    """Every build goes through BuildKit; one builder may be named."""
    if spec.builder:
        return BuilderChoice(BUILDX, f"the configuration names the buildx builder `{spec.builder}`")
    if load:
        return BuilderChoice(BUILDX, f"BuildKit builds into the engine; {NO_LAYER}")
    if spec.delta:
        return BuilderChoice(BUILDX, "BuildKit; after that a change that only COPY takes is a layer on what it built")
    return BuilderChoice(BUILDX, "a Dockerfile is built by BuildKit, which pushes what it built in the same step")


def _by_value(name: str, value: str) -> bool:
    """Whether an argument goes on the command line with its value; never a secret, as everybody can list processes."""
    is_secret = secret_like(name) or bool(url_password(value))
    return bool(_BUILDERS_OWN.fullmatch(name)) and not is_secret


def build_environment(spec: BuildSpec) -> Mapping[str, str]:
    """The variables through which buildx is given the values of build arguments."""
    return {name: value for name, value in spec.args if not _by_value(name, value)}


def _pairs(flag: str, values: Iterable[str]) -> list[str]:
    return [word for value in values if value for word in (flag, value)]


def _spec_arguments(request: BuildRequest, build_args: Iterable[str]) -> list[str]:
    spec = request.spec
    return [
        *_pairs("--platform", [request.platform]),
        *_pairs("--file", [str(spec.dockerfile)]),
        *_pairs("--target", [spec.target]),
        *_pairs("--build-arg", build_args),
        *_pairs("--secret", spec.secrets),
        *_pairs("--ssh", spec.ssh),
        *_pairs("--builder", [spec.builder]),
        *_pairs("--cache-from", spec.cache_from),
        *_pairs("--cache-to", spec.cache_to),
        *spec.flags,
        *_pairs("--tag", [str(request.push)]),
        str(spec.context),
    ]


def buildx_argv(request: BuildRequest, metadata_file: str) -> tuple[str, ...]:
    """What follows the plugin's path; to be run with `build_environment` in the folder of the configuration.

    `--provenance=false`: with attestations the digest is that of an index whose provenance differs in every build, so
    that a build of the same content would look like a change.
    """
    args = [f"{name}={value}" if _by_value(name, value) else name for name, value in request.spec.args]
    fixed = ("build", _output(request), "--progress=rawjson", "--provenance=false", f"--metadata-file={metadata_file}")
    return (*fixed, *_spec_arguments(request, args))


def _output(request: BuildRequest) -> str:
    return "--load" if request.load else "--push"


def shell_line(request: BuildRequest) -> str:
    """The same build as a person would type it; the values of arguments that look like a secret are hidden."""
    spec = request.spec
    masker = Masker([*secrets_of_args(spec.args), *secrets_of_caches((*spec.cache_from, *spec.cache_to))])
    args = [f"{name}={MASK if secret_like(name) else masker.mask(value)}" for name, value in request.spec.args]
    words = ["docker", "buildx", "build", _output(request), "--provenance=false", *_spec_arguments(request, args)]
    return " ".join(_quoted(masker.mask(word)) for word in words)


def _quoted(word: str) -> str:
    """Quoted for a shell, only where it has to be."""
    return word if re.fullmatch(r"[\w@%+=:,./*-]+", word) and not word.startswith("*") else shlex.quote(word)
