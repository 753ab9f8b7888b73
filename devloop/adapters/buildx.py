"""Builds with BuildKit through the buildx plugin, which is run directly: `docker buildx` only adds a process to it.

buildx gets the environment and the working directory that it would have on the user's terminal, so that contexts,
credentials and builders are the user's own.
"""

import asyncio
import ipaddress
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from devloop.adapters.buildoutcome import INSTALL, build_failure, judge_reach, missing_builder, reach_timeout, reason
from devloop.adapters.dockerconfig import DockerConfig, Endpoint
from devloop.adapters.engine import DockerEngine, engine_unreachable
from devloop.adapters.processes import GRACE, Finished, capture, run
from devloop.adapters.rawjson import BuildStream
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef
from devloop.core.masking import Masker, secrets_of_args, secrets_of_caches, secrets_of_file
from devloop.core.plan import BUILDX, build_environment, buildx_argv
from devloop.core.ports import BuildProgress, BuildRequest, Built

_OLDEST = (0, 12, 0)
"""The first release with `--progress=rawjson`."""
_LARGEST_SECRET = 65_536
_DEFAULTS = {
    # Both would only describe the build: git is asked about the sources, and the result written beside the digest.
    "BUILDX_GIT_INFO": "false",
    "BUILDX_METADATA_PROVENANCE": "disabled",
}
_OTHER_SCRATCH = "free space there, or set TMPDIR to a folder that can be written"
_NOBODY_HAS = "devloop-doctor-asks-for-what-nobody-has"
"""A tag."""
_OWN_NETWORK = frozenset({"docker-container", "kubernetes"})
"""Drivers whose BuildKit runs in a container, where `localhost` is the container itself."""


