"""Which image a service gets, and under which name it is pushed from here."""

import pytest

from devloop.core.init.registry import CONFIG_MAP, Registry, refs_to_ask, registries
from devloop.core.init.surroundings import Surroundings
from tests.core.init.world import HOSTING, KIND, compose, dockerfile, drafted, matching, project, running

R = "ghcr.io/acme"
WEB = project("web/Dockerfile")


def image_of(image: str, around: Surroundings = KIND) -> tuple[str, str]:
    """Image and push name of deployment/web, which runs this image."""
    (service,) = drafted(WEB, running("web", image), around=around).services
    return service.image.image, service.image.push


@pytest.mark.parametrize(
    ("image", "chosen", "push"),
    [
        (f"{R}/web:1", f"{R}/web", ""),
        ("registry:5000/shop/web", "registry:5000/shop/web", "localhost:5001/shop/web"),
        ("localhost:5001/shop/web", "localhost:5001/shop/web", ""),
        ("nginx:1.27", "registry:5000/shop/web", "localhost:5001/shop/web"),
        ("web:dev", "registry:5000/shop/web", "localhost:5001/shop/web"),
        ("registry.k8s.io/echoserver", "registry:5000/shop/web", "localhost:5001/shop/web"),
        (f"{R}/busybox:1", "registry:5000/shop/web", "localhost:5001/shop/web"),
        ("not an image", "registry:5000/shop/web", "localhost:5001/shop/web"),
    ],
)
def test_a_cluster_with_a_local_registry(image: str, chosen: str, push: str) -> None:
    assert image_of(image) == (chosen, push)


@pytest.mark.parametrize(
    ("hosting", "image", "push"),
    [
        ({"host": "localhost:5001"}, "localhost:5001/shop/web", ""),
        ({"host": "localhost:5001", "hostFromClusterNetwork": "registry:5000"}, "registry:5000/w", "localhost:5001/w"),
        ({"host": "127.0.0.1:5000"}, "localhost:5000/shop/web", "127.0.0.1:5000/shop/web"),
        ({"host": "127.0.0.1:5000"}, "localhost:5001/shop/web", ""),
        ({"help": "https://example.com"}, "registry:5000/shop/web", ""),
        ({}, "registry:5000/shop/web", ""),
        (None, "registry:5000/shop/web", ""),
    ],
)
def test_what_the_config_map_says(hosting: dict[str, str] | None, image: str, push: str) -> None:
    assert image_of(image, Surroundings(hosting))[1] == push


def test_why_the_push_name_is_another_one() -> None:
    (service,) = drafted(WEB, running("web", "registry:5000/shop/web")).services
    assert service.image.push_note == f"What Pods pull from registry:5000 goes here, says {CONFIG_MAP}."


def test_a_config_map_that_is_wrong_is_not_followed() -> None:
    around = Surroundings(HOSTING, silent=frozenset({"localhost:5001"}))
    assert image_of("registry:5000/shop/web", around) == ("registry:5000/shop/web", "")


def test_the_name_that_compose_pushes_to_where_the_pods_name_does_not_answer() -> None:
    sources = project("web/Dockerfile", stated=(compose("web", "web", "localhost:5001/shop/web"),))
    live = running("web", "registry:5000/shop/web")
    (reached,) = drafted(sources, live, around=Surroundings()).services
    assert reached.image.push == ""
    (service,) = drafted(sources, live, around=Surroundings(silent=frozenset({"registry:5000"}))).services
    assert service.image.push == "localhost:5001/shop/web"
    assert service.image.push_note.startswith("From here nothing answers at registry:5000; compose.yaml pushes to")
    both = Surroundings(silent=frozenset({"registry:5000", "localhost:5001"}))
    (neither,) = drafted(sources, live, around=both).services
    assert neither.image.push == ""
    assert "No registry answers at registry:5000 from here" in neither.image.notes[0]


def test_where_one_may_not_push_another_registry_is_better_and_that_one_better_than_none() -> None:
    denied = frozenset({f"{R}/web"})
    assert image_of(f"{R}/web", Surroundings(HOSTING, denied=denied))[0] == "registry:5000/shop/web"
    (service,) = drafted(WEB, running("web", f"{R}/web"), around=Surroundings(denied=denied)).services
    assert service.image.image == f"{R}/web"
    assert service.image.notes == ("You may not push there yet: `docker login ghcr.io`.",)


def test_an_image_that_several_run_or_that_is_a_base_is_not_ones_own() -> None:
    sources = project("web/Dockerfile", "api/Dockerfile")
    both = drafted(sources, running("web", f"{R}/runtime:3"), running("api", f"{R}/runtime:3"))
    assert [each.image.image for each in both.services] == ["registry:5000/shop/api", "registry:5000/shop/web"]
    based = project(dockerfile("web/Dockerfile", f"{R}/runtime:4"))
    (service,) = drafted(based, running("web", f"{R}/runtime:3")).services
    assert service.image.image == "registry:5000/shop/web"
    (alone,) = drafted(WEB, running("web", f"{R}/runtime:3")).services
    assert alone.image.image == f"{R}/runtime"


