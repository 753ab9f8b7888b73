"""What the harness itself asks registry and Pods, by a way of its own that no fault of devloop's ways touches."""

import json
import subprocess
import urllib.request
from http.client import HTTPException
from typing import Any

from tests.e2e.harness import registry_digest

UNASKED = (OSError, ValueError, KeyError, HTTPException)
"""What is raised when registry or API server do not answer, or answer with half of it."""
_PATIENCE = 4.0


class Ask:
    """Reads Pods, and what they serve, through `kubectl proxy`: a question costs no process."""

    def __init__(self, context: str, namespace: str, registry: str) -> None:
        self._images = f"{registry}/{namespace}"
        command = ["kubectl", "--context", context, "proxy", "--port=0"]
        self._proxy = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._proxy.stdout
        address = self._proxy.stdout.readline().split()[-1]
        self._pods = f"http://{address}/api/v1/namespaces/{namespace}/pods"

    def close(self) -> None:
        self._proxy.terminate()
        self._proxy.wait()
        assert self._proxy.stdout
        self._proxy.stdout.close()

    def pods(self, service: str) -> list[dict[str, Any]]:
        """Those that are not about to end."""
        found = json.loads(self._get(f"{self._pods}?labelSelector=app%3D{service}"))["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def digests(self, service: str) -> frozenset[str]:
        """Of the tag in the registry and of every container that runs, as the kubelets say it."""
        statuses = [each for pod in self.pods(service) for each in pod["status"].get("containerStatuses", ())]
        run = {status["imageID"].rpartition("@")[2] for status in statuses if status.get("imageID")}
        return frozenset({registry_digest(f"{self._images}/{service}:dev"), *run})

    def served(self, service: str) -> list[str]:
        """What each Pod answers."""
        names = [pod["metadata"]["name"] for pod in self.pods(service)]
        return [self._get(f"{self._pods}/{name}:8080/proxy/message.txt") for name in names]

    def _get(self, url: str) -> str:
        with urllib.request.urlopen(url, timeout=_PATIENCE) as answer:
            return str(answer.read().decode())