class BuildxBuilder:
    """`docker buildx build --push`, followed and judged."""

    name = BUILDX

    def __init__(
        self, folder: Path, env: Mapping[str, str] | None = None, *, grace: float = GRACE, patience: float = 5.0
    ) -> None:
        """`folder`: where relative paths in `secrets`, `ssh` and caches begin; that of the configuration file.

        `grace`: seconds between SIGINT and SIGKILL; `patience`: seconds that `check` waits for an answer.
        """
        self._folder = folder
        self._env = dict(os.environ if env is None else env)
        self._grace = grace
        self._patience = patience

    async def build(self, request: BuildRequest, progress: Callable[[BuildProgress], None]) -> Built | Failure:
        config = DockerConfig.load(self._env)
        found = await self._found(config, request)
        if isinstance(found, Failure):
            return found
        plugin, endpoint = found
        stream = BuildStream(progress, Masker(self._secrets(request, config)).mask)
        env = {**_DEFAULTS, **self._env, **build_environment(request.spec)}
        try:
            scratch = tempfile.TemporaryDirectory(prefix="devloop-", ignore_cleanup_errors=True)
        except OSError as error:
            return _no_scratch(error)
        with scratch as folder:
            metadata = Path(folder, "metadata.json")
            argv: tuple[str | Path, ...] = (plugin, *buildx_argv(request, str(metadata)))
            try:
                code = await run(argv, env=env, cwd=self._folder, on_stderr=stream.feed, grace=self._grace)
            except OSError as error:
                return Failure(FailureCode.BUILDX_MISSING, f"{plugin} cannot be run: {error.strerror}", INSTALL)
            stream.finish()
            digest, config_digest = _pushed(metadata)
        if code != 0 and folder in (said := reason(stream)):
            return _unwritten(said)
        if code != 0:
            return build_failure(request, stream, code, endpoint, str(config.file))
        if not digest and not request.load:  # of what it loads the engine is asked
            return Failure(FailureCode.PUSH_FAILED, "buildx ended well but reported no digest of what it pushed")
        return Built(digest, self.name, config=config_digest)

    async def check(self, request: BuildRequest) -> Failure | None:
        found = await self._found(DockerConfig.load(self._env), request)
        if isinstance(found, Failure):
            return found
        plugin, endpoint = found
        builder = (request.spec.builder,) if request.spec.builder else ()
        version, builders = await asyncio.gather(
            self._probe(plugin, "version"),
            self._probe(plugin, "inspect", *builder),
        )
        if builders is None and version is not None:
            return engine_unreachable(endpoint, f"buildx got no answer within {self._patience:g} s")
        return _judge_version(version) or _judge_builder(request, builders, endpoint)

    async def _found(self, config: DockerConfig, request: BuildRequest) -> tuple[Path, Endpoint] | Failure:
        """The plugin and the engine; without the engine that a build needs, the plugin is not what is missing first."""
        found = _plugin_and_endpoint(config)
        elsewhere = request.spec.builder or self._env.get("BUILDX_BUILDER")
        if isinstance(found, Failure) and found.code is FailureCode.BUILDX_MISSING and not elsewhere:
            return await DockerEngine(self._env, patience=self._patience).ping() or found
        return found

    async def version(self) -> str | Failure:
        """The plugin's, `0.29.1`."""
        config = DockerConfig.load(self._env)
        plugin = config.plugin(BUILDX)
        if plugin is None:
            return _no_plugin(config)
        found = await self._probe(plugin, "version")
        return _judge_version(found) or _number(found)

    async def reach(self, request: BuildRequest) -> Failure | bool:
        """Whether the builder itself reaches the registry that it would push to; False when that cannot be told.

        It is asked to build from an image that nobody has: a registry that says so was reached. A builder that is not
        running is not started for that.
        """
        found = _plugin_and_endpoint(DockerConfig.load(self._env))
        if isinstance(found, Failure):
            return False
        plugin, _ = found
        named = ("--builder", request.spec.builder) if request.spec.builder else ()
        inspected = await self._probe(plugin, "inspect", *named[1:])
        if inspected is None or _fields(inspected.stdout).get("Status") != "running":
            return False
        try:
            async with asyncio.timeout(self._patience):
                return judge_reach(request, await self._ask_for_nothing(plugin, request, named))
        except TimeoutError:
            return reach_timeout(request, self._patience)
        except OSError:
            return False

    async def _ask_for_nothing(self, plugin: Path, request: BuildRequest, named: tuple[str, ...]) -> BuildStream:
        stream = BuildStream(lambda _: None)
        with _build_from(request.push.with_tag(_NOBODY_HAS)) as folder:
            argv: list[str | Path] = [plugin, "build", "--progress=rawjson", "--output=type=cacheonly", *named, folder]
            await run(argv, env={**_DEFAULTS, **self._env}, cwd=self._folder, on_stderr=stream.feed, grace=self._grace)
        stream.finish()
        return stream

    async def _probe(self, plugin: Path, *args: str) -> Finished | None:
        """What the plugin answers; None when it does not, or cannot be run."""
        try:
            async with asyncio.timeout(self._patience):
                return await capture((plugin, *args), env=self._env, cwd=self._folder)
        except (OSError, TimeoutError):
            return None

    def _secrets(self, request: BuildRequest, config: DockerConfig) -> Iterator[str]:
        yield from secrets_of_args(request.spec.args)
        yield from secrets_of_caches((*request.spec.cache_from, *request.spec.cache_to))
        yield from config.stored_secrets()
        for secret in request.spec.secrets:
            yield from self._secret_values(secret)

    def _secret_values(self, secret: str) -> Iterator[str]:
        """What `--secret` gives to the build: a variable's value or a file; by the id when it names neither."""
        fields = {key.strip(): value for key, _, value in (part.partition("=") for part in secret.split(","))}
        variable, file = fields.get("env", ""), fields.get("src") or fields.get("source") or ""
        if not (variable or file):
            variable = file = fields.get("id", "")
        if fields.get("type") == "env":
            variable = variable or file
        if variable in self._env:
            yield self._env[variable]
            return
        try:
            with (self._folder / file).open("rb") as opened:
                text = opened.read(_LARGEST_SECRET).decode(errors="replace")
        except OSError:
            return
        yield text
        yield from secrets_of_file(text)


def _plugin_and_endpoint(config: DockerConfig) -> tuple[Path, Endpoint] | Failure:
    """What every call of buildx needs."""
    plugin, endpoint = config.plugin(BUILDX), config.endpoint()
    if plugin is None:
        return _no_plugin(config)
    return endpoint if isinstance(endpoint, Failure) else (plugin, endpoint)


def _no_plugin(config: DockerConfig) -> Failure:
    named = ", which DOCKER_CONFIG names" if config.env.get("DOCKER_CONFIG") else ""
    looked = f"not in {config.folder / 'cli-plugins'}{named}"
    return Failure(FailureCode.BUILDX_MISSING, f"the Docker plugin buildx is not installed ({looked})", INSTALL)


