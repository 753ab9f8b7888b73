"""The small languages inside configuration values: durations, workload names, and names to fill into images.

Every parser raises `InvalidValueError`, which carries what is wrong and what to write instead.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal

from devloop.core.image import ImageRef, InvalidReferenceError
from devloop.core.problems import quoted, suggestion

DURATION = r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+"
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}

# RFC 1123, as the API server checks names: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_OBJECT_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAMESPACE = re.compile(_LABEL)
_KINDS = {"deployment": "deployment", "deployments": "deployment", "deploy": "deployment"}

_FILLER = re.compile(r"\{([^{}]*)\}")
FILLERS = ("user", "branch", "service")
"""What may stand in braces in an image name or a tag."""
_LONGEST_FILLING = 63
_SCHEMES = ("http://", "https://", "docker://", "oci://")
EXAMPLE_IMAGE = "registry.example.com/shop/web"


class InvalidValueError(ValueError):
    """A value that cannot be meant; `message` names it and `fix` says what to write."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(f"{message}; {fix}")
        self.message = message
        self.fix = fix


def parse_duration(text: str) -> float:
    """`30ms`, `5m`, `1m30s` in seconds."""
    if not re.fullmatch(DURATION, text):
        raise InvalidValueError(f"`{text}` is no duration", "write a number and a unit, like `30ms`, `5s` or `5m`")
    return float(sum(Decimal(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text)))


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads as these seconds."""
    exact = Decimal(repr(seconds))
    for unit in ("h", "m", "s", "ms"):
        count = exact / _UNITS[unit]
        if count and count == int(count):
            return f"{int(count)}{unit}"
    return f"{exact:f}s" if seconds else "0s"


def parse_workload(text: str) -> tuple[str, str]:
    """`deployment/web` as kind and name; kubectl's `deploy/web` means the same."""
    kind, slash, name = text.partition("/")
    if not slash:
        raise InvalidValueError(f"`{text}` names no kind", f"write `deployment/{text or 'NAME'}`")
    if kind.lower() not in _KINDS:
        raise InvalidValueError(
            f"`{text}`: devloop rolls out Deployments, not the kind `{kind}`",
            suggestion(kind, _KINDS, f"write `deployment/{name}` if it is one"),
        )
    if len(name) > 253 or not _OBJECT_NAME.fullmatch(name):
        raise InvalidValueError(
            f"`{text}`: `{name}` is no valid name of a workload", "use lower-case letters, digits, `-` and `.`"
        )
    return _KINDS[kind.lower()], name


def check_namespace(text: str) -> str:
    if text and not _NAMESPACE.fullmatch(text):
        raise InvalidValueError(f"`{text}` is no valid namespace", "use at most 63 lower-case letters, digits and `-`")
    return text


def split_tag(image: str) -> tuple[str, str]:
    """An image as written, as name and tag; the name may hold `{user}` and its like. A digest stays with the name."""
    if "@" in image:
        return image, ""
    name, colon, tag = image.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (image, "")


def _check_fillers(text: str) -> str:
    """The text with something harmless for each filler, to check the rest of it."""
    for name in _FILLER.findall(text):
        if name not in FILLERS:
            known = quoted((f"{{{filler}}}" for filler in FILLERS), "or")
            raise InvalidValueError(f"`{text}` holds `{{{name}}}`, which devloop cannot fill in", f"write {known}")
    return _FILLER.sub("x", text)


def check_image(text: str) -> str:
    """An image name with a registry host and without a tag."""
    check_image_name(text)
    check_host(text)
    return text


def check_host(text: str) -> None:
    """Whether a valid image name says where to push it."""
    if not ImageRef.parse(_check_fillers(text)).registry:
        raise InvalidValueError(
            f"`{text}` names no registry host, so it is not clear where to push it",
            f"write `HOST/{text}`, or `docker.io/{text}` if Docker Hub is meant",
        )


def check_image_name(text: str) -> str:
    """An image name without a tag; one that is loaded needs no registry host."""
    example = f"write it like `{EXAMPLE_IMAGE}`"
    scheme = next((scheme for scheme in _SCHEMES if text.startswith(scheme)), None)
    if scheme:
        raise InvalidValueError(f"`{text}` begins with `{scheme}`", f"write `{text.removeprefix(scheme)}`")
    if not text:
        raise InvalidValueError("the image name is empty", example)
    name, tag = split_tag(text)
    if tag:
        raise InvalidValueError(f"`{text}` holds a tag", f"write `{name}`, and `{tag}` as the service's `tag`")
    filled = _check_fillers(text)
    try:
        ref = ImageRef.parse(filled)
    except InvalidReferenceError as error:
        raise InvalidValueError(str(error).replace(filled, text), example) from error
    if ref.digest:
        raise InvalidValueError(
            f"`{text}` holds a digest, and a build makes a new one", f"write `{text.partition('@')[0]}`"
        )
    return text


def check_tag(text: str) -> str:
    """A tag that may hold fillers; empty means the default."""
    filled = _check_fillers(text)
    try:
        ImageRef.parse(f"x:{filled}" if filled else "x")
    except InvalidReferenceError as error:
        raise InvalidValueError(
            f"`{text}` is no valid tag",
            "use at most 128 letters, digits, `_`, `-` and `.`; the first is no `-` or `.`",
        ) from error
    return text


def fill(text: str, values: Mapping[str, str], *, repository: bool = False) -> str:
    """Put `{user}`, `{branch}` and `{service}` in, made fit for a tag or for a repository's name."""
    return _FILLER.sub(lambda match: _fitting(values[match[1]], repository=repository), text)


def missing_filling(text: str, values: Mapping[str, str]) -> str:
    """The first filler in the text for which there is no value."""
    return next((name for name in _FILLER.findall(text) if not values.get(name)), "")


def _fitting(value: str, *, repository: bool) -> str:
    """Letters and digits of the value; what would become empty, or is too long, is told apart by a hash."""
    ascii_only = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode()
    if repository:
        fit = re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")
    else:
        fit = re.sub(r"[^A-Za-z0-9_.]+", "-", ascii_only).strip("-.")
    if fit and len(fit) <= _LONGEST_FILLING:
        return fit
    mark = hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{fit[: _LONGEST_FILLING - 9].rstrip('-.')}-{mark}" if fit else mark


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits the pattern, in which only `*` is special."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.DOTALL) is not None
