"""Where the services of a devloop.toml are: what is named, what the context says, and what runs their images."""

from typing import Any

import pytest

from devloop.core.config import Config
from devloop.core.init.kept import Home, kept
from devloop.core.init.workload import Live
from tests.core.init.world import project, running

SHOP = {"web": {"image": "r:5000/shop/web"}, "api": {"image": "r:5000/shop/api"}}


def home(*live: Live, said: str = "", asked: str = "", services: dict[str, Any] = SHOP) -> Home:
    config = Config.model_validate({"cluster": {"namespace": said}, "services": services})
    return kept(config, "", {}, project("web", "api"), live, asked, "ctx").home


def web(namespace: str, image: str = "r:5000/shop/web:1") -> Live:
    return running("web", image, namespace=namespace)


def api(namespace: str, image: str = "r:5000/shop/api:1") -> Live:
    return running("api", image, namespace=namespace)


LOST = Home(is_lost=True)


@pytest.mark.parametrize(
    ("live", "said", "asked", "expected"),
    [
        ((web("ctx"), web("s1"), api("s1")), "", "", Home("ctx")),  # any of it is enough
        ((web("ctx", "nginx"), web("s1")), "", "", Home("ctx")),  # a stand-in is, too
        ((web("s1"), api("s1")), "", "", Home("s1", is_news=True)),
        ((web("s1"), api("s1"), web("s2")), "", "", Home("s1", is_news=True)),
        ((web("s1"), web("s2", "r:5000/blog/web"), api("s2", "x")), "", "", Home("s1", is_news=True)),
        ((web("s1"), api("s2")), "", "", Home(is_lost=True, elsewhere=("s1", "s2"))),
        ((web("s1", "nginx"),), "", "", Home(is_lost=True, elsewhere=("s1",))),
        ((), "", "", LOST),
        ((web("ctx"), web("s1")), "s1", "", Home("s1")),
        ((web("ctx"), web("s1")), "s9", "", Home(is_lost=True, elsewhere=("ctx", "s1"))),
        ((web("s1"), web("s9")), "s9", "s1", Home("s1", is_news=True)),
        ((web("s1"), web("s9"), api("s9")), "s9", "s1", Home("s9")),
        ((web("s9"),), "s9", "s1", Home("s9")),
        ((web("s1"),), "", "s1", Home("s1", is_news=True)),
        ((web("s2"),), "", "s1", Home(is_lost=True, elsewhere=("s2",))),
    ],
)
def test_the_namespace_of_services_that_name_none(
    live: tuple[Live, ...], said: str, asked: str, expected: Home
) -> None:
    assert home(*live, said=said, asked=asked) == expected


def test_a_service_that_names_its_own_says_nothing_of_the_others() -> None:
    services = {"web": SHOP["web"], "api": {**SHOP["api"], "namespace": "post"}}
    assert home(api("ctx"), web("s1"), services=services) == Home("s1", is_news=True)
    assert home(api("post"), services={"api": services["api"]}) == Home()


def test_a_file_makes_what_runs_its_images_wherever_that_is() -> None:
    of = kept(Config.model_validate({"services": SHOP}), "", {}, (), (), "", "ctx")
    assert of.makes(running("other", "r:5000/shop/web@sha256:" + "0" * 64, namespace="s9"))
    assert not of.makes(running("web", "r:5000/blog/web:1"))