def _no_scratch(error: OSError) -> Failure:
    """Python names the folders itself when it finds none that can be written."""
    where = f" in {Path(error.filename).parent}" if error.filename else ""
    return Failure(
        FailureCode.BUILD_FAILED,
        f"no temporary folder can be made{where}: {error.strerror}",
        _OTHER_SCRATCH,
    )


def _unwritten(said: str) -> Failure:
    """buildx could not leave word of what it pushed: without that there is nothing to prove."""
    return Failure(FailureCode.BUILD_FAILED, f"buildx cannot note the digest of what it pushed: {said}", _OTHER_SCRATCH)


@contextmanager
def _build_from(base: ImageRef) -> Iterator[str]:
    """A build context whose Dockerfile only names its base."""
    with tempfile.TemporaryDirectory(prefix="devloop-", ignore_cleanup_errors=True) as folder:
        Path(folder, "Dockerfile").write_text(f"FROM {base}\n")
        yield folder


def _pushed(metadata: Path) -> tuple[str, str]:
    """What buildx says of what it pushed: the digest that the tag now means, and that of its configuration."""
    try:
        said = json.loads(metadata.read_bytes())
    except (OSError, ValueError):
        return "", ""
    return str(said.get("containerimage.digest") or ""), str(said.get("containerimage.config.digest") or "")


def _judge_version(version: Finished | None) -> Failure | None:
    if version is None or version.returncode:
        said = "it does not answer" if version is None else version.stderr.strip()
        return Failure(FailureCode.BUILDX_MISSING, f"the buildx plugin does not work: {said}", INSTALL)
    number = _number(version)
    # A build from source calls itself 0.0.0.
    if number and (0, 0, 0) < tuple(map(int, number.split("."))) < _OLDEST:
        return Failure(FailureCode.BUILDX_MISSING, f"buildx v{number} is older than 0.12", INSTALL)
    return None


def _number(version: Finished | None) -> str:
    found = re.search(r"\bv?(\d+\.\d+\.\d+)", version.stdout) if version else None
    return found[1] if found else ""


def _judge_builder(request: BuildRequest, builder: Finished | None, endpoint: Endpoint) -> Failure | None:
    if builder is None:
        return engine_unreachable(endpoint, "buildx got no answer")
    if missing := re.search(r'no builder "([^"]*)" found', builder.stderr):
        return missing_builder(missing.group(1))
    fields = _fields(builder.stdout)
    driver, error = fields.get("Driver", ""), fields.get("Error", "")
    if builder.returncode or error:
        cause = error or builder.stderr.strip().removeprefix("ERROR: ")
        in_engine = driver in {"", "docker"}
        return engine_unreachable(endpoint, cause) if in_engine else _builder_unreachable(fields, cause)
    if driver == "docker" and "," in request.platform and fields.get("Multi-platform build") != "true":
        return Failure(
            FailureCode.BUILD_FAILED,
            f"the docker driver of this engine cannot build for {request.platform} in one image",
            "name one platform, or a builder that can: `docker buildx create --driver docker-container --name NAME`",
        )
    if (
        driver in _OWN_NETWORK
        and "host" not in fields.get("Driver Options", "")
        and request.load is None
        and _is_loopback(request.push.registry)
    ):
        return _out_of_reach(request, fields.get("Name", ""), driver)
    return None


def _builder_unreachable(fields: Mapping[str, str], cause: str) -> Failure:
    message = f"the builder `{fields.get('Name', '')}` at {fields.get('Endpoint', '')} cannot be reached: {cause}"
    hint = "start what it runs on, or choose one that `docker buildx ls` lists as running: `build.builder`"
    return Failure(FailureCode.ENGINE_UNREACHABLE, message, hint)


def _out_of_reach(request: BuildRequest, builder: str, driver: str) -> Failure:
    host = request.push.registry
    return Failure(
        FailureCode.REGISTRY_UNREACHABLE,
        f"the builder `{builder}` ({driver}) cannot reach {host}: inside its container that is the container itself",
        "use the builder `default`, create one with `--driver-opt network=host`, or set `push_image` to a name that "
        "the builder can reach",
    )


def _fields(text: str) -> dict[str, str]:
    """`Key: value` lines of `buildx inspect`; of the keys that come again for each node the first one counts."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.strip().partition(":")
        if colon:
            fields.setdefault(key, value.strip())
    return fields


def _is_loopback(registry: str) -> bool:
    host = registry.rpartition(":")[0] if re.search(r":\d+$", registry) else registry
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
