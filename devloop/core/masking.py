"""Keeps secrets out of everything that is shown or recorded.

A secret is known by its value, because BuildKit repeats build arguments in the names of steps and programs print what
they were given. Too much is hidden rather than too little, with one exception: values that say nothing (`true`, or
fewer than `SHORTEST` characters) stay, because hiding those would make every output unreadable.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, urlsplit

MASK = "***"
SHORTEST = 4
"""Shorter values are not hidden: they are part of too many words."""
DISTINCT = 8
"""From this length on a value is hidden inside longer words too."""

_SECRET_WORD = re.compile("AUTH|KEY|PASS|PWD|PAT|PIN|CREDS?|JWT|COOKIE|SIGNATURE|SALT|DSN")
_SECRET_PART = re.compile("TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|APIKEY|PRIVATEKEY")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SAYS_NOTHING = re.compile("true|false|none|null|yes|enabled|disabled|default|auto|latest", re.IGNORECASE)
_USER_IN_URL = re.compile(r"(?<=://)[^/\s]*@")
_SLASH_IN_PASSWORD = re.compile(r"""(?<=://)[^/\s:@]*:(?!\d{1,5}/)[^\s"'<>@]*@""")
"""Nobody may write a password like that, and many do. Digits before the slash are a port, and the `@` is a path's."""
_IN_QUERY = re.compile(r"""(?<=[?&;])([\w.-]+)=([^&\s"'<>#]+)""")
_ASSIGNMENT = re.compile(r"""["']?([\w./:@-]*\w)["']?\s*[:=]\s*["']?([^\s"',;]+)""")


def secret_like(name: str) -> bool:
    """Whether a variable of that name holds a secret, going by its words (`NPM_TOKEN`, `apiKey`; not `AUTHOR`)."""
    if name == "PWD":  # the shell's working directory
        return False
    joined = re.sub(r"[^A-Za-z0-9]", "", name).upper()
    words = (word.upper() for word in _WORDS.findall(name))
    return bool(_SECRET_PART.search(joined)) or any(map(_SECRET_WORD.fullmatch, words))


def url_password(value: str) -> str:
    """The password inside a URL; empty when there is none."""
    if "@" not in value or "://" not in value:
        return ""
    try:
        return urlsplit(value).password or ""
    except ValueError:
        return ""


def without_url_secrets(text: str) -> str:
    """Without users and passwords in URLs, and with masked values of their queries that look like a secret by name."""
    bare = _SLASH_IN_PASSWORD.sub("", _USER_IN_URL.sub("", text))
    return _IN_QUERY.sub(lambda found: _masked(found[1], found[2]), bare)


def _masked(name: str, value: str) -> str:
    return f"{name}={MASK}" if secret_like(name) or name.lower() == "sig" else f"{name}={value}"


def secrets_of_args(args: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The values of arguments that look like a secret by name, and passwords inside URLs."""
    for name, value in args:
        yield value if secret_like(name) else url_password(value)


def secrets_of_caches(specs: Iterable[str]) -> Iterator[str]:
    """The values in `type=s3,secret_access_key=...` whose names look like a secret."""
    yield from secrets_of_args((key, value) for spec in specs for key, _, value in _fields(spec))


def _fields(spec: str) -> Iterator[tuple[str, str, str]]:
    return (part.strip().partition("=") for part in spec.split(","))


def secrets_of_file(text: str) -> Iterator[str]:
    """What to hide of a secret file: each line, and the values that it assigns to names that look like a secret.

    Lines, because a log shows a private key line by line; values, because `.npmrc` and `.env` hold more than one thing.
    """
    for line in text.splitlines():
        if len(line.strip()) >= DISTINCT:
            yield line.strip()
        yield from (value for name, value in _ASSIGNMENT.findall(line) if secret_like(name))
        yield url_password(line.strip())


def _forms(secret: str) -> Iterator[str]:
    """A secret as it is, and as URLs, JSON, Go's quoting and HTTP's Basic scheme write it."""
    yield secret
    as_bytes = secret.encode(errors="surrogateescape")
    yield from (quote(as_bytes, safe=""), quote(as_bytes), quote_plus(as_bytes))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from (base64.b64encode(as_bytes).decode(), base64.urlsafe_b64encode(as_bytes).decode())


def _pattern(form: str) -> str:
    escaped = re.escape(form)
    return escaped if len(form) >= DISTINCT else rf"(?<![A-Za-z0-9]){escaped}(?![A-Za-z0-9])"


class Masker:
    """Replaces every known secret in a text by `***`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        whole = {secret.strip() for secret in secrets}
        lines = {line.strip() for secret in whole for line in secret.splitlines()}
        telling = {s for s in whole | lines if len(s) >= SHORTEST and not _SAYS_NOTHING.fullmatch(s)}
        forms = {form for secret in telling for form in _forms(secret)}
        # Longest first: a secret that begins with another one must not leave its end behind.
        patterns = [_pattern(form) for form in sorted(forms, key=lambda form: (-len(form), form))]
        self._secrets = re.compile("|".join(patterns)) if patterns else None

    def mask(self, text: str) -> str:
        return self._secrets.sub(MASK, text) if self._secrets else text