def test_new_images_go_beside_the_projects_own() -> None:
    sources = project("web/Dockerfile", "api/Dockerfile")
    live = running("web", "nginx"), running("api", "registry:5000/team/shop/api")
    api, web = drafted(sources, *live).services
    assert (api.image.image, web.image.image) == ("registry:5000/team/shop/api", "registry:5000/team/shop/web")


def test_what_skaffold_calls_it_before_a_name_that_is_made_up() -> None:
    sources = project("web/Dockerfile", stated=(compose("web", "web", "registry.example.com/acme/front"),))
    (service,) = drafted(sources, running("web", "nginx")).services
    assert (service.image.image, service.image.push) == ("registry.example.com/acme/front", "")


def test_without_any_registry_it_is_left_to_a_person() -> None:
    found = drafted(WEB, running("web", "nginx"), around=Surroundings())
    assert not found.services
    assert found.unmatched[0].why == (
        "deployment/web in shop runs nginx, which cannot be pushed to, and no other registry was found"
    )


def test_the_registries_that_are_found_the_best_first() -> None:
    live = running("a", "r1/x", "ghcr.io/acme/x"), running("b", "ghcr.io/acme/y", "nginx", "registry.k8s.io/pause")
    around = Surroundings(HOSTING, logins=("docker.io", "quay.io"))
    assert [(each.host, each.here) for each in registries(live, around)] == [
        ("registry:5000", "localhost:5001"),
        ("ghcr.io", "ghcr.io"),
        ("quay.io", "quay.io"),
    ]


def test_localhost_is_the_registry_that_the_config_map_calls_by_its_address() -> None:
    found = registries([running("a", "localhost:5000/x")], Surroundings({"host": "127.0.0.1:5000"}))
    assert [each.host for each in found] == ["127.0.0.1:5000"]


def test_a_person_may_name_another() -> None:
    own = Registry("ghcr.io", "ghcr.io", "is the one that you named", "acme/dev")
    (service,) = drafted(WEB, running("web", "nginx"), place=own).services
    assert service.image.image == "ghcr.io/acme/dev/web"


def test_only_what_matters_is_asked() -> None:
    sources = project("web/Dockerfile", "api/Dockerfile", stated=(compose("web", "web", "localhost:5001/shop/web"),))
    live = running("web", "registry:5000/shop/web"), running("api", "nginx"), running("redis", "ghcr.io/x/redis")
    asked = [ref.name for ref in refs_to_ask(matching(sources, *live).matched, KIND)]
    assert asked == ["registry:5000/shop/web", "localhost:5001/shop/web", "localhost:5001/devloop"]


def test_where_repositories_begin_with_a_users_name_so_do_new_ones() -> None:
    users = {"docker.io": "jo", "ghcr.io": "jo-gh"}
    hub = Surroundings(logins=("docker.io", "ghcr.io"), users=users)
    assert image_of("nginx", hub)[0] == "docker.io/jo/web"
    assert image_of("nginx", Surroundings(logins=("ghcr.io",), users=users))[0] == "ghcr.io/jo-gh/web"
    assert image_of("nginx", Surroundings(logins=("docker.io", "ghcr.io")))[0] == "ghcr.io/shop/web", (
        "nobody knows whose"
    )
    sources = project("web/Dockerfile", "api/Dockerfile")
    api, _ = drafted(sources, running("api", "nginx"), running("web", "acme/web:1"), around=hub).services
    assert api.image.image == "docker.io/acme/api", "beside the project's own"


def test_an_image_of_docker_hub_is_written_with_its_registry() -> None:
    hub = Surroundings(logins=("docker.io",), users={"docker.io": "acme"})
    (service,) = drafted(WEB, running("web", "acme/web:latest"), around=hub).services
    assert (service.image.image, service.tag) == ("docker.io/acme/web", "dev")
    assert image_of("docker.io/acme/web", hub)[0] == "docker.io/acme/web"
    local = Surroundings(logins=("docker.io",), loads_into="x", loaded=frozenset({"docker.io/acme/web"}))
    (service,) = drafted(WEB, running("web", "acme/web"), around=local).services
    assert (service.image.image, bool(service.image.load_why)) == ("acme/web", True), "it was loaded"


def test_a_user_that_begins_no_repository_is_left_out() -> None:
    assert Surroundings.of(None, ("docker.io",), users={"docker.io": "jo@example.com"}).users == {}
