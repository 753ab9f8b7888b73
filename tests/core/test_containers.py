"""Which containers a service updates."""

import pytest

from devloop.core.containers import choose
from devloop.core.failure import Failure, FailureCode
from devloop.core.workload import ContainerSpec, Template
from tests.core.workloads import DEV, REPOSITORY, service

WEB = ContainerSpec("web", DEV, "Always")
OLD = ContainerSpec("old", f"{REPOSITORY}@sha256:" + "b" * 64, "Always")
MIGRATE = ContainerSpec("migrate", f"{REPOSITORY}:v1", "Always", init=True)
PROXY = ContainerSpec("proxy", "envoyproxy/envoy:v1", "IfNotPresent")
WAIT = ContainerSpec("wait", "busybox", "IfNotPresent", init=True)
BROKEN = ContainerSpec("broken", "NOT A REFERENCE", "Always")


@pytest.mark.parametrize(
    ("specs", "configured", "chosen"),
    [
        ((WAIT, PROXY, WEB), (), ("web",)),
        ((MIGRATE, PROXY, WEB), (), ("migrate", "web")),
        ((OLD, WEB), (), ("old", "web")),
        ((PROXY,), (), ("proxy",)),
        ((WAIT, PROXY), (), ("proxy",)),
        ((BROKEN,), (), ("broken",)),
        ((BROKEN, WEB), (), ("web",)),
        ((MIGRATE, PROXY, WEB), ("web",), ("web",)),
        ((MIGRATE, PROXY, WEB), ("web", "migrate"), ("migrate", "web")),
        ((PROXY, WEB), ("proxy",), ("proxy",)),
    ],
)
def test_the_containers_of_a_service(
    specs: tuple[ContainerSpec, ...], configured: tuple[str, ...], chosen: tuple[str, ...]
) -> None:
    assert choose(service(DEV, *configured), Template(specs)) == chosen


def test_docker_hub_names_are_compared_for_what_they_mean() -> None:
    template = Template((ContainerSpec("a", "docker.io/library/busybox:1", ""), PROXY))
    assert choose(service("busybox"), template) == ("a",)


@pytest.mark.parametrize(
    ("specs", "configured", "words"),
    [
        ((PROXY, BROKEN), (), "`proxy` with envoyproxy/envoy:v1, `broken` with NOT A REFERENCE"),
        ((WAIT,), (), "`wait` (init) with busybox"),
        ((), (), "it has none"),
        ((WEB,), ("web", "wbe"), "deployment/web has no container `wbe`; it has `web` with"),
    ],
)
def test_what_cannot_be_chosen_is_listed(
    specs: tuple[ContainerSpec, ...], configured: tuple[str, ...], words: str
) -> None:
    failure = choose(service(DEV, *configured), Template(specs))
    assert isinstance(failure, Failure)
    assert failure.code is FailureCode.CONTAINER_ABSENT
    assert words in failure.message
    assert "[services.web]" in failure.hint
