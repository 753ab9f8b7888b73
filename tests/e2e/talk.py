"""A service that says a word when it starts: what runs is read from its Pods' logs, and from what they report."""

from tests.e2e.harness import registry_digest
from tests.e2e.scene import SERVE, Scene


def speak(scene: Scene, word: str, before: str = "") -> None:
    """Save a program that says this word; `before`: shell lines that come first."""
    scene.program(f"{before}\necho {word}\n{SERVE}")


def heard(scene: Scene) -> list[str]:
    """What each Pod of devloop's revision said, while the API server itself vouches that it runs the pushed image."""
    digest = registry_digest(f"{scene.image}:dev")
    said = []
    for pod in scene.new_pods():
        (status,) = pod["status"]["containerStatuses"]
        assert status["imageID"].endswith(digest), (status["imageID"], digest)
        said.append(scene.kubectl("-n", scene.namespace, "logs", pod["metadata"]["name"]).strip())
    return said
