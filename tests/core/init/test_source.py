"""What can be built in a project, and what it may be called."""

import pytest

from devloop.core.init.source import FoundDockerfile, StatedBuild, best_context, plain, suffix_of
from tests.core.init.world import compose, dockerfile, project, skaffold


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        ("Dockerfile", ""),
        ("web/Dockerfile", ""),
        ("web/Dockerfile.dev", "dev"),
        ("docker/Dockerfile.worker", "worker"),
        ("docker/worker.Dockerfile", "worker"),
        ("Containerfile-api", "api"),
        ("web/dockerfile", ""),
    ],
)
def test_what_a_dockerfiles_name_adds(path: str, suffix: str) -> None:
    assert suffix_of(path) == suffix


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("Dockerfile", ["shop"]),
        ("web/Dockerfile", ["web"]),
        ("web/Dockerfile.dev", ["web"]),
        ("docker/Dockerfile.worker", ["worker"]),
        ("services/web/docker/Dockerfile", ["web"]),
        ("deploy/Dockerfile", ["shop"]),
        ("Web_Shop/Dockerfile", ["Web_Shop"]),
    ],
)
def test_names(path: str, names: list[str]) -> None:
    (source,) = project(path)
    assert [name.text for name in source.names] == names


def test_a_context_of_another_name_is_a_name_too_unless_it_is_the_whole_project() -> None:
    (source,) = project(FoundDockerfile("docker/Dockerfile", "backend"))
    assert [name.text for name in source.names] == ["shop", "backend"] or [n.text for n in source.names] == ["backend"]
    (source,) = project(FoundDockerfile("web/Dockerfile", "."))
    assert [name.text for name in source.names] == ["web"]


def test_compose_names_come_first_and_its_context_counts() -> None:
    (source,) = project("web/Dockerfile", stated=(compose("frontend", "web", "shop/frontend:1"),))
    assert [name.text for name in source.names] == ["frontend", "web"]
    assert source.names[0].origin == "its name in compose.yaml"
    assert (source.context, source.called) == ("web", ("frontend",))
    assert source.images[0].image == "shop/frontend:1"


def test_one_dockerfile_with_two_targets_is_two_things_to_build() -> None:
    stated = (compose("web", ".", target="web"), compose("worker", ".", target="worker"))
    web, worker = project("Dockerfile", stated=stated)
    assert (web.target, worker.target) == ("web", "worker")
    assert (web.names[0].text, worker.names[0].text) == ("web", "worker")
    assert str(web) == "Dockerfile, target web"


def test_two_compose_services_of_one_build_are_one_thing() -> None:
    (source,) = project("Dockerfile", stated=(compose("web", "."), compose("worker", ".")))
    assert source.called == ("web", "worker")


def test_skaffolds_way_of_building_wins_and_compose_adds_names() -> None:
    stated = (skaffold("web", "registry.example.com/web"), compose("frontend", "web", target="dev"))
    (source,) = project("web/Dockerfile", stated=stated)
    assert source.target == ""
    assert source.called == ("frontend",)
    assert [name.text for name in source.names] == ["frontend", "web"]


def test_a_variant_that_another_tool_names_is_none() -> None:
    named = StatedBuild("compose.yaml", "web/Dockerfile.dev", "web", "web")
    (plain_one, variant) = project("web/Dockerfile", "web/Dockerfile.dev")
    assert (plain_one.is_variant, variant.is_variant) == (False, True)
    assert not project("web/Dockerfile.dev", stated=(named,))[0].is_variant


@pytest.mark.parametrize(
    ("folder", "missing", "context"),
    [
        ("web", {"web": 0, ".": 0}, "web"),
        ("web", {"web": 2, ".": 0}, "."),
        ("a/b", {"a/b": 1, "a": 1, ".": 1}, "a/b"),
        ("docker", {"docker": 0, ".": 0}, "."),
        ("docker", {"docker": 0, ".": 1}, "docker"),
        (".", {".": 3}, "."),
    ],
)
def test_the_context_is_where_all_that_is_copied_is(folder: str, missing: dict[str, int], context: str) -> None:
    assert best_context(folder, missing) == context


def test_the_top_comes_first_and_bases_are_kept() -> None:
    found = project("b/Dockerfile", "Dockerfile", dockerfile("a/Dockerfile", "python:3"))
    assert [source.dockerfile for source in found] == ["Dockerfile", "a/Dockerfile", "b/Dockerfile"]
    assert found[1].bases == ("python:3",)


def test_plain() -> None:
    assert plain("My_Web.App ") == "my-web-app"
