"""What an image says of itself in its config (https://github.com/opencontainers/image-spec/blob/main/config.md)."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

from devloop.core.image import PlatformManifest, ResolvedImage, fits
from devloop.core.why.facts import RegistryImage

_LEGACY = "/bin/sh -c #(nop) "
_BUILDER = re.compile(r" # \w[\w ]*$")
"""Who built it: `# buildkit`, `# devloop`."""
OWN_COMMENT = "devloop"
"""Of each layer that devloop made, in an image's history."""
OWN_BUILDER = " # devloop"
"""Ends what made such a layer where all of the image was made without an engine."""
_FIRST_IMAGE = datetime(1985, 1, 1, tzinfo=UTC).timestamp()
"""No image is as old as this: an earlier time was made up."""


def described(resolved: ResolvedImage, config: Mapping[str, Any]) -> RegistryImage:
    """The image with what its config tells; an empty config tells nothing."""
    own, history = config.get("config") or {}, config.get("history") or []
    created = time_of(config.get("created"))
    steps = [*takewhile(lambda step: step.get("comment") == OWN_COMMENT, reversed(history))]
    below = [time_of(step.get("created")) for step in history[: len(history) - len(steps)]]
    return RegistryImage(
        resolved,
        created,
        bool(steps) and created > max(below, default=0.0),
        any(str(step.get("created_by")).endswith(OWN_BUILDER) for step in steps),
        tuple(path.rstrip("/") for path in own.get("Volumes") or {}),
        tuple(_copies(history)),
    )


def manifest_for(resolved: ResolvedImage, platform: str) -> PlatformManifest | None:
    """The manifest that a node of that platform takes; any when the platform is not known."""
    with_config = [manifest for manifest in resolved.manifests if manifest.config]
    fitting = [m for m in with_config if platform and fits(m.platform, platform)]
    return next(iter(fitting or with_config), None)


def _copies(history: list[Mapping[str, Any]]) -> Iterator[str]:
    """Where COPY and ADD wrote to, as far as the history tells: `COPY . /app # buildkit`, `COPY dir:1f in /app `."""
    folder = "/"
    for entry in history:
        said = _BUILDER.sub("", str(entry.get("created_by") or "").removeprefix(_LEGACY)).strip()
        name, _, rest = said.partition(" ")
        words = rest.split()
        if name == "WORKDIR" and words:
            folder = posixpath.normpath(posixpath.join(folder, words[0]))
        elif name in {"COPY", "ADD"} and words and not said.endswith("]"):
            yield posixpath.normpath(posixpath.join(folder, words[-1]))


def time_of(text: Any) -> float:
    """0.0 for the times that reproducible builds write instead of the real one: 1970, or 1980 where zip files begin."""
    try:
        found = datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
    return found if found >= _FIRST_IMAGE else 0.0
