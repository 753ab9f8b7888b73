"""Local clusters without a registry: when an image is loaded instead of being pushed, and what it is called."""

import tomllib

import pytest

from devloop.core.init.draft import Draft
from devloop.core.init.registry import Nodes, Registry, places
from devloop.core.init.render import local_file, project_file
from devloop.core.init.surroundings import Surroundings
from devloop.core.init.workload import Live
from devloop.core.workload import ContainerSpec
from devloop.views.init import report
from tests.core.init.world import HOSTING, KIND, compose, dockerfile, drafted, matching, project, running

R = "ghcr.io/acme"
BARE = Surroundings(loads_into="the kind cluster `dev`")
"""A kind cluster that announces no registry, whose nodes may not be listed."""
LOADED = Surroundings(
    loads_into="the kind cluster `dev`", loaded=frozenset({"docker.io/library/web", "docker.io/library/shop"})
)
"""The same, whose nodes hold images that no registry gave."""
WEB = project("web/Dockerfile")


def never(name: str, image: str) -> Live:
    """A Deployment whose image is never asked for at a registry."""
    return Live(running(name, image).key, (ContainerSpec("c", image, "Never"),))


def keys(draft: Draft, name: str = "web") -> dict[str, object]:
    """What the two files say of a service, one laid over the other."""
    shared = tomllib.loads(project_file(draft))["services"][name]
    own = tomllib.loads(local_file(draft)).get("services", {}).get(name, {})
    return {key: value for key, value in {**shared, **own}.items() if key in {"image", "tag", "load", "push_image"}}


@pytest.mark.parametrize(
    ("live", "around", "image"),
    [
        (running("web", "web:dev"), LOADED, "web"),
        (running("web", "web"), LOADED, "web"),
        (never("web", "acme/frontend:1"), BARE, "acme/frontend"),
        (running("web", "nginx"), LOADED, "shop/web"),
        (running("web", "acme/front:1"), LOADED, "shop/web"),
        (never("web", "nginx"), BARE, "shop/web"),
        (running("web", "web:dev"), BARE, "web"),
        (running("web", "registry.k8s.io/echo:1"), BARE, "shop/web"),
        (running("web", "not an image"), BARE, "shop/web"),
    ],
)
def test_what_is_loaded_and_under_which_name(live: Live, around: Surroundings, image: str) -> None:
    assert keys(drafted(WEB, live, around=around)) == {"image": image, "load": "auto"}


def test_a_registry_that_the_cluster_announces_comes_before_loading() -> None:
    around = Surroundings(HOSTING, loads_into="the kind cluster `dev`", loaded=LOADED.loaded)
    found = keys(drafted(WEB, running("web", "web:dev"), around=around))
    assert found == {"image": "registry:5000/shop/web", "push_image": "localhost:5001/shop/web"}
    away = Surroundings(HOSTING, loads_into="the kind cluster `dev`", silent=frozenset({"localhost:5001"}))
    made = drafted(WEB, running("web", "nginx"), around=away)
    assert keys(made) == {"image": "shop/web", "load": "auto"}
    assert made.services[0].image.load_why == "the cluster announces a registry at localhost:5001, where none answers"


def test_an_image_that_is_pushed_stays_so_and_takes_along_what_has_no_place() -> None:
    sources = project("web/Dockerfile", "api/Dockerfile")
    found = drafted(sources, running("web", f"{R}/shop/web:1"), running("api", "nginx"), around=BARE)
    assert keys(found) == {"image": f"{R}/shop/web"}
    assert keys(found, "api") == {"image": f"{R}/shop/api"}
    loaded = drafted(sources, running("web", f"{R}/shop/web"), never("api", "api:1"), around=BARE)
    assert keys(loaded, "api") == {"image": "api", "load": "auto"}, "it is the way in which it got there"


def test_a_registry_that_nothing_of_the_project_is_in_comes_after_loading() -> None:
    live = running("web", "nginx"), running("redis", f"{R}/redis")
    around = Surroundings(logins=("quay.io",), loads_into="the kind cluster `dev`")
    assert keys(drafted(WEB, *live, around=around)) == {"image": "shop/web", "load": "auto"}
    found = places(live, matching(WEB, *live, around=around).matched, around)
    assert [each.cluster if isinstance(each, Nodes) else each.host for each in found] == [
        "the kind cluster `dev`", "ghcr.io", "quay.io",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("silent", "denied", "why"),
    [
        ({"ghcr.io"}, set(), "no registry answers at ghcr.io from here"),
        (set(), {f"{R}/web"}, f"you may not push to {R}/web yet"),
    ],
)
def test_where_one_may_not_push_this_checkout_loads_and_nobody_elses(
    silent: set[str], denied: set[str], why: str
) -> None:
    around = Surroundings(
        loads_into="the kind cluster `dev`", silent=frozenset(silent), denied=frozenset(denied)
    )  # fmt: skip
    found = drafted(WEB, running("web", f"{R}/web:latest"), around=around)
    assert "load" not in tomllib.loads(project_file(found))["services"]["web"]
    assert f'# It is loaded into the nodes: {why}.\n[services.web]\nload = "auto"\n' in local_file(found)


