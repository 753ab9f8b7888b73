"""Compares an image that was made by appending a layer with what a full build gave of the same source.

What somebody sees who runs it counts: paths, types, modes, owners, contents, link targets, extended attributes, and the
config. Layers that both have are not looked into.
"""

import hashlib
import json
import tarfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, BinaryIO

from devloop.adapters.appending import Appendable, copies, look_into, made_by, read_base
from devloop.adapters.layer import NoLayerError
from devloop.adapters.registryauth import Scope
from devloop.adapters.registryhttp import RegistryHttp
from devloop.core.failure import Failure
from devloop.core.ignore import VERSION_CONTROL, is_temporary

Entry = tuple[object, ...]
"""Type, mode, owner, group, content or target, extended attributes, and the time of a file in whole seconds."""
Entries = Mapping[str, Entry]
"""By absolute path."""
GONE: Entry = ("gone",)
"""What an earlier layer has, and a later one takes away."""
_OPAQUE, _WHITEOUT = ".wh..wh..opq", ".wh."
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Contents:
    """What an image holds."""

    entries: Entries
    config: Mapping[str, Any]
    last: frozenset[str]
    """The paths that are in its last layer."""


async def audit(http: RegistryHttp, scope: Scope, by_layer: str, by_build: str) -> tuple[str, ...] | Failure:
    """What differs between the two images of these digests: paths, and keys of the config; empty where they are equal.

    Files that no save is told of are left out: version control's own and editors'. Times do not count. Raises
    `NoLayerError` where one of them cannot be read, or where the builder did what it had done before once more (its
    cache was pruned): a RUN that is run twice writes other files, which tells nothing of the layer.
    """
    images = []
    for digest in (by_layer, by_build):
        image = await read_base(http, scope, digest)
        if isinstance(image, Failure):
            return image
        images.append(image)
    shared = _shared(*images)
    if run_anew(images[1], shared):
        raise NoLayerError("the full build ran its steps anew")
    held = []
    for image in images:
        contents = await contents_of(http, scope, image, skip=shared)
        if isinstance(contents, Failure):
            return contents
        held.append(contents)
    return tuple(differences(*held, timed=False))


def differences(by_layer: Contents, by_build: Contents, *, timed: bool = True) -> Iterable[str]:
    """Paths and keys of the config, sorted. `timed`: whether times count in the last layer of the one.

    BuildKit's cache may have files of the same content with other times, if they were ever built before.
    """
    with_times: Collection[str] = by_layer.last if timed else ()
    left, right = _with_times(by_layer.entries, with_times), _with_times(by_build.entries, with_times)
    for path in sorted(left.keys() | right.keys()):
        if left.get(path) != right.get(path) and not _untold(path):
            yield path
    for key in sorted(by_layer.config.keys() | by_build.config.keys()):
        if by_layer.config.get(key) != by_build.config.get(key):
            yield f"config: {key}"


async def contents_of(http: RegistryHttp, scope: Scope, image: Appendable, skip: int = 0) -> Contents | Failure:
    """What is in the layers of an image behind the first `skip`; raises `NoLayerError` where one is not there."""
    found: dict[str, Entry] = {}
    last: dict[str, Entry] = {}
    for layer in image.manifest["layers"][skip:]:
        inside = await look_into(http, scope, layer, _read)
        if isinstance(inside, Failure):
            return inside
        last = inside
        _lay_over(found, last)
    config = {key: value for key, value in image.config.items() if not _of_the_making(key)}
    return Contents(found, config, frozenset(path for path, entry in last.items() if entry != GONE))


def _shared(left: Appendable, right: Appendable) -> int:
    """How many layers both begin with."""
    pairs = zip(left.manifest["layers"], right.manifest["layers"], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0]["digest"] == pair[1]["digest"], pairs))


def run_anew(built: Appendable, shared: int) -> bool:
    """Whether the first layer behind those shared was made by something else than a COPY of what was saved."""
    made = made_by(built)
    return shared < len(made) and not copies(made[shared])


def _of_the_making(key: str) -> bool:
    """Whether that key of a config tells how an image was made: `moby.buildkit.cache.v0` is an inline cache."""
    return key in {"created", "history", "rootfs"} or key.startswith("moby.buildkit.")


def _read(file: BinaryIO) -> dict[str, Entry]:
    """One layer as its archive has it, whiteouts included."""
    found: dict[str, Entry] = {}
    try:
        with tarfile.open(fileobj=file, mode="r:*") as tar:
            for info in tar:
                found["/" + info.name.removeprefix("./").strip("/")] = _entry(tar, info)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise NoLayerError(f"a layer cannot be read ({error})") from error
    return found


def _entry(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Entry:
    file = tar.extractfile(info) if info.isfile() else None
    content = _hash(file) if file else info.linkname
    attributes = sorted((key, value) for key, value in info.pax_headers.items() if key.startswith("SCHILY.xattr."))
    time = int(info.mtime) if info.isfile() else 0
    return info.type, info.mode & 0o7777, info.uid, info.gid, content, json.dumps(attributes), time


def _hash(file: Any) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _lay_over(found: dict[str, Entry], layer: Mapping[str, Entry]) -> None:
    """As a container runtime unpacks one layer over those before it.

    https://github.com/opencontainers/image-spec/blob/main/layer.md
    """
    for path in layer:
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            _forget(found, folder)
            found[f"{folder}/{_OPAQUE}"] = GONE
        elif name.startswith(_WHITEOUT):
            gone = f"{folder}/{name.removeprefix(_WHITEOUT)}"
            _forget(found, gone)
            found[gone] = GONE
    for path, entry in layer.items():
        if path.rpartition("/")[2].startswith(_WHITEOUT):
            continue
        if entry[0] != tarfile.DIRTYPE and found.get(path, entry)[0] == tarfile.DIRTYPE:
            _forget(found, path)
        found[path] = entry


def _forget(found: dict[str, Entry], folder: str) -> None:
    for each in [other for other in found if other.startswith(f"{folder}/")]:
        del found[each]


def _with_times(entries: Entries, paths: Collection[str]) -> Entries:
    """Without the times of all others."""
    return {path: entry if path in paths else entry[:6] for path, entry in entries.items()}


def _untold(path: str) -> bool:
    return any(name in VERSION_CONTROL or is_temporary(name) for name in path.split("/"))
