"""Why a build through buildx failed, told from what it wrote.

buildx has one exit code for everything, so its words decide. Those in the patterns were seen on real engines and
registries, or read in the sources of buildx, BuildKit and the engine.
"""

import re

from devloop.adapters.dockerconfig import Endpoint
from devloop.adapters.engine import engine_unreachable
from devloop.adapters.rawjson import BuildStream, FailedStep
from devloop.core.failure import BUILDS_AGAIN, GOES_ON, Failure, FailureCode
from devloop.core.image import DOCKER_HUB, ImageRef
from devloop.core.ports import BuildRequest

_ENGINE_AWAY = re.compile(
    r"cannot connect to the docker daemon|failed to connect to the docker api|error during connect|dial unix|"
    r"code = unavailable|failed to receive status|error reading from server|failed to dial",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"no basic auth credentials|unauthorized|authentication required|authorization failed|access denied|denied:|"
    r"^denied$|insufficient[_ ]scope|\b401\b|\b403\b|forbidden",
    re.IGNORECASE,
)
"""`denied` alone is all that the engine says when a registry answers with the standard's own words (seen)."""
_REGISTRY_AWAY = re.compile(
    r"connection refused|no such host|i/o timeout|dial tcp|tls handshake|tls: |x509|no route to host|connection reset|"
    r"server gave http response|deadline exceeded|client\.timeout|server misbehaving|\b50[0234]\b|\bEOF\b|"
    r"\b429\b|too ?many ?requests",
    re.IGNORECASE,
)
_ENGINE_SAYS = "Error response from daemon: "
_IMMUTABLE = re.compile(r"immutable|cannot be overwritten|already exists", re.IGNORECASE)
_NO_IMAGE = re.compile(r"not found|manifest unknown|name unknown", re.IGNORECASE)
_NO_BUILDER = re.compile(r"no builder \"([^\"]*)\" found")
_TOO_OLD = re.compile(r"invalid progress mode|unknown progress|unknown flag: --(progress|metadata-file|provenance)")
_NOISE = re.compile(
    r"^(ERROR: |failed to build: |failed to solve: |rpc error: code = \w+ desc = |failed to compute cache key: |"
    r"failed to calculate checksum of ref \S+: |[\w./:-]+: failed to resolve source metadata for [\w./:@-]+: )"
)
_EXIT_CODE = re.compile(r"did not complete successfully: exit code: (\d+)")
_TELLING = re.compile(
    r"error|fatal|failed|failure|exception|cannot|can't|could not|not found|no such|undefined|denied|panic",
    re.IGNORECASE,
)
_BASE = re.compile(r"\[[^\]]*internal\] load metadata for (\S+)")
_LONGEST_NAME = 100


def build_failure(request: BuildRequest, stream: BuildStream, code: int, engine: Endpoint, config_file: str) -> Failure:
    """The reason in one sentence; `code` is buildx's exit code."""
    said = reason(stream)
    failed = stream.failed
    words = f"{failed.error}\n{said}" if failed else said
    if match := _NO_BUILDER.search(said):
        return missing_builder(match.group(1))
    if _TOO_OLD.search(said):
        return Failure(FailureCode.BUILDX_MISSING, f"this buildx is too old: {said}", INSTALL)
    if _ENGINE_AWAY.search(words) and not (failed and _EXIT_CODE.search(failed.error)):
        return engine_unreachable(engine, said)
    if failed and failed.pushing:
        return push_failure(request, failed.error, config_file)
    if failed is None and said.startswith(_ENGINE_SAYS):  # it asks the registry for what it has pushed
        return push_failure(request, said.removeprefix(_ENGINE_SAYS), config_file)
    if failed and _base_registry_away(request, failed):
        return Failure(FailureCode.REGISTRY_UNREACHABLE, f"the base image cannot be read: {said}", _START_REGISTRY)
    if code < 0 and not said:
        return Failure(FailureCode.BUILD_FAILED, f"buildx was ended by signal {-code}", "is the machine out of memory?")
    return _step_failure(request, failed, said)


INSTALL = (
    "install the buildx plugin, version 0.12 or newer: it comes with Docker Desktop, and as the package "
    "`docker-buildx-plugin` (docker.com) or `docker-buildx` (Debian, Fedora, Homebrew)"
)
_START_REGISTRY = f"is it running, and is its name right? {GOES_ON}"


def missing_builder(name: str) -> Failure:
    """A builder that was asked for by name does not exist."""
    return Failure(
        FailureCode.BUILDX_MISSING,
        f"buildx has no builder named `{name}`",
        "choose one that `docker buildx ls` lists, in `build.builder` or BUILDX_BUILDER",
    )


def push_failure(request: BuildRequest, error: str, config_file: str) -> Failure:
    """The image was built, but did not get into its registry."""
    ref, host = request.push, request.push.registry or "docker.io"
    cause = _cleaned(error)
    if _DENIED.search(cause):
        return Failure(
            FailureCode.REGISTRY_DENIED, f"{host} refuses the push of {ref}: {cause}", login_hint(host, config_file)
        )
    if _REGISTRY_AWAY.search(error):
        return Failure(
            FailureCode.REGISTRY_UNREACHABLE, f"{host} cannot be reached to push {ref}: {cause}", _hint_for(error, host)
        )
    return Failure(FailureCode.PUSH_FAILED, f"the push of {ref} failed: {cause}", _push_advice(cause, host))


