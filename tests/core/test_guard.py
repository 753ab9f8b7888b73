"""The context guard: names alone prove nothing, and a refusal says what would allow it."""

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core.config import ClusterConfig, Config
from devloop.core.failure import ExitCode
from devloop.core.guard import Allowed, Refused, Written, allowing_line, declined, is_local, judge, remedy
from devloop.core.layers import prepare

SERVER = "https://example:6443"


@pytest.mark.parametrize(
    "context",
    ["kind-e2e", "k3d-shop", "minikube", "docker-desktop", "rancher-desktop", "colima", "colima-x", "orbstack"],
)
@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.31.0.1", "192.168.5.15", "169.254.1.1"),
        *("::1", "::", "fd00::1", "fe80::1%eth0", "::ffff:10.0.0.1"),
    ],
)
def test_a_known_name_at_a_near_address_passes(context: str, address: str) -> None:
    assert is_local(context, [address])
    assert isinstance(judge(context, SERVER, [address], False, "shop"), Allowed)


@pytest.mark.parametrize(
    ("context", "addresses"),
    [
        ("kind-prod", ["34.1.2.3"]),
        ("kind-prod", ["127.0.0.1", "34.1.2.3"]),
        ("kind-prod", ["172.32.0.1"]),
        ("kind-prod", ["100.64.0.1"]),
        ("kind-prod", ["2001:db8::1"]),
        ("kind-prod", ["::ffff:34.1.2.3"]),
        ("kind-prod", []),
        ("kind-prod", ["not-an-address"]),
        ("kind", ["127.0.0.1"]),
        ("KIND-x", ["127.0.0.1"]),
        ("my-kind-x", ["127.0.0.1"]),
        ("prod", ["127.0.0.1"]),
        ("minikube-2", ["127.0.0.1"]),
    ],
)
def test_everything_else_is_refused_unless_the_file_allows_it(context: str, addresses: list[str]) -> None:
    assert not is_local(context, addresses)
    refused = judge(context, SERVER, addresses, False, "do this")
    assert isinstance(refused, Refused)
    assert refused.failure.exit_code == ExitCode.CONTEXT_REFUSED
    assert context in refused.failure.message
    assert refused.failure.hint.endswith(", or do this")
    assert isinstance(judge(context, SERVER, addresses, True, "shop"), Allowed)


def test_the_refusal_names_the_address_that_is_far_away() -> None:
    refused = judge("kind-prod", SERVER, ["127.0.0.1", "34.1.2.3"], False, "")
    assert isinstance(refused, Refused)
    assert "34.1.2.3" in refused.failure.message


_names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@given(_names, _names)
def test_the_line_is_toml_that_says_what_it_means(context: str, namespace: str) -> None:
    for line in (allowing_line(context, namespace), allowing_line(context, "")):
        cluster = written(f"[cluster]\n{line}\n")
        assert cluster.allows(context, namespace)
    every = written(f"[cluster]\n{key_of(remedy(context, [namespace], Written(ClusterConfig(), 'x.toml')))}\n")
    assert every == ClusterConfig(context=context)


def written(text: str) -> ClusterConfig:
    """What a file of that text says; `${` begins a variable there."""
    return Config.model_validate(prepare(tomllib.loads(text), {})[0]).cluster


def key_of(way: str) -> str:
    found = re.fullmatch(r"set `(.+)` under `\[cluster\]` in x\.toml", way)
    assert found, way
    return found[1]


@pytest.mark.parametrize(
    ("in_force", "way"),
    [
        (Written(ClusterConfig(), "x.toml"), 'set `context = "prod"` under `[cluster]` in x.toml'),
        (
            Written(ClusterConfig.model_validate({"allow": ["team"]}), "x.toml"),
            'set `context = "prod"` under `[cluster]` in x.toml',
        ),
        (
            Written(ClusterConfig(context="kind-dev"), "x.toml"),
            'set `allow = [{ context = "prod", namespace = "shop" }]` under `[cluster]` in x.toml',
        ),
        (
            Written(ClusterConfig.model_validate({"allow": ["team"]}), "x.toml", in_use=True),
            'set `allow = ["team", { context = "prod", namespace = "shop" }]` under `[cluster]` in x.toml',
        ),
        (
            Written(ClusterConfig()),
            "let `devloop init` write a devloop.toml, "
            'and set `context = "prod"` under `[cluster]` in the devloop.local.toml beside it',
        ),
        (
            Written(ClusterConfig(), "x.toml", faulty="x.toml"),
            "correct the mistakes in x.toml: what that allows does not count before",
        ),
    ],
)
def test_what_to_do_about_a_context_that_nothing_allows(in_force: Written, way: str) -> None:
    assert remedy("prod", ["shop"], in_force) == way


def test_one_line_for_all_namespaces_that_are_not_allowed_and_for_all_that_is() -> None:
    present = ClusterConfig.model_validate({"context": "kind-dev", "allow": ["team", "prod-*"]})
    found = written(f"[cluster]\n{key_of(remedy('prod', ['a', 'b'], Written(present, 'x.toml')))}\n")
    assert [*map(found.allows, ["prod", "prod", "team", "prod-2"], ["a", "b", "any", "any"])] == [True] * 4
    assert not found.allows("prod", "c")


def test_whoever_declined_hears_the_same() -> None:
    assert declined("prod", "do this").hint == "to allow it for good, do this"