def test_a_name_to_push_to_where_nothing_answers_is_none() -> None:
    around = Surroundings(HOSTING, silent=frozenset({"registry:5000", "localhost:5001"}), loads_into="x")
    found = drafted(WEB, running("web", "registry:5000/shop/web:1"), around=around)
    assert keys(found) == {"image": "registry:5000/shop/web", "load": "auto"}
    assert found.services[0].image.load_why == "no registry answers at localhost:5001 from here"


def test_what_compose_calls_it_where_that_names_no_registry() -> None:
    sources = project("web/Dockerfile", stated=(compose("web", "web", "acme-web"),))
    found = drafted(sources, running("web", "nginx"), around=BARE)
    assert keys(found) == {"image": "acme-web", "load": "auto"}
    assert found.services[0].image.notes == ("It runs nginx now; compose.yaml calls its image acme-web.",)


def test_a_name_that_compose_gives_is_docker_hubs_only_for_whose_it_is() -> None:
    sources = project("web/Dockerfile", stated=(compose("web", "web", "acme/web"),))
    for user, expected in (("jo", {"image": "acme/web", "load": "auto"}), ("acme", {"image": "docker.io/acme/web"})):
        around = Surroundings(logins=("docker.io",), users={"docker.io": user}, loads_into="x")
        assert keys(drafted(sources, running("web", "nginx"), around=around)) == expected


def test_the_base_of_a_dockerfile_is_not_its_own_though_it_was_loaded() -> None:
    sources = project(dockerfile("web/Dockerfile", "web:3"))
    assert keys(drafted(sources, running("web", "web:3"), around=LOADED))["image"] == "web", "its name says it"
    sources = project(dockerfile("web/Dockerfile", "runtime:3"))
    around = Surroundings(loads_into="x", loaded=frozenset({"docker.io/library/runtime"}))
    assert keys(drafted(sources, running("web", "runtime:3"), around=around))["image"] == "shop/web"


def test_a_loaded_image_says_as_much_as_one_of_a_registry() -> None:
    live = running("front", "web:dev"), running("jobs", "web:dev"), running("x", "nginx")
    (found,) = matching(WEB, *live, around=LOADED).matched
    assert [each.key.name for each in found.workloads] == ["front", "jobs"]
    assert found.why == "the image web ends in the folder's name, web"
    (only,) = matching(project("Dockerfile"), running("front", "site:dev"), around=BARE).unmatched
    assert only.candidates == ()
    assert matching(project("Dockerfile"), never("front", "site:dev"), around=BARE).matched


def test_an_image_of_which_nobody_knows_how_it_came_is_asked_about() -> None:
    live = running("front", "web:dev"), running("x", "nginx")
    (found,) = matching(WEB, *live, around=BARE).unmatched
    assert found.why == (
        "it may be `deployment/front in shop` (the image web ends in the folder's name, web), which is not certain"
    )
    assert not matching(WEB, *live, around=KIND).unmatched[0].candidates


def test_a_comment_that_only_needs_to_be_uncommented() -> None:
    sources = project("web/Dockerfile", "api/Dockerfile")
    text = project_file(drafted(sources, running("front", "web:dev"), never("api", "api"), around=BARE))
    lines = ["# [services.web]", '# image = "web"', '# build = "web"', '# load = "auto"']
    assert "\n".join([*lines, '# workload = "deployment/front"']) in text


def test_the_words() -> None:
    found = drafted(WEB, running("web", "nginx"), around=BARE)
    assert list(report(found, ())) == [
        "  ✔ web/Dockerfile -> deployment/web in shop: it is called web, the folder's name",
        "      image shop/web: it runs nginx now, which is not its own",
        "      loaded into the kind cluster `dev`: the cluster announces no registry",
        "  · tags that begin with dev for web: the usual one on a local cluster; the key `tag` names another",
    ]
    assert (
        "# web/Dockerfile -> deployment/web in shop: it is called web, the folder's name.\n"
        "# It runs nginx now, which is not its own.\n"
        "# It is loaded into the nodes: the cluster announces no registry.\n"
        '[services.web]\nimage = "shop/web"\nbuild = "web"\nload = "auto"\nworkload = "deployment/web"\n'
    ) in project_file(found)


def test_a_person_may_name_a_registry_all_the_same() -> None:
    own = Registry("ghcr.io", "ghcr.io", "is the one that you named", "acme/dev")
    assert keys(drafted(WEB, running("web", "nginx"), around=BARE, place=own)) == {"image": "ghcr.io/acme/dev/web"}
