"""What a path of the API names."""

import pytest

from devloop.sandbox import kinds
from devloop.sandbox.paths import Target, target_of

PROXIED = {
    "pods/web:80/proxy": Target(kinds.POD, "shop", "web:80", "proxy"),
    "pods/web/proxy/": Target(kinds.POD, "shop", "web", "proxy", "/"),
    "pods/web/proxy/a/proxy/b%2Fc/": Target(kinds.POD, "shop", "web", "proxy", "/a/proxy/b%2Fc/"),
    "pods/proxy-1/proxy/a": Target(kinds.POD, "shop", "proxy-1", "proxy", "/a"),
    "services/proxy/proxy/a": Target(kinds.SERVICE, "shop", "proxy", "proxy", "/a"),
    "pods/proxy@elsewhere:80/log": Target(kinds.POD, "shop", "proxy@elsewhere:80", "log"),
}


@pytest.mark.parametrize("path", PROXIED)
def test_a_proxys_path_is_what_follows_it(path: str) -> None:
    assert target_of(f"/api/v1/namespaces/shop/{path}") == PROXIED[path]


def test_a_namespace_of_that_name() -> None:
    found = target_of("/api/v1/namespaces/proxy/pods/web/proxy/a")
    assert found == Target(kinds.POD, "proxy", "web", "proxy", "/a")
