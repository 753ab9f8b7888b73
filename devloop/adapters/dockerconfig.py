"""The Docker command line's own configuration: which engine, which plugins, which credentials.

devloop has to reach what `docker` on the same terminal would reach. The rules are those of docker/cli: `$DOCKER_CONFIG`
or `~/.docker` holds `config.json`, `contexts/` and `cli-plugins/`; `DOCKER_HOST` wins over `DOCKER_CONTEXT`, which wins
over `currentContext`. An unknown context is a failure here: docker's Python SDK would silently take the default socket.
"""

import base64
import binascii
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devloop.core.failure import Failure, FailureCode
from devloop.core.image import DOCKER_HUB

DEFAULT_HOST = "unix:///var/run/docker.sock"
_HUB_HOSTS = frozenset({"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", DOCKER_HUB})
_OF_USERS = frozenset({DOCKER_HUB, "ghcr.io", "quay.io"})
_SYSTEM_PLUGINS = tuple(
    Path(folder, "docker/cli-plugins")
    for folder in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the Docker engine listens."""

    host: str
    """`unix:///...`, `tcp://...`, `ssh://...`."""
    tls: Path | None = None
    """A folder with `ca.pem`, `cert.pem` and `key.pem`, when TLS is used."""
    verify: bool = True
    source: str = field(default="", compare=False)
    """What says so, for people: `from DOCKER_HOST`."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a registry asks for; either a password or an identity token."""

    username: str
    password: str
    identity_token: str = ""

    @property
    def shown_user(self) -> str:
        """Who that is, for people; some registries take a token as the user's name."""
        return "a token" if self.username in {"", "<token>", self.password} else f"`{self.username}`"


class CredentialsError(Exception):
    """A credential helper failed; the message is one sentence for the user, without a secret."""


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """`config.json` and the folder that it lies in."""

    folder: Path
    data: Mapping[str, Any]
    env: Mapping[str, str]

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None) -> "DockerConfig":
        """Read the file; like docker itself, carry on with nothing when it cannot be read."""
        env = os.environ if env is None else env
        folder = Path(env.get("DOCKER_CONFIG") or Path(env.get("HOME") or Path.home(), ".docker"))
        return cls(folder, _read_json(folder / "config.json"), env)

    @property
    def file(self) -> Path:
        return self.folder / "config.json"

    def plugin(self, name: str) -> Path | None:
        """The plugin that `docker NAME` would run; also one that was installed as a command of its own."""
        extra = tuple(map(Path, self.data.get("cliPluginsExtraDirs") or ()))
        for folder in (*extra, self.folder / "cli-plugins", *_SYSTEM_PLUGINS):
            path = folder / f"docker-{name}"
            if path.is_file() and os.access(path, os.X_OK):
                return path
        found = shutil.which(f"docker-{name}", path=self.env.get("PATH"))
        return Path(found) if found else None

    def endpoint(self) -> Endpoint | Failure:
        """The engine that `docker` would talk to."""
        if host := self.env.get("DOCKER_HOST"):
            verify = bool(self.env.get("DOCKER_TLS_VERIFY"))
            return Endpoint(host, self._tls_of_environment(), verify, "from DOCKER_HOST")
        name, source = self.context()
        default = Endpoint(DEFAULT_HOST, source="the default socket")
        return default if name == "default" else self._context(name, source)

    def context(self) -> tuple[str, str]:
        """The name of the Docker context, and where it was chosen; DOCKER_HOST, where it is set, stands above it."""
        if name := self.env.get("DOCKER_CONTEXT"):
            return name, "DOCKER_CONTEXT"
        return str(self.data.get("currentContext") or "default"), str(self.file)

    def _tls_of_environment(self) -> Path | None:
        if not (self.env.get("DOCKER_TLS_VERIFY") or self.env.get("DOCKER_CERT_PATH")):
            return None
        return Path(self.env.get("DOCKER_CERT_PATH") or self.folder)

    def _context(self, name: str, source: str) -> Endpoint | Failure:
        id_ = hashlib.sha256(name.encode()).hexdigest()
        endpoints = _read_json(self.folder / "contexts" / "meta" / id_ / "meta.json").get("Endpoints") or {}
        docker = endpoints.get("docker") or {}
        if not docker.get("Host"):
            return Failure(
                FailureCode.ENGINE_UNREACHABLE,
                f"there is no Docker context `{name}`, which {source} names",
                "choose one that `docker context ls` lists: `docker context use NAME`, or set DOCKER_CONTEXT",
            )
        tls = self.folder / "contexts" / "tls" / id_ / "docker"
        verify = not docker.get("SkipTLSVerify")
        return Endpoint(docker["Host"], tls if tls.is_dir() else None, verify, f"from the Docker context `{name}`")

    def logins(self) -> tuple[str, ...]:
        """The hosts of the registries that `docker login` or a credential helper knows."""
        names = (*(self.data.get("auths") or {}), *(self.data.get("credHelpers") or {}))
        hosts = (str(name).partition("://")[2] or str(name) for name in names)
        bare = (host.partition("/")[0] for host in hosts)
        return tuple(dict.fromkeys(DOCKER_HUB if host in _HUB_HOSTS else host for host in bare if host))

    def users(self) -> Mapping[str, str]:
        """Who is logged in to the registries whose repositories begin with a user's name; blocks."""
        found = {host: self._user(host) for host in self.logins() if host in _OF_USERS}
        return {host: user for host, user in found.items() if user}

    def _user(self, host: str) -> str:
        try:
            found = self.credentials(host)
        except CredentialsError:
            return ""
        named = found is not None and found.username not in {"<token>", found.password}
        return found.username.lower() if found and named else ""

    def stored_secrets(self) -> Iterator[str]:
        """Every password and token that the file itself holds."""
        for entry in (self.data.get("auths") or {}).values():
            yield from (
                str(entry[key]) for key in ("auth", "password", "identitytoken", "registrytoken") if key in entry
            )
            try:
                yield base64.b64decode(entry.get("auth") or "").decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                continue

    def credentials(self, registry: str) -> Credentials | None:
        """What `docker login` or a credential helper left for that registry; blocks, raises `CredentialsError`."""
        if not any(self.data.get(key) for key in ("auths", "credHelpers", "credsStore")):
            return None
        from docker import auth, errors  # deferred: about 150 ms, and only where credentials exist

        try:
            config = auth.load_config(config_dict=dict(self.data), credstore_env=dict(self.env))
            asked = registry if registry != DOCKER_HUB else None
            _refuse_missing(config.get_credential_store(asked), registry)
            found = config.resolve_authconfig(asked)
        except (errors.DockerException, OSError, ValueError) as error:
            raise CredentialsError(f"the credential helper for {registry} failed: {error}") from error
        fields = {key.lower(): value for key, value in (found or {}).items()}
        password, token = fields.get("password") or "", fields.get("identitytoken") or ""
        return Credentials(fields.get("username") or "", password, token) if password or token else None


def _refuse_missing(helper: str | None, registry: str) -> None:
    """The library warns of a helper that is not there, and a filter of warnings is for all threads at once."""
    program = f"docker-credential-{helper}"
    if helper is not None and not shutil.which(program):
        raise CredentialsError(f"the credential helper for {registry}, {program}, is not in PATH")


def _read_json(file: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
