"""The context guard: names alone prove nothing, and a refusal shows the line that would allow it."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core.failure import ExitCode
from devloop.core.guard import Allowed, Refused, allowing_line, is_local, judge

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
    refused = judge(context, SERVER, addresses, False, "shop")
    assert isinstance(refused, Refused)
    assert refused.failure.exit_code == ExitCode.CONTEXT_REFUSED
    assert context in refused.failure.message
    assert allowing_line(context, "shop") in refused.failure.hint
    assert isinstance(judge(context, SERVER, addresses, True, "shop"), Allowed)


def test_the_refusal_names_the_address_that_is_far_away() -> None:
    refused = judge("kind-prod", SERVER, ["127.0.0.1", "34.1.2.3"], False, "")
    assert isinstance(refused, Refused)
    assert "34.1.2.3" in refused.failure.message


_names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@given(_names, _names)
def test_the_line_is_toml_that_says_what_it_means(context: str, namespace: str) -> None:
    table = tomllib.loads(f"[cluster]\n{allowing_line(context, namespace)}\n")
    assert table == {"cluster": {"allow": [{"context": context, "namespace": namespace}]}}
    assert tomllib.loads(allowing_line(context, "")) == {"allow": [context]}
