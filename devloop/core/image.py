"""Image references, and the set of digests that one pushed image goes by.

References follow the distribution project's grammar (`docker.io/library/` is filled in as Docker does), because the
name in a Pod's spec, the name pushed and the name in a kubelet's status have to be compared for what they mean.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
DOCKER_HUB = "docker.io"


class InvalidReferenceError(ValueError):
    """The text is no image reference; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """`registry/repository[:tag][@digest]`; `registry` is empty when the text named none."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> "ImageRef":
        """Read a reference as written; raises `InvalidReferenceError`."""
        name, at, digest = text.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise InvalidReferenceError(f"`{text}` has no valid digest after `@`")
        head, colon, tail = name.rpartition(":")
        tag = ""
        if colon and "/" not in tail:
            name, tag = head, tail
            if not _TAG.fullmatch(tag):
                raise InvalidReferenceError(f"`{text}` has no valid tag after `:`")
        first, slash, rest = name.partition("/")
        names_host = slash and ("." in first or ":" in first or first == "localhost" or first != first.lower())
        registry, repository = (first, rest) if names_host else ("", name)
        if registry and not _HOST.fullmatch(registry):
            raise InvalidReferenceError(f"`{text}` has no valid registry host before the first `/`")
        if not _REPOSITORY.fullmatch(repository):
            raise InvalidReferenceError(f"`{text}` is no image name: lower-case letters, digits, `.`, `_`, `-` and `/`")
        return cls(registry, repository, tag, digest)

    @property
    def name(self) -> str:
        """The reference without tag and digest, as written."""
        return f"{self.registry}/{self.repository}" if self.registry else self.repository

    @property
    def canonical_name(self) -> str:
        """The name with what Docker fills in: `python` is `docker.io/library/python`."""
        registry = self.registry or DOCKER_HUB
        if registry == "index.docker.io":
            registry = DOCKER_HUB
        official = registry == DOCKER_HUB and "/" not in self.repository
        return f"{registry}/library/{self.repository}" if official else f"{registry}/{self.repository}"

    @property
    def effective_tag(self) -> str:
        """The tag that Kubernetes asks for: `latest` when neither tag nor digest is written."""
        return self.tag or ("" if self.digest else "latest")

    def with_tag(self, tag: str) -> "ImageRef":
        return replace(self, tag=tag, digest="")

    def with_digest(self, digest: str) -> "ImageRef":
        return replace(self, digest=digest)

    def same_repository(self, other: "ImageRef") -> bool:
        return self.canonical_name == other.canonical_name

    def same_image(self, other: "ImageRef") -> bool:
        """Whether both ask a registry for the same thing, however they are written."""
        return (self.canonical_name, self.effective_tag, self.digest) == (
            other.canonical_name,
            other.effective_tag,
            other.digest,
        )

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def same_image(first: str, second: str) -> bool:
    """Whether two references, however written, ask a registry for the same thing."""
    try:
        return ImageRef.parse(first).same_image(ImageRef.parse(second))
    except InvalidReferenceError:
        return first == second


def digest_of(image_id: str) -> str:
    """The `sha256:...` of a container status' `imageID`, in any form that kubelets report; empty when there is none.

    Seen: `host/repo@sha256:...`, `docker-pullable://host/repo@sha256:...`, a bare `sha256:...` (the config digest of an
    image that was loaded into the node), `docker://sha256:...`.
    """
    found = _DIGEST.search(image_id.rpartition("@")[2].rpartition("//")[2])
    return found.group() if found else ""


def sha256_of(content: bytes) -> str:
    """The digest by which a registry knows this content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def platform_of(described: Mapping[str, Any]) -> str:
    """`linux/arm64/v8`, of an image's config or an index's entry; empty where it says nothing."""
    parts = (described.get("os"), described.get("architecture"), described.get("variant"))
    return "/".join(str(part) for part in parts if part)


def short(digest: str) -> str:
    """A digest for people: `sha256:4f2a9c...` becomes `4f2a9c1b03de`."""
    return digest.partition(":")[2][:12] if ":" in digest else digest[:12]


def fits(platform: str, node: str) -> bool:
    """Whether an image for that platform runs on that node: by system and architecture, as a variant
    (`linux/arm64/v8`) is not what a node reports."""
    return platform.split("/")[:2] == node.split("/")[:2]


@dataclass(frozen=True, slots=True)
class PlatformManifest:
    """One platform's image: its manifest and its config, both by digest."""

    platform: str
    """`linux/amd64`, `linux/arm64/v8`; empty when the config was not read."""
    digest: str
    config: str


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """What a registry holds under one reference."""

    digest: str
    """What the reference resolves to: an index's digest or a manifest's."""
    manifests: tuple[PlatformManifest, ...]

    @property
    def digests(self) -> frozenset[str]:
        """Every digest that a Pod which runs this image may report: index, platform manifests, configs."""
        return frozenset({self.digest} | {m.digest for m in self.manifests if m.digest} | self.configs)

    @property
    def configs(self) -> frozenset[str]:
        return frozenset(m.config for m in self.manifests if m.config)

    @property
    def platforms(self) -> tuple[str, ...]:
        return tuple(m.platform for m in self.manifests if m.platform)


@dataclass(frozen=True, slots=True)
class PushedImage:
    """An image that this session pushed, or loaded into the cluster's nodes."""

    push_ref: ImageRef
    pod_ref: ImageRef
    resolved: ResolvedImage
    loaded_into: str = ""
    """The local cluster that it was loaded into, in words; empty when it was pushed, and the registry confirmed it."""

    @property
    def digest(self) -> str:
        return self.resolved.digest
