"""Under which name the engine is asked for an image."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from devloop.adapters.engine import DockerEngine
from devloop.adapters.localimages import local_images
from devloop.core.failure import Failure
from devloop.core.image import ImageRef

ID = "sha256:" + "a" * 64


class Client:
    """Lists images as moby does: by their familiar name only."""

    def __init__(self, familiar: str) -> None:
        self.familiar = familiar

    def images(self, name: str) -> list[dict[str, Any]]:
        return [{"Id": ID, "RepoTags": [f"{self.familiar}:dev"], "Created": 1}] if name == self.familiar else []

    def inspect_image(self, _: str) -> dict[str, Any]:
        return {"Id": ID, "RepoDigests": [], "Created": "2026-01-02T03:04:05Z"}


class Engine:
    """Answers from that client."""

    def __init__(self, familiar: str) -> None:
        self.client = Client(familiar)

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self.client)


@pytest.mark.parametrize(
    ("written", "familiar"),
    [
        ("docker.io/me/web:dev", "me/web"),
        ("index.docker.io/me/web:dev", "me/web"),
        ("me/web:dev", "me/web"),
        ("docker.io/library/python:dev", "python"),
        ("python:dev", "python"),
        ("localhost:5001/library/web:dev", "localhost:5001/library/web"),
    ],
)
async def test_an_image_is_found_however_it_is_written(written: str, familiar: str) -> None:
    ref = ImageRef.parse(written)
    found = await local_images(cast(DockerEngine, Engine(familiar)), [ref])
    assert not isinstance(found, Failure)
    own, _ = found[ref]
    assert own is not None
    assert own.id == ID