def _push_advice(cause: str, host: str) -> str:
    if _IMMUTABLE.search(cause):
        return f"{host} does not let tags move: choose a repository that does, or a `tag` that was never pushed"
    return f"look into the log of {host}"


def judge_reach(request: BuildRequest, stream: BuildStream) -> Failure | bool:
    """What a build from an image that nobody has tells of the way to its registry; False when it tells nothing."""
    error = stream.failed.error if stream.failed else ""
    if _REGISTRY_AWAY.search(error):
        return _out_of_reach(request, _cleaned(error), _hint_for(error, request.push.registry))
    return bool(_NO_IMAGE.search(error) or _DENIED.search(error))


def reach_timeout(request: BuildRequest, patience: float) -> Failure:
    """The builder was asked the same, and said nothing."""
    return _out_of_reach(request, f"no answer within {patience:g} s", _START_REGISTRY)


def _out_of_reach(request: BuildRequest, cause: str, hint: str) -> Failure:
    builder = f"the builder `{request.spec.builder}`" if request.spec.builder else "the builder"
    message = f"{builder} cannot reach {request.push.registry or DOCKER_HUB}: {cause}"
    return Failure(FailureCode.REGISTRY_UNREACHABLE, message, hint)


def login_hint(host: str, config_file: str) -> str:
    """The command that gets credentials, and where they were looked for."""
    login = "docker login" if host == "docker.io" else f"docker login {host}"
    return f"run `{login}` with an account that may do that (credentials were read from {config_file})"


def _hint_for(error: str, host: str) -> str:
    if "server gave HTTP response" in error:
        return f"it speaks plain HTTP: add `{host}` to `insecure-registries` of the Docker engine"
    if "x509" in error:
        return f"put its CA certificate into /etc/docker/certs.d/{host}/ca.crt on the engine's machine"
    return _START_REGISTRY


def _base_registry_away(request: BuildRequest, failed: FailedStep) -> bool:
    """Whether the build could not begin because the registry that it pushes to, and takes its base from, is away."""
    host = request.push.registry
    return bool(host and f"metadata for {host}/" in failed.name and _REGISTRY_AWAY.search(failed.error))


def _step_failure(request: BuildRequest, failed: FailedStep | None, said: str) -> Failure:
    if failed is None or failed.name.startswith("[internal] load build definition"):
        return Failure(FailureCode.BUILD_FAILED, f"{request.spec.dockerfile.name}: {said}", _advice(said))
    exit_code = _EXIT_CODE.search(failed.error)
    cause = _cleaned(failed.error)
    if base := _BASE.match(failed.name):
        return no_base(base.group(1), cause.removeprefix(f"{base.group(1)}: "))
    if exit_code:
        line = decisive_line(failed.last_lines)
        cause = f"{line} (exit code {exit_code.group(1)})" if line else f"exit code {exit_code.group(1)}"
    return Failure(FailureCode.BUILD_FAILED, f"`{_shortened(failed.name)}` failed: {cause}", _advice(cause))


def no_base(base: str, cause: str) -> Failure:
    """What FROM names cannot be had."""
    return Failure(FailureCode.BUILD_FAILED, f"the base image {base} cannot be read: {cause}", _advice(cause))


def base_unread(request: BuildRequest, base: ImageRef, why: Failure) -> Failure:
    """What FROM names is in a registry that is away, or refuses. Only the one that is pushed to is waited for."""
    message = f"{request.spec.dockerfile.name}: the base image {base} cannot be read: {why.message}"
    if why.code is not FailureCode.REGISTRY_UNREACHABLE:
        return Failure(FailureCode.BUILD_FAILED, message, why.hint)
    if base.canonical_name.partition("/")[0] == request.push.canonical_name.partition("/")[0]:
        return Failure(why.code, message, why.hint)
    hint = f"start that registry, or let FROM name another; {BUILDS_AGAIN}"
    return Failure(FailureCode.BUILD_FAILED, message, hint)


def _advice(cause: str) -> str:
    if "exec format error" in cause:
        return "the image is for another processor: set `build.platform`, or install emulation (binfmt) in the engine"
    if "exit code 137" in cause or "exit code: 137" in cause:
        return "it was killed: probably the engine ran out of memory"
    if "no space left on device" in cause:
        return "free space where the builder keeps its images: `docker system df` and `docker builder prune`"
    if _DENIED.search(cause) and "exit code" not in cause:
        return "run `docker login` for the registry of the base image"
    if re.search(r'^"/.*: not found', cause):
        return "does it exist in the build context, and does no pattern of .dockerignore leave it out?"
    if "not found" in cause and "exit code" not in cause:
        return "does the image that FROM names exist under that name and tag?"
    return f"fix it; {BUILDS_AGAIN}"


def decisive_line(lines: tuple[str, ...]) -> str:
    """The last line that reads like an error, else the last one that says anything."""
    said = [line.strip() for line in lines if line.strip()]
    telling = [line for line in said if _TELLING.search(line)]
    return (telling or said or [""])[-1]


def reason(stream: BuildStream) -> str:
    """buildx's own last words: the `ERROR:` line and what follows it."""
    lines = stream.text
    start = next((i for i in reversed(range(len(lines))) if lines[i].startswith("ERROR: ")), None)
    if start is None:
        return " ".join(line.strip() for line in lines[-3:])
    return _cleaned(" ".join(line.strip() for line in lines[start:]))


def _cleaned(error: str) -> str:
    text, before = error.strip(), ""
    while text != before:
        text, before = _NOISE.sub("", text), text
    return text


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
