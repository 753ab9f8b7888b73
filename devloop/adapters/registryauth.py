"""How a registry wants to be asked: Basic and Bearer, with the credentials that `docker login` left.

The flows are those of the distribution project's specification (`docs/spec/auth/token.md`): a registry answers 401 with
a challenge, and for Bearer the token server named there gives a token for one repository and some actions.
"""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devloop.adapters.buildoutcome import login_hint
from devloop.adapters.dockerconfig import Credentials, CredentialsError, DockerConfig
from devloop.adapters.threads import in_daemon_thread
from devloop.core.failure import Failure, FailureCode

if TYPE_CHECKING:
    import aiohttp

PULL, PUSH = "pull", "pull,push"
_CHALLENGE = re.compile(r'([A-Za-z]+)\s+((?:\w+\s*=\s*(?:"[^"]*"|[^\s,"]+)\s*(?:,\s*|$))+)')
_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')
_LIFETIME, _MARGIN = 60.0, 10.0
"""Seconds: how long a token is good for when its server does not say, and how long before that it is renewed."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One `WWW-Authenticate`."""

    scheme: str
    """Lower case."""
    parameters: Mapping[str, str]


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """What the headers ask for; one header may hold several challenges."""
    return [
        Challenge(scheme.lower(), {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)})
        for header in headers
        for scheme, rest in _CHALLENGE.findall(header)
    ]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked of which repository."""

    host: str
    repository: str
    actions: str = PULL

    def __str__(self) -> str:
        return f"repository:{self.repository}:{self.actions}"


def denied(scope: Scope, cause: str, config_file: str) -> Failure:
    """The registry refuses; with the command that gets credentials."""
    doing = "push to" if "push" in scope.actions else "read"
    return Failure(
        FailureCode.REGISTRY_DENIED,
        f"{scope.host} does not let you {doing} {scope.repository}: {cause}",
        login_hint(scope.host, config_file),
    )


class Authorizer:
    """Finds the `Authorization` header for a scope, and remembers it for as long as it is good."""

    def __init__(self, env: Mapping[str, str] | None) -> None:
        self._env = env
        self._challenges: dict[str, Challenge] = {}
        self._headers: dict[Scope, tuple[str, float]] = {}
        self._credentials: dict[str, Credentials] = {}
        self._unmet: set[str] = set()
        """Hosts that asked for credentials when there were none."""
        self._asking: dict[str, asyncio.Lock] = {}

    async def header(self, session: "aiohttp.ClientSession", scope: Scope) -> str | Failure:
        """The header for the next request; empty as long as the registry has asked for nothing."""
        header, good_until = self._headers.get(scope, ("", 0.0))
        if header and asyncio.get_running_loop().time() < good_until:
            return header
        known = self._challenges.get(scope.host)
        return await self._respond(session, scope, known) if known else ""

    async def challenged(
        self, session: "aiohttp.ClientSession", scope: Scope, headers: Iterable[str], refused: str
    ) -> str | Failure:
        """The header that meets the challenge; `refused` is the one that did not, if there was one."""
        offered = {challenge.scheme: challenge for challenge in challenges(headers)}
        challenge = offered.get("bearer") or offered.get("basic")
        if challenge is None:
            return self.denied(scope, f"it asks for a way to log in that is not known ({', '.join(offered) or 'none'})")
        self._challenges[scope.host] = challenge
        if refused:
            self._headers.pop(scope, None)
            self._credentials.pop(scope.host, None)
        return await self._respond(session, scope, challenge)

    def user(self, host: str) -> str | None:
        """Whose credentials were given to it; empty when there are none for it, None when it asked for none."""
        if host not in self._challenges:
            return "" if host in self._unmet else None
        found = self._credentials.get(host)
        return found.shown_user if found else ""

    def denied(self, scope: Scope, cause: str) -> Failure:
        return denied(scope, cause, str(DockerConfig.load(self._env).file))

    async def _respond(self, session: "aiohttp.ClientSession", scope: Scope, challenge: Challenge) -> str | Failure:
        try:
            credentials = await self._credentials_for(scope.host)
        except CredentialsError as error:
            return self.denied(scope, str(error))
        if challenge.scheme == "bearer":
            return await self._token(session, scope, challenge, credentials)
        if credentials is None:
            self._challenges.pop(scope.host, None)  # it may ask for nothing again, as one that was set up wrongly
            self._unmet.add(scope.host)
            return self.denied(scope, "there are no credentials for it")
        header = _basic(credentials)
        self._headers[scope] = (header, float("inf"))
        return header

    async def _credentials_for(self, host: str) -> Credentials | None:
        """Credential helpers are programs, so each host's is asked once, and again when what it gave was refused.

        That there are none is not remembered: the user may log in meanwhile.
        """
        async with self._asking.setdefault(host, asyncio.Lock()):
            if host in self._credentials:
                return self._credentials[host]
            config = DockerConfig.load(self._env)
            found = await in_daemon_thread(lambda: config.credentials(host))
            if found:
                self._credentials[host] = found
            return found

    async def _token(
        self, session: "aiohttp.ClientSession", scope: Scope, challenge: Challenge, credentials: Credentials | None
    ) -> str | Failure:
        realm = challenge.parameters.get("realm", "")
        if credentials and not realm.startswith("https://") and not _loopback_url(realm):
            return self.denied(scope, f"it wants the credentials sent unencrypted to {realm}")
        query = {"service": challenge.parameters.get("service", ""), "scope": str(scope)}
        status, answer = await _ask_for_token(session, realm, query, credentials)
        token = str(answer.get("token") or answer.get("access_token") or "")
        if status != 200 or not token:
            self._credentials.pop(scope.host, None)
            who = "the credentials found for it" if credentials else "anybody without credentials"
            return self.denied(scope, f"its token server refuses {who} ({status})")
        if not _grants(token, scope):
            return self.denied(scope, "the token that it gives does not allow that")
        lifetime = float(answer.get("expires_in") or _LIFETIME)
        good_until = asyncio.get_running_loop().time() + max(0.0, lifetime - _MARGIN)
        self._headers[scope] = (f"Bearer {token}", good_until)
        return f"Bearer {token}"


async def _ask_for_token(
    session: "aiohttp.ClientSession", realm: str, query: Mapping[str, str], credentials: Credentials | None
) -> tuple[int, Mapping[str, Any]]:
    if credentials and credentials.identity_token:
        form = {"grant_type": "refresh_token", "client_id": "devloop", "refresh_token": credentials.identity_token}
        request = session.post(realm, data={**query, **form})
    else:
        headers = {"Authorization": _basic(credentials)} if credentials else {}
        request = session.get(realm, params=query, headers=headers)
    async with request as response:
        body = await response.read()
        try:
            answer = json.loads(body)
        except ValueError:
            answer = {}
        return response.status, answer if isinstance(answer, dict) else {}


def _basic(credentials: Credentials) -> str:
    return "Basic " + base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()


def _loopback_url(url: str) -> bool:
    return bool(re.match(r"http://(localhost|127(\.\d+){3}|\[::1\])(:\d+)?(/|$)", url))


def _grants(token: str, scope: Scope) -> bool:
    """Whether a token that says what it allows allows all of it; others are given the benefit of the doubt.

    Token servers give a smaller token instead of refusing: an anonymous one for Docker Hub reads and does not push.
    """
    try:
        payload = token.split(".")[1]
        access = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["access"]
        granted = {a for entry in access if entry["name"] == scope.repository for a in entry["actions"]}
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return True
    return "*" in granted or granted >= set(scope.actions.split(","))
