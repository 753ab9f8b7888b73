"""The demo's app: two services in a folder of the person who tries them, and what they run as."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

SERVICES = ("api", "web")
_MANIFESTS = "deploy.yaml"
_LEFT_OUT = {"__pycache__", "__init__.py"}


def copy_app(into: Path, *, registry: str, context: str, namespace: str, api_url: str) -> list[str]:
    """Write the app into a folder, where what is there already stays as it is; the names of what was written.

    `registry` is its `host:port`, `context` that of the kubeconfig; `api_url` is where web reaches api.
    """
    values = {"REGISTRY": registry, "CONTEXT": context, "NAMESPACE": namespace, "API_URL": api_url}
    written = []
    for name, text in _texts(_app(), "", values):
        place = into / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.write_text(text, "utf-8")
            written.append(name)
    return written


def edited(folder: Path, *, registry: str, context: str, namespace: str, api_url: str) -> list[str]:
    """The names of those files that are not as `copy_app` writes them, in a folder that has all of them."""
    values = {"REGISTRY": registry, "CONTEXT": context, "NAMESPACE": namespace, "API_URL": api_url}
    return [name for name, text in _texts(_app(), "", values) if _is_other(folder / name, text)]


def manifests(*, registry: str, namespace: str, api_url: str) -> list[dict[str, Any]]:
    """The Deployments and Services, ready to be created."""
    values = {"REGISTRY": registry, "NAMESPACE": namespace, "API_URL": api_url}
    text = _filled(_app().joinpath(_MANIFESTS).read_text("utf-8"), values)
    return [document for document in yaml.safe_load_all(text) if document]


def steered() -> tuple[str, ...]:
    """The files of the app that name the registry, the context or an address."""
    return (_MANIFESTS, "devloop.toml", *(f"{name}/Dockerfile" for name in SERVICES))


def _app() -> Traversable:
    return files("devloop.sandbox") / "app"


def _texts(source: Traversable, prefix: str, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Every file of the app: its name and what is in it."""
    for each in sorted(source.iterdir(), key=lambda each: each.name):
        if each.name in _LEFT_OUT:
            continue
        if each.is_dir():
            yield from _texts(each, f"{prefix}{each.name}/", values)
        else:
            yield prefix + each.name, _filled(each.read_text("utf-8"), values)


def _is_other(file: Path, text: str) -> bool:
    try:
        return file.read_bytes() != text.encode()
    except OSError:
        return True


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
