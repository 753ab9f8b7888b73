"""Which workload runs what a Dockerfile builds, and what is said where that is not clear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core.init.evidence import Spot
from devloop.core.init.match import match
from devloop.core.init.surroundings import Surroundings
from devloop.core.init.workload import Live
from devloop.views.init import pairing
from tests.core.init.world import compose, matching, project, running, skaffold

R = "127.0.0.1:5000"
CASES: dict[str, tuple[tuple[str, ...], tuple[Live, ...], list[str]]] = {
    "by the image": (
        ("web/Dockerfile",),
        (running("frontend", f"{R}/shop/web:1"), running("redis", "redis:7")),
        [f"web/Dockerfile -> deployment/frontend in shop: the image {R}/shop/web ends in the folder's name, web"],
    ),
    "by the workload's name": (
        ("web/Dockerfile",),
        (running("web", f"{R}/busybox:1"), running("api", f"{R}/busybox:1")),
        ["web/Dockerfile -> deployment/web in shop: it is called web, the folder's name"],
    ),
    "a name with the project's before it": (
        ("web/Dockerfile",),
        (running("shop-web", "nginx"), running("shop-api", "nginx")),
        ["web/Dockerfile -> deployment/shop-web in shop: its name holds the folder's name, web"],
    ),
    "an image with the project's name before it, as Compose names it": (
        ("web/Dockerfile",),
        (running("x", f"{R}/shop-web"),),
        [f"web/Dockerfile -> deployment/x in shop: the image {R}/shop-web is named after the folder's name, web"],
    ),
    "by a label": (
        ("web/Dockerfile",),
        (running("x", "nginx", labels={"app.kubernetes.io/name": "web"}), running("y", "nginx")),
        ["web/Dockerfile -> deployment/x in shop: its label app.kubernetes.io/name is the folder's name, web"],
    ),
    "by a container among several": (
        ("web/Dockerfile",),
        (running("x", "envoy:1", "nginx", names=("proxy", "web")),),
        ["web/Dockerfile -> deployment/x in shop: its container web is called like the folder's name, web"],
    ),
    "words that mean nothing": (
        ("web-service/Dockerfile",),
        (running("web", "nginx"), running("api", "nginx")),
        ["web-service/Dockerfile -> deployment/web in shop: its name holds the folder's name, web-service"],
    ),
    "the only one and the only one": (
        ("Dockerfile",),
        (running("frontend", f"{R}/acme/site"),),
        [
            "Dockerfile -> deployment/frontend in shop: it is the only Deployment, "
            "and this the only Dockerfile"
        ],
    ),
    "several workloads of one image": (
        ("web/Dockerfile",),
        (running("web", f"{R}/shop/web:1"), running("worker", f"{R}/shop/web:2"), running("api", f"{R}/shop/api")),
        [
            "web/Dockerfile -> deployment/web in shop, deployment/worker in shop: "
            f"the image {R}/shop/web ends in the folder's name, web"
        ],
    ),
    "the exact name before the vague one": (
        ("web/Dockerfile", "admin-web/Dockerfile"),
        (running("web", f"{R}/shop/web"), running("admin-web", f"{R}/shop/admin-web")),
        [
            f"admin-web/Dockerfile -> deployment/admin-web in shop: the image {R}/shop/admin-web ends in the "
            "folder's name, admin-web",
            f"web/Dockerfile -> deployment/web in shop: the image {R}/shop/web ends in the folder's name, web",
        ],
    ),
    "the plain one before its variant": (
        ("web/Dockerfile", "web/Dockerfile.dev"),
        (running("web", f"{R}/shop/web"),),
        [f"web/Dockerfile -> deployment/web in shop: the image {R}/shop/web ends in the folder's name, web"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_matches(name: str) -> None:
    paths, live, expected = CASES[name]
    assert [pairing(each) for each in matching(project(*paths), *live).matched] == expected


@pytest.mark.parametrize(
    "image", ["nginx", "nginx:1.27", "docker.io/library/nginx", "registry.k8s.io/nginx", "docker.io/bitnami/nginx"]
)
def test_an_image_that_nobody_can_push_to_says_nothing(image: str) -> None:
    found = matching(project("nginx/Dockerfile"), running("proxy", image))
    assert found.matched == ()
    assert found.unmatched[0].why == "no Deployment has a name, an image or a label like `nginx`"


def test_but_its_workload_may_be_called_so() -> None:
    found = matching(project("nginx/Dockerfile"), running("nginx", "nginx"), running("proxy", "nginx"))
    assert [each.workloads[0].key.name for each in found.matched] == ["nginx"]


@pytest.mark.parametrize("image", ["docker.io/acme/web", "acme/web:1"])
def test_an_image_of_docker_hub_counts_for_who_is_logged_in(image: str) -> None:
    sources, live = project("web/Dockerfile", "api/Dockerfile"), running("x", image)
    assert not matching(sources, live).matched
    assert matching(sources, live, around=Surroundings(logins=("docker.io",), users={"docker.io": "acme"})).matched
    found = matching(sources, live, around=Surroundings(logins=("docker.io",), users={"docker.io": "jo"}))
    assert not found.matched, "the Hub has images for everybody"
    assert found.unmatched[1].candidates, "but it may be of an organization"
    official = running("x", "web:1")
    assert not matching(sources, official, around=Surroundings(logins=("docker.io",))).unmatched[1].candidates


def test_what_compose_and_skaffold_call_the_image() -> None:
    stated = (skaffold("front", f"{R}/shop/site"), compose("backend", "back", f"{R}/shop/server:9"))
    found = matching(
        project("front/Dockerfile", "back/Dockerfile", stated=stated),
        running("a", f"{R}/shop/site:1"),
        running("b", f"{R}/shop/server:1"),
    )
    assert [pairing(each).partition(": ")[2] for each in found.matched] == [
        f"the image {R}/shop/server is what compose.yaml builds from it",
        f"the image {R}/shop/site is what skaffold.yaml builds from it",
    ]


def test_the_same_path_in_another_registry_is_what_compose_builds() -> None:
    found = matching(
        project("x/Dockerfile", stated=(compose("y", "x", "localhost:5001/shop/site"),)),
        running("a", "registry:5000/shop/site:1"),
    )
    assert "compose.yaml builds from it, localhost:5001/shop/site" in found.matched[0].why


def test_two_equal_reasons_decide_nothing_and_both_are_named() -> None:
    found = matching(
        project("web/Dockerfile"),
        running("web", f"{R}/a/web", namespace="one"),
        running("web", f"{R}/a/web", namespace="two"),
    )
    assert not found.matched
    (open_one,) = found.unmatched
    assert open_one.why == (
        "it may be `deployment/web in one` or `deployment/web in two`, for equally good reasons"
    )  # fmt: skip
    assert [spot.live.key.namespace for spot in open_one.candidates] == ["one", "two"]


def test_of_equal_containers_the_one_is_named_first_whose_image_of_docker_hub_ends_in_the_name() -> None:
    worker = running("worker", "nginx:1", "acme/worker:1.2", names=("proxy", "app"))
    (found,) = matching(project("worker/Dockerfile"), worker).unmatched
    assert [spot.container.name for spot in found.candidates] == ["app", "proxy"]
    assert found.why == (
        "it may be `deployment/worker in shop, container app` or `deployment/worker in shop, container proxy`: the "
        "image acme/worker of the first ends in the folder's name, worker, but may be somebody else's, as Docker is "
        "not logged in to Docker Hub"
    )


@pytest.mark.parametrize("images", [("acme/web", "other/web"), ("web:1", "nginx")])
def test_where_docker_hub_tells_nothing_apart_the_reasons_are_equal(images: tuple[str, str]) -> None:
    (found,) = matching(project("web/Dockerfile"), running("web", *images)).unmatched
    assert [spot.container.name for spot in found.candidates] == ["c0", "c1"]
    assert found.why.endswith(", for equally good reasons")


def test_two_dockerfiles_for_one_workload_decide_nothing() -> None:
    found = matching(project("a/web/Dockerfile", "b/web/Dockerfile"), running("web", f"{R}/shop/web"))
    assert [each.why for each in found.unmatched] == [
        "deployment/web in shop could as well be built from `b/web/Dockerfile`",
        "deployment/web in shop could as well be built from `a/web/Dockerfile`",
    ]


def test_a_variant_goes_with_the_plain_one_that_is_asked_about() -> None:
    live = running("web", f"{R}/a/web", namespace="one"), running("web", f"{R}/a/web", namespace="two")
    sources = project("web/Dockerfile", "web/Dockerfile.dev")
    plain, variant = matching(sources, *live).unmatched
    assert (len(plain.candidates), plain.is_answered) == (2, False)
    assert (variant.why, variant.is_answered) == ("web/Dockerfile is the plain one beside it", True)
    said = match(sources, live, project="shop", around=Surroundings(), asked={sources[0]: None})
    assert [(each.is_answered, len(each.candidates)) for each in said.unmatched] == [(True, 0), (False, 2)], (
        "who does not build the plain one may build the other"
    )


def test_what_is_taken_is_said() -> None:
    found = matching(project("web/Dockerfile", "web/Dockerfile.dev"), running("web", f"{R}/shop/web"))
    assert [each.why for each in found.unmatched] == ["web/Dockerfile is the plain one beside it"]


def test_of_two_variants_none_is_the_plain_one() -> None:
    dev, prod = project("web/Dockerfile.dev", "web/Dockerfile.prod")
    live = running("web", f"{R}/shop/web"), running("shop-web", f"{R}/shop/other")
    asked = {dev: Spot(live[0], live[0].containers[0])}
    found = match((dev, prod), live, project="shop", around=Surroundings(), asked=asked)
    assert [each.source for each in found.matched] == [dev]
    assert [(each.source, each.why, each.is_answered) for each in found.unmatched] == [
        (prod, "deployment/web in shop is built from web/Dockerfile.dev", True)
    ]


def test_what_only_ends_alike_is_asked_and_never_taken() -> None:
    found = matching(project("api/Dockerfile", "web/Dockerfile"), running("payments-api", f"{R}/payments/payments-api"))
    assert not found.matched
    first, second = found.unmatched
    assert first.why == (
        f"it may be `deployment/payments-api in shop` (the image {R}/payments/payments-api is named after the folder's "
        "name, api), which is not certain"
    )
    assert [str(spot.live.key) for spot in first.candidates] == ["deployment/payments-api"]
    assert second.candidates == ()


def test_a_variant_takes_nothing_weaker_when_the_plain_one_has_the_best() -> None:
    live = running("web", f"{R}/shop/web"), running("shop-web", f"{R}/shop/other")
    assert len(matching(project("web/Dockerfile", "web/Dockerfile.dev"), *live).matched) == 1


def test_what_another_has_taken_is_told() -> None:
    live = running("web", f"{R}/shop/api")
    found = matching(project("web/Dockerfile", "api/Dockerfile"), live)
    assert [each.why for each in found.unmatched] == ["deployment/web in shop is built from api/Dockerfile"]


def test_other_kinds_are_told_and_not_taken() -> None:
    found = matching(project("db/Dockerfile", "web/Dockerfile"), running("db", f"{R}/shop/db", kind="statefulset"))
    assert found.unmatched[0].why == "statefulset/db in shop runs it, and devloop rolls out Deployments alone"
    assert not found.matched
    assert [str(live.key) for live in found.left] == ["statefulset/db"]


def test_a_migration_in_an_init_container_belongs_to_the_image() -> None:
    live = running("web", f"{R}/shop/web:1", init=(f"{R}/shop/web:1",))
    (found,) = matching(project("web/Dockerfile"), live).matched
    assert [spot.container.name for spot in found.spots] == ["i0", "c0"]


def test_the_only_one_is_not_taken_for_somebody_elses_image() -> None:
    assert not matching(project("Dockerfile"), running("frontend", "nginx")).matched
    assert not matching(project("Dockerfile"), running("a", f"{R}/x"), running("b", f"{R}/y")).matched


def test_what_a_person_says_counts() -> None:
    sources = project("web/Dockerfile", "api/Dockerfile")
    live = (running("x", f"{R}/a/b"), running("web", f"{R}/shop/web"))
    spot = Spot(live[0], live[0].containers[0])
    api, web = sources
    found = match(sources, live, project="shop", around=Surroundings(), asked={api: spot, web: None})
    assert [(each.source, each.why) for each in found.matched] == [(api, "so you said")]
    assert [(each.source, each.why) for each in found.unmatched] == [(web, "as you said")]


_NAMES = st.sampled_from(["web", "api", "shop-web", "db", "worker"])
_IMAGES = st.sampled_from([f"{R}/shop/web:1", f"{R}/shop/api", "nginx", f"{R}/x/shop-web", "not an image", ""])
_LIVE = st.builds(
    lambda name, images, kind, namespace: running(name, *images, kind=kind, namespace=namespace),
    _NAMES,
    st.lists(_IMAGES, max_size=3),
    st.sampled_from(["deployment", "statefulset"]),
    st.sampled_from(["shop", "other"]),
)
_PATHS = st.lists(st.sampled_from(["Dockerfile", "web/Dockerfile", "web/Dockerfile.dev", "api/Dockerfile",
                                   "x/web/Dockerfile", "docker/Dockerfile.db"]), unique=True)  # fmt: skip


@given(paths=_PATHS, live=st.lists(_LIVE, max_size=6, unique_by=lambda each: each.key))
def test_whatever_there_is(paths: list[str], live: list[Live]) -> None:
    """Each source has one answer, no container has two, and the order of the workloads decides nothing."""
    sources = project(*paths)
    found = matching(sources, *live)
    answered = [*(each.source for each in found.matched), *(each.source for each in found.unmatched)]
    assert sorted(map(str, sources)) == sorted(map(str, answered))
    claims = [spot.claim for each in found.matched for spot in each.spots]
    assert len(claims) == len(set(claims))
    assert all(spot.live.key.kind == "deployment" for each in found.matched for spot in each.spots)
    again = matching(sources, *reversed(live))
    assert {(e.source, frozenset(s.claim for s in e.spots)) for e in again.matched} == {
        (e.source, frozenset(s.claim for s in e.spots)) for e in found.matched
    }
