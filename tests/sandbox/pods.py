"""A Pod on the first node, and how it stands."""

from collections.abc import Callable
from typing import Any

from tests.sandbox.client import CORE, Api, Raw, conditions, pod

WEB = f"{CORE}/pods/web"


async def run(api: Api, is_so: Callable[[Raw], bool], /, *, name: str = "web", **spec: Any) -> Raw:
    """Create a Pod on node1 and wait until it is so."""
    await api.create(f"{CORE}/pods", pod(nodeSelector={"kubernetes.io/hostname": "node1"}, **spec))
    return dict(await api.until(f"{CORE}/pods/{name}", is_so))


def status(found: Raw, kind: str = "containerStatuses") -> Raw:
    """Of the first container."""
    return dict((found["status"].get(kind) or [{"state": {}, "lastState": {}}])[0])


def waits(reason: str) -> Callable[[Raw], bool]:
    return lambda found: status(found)["state"].get("waiting", {}).get("reason") == reason


def runs(found: Raw) -> bool:
    return "running" in status(found)["state"]


def is_ready(found: Raw) -> bool:
    return conditions(found).get("Ready", ("",))[0] == "True"
