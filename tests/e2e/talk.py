"""A service that says a word when it starts: what runs is read from its Pods' logs, and from what they report."""

import time

from devloop.adapters.statefolder import FileStateFolder, default_root
from tests.e2e.harness import registry_digest
from tests.e2e.scene import SERVE, Scene


def speak(scene: Scene, word: str, before: str = "") -> None:
    """Save a program that says this word; `before`: shell lines that come first."""
    scene.program(f"{before}\necho {word}\n{SERVE}")


def digests(scene: Scene) -> list[str]:
    """What each Pod of devloop's revision reports to run, as the kubelet says it."""
    statuses = [status for pod in scene.new_pods() for status in pod["status"]["containerStatuses"]]
    return [status["imageID"].rpartition("@")[2] for status in statuses]


def words(scene: Scene) -> list[str]:
    """What each Pod of devloop's revision said."""
    names = [pod["metadata"]["name"] for pod in scene.new_pods()]
    return [scene.kubectl("-n", scene.namespace, "logs", name).strip() for name in names]


def heard(scene: Scene) -> list[str]:
    """The same, of Pods that all run what the registry has now."""
    assert set(digests(scene)) == {registry_digest(f"{scene.image}:dev")}
    return words(scene)


def until_appendable(scene: Scene, pushed: str = "") -> None:
    """What the last full build gave has been looked at: only then the next save can be a layer."""
    source = scene.folder / "web"
    key = "\0".join((str(source), str(source / "Dockerfile"), "", f"{pushed or scene.image}:dev"))
    while FileStateFolder(default_root(), print).load(f"base {key}") is None:
        time.sleep(0.1)
